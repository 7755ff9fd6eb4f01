"""The recording of the grid ends well when nothing failed, and otherwise goes on to the end and names each failure."""

import sys

import choose_settings
import numpy as np
import pytest
import record_results

from sgan_helpers.methods.build import build_model
from sgan_helpers.mnist import Mnist
from sgan_helpers.networks import predict_logits


def record(monkeypatch, tmp_path, sweep):
    """Run the program with another `sweep`."""
    ceilings = []
    monkeypatch.setattr(record_results, "sweep", sweep)
    monkeypatch.setattr(record_results, "compare_side_by_side", lambda path, *rest: ceilings.append(path))
    monkeypatch.setattr(sys, "argv", ["record_results.py", str(tmp_path / "runs.csv")])
    try:
        record_results.main()
    finally:
        assert ceilings == [tmp_path / "ceilings.csv"]


def test_it_ends_without_an_error_when_every_run_succeeds(monkeypatch, tmp_path):
    asked = []
    record(monkeypatch, tmp_path, lambda methods, *cells, **settings: asked.append((*methods, settings["path"])))
    assert {path for _, path in asked} == {tmp_path / "runs.csv"}
    assert {method for method, _ in asked} >= {"supervised", "supervised-tuned", "label-spreading", "sgan"}


def test_it_goes_on_after_a_failure_and_names_each(monkeypatch, tmp_path):
    asked = []

    def sweep(methods, *cells, **settings):
        asked.append(methods[0])
        if methods[0] in ("sgan", "sgan-tuned"):
            raise RuntimeError(f"{methods[0]} failed")

    with pytest.raises(SystemExit) as stop:
        record(monkeypatch, tmp_path, sweep)
    assert set(stop.value.code.split("\n")) == {"sgan failed", "sgan-tuned failed"}
    assert asked[-1] == "noisy-student"


def test_a_ceiling_is_trained_with_every_label(monkeypatch, bars):
    monkeypatch.setattr("sgan_helpers.training.STEPS_PER_EXECUTION", 1)  # compiles in half the time
    images, labels = bars
    mnist = Mnist(images[:240], labels[:240], images[240:], labels[240:], "bars")
    monkeypatch.setattr(record_results, "load_mnist", lambda source: mnist)
    splits, train = [], choose_settings.train
    monkeypatch.setattr(choose_settings, "train", lambda *a, **k: splits.append(a[1]) or train(*a, **k))
    for row, per_class, settings in record_results.ceiling_candidates():
        if row["split_seed"] == 0:
            assert 0 <= record_results.ceiling({**row, "iterations": 2}, per_class, settings) <= 1
    assert len(splits) == len(record_results.CEILINGS)
    for split in splits:
        np.testing.assert_array_equal(split.labeled_labels, mnist.train_labels)


def test_errors_are_those_that_the_classifier_of_the_run_makes(monkeypatch, tmp_path, bars):
    images = bars[0][:50]
    classifier = build_model("improved-gan", seed=3).class_discriminator
    classifier.save_weights(tmp_path / "class_discriminator.weights.h5")
    guesses = predict_logits(classifier, images).argmax(axis=1)
    labels = guesses.copy()
    labels[::3] = (labels[::3] + 1) % 10  # the classifier misreads every third image
    monkeypatch.setattr(record_results, "load_mnist", lambda source: Mnist(None, None, images, labels, "bars"))
    record_results.keep_errors(tmp_path, tmp_path / "errors.csv")
    assert (tmp_path / "errors.csv").read_text().startswith("test_image,true_label,guess\n")
    rows = np.loadtxt(tmp_path / "errors.csv", delimiter=",", skiprows=1, dtype=int)
    np.testing.assert_array_equal(rows, np.column_stack([np.arange(50), labels, guesses])[::3])
