"""Noisy student: pseudo-labels learned on noisy images, for longer, and from less and less sure guesses."""

import tensorflow as tf

from sgan_helpers.distortions import NOISY_DISTORTION
from sgan_helpers.losses import consistency_loss
from sgan_helpers.methods.pseudo_labels import PseudoLabels, pseudo_labels


def falling_confidence(step, confidence=0.95, last_confidence=0.7, confidence_steps=30000):
    """Return the probability that a guess needs in order to count: it falls in the second half of the training.

    The images of which the network is never quite sure are those from which most is still to be learned. They are let
    in late, when most guesses about them are right.

    Args:
        step: int64 scalar tensor, the iteration, from 0.
        confidence: float in [0, 1), the probability in the first half.
        last_confidence: float in [0, 1), the one at the end.
        confidence_steps: int of at least 1, the iteration that counts as the end.

    Returns:
        float32 scalar tensor.
    """
    fallen = tf.clip_by_value(2.0 * tf.cast(step, tf.float32) / confidence_steps - 1.0, 0.0, 1.0)
    return confidence + (last_confidence - confidence) * fallen


class NoisyStudent(PseudoLabels):
    """`PseudoLabels` with noise on the images of the trained network, and a confidence that falls.

    The averaged network, the teacher, sees the images as they are.

    Args:
        networks, settings: see `PseudoLabels`.
        distortion: dict, see `distort_images`: milder than that of `PseudoLabels`, but with noise.
        last_confidence, confidence_steps: see `falling_confidence`. Chosen on validation images, as the distortion.

    Source: Xie et al. (2020), "Self-training with Noisy Student improves ImageNet classification": the student learns
    the teacher's labels under noise. Here the teacher is an average of the student, as in `PseudoLabels`.
    """

    def __init__(self, *networks, distortion=NOISY_DISTORTION, last_confidence=0.7, confidence_steps=30000, **settings):
        super().__init__(*networks, distortion=distortion, **settings)
        self.fall = {"last_confidence": last_confidence, "confidence_steps": confidence_steps}

    def unlabeled_losses(self, step, unlabeled_logits, averaged_logits, averaged_features):
        """Return the consistency loss, as `PseudoLabels` does, with the confidence of this step."""
        confidence = falling_confidence(step, self.labeling["confidence"], **self.fall)
        settings = {**self.labeling, "confidence": confidence}
        guesses, sure = pseudo_labels(averaged_logits, self.class_bias, step, **settings)
        return {"consistency_loss": consistency_loss(guesses, sure, unlabeled_logits)}
