"""The recorded runs: one table of them and one of the tests along the way; read, append, compare."""

import csv
import math
import pathlib

import numpy as np
import pandas as pd
from scipy import stats

from sgan_helpers.checkpoints import locked, write_csv
from sgan_helpers.checks import LARGEST_INT, as_array, check_choice, check_dict, check_number, check_path, check_type

COLUMNS = (
    "method",
    "recipe",
    "labels",
    "split_seed",
    "init_seed",
    "iterations",
    "test_accuracy",
    "nll",
    "ece",
    "seconds",
    "ms_per_iteration",
    "data_source",
    "hardware",
    "tensorflow",
    "keras",
    "numpy",
    "date",
)
RUN_KEY = ("method", "recipe", "labels", "split_seed", "init_seed", "iterations", "data_source")
HISTORY_COLUMNS = (*RUN_KEY, "iteration", "test_accuracy", "nll", "ece")
# What a cell is: an int of at least this, a number from 0 to that, or else text.
LOWEST = {"labels": 1, "split_seed": 0, "init_seed": 0, "iterations": 1, "iteration": 1}
HIGHEST = {"test_accuracy": 1, "ece": 1, "nll": math.inf, "seconds": math.inf, "ms_per_iteration": math.inf}


def results_path(name="runs.csv"):
    """Return the path of a recorded result: inside the installed package, or in the repository's `results/`.

    Args:
        name: str, a file name, "runs.csv" or a path below `results/`.

    Raises:
        FileNotFoundError: there is no such result.
    """
    check_path("results_path", "name", name)
    package = pathlib.Path(__file__).parent
    for folder in (package / "results", package.parent / "results"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"There is no recorded result {name!r}.")


def load_results(path=None):
    """Load the recorded training runs, one row each.

    Args:
        path: path of a CSV file with the columns `COLUMNS`; None means the results that come with the package.

    Returns:
        A `pandas.DataFrame`. `labels` is the total number of labels; `test_accuracy` is a fraction, that of the last
        iteration.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file lacks a column, or a cell is not what its column holds; row and column are named.
    """
    return _load_table("load_results", results_path() if path is None else path, COLUMNS)


def load_history(path=None):
    """Load the tests made while the recorded runs were training: a row for every 1,000 iterations of each run.

    Args:
        path: path of a CSV file with the columns `HISTORY_COLUMNS`; None means the one that comes with the package.

    Returns:
        A `pandas.DataFrame`. `iteration` is that of the test, `iterations` the length of the whole run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file lacks a column, or a cell is not what its column holds; row and column are named.
    """
    return _load_table("load_history", results_path("runs-history.csv") if path is None else path, HISTORY_COLUMNS)


def paired_difference(results, method, baseline, confidence=0.95):
    """Compute the mean difference in test accuracy between two methods, paired by seeds, with a t interval.

    Args:
        results: `pandas.DataFrame` of runs, as from `load_results`, with one run for each method, number of labels
            and pair of seeds.
        method: str, the method whose accuracy comes first.
        baseline: str, the method whose accuracy is subtracted.
        confidence: float in (0, 1).

    Returns:
        A `pandas.DataFrame` indexed by `labels`: `pairs` (their number), `mean`, `low`, `high`, fractions. With one
        pair there is no interval, and `low` and `high` are NaN.

    Raises:
        TypeError, ValueError: `results` is no table of runs, a method is not in it, or it mixes runs that cannot be
            compared: two for one cell, or several data sources or numbers of iterations.

    Source: Student (1908), "The probable error of a mean".
    """
    check_paired_arguments(results, method, baseline, confidence)
    pairs = results.pivot(index=["labels", "split_seed", "init_seed"], columns="method", values="test_accuracy")
    differences = (pairs[method] - pairs[baseline]).dropna()
    rows = []
    for labels, values in differences.groupby(level="labels"):
        mean = values.mean()
        half_width = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.sem()
        rows.append([labels, len(values), mean, mean - half_width, mean + half_width])
    return pd.DataFrame(rows, columns=["labels", "pairs", "mean", "low", "high"]).set_index("labels")


