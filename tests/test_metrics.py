"""Metrics against scikit-learn's log loss and an ECE written as a loop."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from sgan_helpers.metrics import evaluate_logits, expected_calibration_error


def test_metrics_agree_with_independent_references():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(500, 10)).astype(np.float32) * 3
    labels = generator.integers(0, 10, 500)
    labels[:250] = logits[:250].argmax(axis=1)
    metrics = evaluate_logits(logits, labels)
    probabilities = softmax(logits.astype(np.float64), axis=1)
    assert metrics["accuracy"] == np.trace(metrics["confusion"]) / 500
    assert metrics["nll"] == pytest.approx(log_loss(labels, probabilities, labels=np.arange(10)), rel=1e-9)
    assert metrics["confusion"].sum() == 500 and metrics["confusion"].shape == (10, 10)
    row, column = labels[0], logits[0].argmax()
    assert metrics["confusion"][row, column] == ((labels == row) & (logits.argmax(axis=1) == column)).sum()

    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence >= low) & (confidence < low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert metrics["ece"] == pytest.approx(expected, rel=1e-9)


def test_calibration_is_zero_when_confidence_is_accuracy():
    probabilities = np.tile([0.75, 0.25], (4, 1))
    assert expected_calibration_error(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(0.0)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((2, 3)), np.array([0]), r"\(2, 3\) and \(1,\)"),
        (np.zeros(3), np.array([0, 1, 2]), "shape"),
        (np.zeros((0, 3)), np.zeros(0, int), "N >= 1"),
        (np.zeros((2, 3)), np.array([0, 3]), "0 to 2.*0 to 3"),
        (np.full((1, 3), np.nan), np.array([0]), "finite"),
        (np.full((1, 3), np.inf), np.array([0]), "finite"),
        (np.zeros((2, 1)), np.array([0, 0]), "K >= 2"),
        (np.zeros((2, 3)), np.array([0, -1]), "0 to 2.*-1 to 0"),
    ],
)
def test_bad_logits_and_labels_are_named(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        evaluate_logits(logits, labels)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([[0.0, 1.0]], np.array([0]), "'logits' parameter of evaluate_logits must be an array of floats. Got list"),
        (np.zeros((1, 2), complex), np.array([0]), "'logits'.*Got complex128"),
        (np.zeros((1, 2)), [0], "'labels' parameter of evaluate_logits must be an array of ints. Got list"),
        (np.zeros((1, 2)), np.array([0.0]), "'labels'.*Got float64"),
        (np.zeros((1, 2)), np.array([True]), "'labels'.*Got bool"),
        (None, None, "'logits'.*Got NoneType"),
    ],
)
def test_what_is_no_array_of_numbers_is_named(logits, labels, message):
    with pytest.raises(TypeError, match=message):
        evaluate_logits(logits, labels)


def test_bins_are_counted():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1]])
    assert expected_calibration_error(probabilities, np.array([0, 1]), bins=1) == pytest.approx(abs(1 - 1.5) / 2)
    assert expected_calibration_error(probabilities, np.array([0, 1]), bins=10) == pytest.approx((0.4 + 0.9) / 2)


def test_large_logits_stay_exact():
    metrics = evaluate_logits(np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32), np.array([0, 0]))
    assert metrics["nll"] == pytest.approx(1e4)
    assert (metrics["accuracy"], metrics["ece"]) == (0.5, 0.5)
