"""Pseudo-labels and a GAN that matches features, both at once."""

from sgan_helpers.methods.feature_matching import FeatureMatching
from sgan_helpers.methods.pseudo_labels import PseudoLabels


class PseudoLabelsGan(PseudoLabels, FeatureMatching):
    """The sum of the two: class loss + consistency loss + gan_weight (real loss + fake loss).

    Args:
        networks: those of `FeatureMatching`.
        settings: those of `PseudoLabels` and of `FeatureMatching`.
    """

    loss_names = (*PseudoLabels.loss_names, *FeatureMatching.loss_names[1:])

    def unlabeled_losses(self, *arguments):
        """Return the consistency loss, and the GAN's three."""
        return {
            **PseudoLabels.unlabeled_losses(self, *arguments),
            **FeatureMatching.unlabeled_losses(self, *arguments),
        }

    def discriminator_loss(self, losses):
        """Return class loss + consistency loss + gan_weight (real loss + fake loss)."""
        return FeatureMatching.discriminator_loss(self, losses) + losses["consistency_loss"]