def holm_intervals(differences, confidence=0.95):
    """Compute the mean of several sets of paired differences, with Student's intervals, plain and adjusted by Holm.

    A plain interval misses the true mean in 1 of 20 experiments, so among twenty of them one that excludes zero is no
    news. Holm's rule keeps the risk that *any* of them errs below 1 in 20: the question with the smallest p-value is
    held to a risk of 0.05 / m, with m questions, the next to 0.05 / (m - 1), and so on until one is not decided; that
    one and all that follow are held to the risk at which it stopped. What is protected is whether an interval excludes
    zero; that all of them cover their means together is not promised.

    Args:
        differences: dict from the name of a question to its paired differences, a float array of at least 2.
        confidence: float in (0, 1), of the plain intervals; 1 - confidence is the risk for all questions together.

    Returns:
        A `pandas.DataFrame` indexed by question, in the order of `differences`: `pairs`, `mean`, `low`, `high`,
        `adjusted_low`, `adjusted_high`.

    Raises:
        TypeError, ValueError: `differences` is no such dict, or `confidence` is out of range.

    Source: Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    check_holm_arguments(differences, confidence)
    tests = {name: stats.ttest_1samp(values, 0) for name, values in differences.items()}
    risk, stopped, rows = 1 - confidence, False, {}
    for rank, name in enumerate(sorted(tests, key=lambda name: tests[name].pvalue)):
        if not stopped:
            level = risk / (len(tests) - rank)
            stopped = not tests[name].pvalue < level
        plain, adjusted = (tests[name].confidence_interval(1 - each) for each in (risk, level))
        rows[name] = [len(differences[name]), np.mean(differences[name]), *plain, *adjusted]
    columns = ["pairs", "mean", "low", "high", "adjusted_low", "adjusted_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).reindex(list(differences))


def append_result(summary, path, history=()):
    """Add a finished run to a CSV as one row, atomically; a run that is there already is replaced.

    If the CSV is a link, the row goes into the table that it leads to.

    Args:
        summary: dict, the contents of a run folder's `summary.json`.
        path: path of the CSV, made if needed.
        history: sequence of dicts, the run's evaluations; they go into `history_path(path)`, before the row.

    Raises:
        ValueError: `summary` or `history` lacks an entry, or the seed of the split, or has one that its column cannot
            hold; or a file has other columns.
    """
    check_path("append_result", "path", path)
    try:
        row = {**summary, **summary["versions"], "init_seed": summary["seed"]}
        if row["split_seed"] is None:
            raise ValueError("A result needs the seed of its split: call train with split_seed. Got None instead.")
        new = {column: row[column] for column in COLUMNS}
        key = {column: new[column] for column in RUN_KEY}
        tests = [{**key, **{column: test[column] for column in HISTORY_COLUMNS[len(key) :]}} for test in history]
    except (KeyError, TypeError) as error:
        raise ValueError(
            "The 'summary' parameter of append_result must be the contents of a run's summary.json. "
            f"Got one without {error} instead."
        ) from error
    where = "The 'summary' parameter of append_result"
    new, *tests = (typed_row(row, where) for row in (new, *tests))
    path = pathlib.Path(path).resolve()  # a link to a table stays one, and both names have one lock
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(f"{path}.lock"):  # another sweep may write to the same table
        read_rows(path, COLUMNS)
        if tests:
            _replace_rows(history_path(path), HISTORY_COLUMNS, tests)
        _replace_rows(path, COLUMNS, [new])


def history_path(path):
    """Return where the evaluations of the runs in the CSV at `path` are kept: `runs.csv` has `runs-history.csv`."""
    path = pathlib.Path(path)
    return path.with_name(f"{path.stem}-history.csv")


def check_paired_arguments(results, method, baseline, confidence):
    """Raise unless the arguments of `paired_difference` are valid."""
    check_type("paired_difference", "results", results, pd.DataFrame)
    missing = {"method", "labels", "split_seed", "init_seed", "test_accuracy"} - set(results.columns)
    if missing or not results.columns.is_unique:
        fault = f"without the column {min(missing)!r}" if missing else "with a column twice"
        raise ValueError(
            f"The 'results' parameter of paired_difference must be a table of runs. Got one {fault} instead."
        )
    where = "The 'results' parameter of paired_difference"
    for value in results["method"]:
        if not isinstance(value, str):
            raise ValueError(f"{where} must have text as 'method'. Got {value!r} instead.")
    for name, value in (("method", method), ("baseline", baseline)):
        check_choice("paired_difference", name, value, sorted(set(results["method"])))
    if method == baseline:
        raise ValueError(
            f"The 'baseline' parameter of paired_difference must be another method than {method!r}. Got the same."
        )
    check_number("paired_difference", "confidence", confidence, 0, 1)
    compared = results[results["method"].isin([method, baseline])]
    for column in {"data_source", "iterations"} & set(results.columns):
        if compared[column].nunique(dropna=False) > 1:
            raise ValueError(
                f"The 'results' parameter of paired_difference must have one {column} only. "
                f"Got {', '.join(map(str, sorted(compared[column].unique(), key=str)))}: choose one first."
            )
    for name in ("labels", "split_seed", "init_seed", "test_accuracy"):
        if compared[name].dtype.kind not in "iuf":
            raise ValueError(f"{where} must have numbers as {name!r}. Got a column of {compared[name].dtype} instead.")
        for value in compared[name]:
            _typed(name, value, where)
    if results.duplicated(["method", "labels", "split_seed", "init_seed"]).any():
        raise ValueError(
            "The 'results' parameter of paired_difference must have one run for each method, number of labels and pair "
            "of seeds. Got two: choose one recipe first."
        )


def check_holm_arguments(differences, confidence):
    """Raise unless the arguments of `holm_intervals` are valid."""
    check_dict("holm_intervals", "differences", differences, "arrays by the name of their question")
    for name, values in differences.items():
        values = as_array(values)
        if values.ndim != 1 or len(values) < 2 or values.dtype.kind not in "iuf":
            raise ValueError(
                "The 'differences' parameter of holm_intervals must have an array of at least 2 numbers for each "
                f"question. Got {values!r} for {name!r} instead."
            )
        if not np.isfinite(values).all():
            raise ValueError(
                "The 'differences' parameter of holm_intervals must be finite. "
                f"Got NaN or an infinite number for {name!r} instead."
            )
    check_number("holm_intervals", "confidence", confidence, 0, 1)


def read_rows(path, columns):
    """Return the rows of a CSV as dicts, each cell in the type of its column; none if there is no file.

    What spreadsheets make of a table is read as what it was: a mark at its beginning, columns in another order, empty
    lines at its end, 10.0 for 10.

    Raises:
        ValueError: the file has other columns, or a row with another number of cells, a cell that its column cannot
            hold, or a run that stands above it already; the row is counted as a spreadsheet does, the header first.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            lines = [(reader.line_num, line) for line in reader if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"The file {str(path)!r} is no table of runs: it is no CSV in UTF-8 ({error}).") from error
    faults = [f"lacks the column {name!r}" for name in columns if name not in header]
    faults += [f"has the column {name!r} too" for name in header if name not in columns]
    faults += [f"has the column {name!r} twice" for name in columns if header.count(name) > 1]
    if faults and (header or lines):
        raise ValueError(f"The file {str(path)!r} is no table of runs: it {faults[0]}.")
    rows, seen = [], {}
    for number, line in lines:
        where = f"Row {number} of the file {str(path)!r}"
        if len(line) != len(header):
            raise ValueError(f"{where} must have {len(header)} cells. Got {len(line)} instead.")
        cells = dict(zip(header, line, strict=True))
        rows.append(typed_row({name: cells[name] for name in columns}, where))
        key = tuple(rows[-1][name] for name in (*RUN_KEY, "iteration") if name in columns)
        if key in seen:
            raise ValueError(f"{where} must be another run than row {seen[key]}. Got the same, {key}, instead.")
        seen[key] = number
    return rows


