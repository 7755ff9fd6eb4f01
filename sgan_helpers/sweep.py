"""A grid of runs, one a core here or on a Dask cluster: what is recorded is skipped, what was stopped goes on.

What needs TensorFlow is imported where it is used: a Dask scheduler should not wait for it.
"""

import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import signal
import sys
import time

import pandas as pd
from tqdm import tqdm

from sgan_helpers.checks import check_choice, check_int, check_path, check_type, nearest_existing
from sgan_helpers.console import Unbreakable, say
from sgan_helpers.experiment import LIVE, Experiment, load_once, run_in_own_process
from sgan_helpers.methods import METHODS
from sgan_helpers.results import (
    COLUMNS,
    HISTORY_COLUMNS,
    RUN_KEY,
    append_result,
    history_path,
    load_results,
    read_rows,
)

LARGEST_GRID = 100_000  # runs
CONNECT_SECONDS = 10  # how long a Dask scheduler has to answer


def sweep(
    methods,
    labels_per_class,
    seeds,
    *,
    iterations=10000,
    path="runs/sweep.csv",
    runs_dir="runs/sweep",
    source="auto",
    processes=None,
    scheduler=None,
):
    """Run every combination of method, number of labels and seed that is not recorded yet, and record each.

    Each run has a process of its own with one thread, and one run a core goes on at a time; its result does not depend
    on how many do. A sweep can be stopped at any time and started again with the same arguments: finished runs are not
    repeated, and an unfinished one goes on from its checkpoint. Only this process writes to `path`, one whole row at a
    time.

    Args:
        methods: sequence of names of methods, see `train`.
        labels_per_class: sequence of ints of at least 1.
        seeds: sequence of ints in [0, 2**31 - 1]; each is the seed of the split and of the run.
        iterations: int of at least 1, the iterations of each run.
        path: path of the CSV that gets a row for each run; the tests along the way go into `history_path(path)`.
        runs_dir: path of the folder with a run folder for each run. On a cluster it is a path on the workers, and a
            run whose worker is lost goes on from its checkpoint only if they share this folder.
        source: which MNIST, see `load_mnist`. On a cluster each worker loads it by itself.
        processes: int of at least 1, the runs that go on here at a time, 1.1 GB of memory each; None: one a core.
        scheduler: address of a Dask scheduler, for instance "tcp://10.0.0.1:8786"; None runs here.

    Returns:
        A `pandas.DataFrame` with the rows of this grid, those recorded before included.

    Raises:
        TypeError, ValueError: an argument has the wrong type or range, or the file at `path` is no table of runs.
        ModuleNotFoundError: `scheduler` is given and dask.distributed is not installed.
        ConnectionError: no scheduler answers at that address.
        RuntimeError: some runs failed; those that did not are recorded.
    """
    from sgan_helpers.methods.build import recipe_of
    from sgan_helpers.run_folder import usable_cores

    check_sweep_arguments(methods, labels_per_class, seeds, iterations, path, runs_dir, source, processes, scheduler)
    mnist = load_once(source)
    counts = pd.Series(mnist.train_labels).value_counts()
    most = int(counts.min()) - int(counts.nunique() == 1)  # an image of some class must stay without its label
    for count in labels_per_class:
        check_int("sweep", "labels_per_class", count, 1, most)
    recipes = {method: recipe_of(method) for method in methods}
    experiments = [
        Experiment(method, int(count), int(seed), int(iterations), recipes[method], mnist.source)
        for count, seed, method in itertools.product(labels_per_class, seeds, methods)
    ]
    recorded = {tuple(row[column] for column in RUN_KEY) for row in read_rows(path, COLUMNS)}
    missing = [experiment for experiment in experiments if experiment.key not in recorded]
    say(f"{len(experiments)} runs, {len(experiments) - len(missing)} of them recorded already in {path}")
    source = mnist.source if source == "auto" else source  # what this process has found, the runs want as well
    if scheduler is None or not missing:
        runs = _run_here(missing, runs_dir, source, processes or usable_cores())
    else:
        runs = _run_on(_connect(scheduler), missing, runs_dir, source)
    with contextlib.closing(runs):
        _record(runs, len(missing), path)
    results = load_results(path)
    asked_for = {experiment.key for experiment in experiments}
    return results[[key in asked_for for key in results[list(RUN_KEY)].itertuples(index=False, name=None)]]


def _record(runs, count, path):
    """Append each of `count` runs to the CSV as it finishes; raise at the end if any of them failed."""
    failures = []
    started = time.monotonic()
    in_terminal = Unbreakable(sys.stderr).isatty()
    with tqdm(total=count, unit="run", disable=not in_terminal, file=Unbreakable(sys.stderr)) as bar:
        for number, (experiment, summary, history, error) in enumerate(runs, start=1):
            if error is None:
                append_result(summary, path, history)
                outcome = f"{100 * summary['test_accuracy']:.2f} %"
            else:
                failures.append(f"{experiment}: {error}")
                outcome = "failed"
            left = (time.monotonic() - started) / number * (count - number)
            left = f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left"
            line = f"{number} of {count}  {experiment}: {outcome}  ({left})"
            bar.update()
            tqdm.write(line, file=Unbreakable(sys.stdout)) if in_terminal else say(line)
    if failures:
        raise RuntimeError("These runs failed; the others are recorded. " + "; ".join(failures))


