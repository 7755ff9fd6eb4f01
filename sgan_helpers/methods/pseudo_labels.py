"""Pseudo-labels: the averaged network labels images that it is sure of, and the trained one learns them distorted."""

import tensorflow as tf

from sgan_helpers.losses import consistency_loss
from sgan_helpers.methods.averaged import Averaged


def pseudo_labels(
    class_logits, class_bias, step, *, confidence=0.95, balance_rate=0.05, balance_steps=3000, balance_limit=3.0
):
    """Label images by the averaged network's logits, and say where it is sure.

    Early in training a network gives some classes too often, and whole styles of a digit would be learned as another.
    So a bias is added to the logits: it falls where a class has been given too often, and rises where too seldom.
    It only decides close cases, for it is bounded; the bound shrinks to 0, because no real data are balanced exactly.

    Args:
        class_logits: float32 tensor (batch, K), the averaged network's logits of images that are not distorted.
        class_bias: `keras.Variable` (K,), kept from step to step; it is moved.
        step: int64 scalar tensor, the iteration, from 0.
        confidence: float in [0, 1); a pseudo-label counts where its probability is above this.
        balance_rate: float of at least 0, how fast the bias follows an imbalance of the classes.
        balance_steps: int of at least 1; over these iterations the largest bias falls to 0.
        balance_limit: float of at least 0, the largest bias at the start.

    Returns:
        labels: int64 tensor (batch,); sure: float32 tensor (batch,), 1 where the label counts and 0 elsewhere.

    Source: Sohn et al. (2020), "FixMatch", section 2; the balance follows the distribution alignment of Berthelot et
    al. (2020), "ReMixMatch", section 3.1, with a feedback on the bias for the division by frequencies.
    """
    probabilities = tf.nn.softmax(class_logits + class_bias)  # (batch, K)
    surplus = class_logits.shape[1] * tf.reduce_mean(probabilities, axis=0) - 1.0  # (K,), 0: a class has its share
    moved = class_bias - balance_rate * surplus
    limit = balance_limit * tf.maximum(0.0, 1.0 - tf.cast(step, tf.float32) / balance_steps)
    class_bias.assign(tf.clip_by_value(moved - tf.reduce_mean(moved), -limit, limit))
    sure = tf.cast(tf.reduce_max(probabilities, axis=1) > confidence, tf.float32)
    return tf.argmax(probabilities, axis=1), sure


class PseudoLabels(Averaged):
    """`Averaged`, trained on pseudo-labels too: the loss is the class loss + the consistency loss.

    Args:
        networks, settings: see `Averaged`.
        confidence, balance_rate, balance_steps, balance_limit: see `pseudo_labels`. Chosen on validation images.

    Source: Sohn et al. (2020), "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence".
    """

    loss_names = ("class_loss", "consistency_loss")

    def __init__(
        self, *networks, confidence=0.95, balance_rate=0.05, balance_steps=3000, balance_limit=3.0, **settings
    ):
        super().__init__(*networks, **settings)
        self.class_bias = self.add_weight((self.class_discriminator.output_shape[1],), "zeros", name="class_bias")
        self.labeling = {"confidence": confidence, "balance_rate": balance_rate}
        self.labeling |= {"balance_steps": balance_steps, "balance_limit": balance_limit}

    def unlabeled_losses(self, step, unlabeled_logits, averaged_logits, averaged_features):
        """Return the consistency loss."""
        guesses, sure = pseudo_labels(averaged_logits, self.class_bias, step, **self.labeling)
        return {"consistency_loss": consistency_loss(guesses, sure, unlabeled_logits)}

    def discriminator_loss(self, losses):
        """Return the class loss + the consistency loss."""
        return losses["class_loss"] + losses["consistency_loss"]
