"""The book's SGAN as `sgan_helpers` trains it: `Model.fit` on `batch_stream`, 50 steps in one compiled call."""

import keras
import numpy as np
import tensorflow as tf
from operations import weighted_layers

from sgan_helpers import LabeledSplit, batch_stream, build_model
from sgan_helpers.methods import sgan
from sgan_helpers.training import STEPS_PER_EXECUTION


class Implementation:
    def __init__(self, weights, data, settings):
        tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
        self.settings, self.step = settings, 0
        keras.utils.set_random_seed(0)
        self.model = build_model("sgan", seed=0, learning_rate=settings["learning_rate"], beta_1=settings["beta_1"])
        networks = (self.model.class_discriminator, self.model.binary_discriminator, self.model.generator)
        values = weights["convolutions"] + weights["dense"]
        for layer, value in zip(weighted_layers(*networks), values, strict=True):
            layer.set_weights(value)
        trunk = self.model.class_discriminator.get_layer("trunk")
        for layer in trunk.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = settings["dropout"]
        for optimizer in self.model.optimizers:
            optimizer.epsilon = settings["epsilon"]
        self.compile()
        nothing = np.zeros(0, np.int64)
        arrays = (data[name] for name in ("labeled_images", "labels", "unlabeled_images"))
        self.split = LabeledSplit(*arrays, nothing, nothing)

    def compile(self):
        """Compile as `training.train` does."""
        self.model.compile(optimizer=None, steps_per_execution=STEPS_PER_EXECUTION, jit_compile=False)

    def losses(self, batches):
        """Run the four updates of `train_step` on each of the given batches of NumPy arrays: losses (batches, 4)."""
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
