"""Feature matching: a GAN in the class logits, whose generator wants the mean features of real images."""

import tensorflow as tf

from sgan_helpers.data import draw_noise
from sgan_helpers.distortions import DISTORTION, distort_images
from sgan_helpers.losses import fake_loss, feature_matching_loss, real_logits_of, real_loss
from sgan_helpers.methods.averaged import Averaged
from sgan_helpers.networks import build_generator


def discriminate_fakes(feature_discriminator, fake_images):
    """Run generated images through the discriminator in training, without a trace in its moving averages.

    Batch normalisation then uses the fakes' own mean and variance. The moving averages, which the classifier is tested
    with, must be those of real images.

    Args:
        feature_discriminator: `keras.Model`, images to class logits (batch, K) and features (batch, F).
        fake_images: float32 tensor (batch, 28, 28, 1) in [-1, 1].

    Returns:
        Class logits (batch, K).
    """
    averages = [variable for variable in feature_discriminator.non_trainable_variables if "moving" in variable.path]
    before = [tf.identity(average) for average in averages]
    class_logits, _ = feature_discriminator(fake_images, training=True)
    for average, value in zip(averages, before, strict=True):
        average.assign(value)
    return class_logits


class FeatureMatching(Averaged):
    """`Averaged` with a GAN: the discriminator's loss is the class loss + gan_weight (the real loss + the fake loss).

    An iteration is one update of each network, where the recipe of `SGAN` has four.

    The generator matches features of the *averaged* discriminator, which uses its moving averages for real images and
    fakes alike. Those of the trained one would not do: its batch normalisation gives any batch the same mean.

    Args:
        networks: those of `Averaged`, and `generator`, a `keras.Model`, noise (batch, latent_dim) to images.
        learning_rate: float above 0, of every Adam optimiser.
        beta_1: float in [0, 1), of every Adam optimiser.
        gan_weight: float of at least 0, of the real and the fake loss beside the class loss. Of 0.1 and 1, the better
            one on validation images with pseudo-labels beside the GAN.
        fake_distortion: dict, see `distort_images`: of the fakes that the trained discriminator sees. It should be
            `distortion`, or being distorted would give a real image away.
        settings: see `Averaged`.

    Source: Salimans et al. (2016), "Improved Techniques for Training GANs", sections 3.1 and 5; of the distorted fakes,
    Zhao et al. (2020), "Differentiable Augmentation for Data-Efficient GAN Training".
    """

    network_names = ("averaged_discriminator", "trained_discriminator", "generator")
    loss_names = ("class_loss", "real_loss", "fake_loss", "generator_loss")

    def __init__(
        self, *networks, learning_rate=2e-3, beta_1=0.5, gan_weight=0.1, fake_distortion=DISTORTION, **settings
    ):
        super().__init__(*networks, learning_rate=learning_rate, beta_1=beta_1, **settings)
        self.generator_optimizer = self.add_optimizer("generator_optimizer", self.generator, learning_rate, beta_1)
        self.gan_weight, self.fake_distortion = gan_weight, fake_distortion

    @staticmethod
    def build_networks(num_classes):
        """Return the averaged and the trained feature discriminator, with the same initial weights, and a generator."""
        return (*Averaged.build_networks(num_classes), build_generator())

    def unlabeled_losses(self, step, unlabeled_logits, averaged_logits, averaged_features):
        """Draw fakes, and return the real, the fake and the generator's loss."""
        noise_shape = (tf.shape(unlabeled_logits)[0], self.generator.input_shape[-1])
        fake_images = self.generator(draw_noise(self.seed, "fake_noise", step, *noise_shape), training=True)
        distorted = distort_images(fake_images, self.seed, step, "fake_noise", self.fake_distortion)
        fake_logits = discriminate_fakes(self.trained_discriminator, distorted)
        return {
            "real_loss": real_loss(real_logits_of(unlabeled_logits)),
            "fake_loss": fake_loss(real_logits_of(fake_logits)),
            "generator_loss": self.loss_of_generator(fake_images, fake_logits, averaged_features),
        }

    def loss_of_generator(self, fake_images, fake_logits, averaged_features):
        """Return how far the fakes' mean features are from those of real images."""
        _, fake_features = self.averaged_discriminator(fake_images, training=False)
        return feature_matching_loss(averaged_features, fake_features)

    def discriminator_loss(self, losses):
        """Return the class loss + gan_weight (the real loss + the fake loss)."""
        return losses["class_loss"] + self.gan_weight * (losses["real_loss"] + losses["fake_loss"])

    def apply_gradients(self, tape, total, losses):
        """Train the generator on its loss, and the discriminator on `total`."""
        variables = self.generator.trainable_variables
        generator_gradients = tape.gradient(losses["generator_loss"], variables)
        super().apply_gradients(tape, total, losses)
        self.generator_optimizer.apply(generator_gradients, variables)
