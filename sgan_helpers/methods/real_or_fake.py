"""A control for feature matching: the same GAN in the class logits, but its generator wants to pass for real."""

from sgan_helpers.losses import generator_loss, real_logits_of
from sgan_helpers.methods.feature_matching import FeatureMatching


class RealOrFake(FeatureMatching):
    """`FeatureMatching` with the usual loss of a generator; see there for the arguments.

    Source: Goodfellow et al. (2014), section 3; Salimans et al. (2016), section 5, for the discriminator.
    """

    def loss_of_generator(self, fake_images, fake_logits, averaged_features):
        """Return how far the fakes are from passing for real."""
        return generator_loss(real_logits_of(fake_logits))
