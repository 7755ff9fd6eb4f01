"""Candidates are compared with their own settings each, in any order, and leave nothing behind for the next one."""

import concurrent.futures
import csv

import choose_settings
import pytest

from sgan_helpers import training
from sgan_helpers.data import split_labeled
from sgan_helpers.methods import METHODS
from sgan_helpers.methods.build import recipe_of
from sgan_helpers.mnist import Mnist

ROW = {"split_seed": 100, "iterations": 6}
CANDIDATES = {  # two that the tools' first version would have mixed up, and one with networks of its own
    "averaged": ("supervised-tuned", {"average_decay": 0.9, "learning_rate": 1e-3}),
    "not averaged": ("supervised-tuned", {"average_decay": 0.0, "learning_rate": 1e-3}),
    "small trunk": ("supervised", {"networks": choose_settings.networks_on((4, 8, 8), 3, (0.0, 0.0, 0.5), False)}),
}


@pytest.fixture
def validation(bars):
    """The bars in the form of MNIST with validation images."""
    images, labels = bars
    return Mnist(images[:240], labels[:240], images[240:], labels[240:], "bars")


@pytest.fixture
def runs(monkeypatch):
    """The finished runs, in their order."""
    finished, train = [], training.train
    monkeypatch.setattr(training, "STEPS_PER_EXECUTION", 1)
    monkeypatch.setattr(choose_settings, "train", lambda *a, **k: finished.append(train(*a, **k)) or finished[-1])
    return finished


@pytest.mark.parametrize("order", [["averaged", "not averaged"], ["not averaged", "small trunk", "averaged"]])
def test_each_candidate_runs_with_its_own_settings(tmp_path, validation, runs, order):
    defaults = {name: dict(method.defaults) for name, method in METHODS.items()}
    rows = [({"method": CANDIDATES[name][0], "name": name, **ROW}, 5, CANDIDATES[name][1]) for name in order]
    choose_settings.compare(tmp_path / "validation.csv", rows, validation)
    assert defaults == {name: dict(method.defaults) for name, method in METHODS.items()}

    with open(tmp_path / "validation.csv", newline="") as file:
        recorded = list(csv.DictReader(file))
    assert [row["name"] for row in recorded] == order
    found = dict(zip(order, runs, strict=True))
    split = split_labeled(validation.train_images, validation.train_labels, 5, seed=100)
    tests = {"test_images": validation.test_images, "test_labels": validation.test_labels, "iterations": 6, "seed": 100}
    for row in recorded:
        method, settings = CANDIDATES[row["name"]]
        alone = training.train(method, split, **tests, **settings)
        summary = found[row["name"]].summary
        assert float(row["validation_accuracy"]) == summary["test_accuracy"] == alone.summary["test_accuracy"]
        assert (summary["nll"], summary["recipe"]) == (alone.summary["nll"], alone.summary["recipe"])
        assert {name: summary[name] for name in settings if name != "networks"} == {
            name: value for name, value in settings.items() if name != "networks"
        }
    assert len({run.summary["recipe"] for run in runs}) == len({run.summary["nll"] for run in runs}) == len(order)

    choose_settings.compare(tmp_path / "validation.csv", rows, validation)
    assert len(runs) == len(order), "what is recorded is not run again"


def test_every_candidate_is_a_row_and_what_train_takes():
    """The rows have the columns of the recorded ones, and name only hyper-parameters that the method has."""
    parts = {
        "validation.csv": choose_settings.trunk_candidates(),
        "validation-tuned.csv": choose_settings.tuned_candidates(),
        "validation-pseudo-labels.csv": choose_settings.pseudo_label_candidates(),
    }
    for name, candidates in parts.items():
        with open(choose_settings.RESULTS / name, newline="") as file:
            recorded = list(csv.DictReader(file))
        for row, _, settings in candidates:
            assert [*row, "validation_accuracy"] == list(recorded[0])
            assert set(settings) - {"networks", "batch_size"} <= set(METHODS[row["method"]].defaults)
            row = {column: str(value) for column, value in row.items()}
            assert any(row.items() <= other.items() for other in recorded), "a candidate whose row is not there"


def test_the_later_choices_are_told_apart_by_their_rows_and_have_six_splits():
    candidates = list(choose_settings.choice_candidates())
    rows = [tuple(row.items()) for row, *_ in candidates]
    assert len(set(rows)) == len(rows) == 6 * len(choose_settings.CHOICES)
    for row, per_class, settings in candidates:
        assert row["labels"] == 10 * per_class and row["split_seed"] >= 100
        assert set(settings) <= set(METHODS[row["method"]].defaults)
    for method, _, _, settings in choose_settings.CHOICES:  # the six splits of each have one recipe
        assert recipe_of(method, **settings)
    path = choose_settings.RESULTS / "validation-choices.csv"
    known = [{column: str(value) for column, value in row.items()} for row, *_ in candidates]
    for row in choose_settings.read_csv(path):
        row.pop("validation_accuracy")
        assert row in known, "recorded of a candidate that is no more"


def test_settings_are_told_in_words():
    assert choose_settings.in_words({}) == "as it is"
    assert choose_settings.in_words({"gan_weight": 0.1, "distortion": {"shift": 2.0}}) == "gan weight 0.1; shift 2"


def test_candidates_that_run_side_by_side_are_recorded_once_each(tmp_path, monkeypatch, validation):
    """With a pool of threads in place of processes: what is recorded is not done again."""
    candidates = [({"method": "label-spreading", "split_seed": seed, "iterations": 9}, 3, {}) for seed in (100, 101)]
    monkeypatch.setattr(choose_settings.concurrent.futures, "ProcessPoolExecutor", here)
    monkeypatch.setattr(choose_settings, "_held_out", lambda: validation)
    path = tmp_path / "choices.csv"
    for _ in range(2):
        choose_settings.compare_side_by_side(path, candidates)
        recorded = choose_settings.read_csv(path)
        assert sorted(row["split_seed"] for row in recorded) == ["100", "101"]
    assert all(0.5 < float(row["validation_accuracy"]) <= 1 for row in recorded)


def here(**_):
    """A pool of one thread in place of one of processes."""
    return concurrent.futures.ThreadPoolExecutor(1)
