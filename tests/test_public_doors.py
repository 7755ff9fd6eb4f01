"""Whatever is malformed, given to whichever public function as whichever argument, gets an error that names it."""

import inspect

import matplotlib

matplotlib.use("Agg")

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import sgan_helpers
from sgan_helpers import metrics, plotting
from sgan_helpers.distortions import DISTORTION

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-1, 1, (12, 28, 28, 1)).astype(np.float32)
LABELS = np.arange(12) % 3
LOGITS = RANDOM.normal(size=(12, 3))
SAMPLES = RANDOM.integers(0, 256, (2, 10, 28, 28)).astype(np.uint8)
ROWS = [{"method": m, "labels": 9, "split_seed": s, "init_seed": s, "test_accuracy": 0.5} for m in "ab" for s in (0, 1)]
SPLIT = sgan_helpers.split_labeled(IMAGES, LABELS, 2, seed=0)
ONES = tf.ones((3, 3))
CLASSIFIER = sgan_helpers.build_discriminators(3)[0]
DRAW = {"seed": 0, "stream": "fake_noise", "step": 0}
# Arguments that each door takes, by name. What builds networks comes last: it is slow, and its checks are the same.
DOORS = {
    sgan_helpers.load_mnist: {"source": "sample"},
    sgan_helpers.split_labeled: {"images": IMAGES, "labels": LABELS, "per_class": 2, "seed": 0},
    sgan_helpers.batch_stream: {"split": SPLIT, "seed": 0, "start": 0, "stop": 2, "batch_size": 3},
    sgan_helpers.random_seed_pair: DRAW,
    sgan_helpers.draw_rows: {**DRAW, "batch_size": 2, "count": 3},
    sgan_helpers.draw_noise: {**DRAW, "batch_size": 2, "latent_dim": 3},
    sgan_helpers.distort_images: {"images": IMAGES, **DRAW, "amounts": dict.fromkeys(DISTORTION, 0.0)},
    sgan_helpers.like_mnist: {"picture": np.eye(9, dtype=np.uint8), "ground": 0},
    sgan_helpers.class_loss: {"labels": tf.constant([0, 1, 2]), "class_logits": ONES},
    sgan_helpers.real_loss: {"real_logits": ONES},
    sgan_helpers.fake_loss: {"fake_logits": ONES},
    sgan_helpers.generator_loss: {"fake_logits": ONES},
    sgan_helpers.real_logits_of: {"class_logits": ONES},
    sgan_helpers.feature_matching_loss: {"real_features": ONES, "fake_features": ONES},
    sgan_helpers.consistency_loss: {"pseudo_labels": tf.constant([0, 1, 2]), "sure": ONES[0], "class_logits": ONES},
    sgan_helpers.evaluate_logits: {"logits": LOGITS, "labels": LABELS},
    metrics.expected_calibration_error: {"probabilities": np.full((12, 2), 0.5), "labels": LABELS % 2, "bins": 5},
    metrics.negative_log_likelihood: {"log_probabilities": np.log(np.full((12, 2), 0.5)), "labels": LABELS % 2},
    sgan_helpers.load_results: {"path": None},
    sgan_helpers.load_history: {"path": None},
    sgan_helpers.results_path: {"name": "runs.csv"},
    sgan_helpers.paired_difference: {"results": pd.DataFrame(ROWS), "method": "a", "baseline": "b", "confidence": 0.9},
    sgan_helpers.holm_intervals: {"differences": {"q": [0.1, 0.2, 0.4]}, "confidence": 0.9},
    plotting.plot_digits: {"images": IMAGES, "captions": None, "columns": 5},
    plotting.plot_samples: {"samples": SAMPLES, "iterations": [1, 2], "count": 5},
    plotting.animate_samples: {"samples": SAMPLES, "columns": 5, "milliseconds": 10, "zoom": 1},
    plotting.plot_losses: {"losses": {"iteration": [1, 2], "class_loss": [0.5, 0.4]}},
    plotting.plot_accuracy: {"iterations": [1, 2], "accuracies": {"sgan": [0.5, 0.6]}, "reference": None},
    plotting.plot_seeds: {"accuracies": {"sgan": [0.5, 0.6]}, "reference": None},
    plotting.plot_label_curve: {"values": {"sgan": {10: [1.0]}}, "published": [("a", 10, 1.0)]},
    plotting.plot_confusion: {"confusion": np.eye(3, dtype=int)},
    sgan_helpers.without_features: {"feature_discriminator": CLASSIFIER},
    sgan_helpers.build_discriminators: {"num_classes": 3},
    sgan_helpers.build_feature_discriminator: {"num_classes": 3},
    sgan_helpers.build_generator: {"latent_dim": 5, "hidden_units": (4,)},
    sgan_helpers.predict_logits: {"class_discriminator": CLASSIFIER, "images": IMAGES, "batch_size": 5},
    sgan_helpers.build_model: {"method": "supervised", "num_classes": 3, "seed": 0, "networks": None},
}
MALFORMED = st.one_of(
    st.none(),
    st.floats(max_value=-1.0),
    st.sampled_from(
        [float("nan"), float("inf"), 95.0, object(), {"sgan": [95.0]}, {"sgan": [float("nan")]}, {"sgan": []}]
    ),
    st.integers(max_value=-1) | st.integers(min_value=2**31),
    st.text(alphabet="x\0ä / ", max_size=3) | st.binary(max_size=3),
    st.lists(st.none() | st.text(max_size=2) | st.lists(st.integers(), min_size=1, max_size=2), min_size=1, max_size=3),
    st.dictionaries(st.integers() | st.text(max_size=2), st.none() | st.floats(), max_size=2),
    arrays.arrays(st.sampled_from(["complex64", "object", "U1", "bool"]), arrays.array_shapes(max_side=3)),
    arrays.array_shapes(min_side=0, max_side=3).map(lambda shape: np.full(shape, np.nan)),
)
DEFAULTS = {"path": None, "captions": None, "reference": None, "networks": None}  # what None is allowed for
PAIRS = [(door, name) for door, arguments in DOORS.items() for name in arguments]


