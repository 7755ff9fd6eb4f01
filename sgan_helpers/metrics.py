"""How good a classifier is, from arrays alone: accuracy, confusion matrix, negative log-likelihood, calibration."""

import numpy as np
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, confusion_matrix

from sgan_helpers.checks import LARGEST_SIZE, check_int, is_array


def evaluate_logits(logits, labels):
    """Compute every metric of the book from the logits of one set of images.

    Args:
        logits: float array (N, K), K of at least 2, unnormalised log probabilities.
        labels: int array (N,), the true classes, 0 to K - 1.

    Returns:
        dict with "accuracy" (fraction in [0, 1]), "nll" (nats per image), "ece" (fraction in [0, 1])
        and "confusion" (int array (K, K), rows true, columns predicted).

    Raises:
        TypeError, ValueError: an argument is no array of that kind, the shapes do not agree, a label is not in 0 to
            K - 1, or a logit is not finite.
    """
    check_logits(logits, labels)
    log_probabilities = log_softmax(logits.astype(np.float64), axis=1)
    predicted = logits.argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "nll": negative_log_likelihood(log_probabilities, labels),
        "ece": expected_calibration_error(np.exp(log_probabilities), labels),
        "confusion": confusion_matrix(labels, predicted, labels=np.arange(logits.shape[1])),
    }


def negative_log_likelihood(log_probabilities, labels):
    """Mean of -log p(true class), in nats: log probabilities (N, K), labels (N,). At least 0; lower is better."""
    check_probabilities("negative_log_likelihood", "log_probabilities", log_probabilities, labels, are_logarithms=True)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def expected_calibration_error(probabilities, labels, bins=15):
    """Mean gap between confidence and accuracy, over equal bins of confidence, weighted by their sizes.

    Args:
        probabilities: float array (N, K), rows sum to 1.
        labels: int array (N,).
        bins: int in [1, 10000], the number of bins of (0, 1].

    Returns:
        float in [0, 1]; 0 is perfectly calibrated.

    Source: Guo et al. (2017), "On Calibration of Modern Neural Networks", equation 3.
    """
    check_probabilities("expected_calibration_error", "probabilities", probabilities, labels, bins)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    gaps = np.abs(
        np.bincount(bin_of, weights=correct, minlength=bins) - np.bincount(bin_of, weights=confidence, minlength=bins)
    )
    return float(gaps.sum() / counts.sum())


def check_logits(logits, labels, function="evaluate_logits", name="logits"):
    """Raise unless logits (N, K) and labels (N,) belong together."""
    for name_of, array, kinds, allowed in ((name, logits, "fiu", "floats"), ("labels", labels, "iu", "ints")):
        if not is_array(array) or array.dtype.kind not in kinds:
            given = array.dtype if is_array(array) else type(array).__name__
            raise TypeError(
                f"The {name_of!r} parameter of {function} must be an array of {allowed}. Got {given} instead."
            )
    if logits.ndim != 2 or labels.shape != (len(logits),) or len(logits) == 0 or logits.shape[1] < 2:
        raise ValueError(
            f"The {name!r} parameter of {function} must have shape (N, K) and 'labels' shape (N,), N >= 1, K >= 2. "
            f"Got {logits.shape} and {labels.shape} instead."
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(
            f"The 'labels' parameter of {function} must lie in 0 to {logits.shape[1] - 1}. "
            f"Got labels from {labels.min()} to {labels.max()} instead."
        )
    if function == "evaluate_logits" and not np.isfinite(logits).all():
        raise ValueError("The 'logits' parameter of evaluate_logits must be finite. Got NaN or infinity instead.")


def check_probabilities(function, name, values, labels, bins=1, are_logarithms=False):
    """Raise unless probabilities (N, K), or their logarithms, and labels (N,) belong together."""
    check_logits(values, labels, function, name)
    check_int(function, "bins", bins, 1, LARGEST_SIZE)
    probabilities = np.exp(values) if are_logarithms else values
    if not (probabilities >= 0).all() or not np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError(
            f"The {name!r} parameter of {function} must have rows of {'logarithms of ' * are_logarithms}probabilities, "
            f"which sum to 1; logits go through softmax first. Got {values[0]} as the first row instead."
        )
