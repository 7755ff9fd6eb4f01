"""Any method of `sgan_helpers`, with a trunk of any width and any number of labels, trained as the package does."""

import keras
import tensorflow as tf
from implementations import ours

from sgan_helpers import build_generator, build_model, build_trunk, load_mnist, split_labeled


class Implementation(ours.Implementation):
    """`weights` and `data` are not used: the method has its own networks, and the labels are as many as asked for."""

    def __init__(self, weights, data, settings):
        tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
        self.settings, self.step = settings, 0
        mnist = load_mnist()
        self.split = split_labeled(mnist.train_images, mnist.train_labels, settings["labels_per_class"], seed=0)
        keras.utils.set_random_seed(0)
        networks = None if settings["width"] == 1 else wider_sgan(settings["width"])
        self.model = build_model(settings["method"], seed=0, networks=networks)
        self.compile()


def wider_sgan(width):
    """Return a function that builds the networks of the SGAN on a wider trunk."""

    def build(num_classes):
        images = keras.Input((28, 28, 1))
        features = wider(build_trunk(), width)(images)
        outputs = [keras.layers.Dense(units)(features) for units in (num_classes, 1)]
        return (*(keras.Model(images, output) for output in outputs), build_generator())

    return build


def wider(trunk, width):
    """Build a copy of a trunk with `width` times as many maps in each convolution."""
    config = trunk.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "Conv2D":
            layer["config"]["filters"] *= width
    config["layers"] = [{**layer, "build_config": None} for layer in config["layers"]]
    return keras.Sequential.from_config({**config, "build_input_shape": None})
