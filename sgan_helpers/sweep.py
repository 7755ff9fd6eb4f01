"""A grid of runs, one a core here or on a Dask cluster: what is recorded is skipped, what was stopped goes on.

What needs TensorFlow is imported where it is used: a Dask scheduler should not wait for it.
"""

import _thread
import concurrent.futures
import contextlib
import csv
import functools
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass

import pandas as pd
from tqdm import tqdm

from sgan_helpers.checkpoints import locked
from sgan_helpers.checks import check_choice, check_int, check_path, check_type, nearest_existing
from sgan_helpers.console import Unbreakable, say
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
EVALUATE_EVERY = 1000  # iterations between two tests of a run
GRACE_SECONDS = 10  # how long a run may take to save its checkpoint when nobody waits for it any more
CONNECT_SECONDS = 10  # how long a Dask scheduler has to answer
_LIVE = set()  # the processes of runs that are going on
# Two runs of one thread each are almost twice the work of one run of two threads; and a row must not depend on cores.
ONE_THREAD = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Experiment:
    """One cell of a grid: a method, the labels of each class, and one seed for the split and for everything else.

    Attributes:
        method: str, see `train`.
        labels_per_class: int.
        seed: int.
        iterations: int.
        recipe: str, the recipe that the method must have where it runs.
        data_source: "full" or "sample", the data that must be found where it runs.
    """

    method: str
    labels_per_class: int
    seed: int
    iterations: int
    recipe: str
    data_source: str

    @property
    def name(self):
        """The name of its run folder: whatever makes it another run makes it another folder."""
        run = f"{self.method}-{self.labels_per_class}-per-class-seed-{self.seed}-{self.iterations}-iterations"
        return f"{run}-{self.recipe}-{self.data_source}"

    @property
    def key(self):
        """What `RUN_KEY` is in its row."""
        labels = 10 * self.labels_per_class
        return (self.method, self.recipe, labels, self.seed, self.seed, self.iterations, self.data_source)

    def __str__(self):
        return f"{self.method}, {10 * self.labels_per_class:,} labels, seed {self.seed}"


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
    mnist = _load_once(source)
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


def run_experiment(experiment, runs_dir, source):
    """Train one cell of a grid in its run folder, or finish it; a finished one is only read.

    Args:
        experiment: an `Experiment`.
        runs_dir: path of the folder with the run folders.
        source: which MNIST, see `load_mnist`.

    Returns:
        A pair: the run's summary, a dict, and its history, a list of dicts, one for each evaluation.

    Raises:
        ValueError: the package here has another recipe for the method, or finds other data, than `experiment` says.
    """
    from sgan_helpers.data import split_labeled
    from sgan_helpers.methods.build import recipe_of
    from sgan_helpers.run_folder import LOCK
    from sgan_helpers.training import train

    folder = pathlib.Path(runs_dir) / experiment.name
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK):  # whoever comes second waits, and finds the run finished; `train` takes it again
        if (folder / "summary.json").exists():
            return _read_run(experiment, folder)
        mnist = _load_once(source)
        found = {"recipe": recipe_of(experiment.method), "data_source": mnist.source}
        for name, value in found.items():
            if value != getattr(experiment, name):
                raise ValueError(
                    f"The sweep wants runs whose {name} is {getattr(experiment, name)!r}. Where this one is to run, it "
                    f"would be {value!r}: is it another version of the package, or is the whole of MNIST not there?"
                )
        split = split_labeled(mnist.train_images, mnist.train_labels, experiment.labels_per_class, seed=experiment.seed)
        train(
            experiment.method,
            split,
            test_images=mnist.test_images,
            test_labels=mnist.test_labels,
            iterations=experiment.iterations,
            seed=experiment.seed,
            split_seed=experiment.seed,
            evaluate_every=EVALUATE_EVERY,
            output_dir=folder,
            resume="auto",
            data_source=mnist.source,
        )
        return _read_run(experiment, folder)


def _read_run(experiment, folder):
    """Return summary and history of a finished run; raise unless they are of this experiment, and whole."""
    try:
        summary = json.loads((folder / "summary.json").read_text())
        with open(folder / "history.csv", newline="", encoding="utf-8") as file:
            history = list(csv.DictReader(file))
        found = tuple(summary["seed" if name == "init_seed" else name] for name in RUN_KEY)
        iterations = [int(row["iteration"]) for row in history]
        last = float(history[-1]["test_accuracy"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"The run in {str(folder)!r} cannot be read ({error!r}). Remove the folder to repeat it."
        ) from error
    for name, value, wanted in zip(RUN_KEY, found, experiment.key, strict=True):
        if value != wanted:
            raise ValueError(
                f"The folder {str(folder)!r} must hold a run whose {name} is {wanted!r}. Got {value!r} instead."
            )
    trained = any(name.endswith("_loss") for name in history[0])  # or the method has no network, and one test
    every = range(EVALUATE_EVERY, experiment.iterations, EVALUATE_EVERY) if trained else ()
    if iterations != [*every, experiment.iterations] or last != summary["test_accuracy"]:
        raise ValueError(
            f"The file {str(folder / 'history.csv')!r} must have the tests of {experiment.iterations:,} iterations, "
            f"the last one that of the summary. Got those after {', '.join(map(str, iterations))} instead."
        )
    return summary, history


def run_in_own_process(experiment, runs_dir, source):
    """Do `run_experiment` in a new process with one thread; the arguments and the result are the same.

    Keras draws its initial weights from Python's global random numbers, and other threads, such as those of a Dask
    worker, draw from them too: trained among them, a run would not be the one that its seed stands for. What the new
    process prints of its tests is printed here. It ends when this one does, and gets no Ctrl-C of the terminal: whoever
    waits for it passes that on.

    Raises:
        RuntimeError: the process failed; the message is the last line that it printed.
    """
    folder = pathlib.Path(runs_dir) / experiment.name
    if (folder / "summary.json").exists():
        return _read_run(experiment, folder)
    job = {"experiment": asdict(experiment), "runs_dir": str(runs_dir), "source": str(source)}
    command = [sys.executable, "-c", "import sgan_helpers.sweep as module; module._run_job_from_stdin()"]
    environment = {**os.environ, **ONE_THREAD}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            text=True,
            env=environment,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        _LIVE.add(process)
        with contextlib.suppress(BrokenPipeError):  # it failed at its start, and says why below
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()  # and left open: its end tells the process that this one is gone
        for line in process.stdout:
            if line.startswith(("iteration", "warning")):
                tqdm.write(f"{experiment}: {line.rstrip()}", file=Unbreakable(sys.stdout))
        status = process.wait()
        _LIVE.discard(process)
        errors.seek(0)
        printed = errors.read().strip().splitlines()
        if status:
            raise RuntimeError(printed[-1] if printed else f"the process ended with status {status}")
    return _read_run(experiment, folder)


def _run_job_from_stdin():
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    run_experiment(Experiment(**job["experiment"]), job["runs_dir"], job["source"])


def _exit_with_parent():
    sys.stdin.read()  # returns when the other end is closed
    _thread.interrupt_main(signal.SIGTERM)  # the run saves its checkpoint and ends
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _load_once(source):
    """Load MNIST, once in a process; but a sample that only stood in for the database is not kept."""
    mnist = _cached_mnist(source)
    if mnist.source != source and mnist.source == "sample":
        _cached_mnist.cache_clear()
    return mnist


@functools.lru_cache(maxsize=1)
def _cached_mnist(source):
    from sgan_helpers.mnist import load_mnist

    return load_mnist(source)


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
                for process in set(list(_LIVE)) - told:
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
