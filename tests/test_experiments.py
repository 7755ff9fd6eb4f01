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


def test_columns_are_read_as_what_they_are(tmp_path):
    append_result({**SUMMARY, "recipe": "12345678"}, tmp_path / "runs.csv")
    append_result({**SUMMARY, "recipe": "1234e567"}, tmp_path / "runs.csv")
    results = load_results(tmp_path / "runs.csv")
    assert results["recipe"].tolist() == ["12345678", "1234e567"]
    for name in ("labels", "split_seed", "init_seed", "iterations"):
        assert results[name].dtype == "int64", name
    for name in ("test_accuracy", "nll", "ece", "seconds", "ms_per_iteration"):
        assert results[name].dtype == "float64", name
    assert results["hardware"].tolist() == ["a machine, with 2 cores"] * 2


def test_what_is_no_table_of_runs_is_named_and_left_alone(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="other.csv.*lacks the column 'method'"):
        load_results(path)
    with pytest.raises(ValueError, match="other.csv.*no table of runs"):
        append_result(SUMMARY, path)
    assert path.read_text() == "a,b\n1,2\n"
    with pytest.raises(FileNotFoundError, match="nowhere.csv"):
        load_results(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("lost", ["versions", "seed", "split_seed", "nll", "date"])
def test_an_incomplete_summary_is_not_recorded(tmp_path, lost):
    summary = {name: value for name, value in SUMMARY.items() if name != lost}
    with pytest.raises(ValueError, match=f"'summary' parameter of append_result.*without '{lost}'"):
        append_result(summary, tmp_path / "runs.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_rows_that_are_there(tmp_path, monkeypatch):
    path = tmp_path / "runs.csv"
    append_result(SUMMARY, path)
    before = path.read_bytes()

    def no_space(file_number):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        append_result({**SUMMARY, "seed": 9}, path)
    assert path.read_bytes() == before


def test_the_package_comes_with_its_results():
    assert len(load_results()) >= 6
    assert results_path("sgan-1000-0.weights.h5").stat().st_size > 100_000
    with pytest.raises(FileNotFoundError, match="absent.csv"):
        results_path("absent.csv")