def _run_here(experiments, runs_dir, source, processes):
    """Yield the outcome of each run as it ends. Whoever stops early, by Ctrl-C for instance, loses no iteration."""
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        running = {pool.submit(run_in_own_process, each, runs_dir, source): each for each in experiments}
        try:
            for future in concurrent.futures.as_completed(running):
                yield _outcome(running[future], future.result)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            told = set()
            while not all(future.done() for future in running):  # a run may just be starting
                for process in set(list(LIVE)) - told:
                    process.send_signal(signal.SIGTERM)  # once: it saves its checkpoint and ends
                    told.add(process)
                time.sleep(0.05)
            raise


def _run_on(client, experiments, runs_dir, source):
    from dask.distributed import as_completed

    with client:
        futures = {}
        for experiment in experiments:
            key = f"{experiment.name} {runs_dir} {source}"  # two sweeps that ask for the same run share it
            futures[client.submit(run_in_own_process, experiment, str(runs_dir), source, key=key)] = experiment
        for future in as_completed(list(futures)):
            yield _outcome(futures[future], future.result)


def _outcome(experiment, result):
    """Return (experiment, summary, history, None), or (experiment, None, None, what went wrong)."""
    try:
        return (experiment, *result(), None)
    except Exception as error:  # A run may fail in any way; the other runs of the grid go on.
        return experiment, None, None, f"{type(error).__name__}: {error}"


def _connect(scheduler):
    try:
        from dask.distributed import Client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The 'scheduler' parameter of sweep needs dask.distributed: pip install distributed."
        ) from error
    try:
        return Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ConnectionError(f"No Dask scheduler answers at {scheduler!r}.") from error


def check_sweep_arguments(methods, labels_per_class, seeds, iterations, path, runs_dir, source, processes, scheduler):
    """Raise unless the arguments of `sweep` are valid."""
    from sgan_helpers.data import MAX_SEED

    for name, values in (("methods", methods), ("labels_per_class", labels_per_class), ("seeds", seeds)):
        if not isinstance(values, (tuple, list, range)) or len(values) == 0:
            raise ValueError(
                f"The {name!r} parameter of sweep must be a tuple, list or range with something in it. "
                f"Got {values!r} instead."
            )
    if (size := len(methods) * len(labels_per_class) * len(seeds)) > LARGEST_GRID:
        raise ValueError(
            "The 'methods', 'labels_per_class' and 'seeds' parameters of sweep must make at most "
            f"{LARGEST_GRID:,} runs. Got {size:,} instead."
        )
    for method in methods:
        check_choice("sweep", "methods", method, METHODS)
    for count in labels_per_class:
        check_int("sweep", "labels_per_class", count, 1)
    for seed in seeds:
        check_int("sweep", "seeds", seed, 0, MAX_SEED)
    for name, values in (("methods", methods), ("labels_per_class", labels_per_class), ("seeds", seeds)):
        if len(set(values)) < len(values):
            raise ValueError(f"The {name!r} parameter of sweep must have nothing twice. Got {values!r} instead.")
    check_int("sweep", "iterations", iterations, 1)
    check_path("sweep", "source", source)
    if processes is not None:
        check_int("sweep", "processes", processes, 1)
    if scheduler is not None:
        check_type("sweep", "scheduler", scheduler, str)
    _check_writable("path", path, pathlib.Path(path).parent if path else path)
    _check_writable("runs_dir", runs_dir, runs_dir)
    _check_apart(path, runs_dir)
    read_rows(path, COLUMNS)
    read_rows(history_path(pathlib.Path(path).resolve()), HISTORY_COLUMNS)


def _check_apart(path, runs_dir):
    """Raise unless the table is a .csv, whose picture, history and lock have names of their own, and no run folder."""
    path = pathlib.Path(path)
    if path.suffix.lower() != ".csv":
        raise ValueError(f"The 'path' parameter of sweep must end in .csv. Got {str(path)!r} instead.")
    derived = (path, history_path(path), path.with_suffix(".png"), pathlib.Path(f"{path}.lock"))
    if pathlib.Path(runs_dir).resolve() in [each.resolve() for each in derived]:
        raise ValueError(
            f"The 'runs_dir' parameter of sweep must be another place than the table's {str(path)!r}, its history, "
            f"picture and lock. Got {str(runs_dir)!r} instead."
        )


def _check_writable(name, value, folder):
    """Raise unless `value` is a path and files can be made in `folder`, or in a new folder below one that exists."""
    check_path("sweep", name, value)
    existing = nearest_existing(folder)
    if not existing.is_dir():
        raise NotADirectoryError(f"The {name!r} parameter of sweep must lie in a folder. Got {str(value)!r} instead.")
    if not os.access(existing, os.W_OK) or (name == "path" and pathlib.Path(value).is_dir()):
        raise PermissionError(f"The {name!r} parameter of sweep must be writable. Got {str(value)!r} instead.")
