"""The SGAN of Odena (2016) as one Keras model: four updates an iteration, each of its own variables.

This file is not about evaluation, checkpoints or pictures: `training.py` is.
"""

import keras
import tensorflow as tf

from sgan_helpers.checks import check_int, check_number, check_type
from sgan_helpers.data import MAX_SEED, draw_noise
from sgan_helpers.losses import class_loss, fake_loss, generator_loss, real_loss
from sgan_helpers.methods.base import MethodModel
from sgan_helpers.networks import build_discriminators, build_generator


def update_class_discriminator(class_discriminator, optimizer, images, labels):
    """Train trunk and class output on labelled images (batch, 28, 28, 1), labels (batch,). Return the loss."""
    variables = class_discriminator.trainable_variables
    with tf.GradientTape() as tape:
        class_logits = class_discriminator(images, training=True)  # (batch, 10)
        loss = class_loss(labels, class_logits)
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


def update_binary_on_real(binary_discriminator, optimizer, real_images):
    """Train trunk and binary output to call real images (batch, 28, 28, 1) real. Return the loss."""
    variables = binary_discriminator.trainable_variables
    with tf.GradientTape() as tape:
        real_logits = binary_discriminator(real_images, training=True)  # (batch, 1)
        loss = real_loss(real_logits)
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


def update_binary_on_fake(binary_discriminator, optimizer, generator, noise):
    """Train trunk and binary output to call images drawn from noise (batch, latent_dim) fake. Return the loss."""
    variables = binary_discriminator.trainable_variables
    fake_images = generator(noise, training=False)  # (batch, 28, 28, 1)
    with tf.GradientTape() as tape:
        fake_logits = binary_discriminator(fake_images, training=True)  # (batch, 1)
        loss = fake_loss(fake_logits)
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


def update_generator(generator, optimizer, binary_discriminator, noise):
    """Train the generator, and nothing else, so that its images from noise (batch, latent_dim) pass for real.

    The combined model is these two calls, generator then binary discriminator. Return the loss.
    """
    variables = generator.trainable_variables
    with tf.GradientTape() as tape:
        fake_images = generator(noise, training=True)  # (batch, 28, 28, 1)
        fake_logits = binary_discriminator(fake_images, training=True)  # (batch, 1)
        loss = generator_loss(fake_logits)
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


class SGAN(MethodModel):
    """Two discriminators on one trunk and a generator, trained together.

    Args:
        class_discriminator: `keras.Model`, images (batch, 28, 28, 1) to class logits (batch, K).
        binary_discriminator: `keras.Model` on the same trunk, images to the logit of "real" (batch, 1).
        generator: `keras.Model`, noise (batch, latent_dim) to images.
        seed: int in [0, 2**31 - 1], the seed of the noise.
        learning_rate: float above 0, of all three Adam optimisers.
        beta_1: float in [0, 1), Adam's decay rate of the first moment.

    Raises:
        TypeError, ValueError: an argument has the wrong type or range, or the discriminators share no layer.

    Source: Odena (2016), algorithm 1; the two-output form and the order of updates are the book's recipe.
    """

    network_names = ("class_discriminator", "binary_discriminator", "generator")
    loss_names = ("class_loss", "real_loss", "fake_loss", "generator_loss")

    def __init__(self, class_discriminator, binary_discriminator, generator, *, seed, learning_rate=5e-4, beta_1=0.5):
        check_sgan_arguments(class_discriminator, binary_discriminator, generator, seed, learning_rate, beta_1)
        super().__init__(class_discriminator, binary_discriminator, generator, seed=seed)
        self.class_optimizer = self.add_optimizer("class_optimizer", class_discriminator, learning_rate, beta_1)
        self.binary_optimizer = self.add_optimizer("binary_optimizer", binary_discriminator, learning_rate, beta_1)
        self.generator_optimizer = self.add_optimizer("generator_optimizer", generator, learning_rate, beta_1)

    @staticmethod
    def build_networks(num_classes):
        """Return the class discriminator, the binary discriminator and the generator."""
        return (*build_discriminators(num_classes), build_generator())

    def train_step(self, data):
        """Run one iteration: the recipe's four updates, in its order, on one batch of `batch_stream`."""
        step, labeled_images, labels, unlabeled_images = data
        batch_size, latent_dim = tf.shape(unlabeled_images)[0], self.generator.input_shape[-1]
        fake_noise = draw_noise(self.seed, "fake_noise", step, batch_size, latent_dim)
        generator_noise = draw_noise(self.seed, "generator_noise", step, batch_size, latent_dim)
        losses = (
            update_class_discriminator(self.class_discriminator, self.class_optimizer, labeled_images, labels),
            update_binary_on_real(self.binary_discriminator, self.binary_optimizer, unlabeled_images),
            update_binary_on_fake(self.binary_discriminator, self.binary_optimizer, self.generator, fake_noise),
            update_generator(self.generator, self.generator_optimizer, self.binary_discriminator, generator_noise),
        )
        for tracker, loss in zip(self.loss_trackers, losses, strict=True):
            tracker.update_state(loss)
        return dict(zip(self.loss_names, losses, strict=True))


def check_sgan_arguments(class_discriminator, binary_discriminator, generator, seed, learning_rate, beta_1):
    """Raise unless the arguments of `SGAN` are valid and both discriminators stand on one trunk."""
    check_type("SGAN", "class_discriminator", class_discriminator, keras.Model)
    check_type("SGAN", "binary_discriminator", binary_discriminator, keras.Model)
    check_type("SGAN", "generator", generator, keras.Model)
    in_class_discriminator = {id(variable) for variable in class_discriminator.trainable_variables}
    in_both = [v for v in binary_discriminator.trainable_variables if id(v) in in_class_discriminator]
    if not in_both or binary_discriminator.output_shape != (None, 1):
        raise ValueError(
            "The 'binary_discriminator' parameter of SGAN must share its trunk with the class discriminator and give "
            f"one logit. Got {len(in_both)} shared variables and outputs {binary_discriminator.output_shape} instead."
        )
    check_int("SGAN", "seed", seed, 0, MAX_SEED)
    check_number("SGAN", "learning_rate", learning_rate, 0, float("inf"))
    check_number("SGAN", "beta_1", beta_1, 0, 1, includes_low=True)
