"""The recorded results: one row a run, never two."""

import csv
import errno
import fcntl
import os
import pathlib
import tempfile

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sgan_helpers.results import (
    COLUMNS,
    append_result,
    history_path,
    holm_intervals,
    load_history,
    load_results,
    paired_difference,
    results_path,
)

SUMMARY = {
    "method": "sgan",
    "recipe": "00001234",
    "labels": 1000,
    "seed": 3,
    "split_seed": 3,
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
    assert {path.name for path in tmp_path.iterdir()} == {"runs.csv", "runs.csv.lock"}


def test_a_linked_table_gets_its_row_where_it_is(tmp_path):
    (tmp_path / "shared").mkdir()
    table, link = tmp_path / "shared" / "runs.csv", tmp_path / "link.csv"
    link.symlink_to(table)
    append_result(SUMMARY, link)
    append_result({**SUMMARY, "seed": 4}, link)
    assert link.is_symlink() and len(load_results(link)) == len(load_results(table)) == 2
    assert (tmp_path / "shared" / "runs.csv.lock").exists() and not (tmp_path / "link.csv.lock").exists()


def test_a_run_whose_split_nobody_recorded_is_no_result(tmp_path):
    with pytest.raises(ValueError, match="needs the seed of its split: call train with split_seed"):
        append_result({**SUMMARY, "split_seed": None}, tmp_path / "runs.csv")
    assert list(tmp_path.iterdir()) == []


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


def table_of(*summaries):
    """Return the text of a table with a row for each summary."""
    with tempfile.TemporaryDirectory() as folder:
        for summary in summaries:
            append_result(summary, f"{folder}/runs.csv")
        return pathlib.Path(folder, "runs.csv").read_text()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",1000,3,3,10,", ",1000.0,3.0,3.0,10.0,"),
        lambda text: text.replace("\n", "\r\n") + "\r\n\r\n",
        lambda text: "\n".join(",".join(reversed(next(csv.reader([line])))) for line in text.splitlines()),
    ],
    ids=["byte-order mark", "10.0 for 10", "line ends", "columns in another order"],
)
def test_what_a_spreadsheet_makes_of_a_table_is_read_as_what_it_was(tmp_path, change):
    path = tmp_path / "runs.csv"
    summary = {**SUMMARY, "hardware": "a machine"}
    path.write_text(change(table_of(summary)), encoding="utf-8")
    assert load_results(path).to_dict("records") == [
        {**{name: summary.get(name) for name in COLUMNS}, **{k: summary["versions"][k] for k in COLUMNS[-4:-1]}}
        | {"init_seed": 3}
    ]
    append_result({**summary, "test_accuracy": 0.75}, path)
    assert load_results(path)["test_accuracy"].tolist() == [0.75]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",1000,", ",,", "Row 3 of the file '.*runs.csv' must have an int of at least 1 as 'labels'. Got ''"),
        (
            ",1000,",
            ",9223372036854775808,",
            r"an int in \[1, 2147483647\] as 'labels'. Got '9223372036854775808'",
        ),
        (",1000,", ",1000.5,", "Row 3 .* an int of at least 1 as 'labels'. Got '1000.5'"),
        (",0.5,", ",50,", "Row 3 .* a number from 0 to 1 as 'test_accuracy'. Got '50'"),
        (",0.5,", ",nan,", "Row 3 .* a number from 0 to 1 as 'test_accuracy'. Got 'nan'"),
        (",1.0,", ",inf,", "Row 3 .* a finite number of at least 0 as 'nll'. Got 'inf'"),
        ("sgan,", ",", "Row 3 .* text as 'method'. Got ''"),
        (",2026-11-23", "", "Row 3 .* must have 17 cells. Got 16"),
        (",2026-11-23", ",2026-11-23,", "Row 3 .* must have 17 cells. Got 18"),
        (",4,4,", ",3,3,", "Row 3 .* must be another run than row 2. Got the same"),
    ],
)
def test_what_is_wrong_in_a_table_is_named_by_row_and_column(tmp_path, old, new, message):
    path = tmp_path / "runs.csv"
    header, first, second = table_of(SUMMARY, {**SUMMARY, "seed": 4, "split_seed": 4}).splitlines()
    assert old in second
    text = "\n".join([header, first, second.replace(old, new)])
    path.write_text(text)
    for use in (load_results, lambda path: append_result(SUMMARY, path)):
        with pytest.raises(ValueError, match=message):
            use(path)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"method,\xff\n", "is no table of runs: it is no CSV in UTF-8"),
        (b"method;recipe\n", "lacks the column 'method'"),
        ((",".join(COLUMNS) + ",note\n").encode(), "has the column 'note' too"),
        ((",".join(COLUMNS) + ",date\n").encode(), "has the column 'date' twice"),
    ],
)
def test_what_is_wrong_with_the_columns_is_told_and_no_list_of_them(tmp_path, content, message):
    (tmp_path / "runs.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_results(tmp_path / "runs.csv")


@pytest.mark.parametrize("change", [{"test_accuracy": 95.0}, {"nll": float("nan")}, {"seed": 1.5}, {"method": ""}])
def test_no_row_is_recorded_that_could_not_be_read(tmp_path, change):
    with pytest.raises(
        ValueError, match=f"'summary' parameter of append_result must have .*{str([*change.values()][0])}"
    ):
        append_result({**SUMMARY, **change}, tmp_path / "runs.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_table_on_a_file_system_without_locks_gets_its_rows(tmp_path, monkeypatch):
    flock = fcntl.flock

    def refused(descriptor, operation):
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(tmp_path)):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", refused)
    append_result(SUMMARY, tmp_path / "runs.csv")
    assert len(load_results(tmp_path / "runs.csv")) == 1


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


HISTORY = [{"iteration": 5, "test_accuracy": 0.4, "nll": 2, "ece": 0.2}, {"iteration": 10, **SUMMARY}]


def test_the_history_of_a_run_is_replaced_with_the_run(tmp_path):
    path = tmp_path / "runs.csv"
    append_result(SUMMARY, path, HISTORY)
    append_result({**SUMMARY, "seed": 4}, path, HISTORY[1:])
    append_result(SUMMARY, path, [{**HISTORY[0], "test_accuracy": 0.45}])
    history = load_history(history_path(path)).sort_values("init_seed")
    assert history[["init_seed", "iteration", "test_accuracy"]].to_numpy().tolist() == [[3, 5, 0.45], [4, 10, 0.5]]
    with pytest.raises(ValueError, match="without 'ece'"):
        append_result({**SUMMARY, "seed": 5}, path, [{"iteration": 5, "test_accuracy": 0.4, "nll": 2}])
    assert len(load_results(path)) == 2


def runs_of(**accuracies):
    """A table of runs with 100 labels: for each method the accuracies of seeds 0, 1, 2, …"""
    rows = [
        {"method": method, "labels": 100, "split_seed": seed, "init_seed": seed, "test_accuracy": accuracy}
        for method, values in accuracies.items()
        for seed, accuracy in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_paired_differences_are_those_of_the_paired_t_test():
    ours, theirs = [0.91, 0.82, 0.93, 0.95], [0.90, 0.80, 0.90, 0.88, 0.10]
    row = paired_difference(runs_of(a=ours, b=theirs), "a", "b", confidence=0.9).loc[100]
    expected = stats.ttest_rel(ours, theirs[:4]).confidence_interval(0.9)
    assert row["pairs"] == 4
    np.testing.assert_allclose([row["low"], row["high"]], [expected.low, expected.high])
    np.testing.assert_allclose(row["mean"], np.mean(np.subtract(ours, theirs[:4])))
    back = paired_difference(runs_of(a=ours, b=theirs), "b", "a", confidence=0.9).loc[100]
    np.testing.assert_allclose([back["low"], back["high"]], [-expected.high, -expected.low])


def test_one_pair_has_a_difference_and_no_interval():
    row = paired_difference(runs_of(a=[0.9], b=[0.8]), "a", "b").loc[100]
    assert np.isclose(row["mean"], 0.1) and np.isnan(row["low"]) and np.isnan(row["high"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"results": [1]}, TypeError, "'results' parameter of paired_difference must be a DataFrame"),
        ({"results": pd.DataFrame({"method": ["a"]})}, ValueError, "without the column 'init_seed'"),
        ({"results": pd.concat([runs_of(a=[0.9], b=[0.8])] * 2, axis=1)}, ValueError, "Got one with a column twice"),
        ({"method": "c"}, ValueError, "'method' parameter of paired_difference must be one of 'a', 'b'. Got 'c'"),
        ({"baseline": None}, ValueError, "'baseline'.*Got None"),
        ({"confidence": 95}, ValueError, r"'confidence'.*\(0, 1\). Got 95"),
        (
            {"results": runs_of(a=[0.9, float("nan")], b=[0.8, 0.8])},
            ValueError,
            "to 1 as 'test_accuracy'. Got nan",
        ),
        ({"results": runs_of(a=[90.0, 91.0], b=[0.8, 0.8])}, ValueError, "from 0 to 1 as 'test_accuracy'. Got 90.0"),
        ({"baseline": "a"}, ValueError, "'baseline'.*another method than 'a'"),
        ({"results": runs_of(a=[0.9], b=[0.8]).assign(iterations=[1, 2])}, ValueError, "one iterations only. Got 1, 2"),
        ({"results": pd.concat([runs_of(a=[0.9], b=[0.8])] * 2)}, ValueError, "one run for each.*Got two"),
    ],
)
def test_bad_arguments_of_paired_difference_are_named(change, error, message):
    arguments = {"results": runs_of(a=[0.9, 0.8], b=[0.8, 0.8]), "method": "a", "baseline": "b", **change}
    with pytest.raises(error, match=message):
        paired_difference(**arguments)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("test_accuracy", ["0.5", 0.5, 0.5, 0.5], "numbers as 'test_accuracy'. Got a column of object"),
        (
            "test_accuracy",
            pd.array([0.5, None, 0.5, 0.5], "Float64"),
            "a number .* as 'test_accuracy'. Got <NA>",
        ),
        ("labels", "x", "numbers as 'labels'. Got a column of"),
        ("labels", None, "numbers as 'labels'. Got a column of object"),
        ("labels", [[1]] * 4, "numbers as 'labels'. Got a column of object"),
        ("labels", np.nan, "an int of at least 1 as 'labels'. Got nan"),
        ("labels", 1.5, "an int of at least 1 as 'labels'. Got 1.5"),
        ("labels", np.inf, r"an int in \[1, 2147483647\] as 'labels'. Got inf"),
        ("labels", 2**63, r"an int in \[1, 2147483647\] as 'labels'. Got 9223372036854775808"),
        ("init_seed", -1, "an int of at least 0 as 'init_seed'. Got -1"),
        ("method", ["a", None, "b", "b"], "text as 'method'. Got (None|nan)"),
        ("method", [["a"]] * 4, r"text as 'method'. Got \['a'\]"),
        ("data_source", ["full", None, "full", "full"], "one data_source only. Got (None, full|full, nan)"),
        ("iterations", [1, "x", 1, 1], "one iterations only. Got 1, x"),
    ],
)
def test_what_a_column_of_results_cannot_hold_is_named(column, values, message):
    results = runs_of(a=[0.9, 0.8], b=[0.8, 0.8]).assign(**{column: values})
    with pytest.raises(ValueError, match=f"'results' parameter of paired_difference must have {message}"):
        paired_difference(results, "a", "b")


