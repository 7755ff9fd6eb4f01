"""Losses against a float64 NumPy reference, at logits up to ±10,000."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from sgan_helpers import losses

BINARY_LOGITS = np.array([[-1e4], [-50.0], [-1.0], [0.0], [0.5], [50.0], [1e4]])
CLASS_LOGITS = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [0.1, 0.2, 0.3], [5.0, -5.0, 0.0]])
LABELS = np.array([0, 0, 2, 1])


def softplus(values):
    return np.logaddexp(0.0, values)


@pytest.mark.parametrize(
    ("loss", "sign"), [(losses.real_loss, -1.0), (losses.fake_loss, 1.0), (losses.generator_loss, -1.0)]
)
def test_binary_losses_are_means_of_softplus(loss, sign):
    logits = tf.Variable(BINARY_LOGITS.astype(np.float32))
    with tf.GradientTape() as tape:
        value = loss(logits)
    np.testing.assert_allclose(value, softplus(sign * BINARY_LOGITS).mean(), rtol=1e-6)
    expected = sign / (1.0 + np.exp(np.clip(-sign * BINARY_LOGITS, None, 700))) / len(BINARY_LOGITS)
    np.testing.assert_allclose(tape.gradient(value, logits), expected, rtol=1e-5, atol=1e-12)


def test_the_class_loss_is_the_cross_entropy():
    logits = tf.Variable(CLASS_LOGITS.astype(np.float32))
    with tf.GradientTape() as tape:
        value = losses.class_loss(LABELS, logits)
    largest = CLASS_LOGITS.max(axis=1, keepdims=True)
    log_sum = largest[:, 0] + np.log(np.exp(CLASS_LOGITS - largest).sum(axis=1))
    np.testing.assert_allclose(value, (log_sum - CLASS_LOGITS[np.arange(4), LABELS]).mean(), rtol=1e-6)
    probabilities = np.exp(CLASS_LOGITS - log_sum[:, np.newaxis])
    np.testing.assert_allclose(tape.gradient(value, logits), (probabilities - np.eye(3)[LABELS]) / 4, atol=1e-6)


def test_the_tracker_keeps_the_mean_and_counts_finite_steps():
    tracker = losses.LossTracker("class_loss")
    for value in (1.0, 3.0):
        tracker.update_state(tf.constant(value))
    assert float(tracker.result()) == 2.0
    tracker.update_state(tf.constant(np.inf))
    assert (float(tracker.steps), float(tracker.finite_steps)) == (3.0, 2.0)
    tracker.reset_state()
    assert float(tracker.result()) == float(tracker.steps) == 0.0


def test_the_real_logit_of_class_logits_is_log_z():
    with np.errstate(over="raise"):
        largest = CLASS_LOGITS.max(axis=1)
        log_z = largest + np.log(np.exp(CLASS_LOGITS - largest[:, np.newaxis]).sum(axis=1))
    logits = tf.Variable(CLASS_LOGITS.astype(np.float32))
    with tf.GradientTape() as tape:
        value = losses.real_logits_of(logits)
        total = tf.reduce_sum(value)
    assert value.shape == (4, 1)
    np.testing.assert_allclose(value[:, 0], log_z, rtol=1e-6)
    np.testing.assert_allclose(tf.reduce_sum(tape.gradient(total, logits), axis=1), 1.0, rtol=1e-6)  # the softmax
    ordinary = np.array([[2.0, 0.0, -1.0]], np.float32)
    z = np.exp(ordinary).sum()
    np.testing.assert_allclose(tf.sigmoid(losses.real_logits_of(ordinary)), [[z / (z + 1)]], rtol=1e-6)


def test_feature_matching_compares_means_and_moves_only_the_fakes():
    real = tf.Variable([[0.0, 2.0], [2.0, 2.0]])  # means 1 and 2
    fake = tf.Variable([[5.0, 0.0], [3.0, 1.0], [1.0, 2.0]])  # means 3 and 1
    with tf.GradientTape() as tape:
        value = losses.feature_matching_loss(real, fake)
    assert value == (2.0 + 1.0) / 2
    gradients = tape.gradient(value, [real, fake])
    assert gradients[0] is None
    np.testing.assert_allclose(gradients[1], [[1 / 6, -1 / 6]] * 3, rtol=1e-6)


def test_consistency_is_the_cross_entropy_of_the_sure_over_the_whole_batch():
    logits = CLASS_LOGITS[2:].astype(np.float32)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    value = losses.consistency_loss(np.array([1, 2]), tf.constant([1.0, 0.0]), logits)
    np.testing.assert_allclose(value, -log_probabilities[0, 1] / 2, rtol=1e-6)
    assert losses.consistency_loss(np.array([1, 2]), tf.zeros(2), logits) == 0


def test_labels_may_be_a_list():
    logits = tf.constant([[1.0, 0.0], [0.0, 3.0]])
    assert float(losses.class_loss([0, 1], logits)) == float(losses.class_loss(tf.constant([0, 1]), logits))
    with pytest.raises(TypeError, match="'labels' parameter of class_loss"):
        losses.class_loss([0.5, 1.0], logits)
    hidden = np.ma.array([0, 1], mask=[True, False])
    for labels in (np.array([0, 1], np.uint8), np.array([0, 2**63], np.uint64), pd.array([0, 1], "Int64"), hidden):
        with pytest.raises(TypeError, match="'labels' parameter of class_loss must be .* of int32 or int64"):
            losses.class_loss(labels, logits)