@settings(max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PAIRS), MALFORMED)
@example((metrics.expected_calibration_error, "probabilities"), np.full((12, 2), 3.0))  # logits
@example((metrics.negative_log_likelihood, "log_probabilities"), np.full((12, 2), 3.0))
@example((sgan_helpers.paired_difference, "results"), pd.DataFrame([{**row, "test_accuracy": 95.0} for row in ROWS]))
@example((sgan_helpers.paired_difference, "results"), pd.DataFrame([{**row, "test_accuracy": None} for row in ROWS]))
@example((plotting.plot_losses, "losses"), {"iteration": [1], "class_loss": [1, 2]})
@example((plotting.plot_label_curve, "values"), {"sgan": {}})
@example((plotting.plot_confusion, "confusion"), np.full((3, 3), np.nan))
@example((plotting.plot_confusion, "confusion"), np.full((3, 3), -1))
def test_what_is_malformed_is_named(pair, value):
    door, name = pair
    if value is None and name in DEFAULTS:
        return
    if door.__module__ == "sgan_helpers.losses" and isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return  # the values of a tensor are not looked at: there, they are not known yet
    try:
        door(**{**DOORS[door], name: value})
    except (TypeError, ValueError, OSError) as error:
        assert f"parameter of {door.__name__} " in str(error) or "There is no" in str(error), (name, value, error)
    else:
        pytest.fail(f"{door.__name__} took {name}={value!r}")
    finally:
        plt.close("all")


SIZES = {"batch_size", "bins", "hidden_units", "latent_dim", "num_classes"}  # what an array's memory grows with


@pytest.mark.parametrize(
    "pair",
    [(door, name) for door in DOORS for name in DOORS[door] if name in SIZES],
    ids=lambda pair: f"{pair[0].__name__}-{pair[1]}",
)
def test_a_size_that_no_memory_holds_is_named(pair):
    door, name = pair
    if door is sgan_helpers.predict_logits:  # slices the images that there are
        return
    size = (2**31 - 1,) if name == "hidden_units" else 2**31 - 1
    with pytest.raises(ValueError, match=rf"'{name}' parameter of \w+ must be an int in \[\d, 10000\]. Got 2147483647"):
        door(**{**DOORS[door], name: size})


def test_a_size_among_the_hyperparameters_is_named():
    with pytest.raises(ValueError, match=r"'labeled_batch' .* must be an int in \[1, 10000\]. Got 10001"):
        sgan_helpers.build_model("pseudo-labels", seed=0, labeled_batch=10_001)


def test_every_door_is_tried():
    others = {"LabeledSplit", "METHODS", "train"}  # data, and what tests/test_training.py tries
    others |= {"SGAN", "Supervised", "build_trunk", "hold_out_validation"}
    others |= {name for name in sgan_helpers.__all__ if name.startswith("update_")}  # the training step, behind doors
    assert {door.__name__ for door in DOORS} >= set(sgan_helpers.__all__) - others
    for door, arguments in DOORS.items():
        assert set(arguments) <= set(inspect.signature(door).parameters)
    assert isinstance(sgan_helpers.Supervised(sgan_helpers.build_discriminators(3)[0], learning_rate=1), keras.Model)
    for wrong in ({"seed": "x"}, {"learning_rate": 0}, {"beta_1": 1}, {"class_discriminator": None}):
        with pytest.raises((TypeError, ValueError), match=f"'{next(iter(wrong))}' parameter of Supervised"):
            sgan_helpers.Supervised(**{"class_discriminator": sgan_helpers.build_discriminators(3)[0], **wrong})