def typed_row(row, where):
    """Return a row, a dict from columns to strings or numbers, each in the type of its column.

    Raises:
        ValueError: a value is not what its column holds.
    """
    return {name: _typed(name, value, where) for name, value in row.items()}


def _typed(name, value, where):
    if name in LOWEST:
        low, number = LOWEST[name], _as_float(value)
        allowed = f"an int in [{low}, {LARGEST_INT}]" if number > LARGEST_INT else f"an int of at least {low}"
        if number.is_integer() and low <= number <= LARGEST_INT:  # 10.0 is 10
            return int(number)
    elif name in HIGHEST:
        allowed = (
            "a finite number of at least 0" if HIGHEST[name] == math.inf else f"a number from 0 to {HIGHEST[name]}"
        )
        number = _as_float(value)
        if 0 <= number <= HIGHEST[name] and math.isfinite(number):
            return number
    else:
        allowed = "text"
        if str(value).strip():
            return str(value)
    raise ValueError(f"{where} must have {allowed} as {name!r}. Got {value!r} instead.")


def _as_float(value):
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _load_table(function, path, columns):
    check_path(function, "path", path)
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    return pd.DataFrame(read_rows(path, columns), columns=columns)


def _replace_rows(path, columns, new):
    """Put the rows of one run in the place of those it has in the CSV at `path`, or at its end."""
    kept = [row for row in read_rows(path, columns) if any(row[name] != new[0][name] for name in RUN_KEY)]
    write_csv(pathlib.Path(path).resolve(), [*kept, *new], columns)
