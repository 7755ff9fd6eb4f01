"""The recorded results: read them, and add a finished run to them."""

import csv
import io
import pathlib

import pandas as pd

from sgan_helpers.checkpoints import write_atomically
from sgan_helpers.checks import check_path

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
        ValueError: the file lacks a column.
    """
    path = results_path() if path is None else path
    results = pd.read_csv(path, dtype={"recipe": str})
    missing = [column for column in COLUMNS if column not in results]
    if missing:
        raise ValueError(f"The file {str(path)!r} is no table of runs: it lacks the column {missing[0]!r}.")
    return results


def append_result(summary, path):
    """Add a finished run's summary to a CSV as one row, atomically; a run that is there already is replaced.

    Args:
        summary: dict, the contents of a run folder's `summary.json`.
        path: path of the CSV, made if needed.

    Raises:
        ValueError: `summary` lacks an entry, or the file at `path` has other columns.
    """
    try:
        row = {
            **summary,
            **summary["versions"],
            "init_seed": summary["seed"],
            "split_seed": summary["seed"] if summary["split_seed"] is None else summary["split_seed"],
        }
        new = {column: str(row[column]) for column in COLUMNS}
    except (KeyError, TypeError) as error:
        raise ValueError(
            "The 'summary' parameter of append_result must be the contents of a run's summary.json. "
            f"Got one without {error} instead."
        ) from error
    path = pathlib.Path(path)
    rows = []
    if path.exists():
        with open(path, newline="") as file:
            reader = csv.DictReader(file)
            columns, rows = reader.fieldnames, list(reader)
        if columns and tuple(columns) != COLUMNS:
            raise ValueError(f"The file {str(path)!r} is no table of runs: its columns are not those of experiments.")
    rows = [old for old in rows if any(old[name] != new[name] for name in RUN_KEY)] + [new]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, buffer.getvalue().encode())