def test_methods_without_a_common_seed_have_an_empty_table():
    results = runs_of(a=[0.9], b=[0.8])
    results.loc[results["method"] == "b", ["split_seed", "init_seed"]] = 1
    table = paired_difference(results, "a", "b")
    assert len(table) == 0 and list(table.columns) == ["pairs", "mean", "low", "high"]


def test_holm_holds_the_smallest_p_value_to_the_smallest_risk_and_stops_at_the_first_that_fails():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(5)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    shifts = {"clear": 20.0, "none": 0.0, "close": 1.9, "closer": 2.0}  # of 5 pairs: t = shift * 5 ** 0.5
    differences = {name: noise + shift for name, shift in shifts.items()}
    table = holm_intervals(differences)
    assert list(table.index) == list(shifts) and set(table["pairs"]) == {5}

    def half_width(risk):
        return stats.t.ppf(1 - risk / 2, 4) / 5**0.5

    # p: clear 2e-6 < .05 / 4; closer .011 < .05 / 3; close .013 < .05 / 2; none 1 > .05
    risks = {"clear": 0.05 / 4, "closer": 0.05 / 3, "close": 0.05 / 2, "none": 0.05}
    for name, risk in risks.items():
        row = table.loc[name]
        assert row["mean"] == pytest.approx(shifts[name], abs=1e-9)
        assert row["high"] - row["low"] == pytest.approx(2 * half_width(0.05))
        assert row["adjusted_high"] - row["adjusted_low"] == pytest.approx(2 * half_width(risk))
        assert (row["adjusted_low"] > 0) == (name != "none")

    # With four more undecided questions "closer" meets 0.05 / 7 and stops; "close" is held to the same, not 0.05 / 6.
    more = holm_intervals(differences | {f"nothing {number}": noise for number in range(4)})
    for name in ("closer", "close"):
        assert more.loc[name, "adjusted_high"] - more.loc[name, "adjusted_low"] == pytest.approx(
            2 * half_width(0.05 / 7)
        )
        assert more.loc[name, "low"] > 0 > more.loc[name, "adjusted_low"]


@pytest.mark.parametrize(
    "differences, error, message",
    [
        ([[1.0, 2.0]], TypeError, "'differences' parameter of holm_intervals must be a dict"),
        ({"a": [1.0]}, ValueError, "must have an array of at least 2 numbers for each question. Got array"),
        ({"a": ["x", "y"]}, ValueError, "must have an array of at least 2 numbers for each question"),
        ({"a": [1j, 2j]}, ValueError, "must have an array of at least 2 numbers for each question"),
        ({"a": [[1.0], [1.0, 2.0]]}, ValueError, "must have an array of at least 2 numbers for each question"),
        ({"a": np.array([1, 2], "m8[s]")}, ValueError, "must have an array of at least 2 numbers for each question"),
        ({"a": [1.0, float("nan")]}, ValueError, "must be finite. Got NaN or an infinite number for 'a'"),
    ],
)
def test_bad_differences_are_named(differences, error, message):
    with pytest.raises(error, match=message):
        holm_intervals(differences)
