"""The supervised baseline, matched to the SGAN: the same class discriminator, labels, batches and optimiser, no GAN."""

import keras

from sgan_helpers.checks import check_number, check_type
from sgan_helpers.losses import LossTracker
from sgan_helpers.sgan import update_class_discriminator


class Supervised(keras.Model):
    """A class discriminator trained on the labelled batches alone.

    Args:
        class_discriminator: `keras.Model`, images (batch, 28, 28, 1) to class logits (batch, K).
        learning_rate: float above 0, of the Adam optimiser.
        beta_1: float in (0, 1), Adam's decay rate of the first moment.

    Raises:
        TypeError, ValueError: an argument has the wrong type or range.

    Source: the comparison that Oliver et al. (2018), "Realistic Evaluation of Deep Semi-Supervised Learning
    Algorithms", section 4.1, ask for.
    """

    loss_names = ("class_loss",)

    def __init__(self, class_discriminator, *, learning_rate, beta_1):
        check_type("Supervised", "class_discriminator", class_discriminator, keras.Model)
        check_number("Supervised", "learning_rate", learning_rate, 0, float("inf"))
        check_number("Supervised", "beta_1", beta_1, 0, 1)
        super().__init__(name="supervised")
        self.class_discriminator = class_discriminator
        self.class_optimizer = keras.optimizers.Adam(learning_rate, beta_1, name="class_optimizer")
        self.class_optimizer.build(class_discriminator.trainable_variables)
        self.optimizers = [self.class_optimizer]
        self.loss_trackers = [LossTracker(name) for name in self.loss_names]
        self.built = True

    def train_step(self, data):
        """Run one iteration: one update on one labelled batch of `batch_stream`; the unlabelled batch is not used."""
        _, labeled_images, labels, _ = data
        loss = update_class_discriminator(self.class_discriminator, self.class_optimizer, labeled_images, labels)
        self.loss_trackers[0].update_state(loss)
        return {"class_loss": loss}
