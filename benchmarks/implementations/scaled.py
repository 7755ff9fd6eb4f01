"""Any method of `sgan_helpers`, with a trunk of any width and any number of labels, trained as the package does."""

import keras
import tensorflow as tf
from implementations import ours

from sgan_helpers import build_model, load_mnist, networks, split_labeled


class Implementation(ours.Implementation):
    """`weights` and `data` are not used: the method has its own networks, and the labels are as many as asked for."""

    def __init__(self, weights, data, settings):
        tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
        self.settings, self.step = settings, 0
        mnist = load_mnist()
        self.split = split_labeled(mnist.train_images, mnist.train_labels, settings["labels_per_class"], seed=0)
        keras.utils.set_random_seed(0)
        trunk = wider(networks.build_trunk(), settings["width"])
        networks.build_trunk = lambda: trunk
        self.model = build_model(settings["method"], seed=0)
        self.compile()


def wider(trunk, width):
    """Build a copy of a trunk with `width` times as many maps in each convolution."""
    config = trunk.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "Conv2D":
            layer["config"]["filters"] *= width
    config["layers"] = [{**layer, "build_config": None} for layer in config["layers"]]
    return keras.Sequential.from_config({**config, "build_input_shape": None})
