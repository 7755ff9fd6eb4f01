"""One run of a grid, in a process of its own with one thread: begun, gone on with, or only read where it is finished.

What needs TensorFlow is imported where it is used: a Dask scheduler should not wait for it.
"""

import _thread
import contextlib
import csv
import functools
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

from tqdm import tqdm

from sgan_helpers.checkpoints import locked
from sgan_helpers.console import Unbreakable
from sgan_helpers.results import RUN_KEY

EVALUATE_EVERY = 1000  # iterations between two tests of a run
GRACE_SECONDS = 10  # how long a run may take to save its checkpoint when nobody waits for it any more
LIVE = set()  # the processes of runs that are going on
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
        mnist = load_once(source)
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
    command = [sys.executable, "-c", "import sgan_helpers.experiment as module; module._run_job_from_stdin()"]
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
        LIVE.add(process)
        with contextlib.suppress(BrokenPipeError):  # it failed at its start, and says why below
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()  # and left open: its end tells the process that this one is gone
        for line in process.stdout:
            if line.startswith(("iteration", "warning")):
                tqdm.write(f"{experiment}: {line.rstrip()}", file=Unbreakable(sys.stdout))
        status = process.wait()
        LIVE.discard(process)
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


def load_once(source):
    """Load MNIST, once in a process; but a sample that only stood in for the database is not kept."""
    mnist = _cached_mnist(source)
    if mnist.source != source and mnist.source == "sample":
        _cached_mnist.cache_clear()
    return mnist


@functools.lru_cache(maxsize=1)
def _cached_mnist(source):
    from sgan_helpers.mnist import load_mnist

    return load_mnist(source)
