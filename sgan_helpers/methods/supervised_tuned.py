"""The tuned supervised baseline, what a good engineer would do with few labels: distorted images, averaged weights."""

from sgan_helpers.distortions import DISTORTION, distort_images
from sgan_helpers.methods.averaged import update_average
from sgan_helpers.methods.base import MethodModel
from sgan_helpers.methods.sgan import update_class_discriminator
from sgan_helpers.networks import build_discriminators


class TunedSupervised(MethodModel):
    """A class discriminator trained on distorted labelled images; the average of its weights over time is tested.

    Args:
        class_discriminator: `keras.Model`, images (batch, 28, 28, 1) to class logits (batch, K). It holds the average.
        trained_discriminator: `keras.Model` of the same layers, the network that is trained.
        seed: int in [0, 2**31 - 1], the seed of the distortions.
        learning_rate: float above 0, of the Adam optimiser.
        beta_1: float in [0, 1), Adam's decay rate of the first moment.
        average_decay: float in [0, 1), see `update_average`.
        distortion: dict, see `distort_images`.
    """

    network_names = ("class_discriminator", "trained_discriminator")

    def __init__(
        self,
        class_discriminator,
        trained_discriminator,
        *,
        seed,
        learning_rate=1e-3,
        beta_1=0.5,
        average_decay=0.999,
        distortion=DISTORTION,
    ):
        super().__init__(class_discriminator, trained_discriminator, seed=seed)
        self.class_optimizer = self.add_optimizer("class_optimizer", trained_discriminator, learning_rate, beta_1)
        self.average_decay, self.distortion = average_decay, distortion

    @staticmethod
    def build_networks(num_classes):
        """Return the averaged and the trained class discriminator, with the same initial weights."""
        trained_discriminator, averaged_discriminator = (build_discriminators(num_classes)[0] for _ in range(2))
        averaged_discriminator.set_weights(trained_discriminator.get_weights())
        return averaged_discriminator, trained_discriminator

    def train_step(self, data):
        """Run one iteration: one update on one distorted labelled batch, then move the average."""
        step, labeled_images, labels, _ = data
        images = distort_images(labeled_images, self.seed, step, "labeled_batch", self.distortion)
        loss = update_class_discriminator(self.trained_discriminator, self.class_optimizer, images, labels)
        update_average(self.class_discriminator, self.trained_discriminator, step, self.average_decay)
        return self.report({"class_loss": loss})
