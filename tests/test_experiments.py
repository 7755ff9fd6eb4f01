"""The recorded results: one row a run, never two."""

import pytest

from sgan_helpers.experiments import COLUMNS, append_result, load_results, results_path

SUMMARY = {
    "method": "sgan",
    "recipe": "00001234",
    "labels": 1000,
    "seed": 3,
    "split_seed": None,
    "iterations": 10,
    "test_accuracy": 0.5,
    "nll": 1.0,
    "ece": 0.1,
    "seconds": 2.0,
    "ms_per_iteration": 200.0,
    "data_source": "full",
    "hardware": "a machine, with 2 cores",
    "date": "2026-11-23",
    "versions": {"python": "3.11", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"},
}


def test_a_run_becomes_one_row_and_a_repeated_run_replaces_it(tmp_path):
    path = tmp_path / "runs.csv"
    append_result(SUMMARY, path)
    append_result({**SUMMARY, "seed": 4, "split_seed": 7}, path)
    append_result({**SUMMARY, "test_accuracy": 0.75}, path)
    results = load_results(path)
    assert tuple(results.columns) == COLUMNS
    assert len(results) == 2
    assert sorted(zip(results["split_seed"], results["init_seed"], strict=True)) == [(3, 3), (7, 4)]
    assert results.set_index("init_seed").loc[3, "test_accuracy"] == 0.75
    assert set(results["recipe"]) == {"00001234"}
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


def test_the_package_comes_with_its_results():
    assert len(load_results()) >= 6
    assert results_path("sgan-1000-0.weights.h5").stat().st_size > 100_000
    with pytest.raises(FileNotFoundError, match="absent.csv"):
        results_path("absent.csv")
