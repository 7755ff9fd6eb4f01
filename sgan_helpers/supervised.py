"""Two supervised baselines, without a GAN and without unlabelled images: one matched to the SGAN, one tuned.

*Matched* has the SGAN's class discriminator, labels, batches and optimiser. *Tuned* is what a good engineer would do
with few labels: it also distorts the labelled images and averages the weights.
"""

import keras
import tensorflow as tf

from sgan_helpers.checks import check_int, check_number, check_type
from sgan_helpers.data import DISTORTION, MAX_SEED, distort_images
from sgan_helpers.losses import LossTracker
from sgan_helpers.sgan import update_class_discriminator

AVERAGE_DECAY = 0.999  # of the weights' moving average: it looks back over about 1,000 iterations


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


def update_average(averaged_network, trained_network, step):
    """Move each weight of `averaged_network` towards the trained one's: an exponential moving average.

    average <- average + (1 - d) (weight - average), with d = min(AVERAGE_DECAY, (1 + step) / (10 + step)), so that the
    random initial weights are soon forgotten.

    Args:
        averaged_network: `keras.Model` with the layers of `trained_network`; its weights are moved.
        trained_network: `keras.Model`.
        step: int64 scalar tensor, the iteration, from 0.

    Source: Polyak and Juditsky (1992), "Acceleration of Stochastic Approximation by Averaging", in the exponential form
    of Tarvainen and Valpola (2017), "Mean teachers are better role models", equation 2.
    """
    step = tf.cast(step, tf.float32)
    decay = tf.minimum(AVERAGE_DECAY, (1.0 + step) / (10.0 + step))
    for average, weight in zip(averaged_network.weights, trained_network.weights, strict=True):
        average.assign_add((1.0 - decay) * (weight - average))


class TunedSupervised(keras.Model):
    """A class discriminator trained on distorted labelled images; the average of its weights over time is tested.

    Args:
        class_discriminator: `keras.Model`, images (batch, 28, 28, 1) to class logits (batch, K). It holds the average.
        trained_discriminator: `keras.Model` of the same layers, the network that is trained.
        seed: int in [0, 2**31 - 1], the seed of the distortions.
        learning_rate: float above 0, of the Adam optimiser.
        beta_1: float in (0, 1), Adam's decay rate of the first moment.

    Raises:
        TypeError, ValueError: an argument has the wrong type or range.
    """

    loss_names = ("class_loss",)

    def __init__(self, class_discriminator, trained_discriminator, *, seed, learning_rate, beta_1):
        check_type("TunedSupervised", "class_discriminator", class_discriminator, keras.Model)
        check_type("TunedSupervised", "trained_discriminator", trained_discriminator, keras.Model)
        check_int("TunedSupervised", "seed", seed, 0, MAX_SEED)
        check_number("TunedSupervised", "learning_rate", learning_rate, 0, float("inf"))
        check_number("TunedSupervised", "beta_1", beta_1, 0, 1)
        super().__init__(name="supervised_tuned")
        self.class_discriminator = class_discriminator
        self.trained_discriminator = trained_discriminator
        self.seed = seed
        self.class_optimizer = keras.optimizers.Adam(learning_rate, beta_1, name="class_optimizer")
        self.class_optimizer.build(trained_discriminator.trainable_variables)
        self.optimizers = [self.class_optimizer]
        self.loss_trackers = [LossTracker(name) for name in self.loss_names]
        self.built = True

    @property
    def recipe(self):
        """What this method has in its recipe beside networks and optimiser."""
        return {"distortion": DISTORTION, "average_decay": AVERAGE_DECAY}

    def train_step(self, data):
        """Run one iteration: one update on one distorted labelled batch, then move the average."""
        step, labeled_images, labels, _ = data
        images = distort_images(labeled_images, self.seed, step)
        loss = update_class_discriminator(self.trained_discriminator, self.class_optimizer, images, labels)
        update_average(self.class_discriminator, self.trained_discriminator, step)
        self.loss_trackers[0].update_state(loss)
        return {"class_loss": loss}
