"""The tuned SGAN: the book's SGAN with distorted images and averaged weights, as the tuned supervised baseline has."""

import functools

import tensorflow as tf

from sgan_helpers.data import draw_noise
from sgan_helpers.distortions import DISTORTION, distort_images
from sgan_helpers.methods.averaged import update_average
from sgan_helpers.methods.base import MethodModel
from sgan_helpers.methods.sgan import (
    SGAN,
    update_binary_on_fake,
    update_binary_on_real,
    update_class_discriminator,
    update_generator,
)
from sgan_helpers.networks import build_discriminators


class TunedSGAN(MethodModel):
    """`SGAN` on distorted images, real and generated ones; the average of the classifier's weights over time is tested.

    Generated images are distorted like real ones, or being distorted would give a real image away.

    Args:
        class_discriminator: `keras.Model`, images (batch, 28, 28, 1) to class logits (batch, K). It holds the average.
        trained_discriminator: `keras.Model` of the same layers, the one that is trained.
        binary_discriminator, generator: see `SGAN`; the first stands on the trunk of the trained discriminator.
        seed: int in [0, 2**31 - 1], the seed of noise and distortions.
        learning_rate: float above 0, of all three Adam optimisers.
        beta_1: float in [0, 1), Adam's decay rate of the first moment.
        average_decay: float in [0, 1), see `update_average`.
        distortion: dict, see `distort_images`.

    Source of the distorted fakes: Zhao et al. (2020), "Differentiable Augmentation for Data-Efficient GAN Training".
    """

    network_names = ("class_discriminator", "trained_discriminator", "binary_discriminator", "generator")
    loss_names = SGAN.loss_names

    def __init__(self, *networks, seed, learning_rate=1e-3, beta_1=0.5, average_decay=0.999, distortion=DISTORTION):
        super().__init__(*networks, seed=seed)
        self.class_optimizer, self.binary_optimizer, self.generator_optimizer = (
            self.add_optimizer(name, network, learning_rate, beta_1)
            for name, network in (
                ("class_optimizer", self.trained_discriminator),
                ("binary_optimizer", self.binary_discriminator),
                ("generator_optimizer", self.generator),
            )
        )
        self.average_decay, self.distortion = average_decay, distortion

    @staticmethod
    def build_networks(num_classes):
        """Return the averaged class discriminator, and the three networks of `SGAN`; the first two start alike."""
        trained_discriminator, binary_discriminator, generator = SGAN.build_networks(num_classes)
        averaged_discriminator, _ = build_discriminators(num_classes)
        averaged_discriminator.set_weights(trained_discriminator.get_weights())
        return averaged_discriminator, trained_discriminator, binary_discriminator, generator

    def train_step(self, data):
        """Run one iteration: the four updates of `SGAN` on distorted images, then move the average."""
        step, labeled_images, labels, unlabeled_images = data
        batch_size, latent_dim = tf.shape(unlabeled_images)[0], self.generator.input_shape[-1]
        fake_noise = draw_noise(self.seed, "fake_noise", step, batch_size, latent_dim)
        generator_noise = draw_noise(self.seed, "generator_noise", step, batch_size, latent_dim)
        labeled_images = self.distort("labeled_batch", step, labeled_images)
        real_images = self.distort("unlabeled_batch", step, unlabeled_images)
        draw, judge = functools.partial(self.draw_fakes, step), functools.partial(self.judge_fakes, step)
        class_discriminator, binary_discriminator = self.trained_discriminator, self.binary_discriminator
        losses = (
            update_class_discriminator(class_discriminator, self.class_optimizer, labeled_images, labels),
            update_binary_on_real(binary_discriminator, self.binary_optimizer, real_images),
            update_binary_on_fake(binary_discriminator, self.binary_optimizer, draw, fake_noise),
            update_generator(self.generator, self.generator_optimizer, judge, generator_noise),
        )
        update_average(self.class_discriminator, class_discriminator, step, self.average_decay)
        return self.report(dict(zip(self.loss_names, losses, strict=True)))

    def distort(self, stream, step, images):
        """Return distorted images (batch, 28, 28, 1)."""
        return distort_images(images, self.seed, step, stream, self.distortion)

    def draw_fakes(self, step, noise, training):
        """Return generated images, distorted."""
        return self.distort("fake_noise", step, self.generator(noise, training=training))

    def judge_fakes(self, step, fake_images, training):
        """Return the logits of "real" (batch, 1) of generated images, distorted."""
        return self.binary_discriminator(self.distort("generator_noise", step, fake_images), training=training)
