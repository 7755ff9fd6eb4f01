"""The book's SGAN as `sgan_helpers` trains it: `Model.fit` on `batch_stream`, 50 steps in one compiled call."""

import keras
import numpy as np
import tensorflow as tf

from sgan_helpers import SGAN, LabeledSplit, batch_stream, build_discriminators, build_generator
from sgan_helpers.training import STEPS_PER_EXECUTION


def build_sgan(width, learning_rate, beta_1):
    """Build the book's SGAN, with `width` times as many maps in each convolution of the trunk."""
    class_discriminator, binary_discriminator = build_discriminators()
    if width != 1:
        wider = []
        for layer in class_discriminator.get_layer("trunk").layers:
            config = layer.get_config()
            if isinstance(layer, keras.layers.Conv2D):
                config["filters"] *= width
            wider.append(type(layer).from_config(config))
        images = keras.Input((28, 28, 1))
        features = keras.Sequential([keras.Input((28, 28, 1)), *wider], name="trunk")(images)
        class_discriminator = keras.Model(images, keras.layers.Dense(10, name="class_logits")(features))
        binary_discriminator = keras.Model(images, keras.layers.Dense(1, name="real_logits")(features))
    options = {"seed": 0, "learning_rate": learning_rate, "beta_1": beta_1}
    return SGAN(class_discriminator, binary_discriminator, build_generator(), **options)


class Implementation:
    def __init__(self, weights, data, settings):
        tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
        self.settings, self.step = settings, 0
        keras.utils.set_random_seed(0)
        self.model = build_sgan(settings["width"], settings["learning_rate"], settings["beta_1"])
        trunk = self.model.class_discriminator.get_layer("trunk")
        convolutions = [layer for layer in trunk.layers if isinstance(layer, keras.layers.Conv2D)]
        dense = [
            self.model.class_discriminator.get_layer("class_logits"),
            self.model.binary_discriminator.get_layer("real_logits"),
        ]
        dense += [layer for layer in self.model.generator.layers if isinstance(layer, keras.layers.Dense)]
        if settings["width"] == 1:
            for layer, values in zip(convolutions + dense, weights["convolutions"] + weights["dense"], strict=True):
                layer.set_weights(values)
        for layer in trunk.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = settings["dropout"]
        for optimizer in self.model.optimizers:
            optimizer.epsilon = settings["epsilon"]
        self.model.compile(optimizer=None, steps_per_execution=STEPS_PER_EXECUTION, jit_compile=False)
        nothing = np.zeros(0, np.int64)
        images = (
            tf.constant(data["labeled_images"]),
            tf.constant(data["labels"]),
            tf.constant(data["unlabeled_images"]),
        )
        self.split = LabeledSplit(*images, nothing, nothing)

    def losses(self, batches):
        """Run the four updates of `train_step` on each of the given batches of NumPy arrays: losses (batches, 4)."""
        from sgan_helpers import sgan

        model, found = self.model, []
        for labeled_images, labels, real_images, fake_noise, generator_noise in batches:
            class_discriminator, binary = model.class_discriminator, model.binary_discriminator
            images = (tf.constant(labeled_images), tf.constant(labels))
            losses = (
                sgan.update_class_discriminator(class_discriminator, model.class_optimizer, *images),
                sgan.update_binary_on_real(binary, model.binary_optimizer, real_images),
                sgan.update_binary_on_fake(binary, model.binary_optimizer, model.generator, fake_noise),
                sgan.update_generator(model.generator, model.generator_optimizer, binary, generator_noise),
            )
            found.append([float(loss) for loss in losses])
        return np.array(found)

    def run(self, iterations):
        """Run iterations on batches drawn at random."""
        batch_size = self.settings["batch_size"]
        stream = batch_stream(self.split, seed=0, start=self.step, stop=self.step + iterations, batch_size=batch_size)
        self.model.fit(stream, verbose=0, shuffle=False)
        self.step += iterations
        return [float(tracker.result()) for tracker in self.model.loss_trackers]
