"""The book's SGAN as Keras programs of 2020 were written, with four correct `train_on_batch` calls an iteration.

The three models are compiled separately. Their train functions are traced once before the binary discriminator is
frozen inside the combined model, because Keras 3 reads `trainable` at the first call (chapter 7); the weights and the
optimisers are put back afterwards.
"""

import keras
import numpy as np
import tensorflow as tf
from operations import weighted_layers

from sgan_helpers import build_discriminators, build_generator


class Implementation:
    def __init__(self, weights, data, settings):
        self.settings, self.data = settings, data
        tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
        self.rng = np.random.default_rng(0)
        keras.utils.set_random_seed(0)
        self.class_discriminator, self.binary_discriminator = build_discriminators()
        self.generator = build_generator()
        for layer in self.class_discriminator.get_layer("trunk").layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = settings["dropout"]
        self.load(weights)

        class_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.class_discriminator.compile(self.adam(), class_loss)
        self.binary_discriminator.compile(self.adam(), keras.losses.BinaryCrossentropy(from_logits=True))
        noise = keras.Input((100,))
        self.combined = keras.Model(noise, self.binary_discriminator(self.generator(noise)))

        models = (self.class_discriminator, self.binary_discriminator)
        before = [model.get_weights() for model in models]
        batch_size = settings["batch_size"]
        images = data["unlabeled_images"][:batch_size]
        self.class_discriminator.train_on_batch(images, np.zeros(batch_size, np.int64))
        self.binary_discriminator.train_on_batch(images, np.ones((batch_size, 1), np.float32))
        for model, values in zip(models, before, strict=True):
            model.set_weights(values)
            for variable in model.optimizer.variables:
                if "learning_rate" not in variable.path:
                    variable.assign(tf.zeros_like(variable))
        self.binary_discriminator.trainable = False
        self.combined.compile(self.adam(), keras.losses.BinaryCrossentropy(from_logits=True))

    def adam(self):
        return keras.optimizers.Adam(
            self.settings["learning_rate"], self.settings["beta_1"], epsilon=self.settings["epsilon"]
        )

    def load(self, weights):
        """Take the given weights."""
        networks = (self.class_discriminator, self.binary_discriminator, self.generator)
        values = weights["convolutions"] + weights["dense"]
        for layer, value in zip(weighted_layers(*networks), values, strict=True):
            layer.set_weights(value)

    def iteration(self, labeled_images, labels, real_images, fake_noise, generator_noise):
        """Run the recipe's four updates on one batch. Return the four losses."""
        ones = np.ones((len(real_images), 1), np.float32)
        fake_images = self.generator.predict_on_batch(fake_noise)
        return (
            self.class_discriminator.train_on_batch(labeled_images, labels),
            self.binary_discriminator.train_on_batch(real_images, ones),
            self.binary_discriminator.train_on_batch(fake_images, 0 * ones),
            self.combined.train_on_batch(generator_noise, ones),
        )

    def losses(self, batches):
        """Run an iteration on each of the given batches of NumPy arrays. Return the losses, (batches, 4)."""
        return np.array([[float(loss) for loss in self.iteration(*batch)] for batch in batches])

    def run(self, iterations):
        """Run iterations on batches drawn at random."""
        batch_size, data = self.settings["batch_size"], self.data
        for _ in range(iterations):
            labeled_rows = self.rng.integers(len(data["labels"]), size=batch_size)
            unlabeled_rows = self.rng.integers(len(data["unlabeled_images"]), size=batch_size)
            losses = self.iteration(
                data["labeled_images"][labeled_rows],
                data["labels"][labeled_rows],
                data["unlabeled_images"][unlabeled_rows],
                self.rng.standard_normal((batch_size, 100), dtype=np.float32),
                self.rng.standard_normal((batch_size, 100), dtype=np.float32),
            )
        return [float(loss) for loss in losses]
