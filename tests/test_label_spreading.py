"""Label spreading against its closed form, on images that are not MNIST, and as a run without a network."""

import json

import numpy as np
import pytest
from scipy import sparse

from sgan_helpers import training
from sgan_helpers.__main__ import main
from sgan_helpers.data import split_labeled
from sgan_helpers.methods.label_spreading import LabelSpreading, neighbor_weights, spread_labels


def test_neighbors_count_less_with_their_distance_and_a_scale_of_their_own():
    weights = neighbor_weights(np.array([[0.0, 1.0, 2.0], [10.0, 10.0, 20.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(weights, np.exp([[0, -1, -4], [-1, -1, -4], [0, 0, 0]]), rtol=1e-12)


def test_the_scores_are_those_of_the_closed_form():
    rng = np.random.default_rng(0)
    dense = rng.random((30, 30)) * (rng.random((30, 30)) < 0.3) * (1 - np.eye(30))
    labels = np.array([0, 1, 2, 1])
    found = spread_labels(sparse.csr_array(dense), labels, 3, 10_000, alpha=0.9)
    symmetric = np.maximum(dense, dense.T)
    root = np.sqrt(symmetric.sum(axis=1))
    start = np.zeros((30, 3))
    start[np.arange(4), labels] = 1.0
    scores = np.linalg.solve(np.eye(30) - 0.9 * symmetric / np.outer(root, root), start)
    scores /= scores.sum(axis=0)
    np.testing.assert_allclose(found, scores / scores.sum(axis=1, keepdims=True), atol=1e-5)


def test_a_label_goes_no_further_than_the_iterations():
    chain = sparse.csr_array(np.diag(np.ones(9), 1))  # each image is a neighbour of the next
    reached = spread_labels(chain, np.array([0, 1]), 2, iterations=3)
    assert (reached.sum(axis=1) > 0).tolist() == [True] * 5 + [False] * 5


def test_two_rings_that_no_line_can_part_are_told_apart():
    rng = np.random.default_rng(1)
    angles = rng.uniform(0, 2 * np.pi, 400)
    rings = np.arange(400) % 2
    images = np.full((400, 28, 28, 1), -1.0, np.float32)
    images[:, 0, :2, 0] = ((0.3 + 0.5 * rings) * [np.cos(angles), np.sin(angles)]).T
    split = split_labeled(images[:300], rings[:300], 2, seed=0)
    logits = LabelSpreading(seed=0).classify(split, images[300:], 1000)
    assert (logits.argmax(axis=1) == rings[300:]).mean() == 1


def test_a_run_records_its_test_and_keeps_no_network(bars, bar_split, tmp_path, capsys):
    images, labels = bars
    task = {"test_images": images[240:], "test_labels": labels[240:], "iterations": 500, "seed": 0, "split_seed": 0}
    run = training.train("label-spreading", bar_split, **task, output_dir=tmp_path / "run")
    assert run.class_discriminator is None and run.generator is None and run.samples is None
    assert run.summary["test_accuracy"] > 0.9 and run.summary["neighbors"] == 10
    assert [row["iteration"] for row in run.history] == [500]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"summary.json", "history.csv"}
    other = training.train("label-spreading", bar_split, **{**task, "seed": 9})
    assert other.summary["nll"] == run.summary["nll"], "nothing is random"
    with pytest.raises(FileExistsError, match="already holds a run"):
        training.train("label-spreading", bar_split, **task, output_dir=tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()  # as if killed just before
    training.train("label-spreading", bar_split, **task, output_dir=tmp_path / "run", resume="auto")
    assert main(["evaluate", str(tmp_path / "run")]) == 1
    assert "'label-spreading' keeps no network to test again" in capsys.readouterr().err


def test_the_command_line_spreads_labels(tmp_path, capsys):
    arguments = ["--method", "label-spreading", "--labels-per-class", "10", "--data", "sample"]
    assert main(["train", *arguments, "--output", str(tmp_path / "run")]) == 0
    assert "test accuracy after the last iteration" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["test_accuracy"] > 0.8
    assert (tmp_path / "run" / "accuracy.png").exists() and not (tmp_path / "run" / "losses.png").exists()
