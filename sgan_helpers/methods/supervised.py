"""The supervised baseline matched to the SGAN: its class discriminator, labels, batches and optimiser, no GAN."""

import keras

from sgan_helpers.checks import check_int, check_number, check_type
from sgan_helpers.data import MAX_SEED
from sgan_helpers.methods.base import MethodModel
from sgan_helpers.methods.sgan import update_class_discriminator
from sgan_helpers.networks import build_discriminators


class Supervised(MethodModel):
    """A class discriminator trained on the labelled batches alone.

    Args:
        class_discriminator: `keras.Model`, images (batch, 28, 28, 1) to class logits (batch, K).
        seed: int in [0, 2**31 - 1]; this method draws nothing but what every method draws.
        learning_rate: float above 0, of the Adam optimiser.
        beta_1: float in [0, 1), Adam's decay rate of the first moment.

    Raises:
        TypeError, ValueError: an argument has the wrong type or range.

    Source: the comparison that Oliver et al. (2018), "Realistic Evaluation of Deep Semi-Supervised Learning
    Algorithms", section 4.1, ask for.
    """

    def __init__(self, class_discriminator, *, seed=0, learning_rate=5e-4, beta_1=0.5):
        check_type("Supervised", "class_discriminator", class_discriminator, keras.Model)
        check_int("Supervised", "seed", seed, 0, MAX_SEED)
        check_number("Supervised", "learning_rate", learning_rate, 0, float("inf"))
        check_number("Supervised", "beta_1", beta_1, 0, 1, includes_low=True)
        super().__init__(class_discriminator, seed=seed)
        self.class_optimizer = self.add_optimizer("class_optimizer", class_discriminator, learning_rate, beta_1)

    @staticmethod
    def build_networks(num_classes):
        """Return the class discriminator."""
        return build_discriminators(num_classes)[:1]

    def train_step(self, data):
        """Run one iteration: one update on one labelled batch of `batch_stream`; the unlabelled batch is not used."""
        _, labeled_images, labels, _ = data
        loss = update_class_discriminator(self.class_discriminator, self.class_optimizer, labeled_images, labels)
        return self.report({"class_loss": loss})
