"""What the averaged methods share; used as it is, the control in which unlabelled images only share the batches.

One network is trained on distorted images, labelled and unlabelled ones in one batch, and the average of its weights
over time is tested. Both enter the batch normalisation. A subclass adds its own losses of the unlabelled images.

This file is not about evaluation, checkpoints or pictures: `training.py` is.
"""

import tensorflow as tf

from sgan_helpers.distortions import DISTORTION, distort_images
from sgan_helpers.losses import class_loss
from sgan_helpers.methods.base import MethodModel
from sgan_helpers.networks import build_discriminators, build_feature_discriminator, without_features


def update_average(averaged_network, trained_network, step, average_decay=0.999):
    """Move each weight of `averaged_network` towards the trained one's: an exponential moving average.

    average <- average + (1 - d) (weight - average), with d = min(average_decay, (1 + step) / (10 + step)), so that the
    random initial weights are soon forgotten.

    Args:
        averaged_network: `keras.Model` with the layers of `trained_network`; its weights are moved.
        trained_network: `keras.Model`.
        step: int64 scalar tensor, the iteration, from 0.
        average_decay: float in [0, 1); 0.999 looks back over about 1,000 iterations.

    Source: Polyak and Juditsky (1992), "Acceleration of Stochastic Approximation by Averaging", in the exponential form
    of Tarvainen and Valpola (2017), "Mean teachers are better role models", equation 2.
    """
    step = tf.cast(step, tf.float32)
    decay = tf.minimum(average_decay, (1.0 + step) / (10.0 + step))
    for average, weight in zip(averaged_network.weights, trained_network.weights, strict=True):
        average.assign_add((1.0 - decay) * (weight - average))


class Averaged(MethodModel):
    """A class discriminator trained on shared batches; the average of its weights over time is tested.

    Args:
        averaged_discriminator: `keras.Model`, images (batch, 28, 28, 1) to class logits (batch, K) and features
            (batch, F). It holds the average; its `class_discriminator` is the classifier.
        trained_discriminator: `keras.Model` of the same layers.
        networks: those that a subclass adds.
        seed: int in [0, 2**31 - 1], the seed of distortions and noise.
        learning_rate: float above 0, of every Adam optimiser.
        beta_1: float in [0, 1), Adam's decay rate of the first moment.
        average_decay: float in [0, 1), see `update_average`.
        distortion: dict, see `distort_images`.
        labeled_batch: int, labelled images in a step, of those in the batch: with few labels, more are repetition.
    """

    network_names = ("averaged_discriminator", "trained_discriminator")

    def __init__(
        self,
        averaged_discriminator,
        trained_discriminator,
        *networks,
        seed,
        learning_rate=2e-3,
        beta_1=0.5,
        average_decay=0.999,
        distortion=DISTORTION,
        labeled_batch=32,
    ):
        super().__init__(averaged_discriminator, trained_discriminator, *networks, seed=seed)
        self.class_discriminator = without_features(averaged_discriminator)
        self.class_optimizer = self.add_optimizer("class_optimizer", trained_discriminator, learning_rate, beta_1)
        self.average_decay, self.distortion, self.labeled_batch = average_decay, distortion, labeled_batch

    @staticmethod
    def build_networks(num_classes):
        """Return the averaged and the trained feature discriminator, with the same initial weights."""
        build_discriminators(num_classes)  # not used: the recorded runs drew their weights after those of a pair
        trained_discriminator, averaged_discriminator = (build_feature_discriminator(num_classes) for _ in range(2))
        averaged_discriminator.set_weights(trained_discriminator.get_weights())
        return averaged_discriminator, trained_discriminator

    def train_step(self, data):
        """Run one iteration on one batch of `batch_stream`: one update of each network, then move the average."""
        step, labeled_images, labels, unlabeled_images = data
        labeled_images, labels = labeled_images[: self.labeled_batch], labels[: self.labeled_batch]
        images = tf.concat([labeled_images, unlabeled_images], axis=0)
        images = distort_images(images, self.seed, step, "unlabeled_batch", self.distortion)
        averaged = self.averaged_discriminator(unlabeled_images, training=False)  # logits, features of plain images
        with tf.GradientTape(persistent=True) as tape:
            class_logits, _ = self.trained_discriminator(images, training=True)
            labeled_logits, unlabeled_logits = tf.split(class_logits, [tf.shape(labels)[0], -1])
            losses = {"class_loss": class_loss(labels, labeled_logits)}
            losses |= self.unlabeled_losses(step, unlabeled_logits, *averaged)
            total = self.discriminator_loss(losses)
        self.apply_gradients(tape, total, losses)
        update_average(self.class_discriminator, self.trained_discriminator, step, self.average_decay)
        return self.report(losses)

    def unlabeled_losses(self, step, unlabeled_logits, averaged_logits, averaged_features):
        """Return the losses of the unlabelled images, a dict by name: here there are none.

        Args:
            step: int64 scalar tensor, the iteration, from 0.
            unlabeled_logits: float32 tensor (batch, K), the trained network's, of the distorted images.
            averaged_logits: float32 tensor (batch, K), the averaged network's, of the images as they are.
            averaged_features: float32 tensor (batch, F), likewise.
        """
        return {}

    def discriminator_loss(self, losses):
        """Return what the trained discriminator minimises, of the losses by name."""
        return losses["class_loss"]

    def apply_gradients(self, tape, total, losses):
        """Train the discriminator on `total`."""
        variables = self.trained_discriminator.trainable_variables
        self.class_optimizer.apply(tape.gradient(total, variables), variables)
