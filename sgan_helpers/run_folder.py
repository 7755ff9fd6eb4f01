"""What a run leaves on disk, and takes up again: settings, history, losses, samples, checkpoint, weights, summary."""

import contextlib
import datetime
import errno
import hashlib
import io
import json
import os
import pathlib
import platform
import time

import h5py
import keras
import numpy as np
import tensorflow as tf
from filelock import Timeout

from sgan_helpers import checkpoints
from sgan_helpers.checkpoints import write_atomically, write_csv, written_or_removed
from sgan_helpers.console import say
from sgan_helpers.data import random_seed_pair
from sgan_helpers.health import warnings_of
from sgan_helpers.metrics import evaluate_logits
from sgan_helpers.networks import predict_logits

SAMPLE_COUNT = 100
LOCK = "running.lock"  # there while somebody trains in the folder
WEIGHTS = {name: f"{name}.weights.h5" for name in ("class_discriminator", "generator")}
# What a run writes beside its checkpoints, the pictures of the command line included.
FILES = ("summary.json", "history.csv", "losses.csv", "samples.npz", *WEIGHTS.values())
FILES += ("accuracy.png", "losses.png", "digits.png", "digits.gif")
IN_WORDS = {
    "split_fingerprint": " (its labelled or unlabelled training images, or their labels, are others)",
    "test_fingerprint": " (its test images, or their labels, are others)",
    "recipe": " (its networks, or the package, are others)",
}


class RunFolder:
    """Everything of a run that is not a variable of the model: it is saved, and restored, with them.

    Args:
        path: path of the folder, or None to keep nothing on disk.
        settings: dict, what makes the run another run; a folder is only resumed with the same.
    """

    def __init__(self, path, settings):
        self.path = None if path is None else pathlib.Path(path)
        self.settings = settings
        self.step = self.saved = 0  # the iterations that were done, and those that a checkpoint holds
        self.training_seconds = 0.0
        self.evaluation_seconds = 0.0
        self.history = []
        self.loss_rows = []
        self.loss_names = ()
        self.samples = []

    @contextlib.contextmanager
    def open(self, model, resume, iterations):
        """Take up the run that is in the folder, or make the folder, and keep everybody else out of it.

        Args:
            model: the untrained `keras.Model`.
            resume: True, False or "auto", see `train`.
            iterations: int, the iterations in total.

        Raises:
            FileExistsError: the folder holds a run already, and it is not to be resumed; or somebody trains in it.
            FileNotFoundError: `resume` is True and there is no checkpoint.
            OSError: the folder cannot hold the run.
            ValueError: it is another run, or has had more iterations.
        """
        self.iterations = iterations
        if self.path is None:
            yield
            return
        if resume is True and not checkpoints.checkpoint_paths(self.path):
            raise FileNotFoundError(f"There is no checkpoint in {str(self.path)!r} to resume from.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise checkpoints.cannot_write(self.path, error) from error
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(checkpoints.locked(self.path / LOCK, timeout=0))
            except Timeout:
                raise FileExistsError(
                    f"Somebody trains in the 'output_dir' {str(self.path)!r} already. Wait for the end, or name "
                    "another folder."
                ) from None
            stack.callback(_remove, self.path / LOCK)
            self._take_up(model, resume, iterations)
            self._check_space(model)
            yield

    def _take_up(self, model, resume, iterations):
        if resume and checkpoints.checkpoint_paths(self.path):
            self.restore(model, iterations)
            say(f"resumed after iteration {self.step:,}")
            return
        names = [path.name for path in checkpoints.checkpoint_paths(self.path)]
        held = [name for name in (*FILES, *names) if os.path.lexists(self.path / name)]
        if held and not (resume and held == ["history.csv"] and self._is_history()):
            go_on = "Continue a run with resume=True (--resume), or" if names else "No checkpoint is left to continue:"
            raise FileExistsError(
                f"The 'output_dir' {str(self.path)!r} already holds a run, or a file of that name: {held[0]}. {go_on} "
                "name another folder."
            )

    def _is_history(self):
        """Return whether `history.csv` is a run's: a method without a network has nothing else before its summary."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return (self.path / "history.csv").read_text().startswith("iteration,test_accuracy,nll,ece,")

    def _check_space(self, model):
        """Raise unless the folder can take what a run writes: the last two checkpoints, and the next one."""
        state = checkpoints.model_state(model) if hasattr(model, "variables") else {}
        needed = 3 * sum(array.nbytes for array in state.values()) + 2**20
        probe = self.path / "space.tmp"
        with written_or_removed(probe, self.path), open(probe, "wb") as file:
            try:
                getattr(os, "posix_fallocate", lambda *nothing: None)(file.fileno(), 0, needed)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # this file system does not reserve space
                    raise
        _remove(probe)

    def evaluated(self):
        """Return the iteration of the last evaluation, 0 before the first."""
        return self.history[-1]["iteration"] if self.history else 0

    def evaluate(self, model, images, labels):
        """Test the classifier, draw the samples, add a row to the history, and return it as a line to print."""
        started = time.perf_counter()
        logits = predict_logits(model.class_discriminator, images)
        if not np.isfinite(logits).all():
            raise FloatingPointError(f"The class logits of test images are not finite at iteration {self.step:,}.")
        metrics = evaluate_logits(logits, labels)
        samples = real_logits = None
        if hasattr(model, "generator"):
            noise_shape = (SAMPLE_COUNT, model.generator.input_shape[-1])
            noise = tf.random.stateless_normal(noise_shape, random_seed_pair(model.seed, "sample_noise", 0))
            drawn = model.generator(noise, training=False).numpy()  # (100, 28, 28, 1) in [-1, 1]
            samples = np.round((drawn[..., 0] + 1.0) * 127.5).astype(np.uint8)
            self.samples.append(samples)
            if hasattr(model, "binary_discriminator"):
                both = np.concatenate([images[:SAMPLE_COUNT], drawn])
                real_logits = model.binary_discriminator(both, training=False).numpy()
        self.evaluation_seconds += time.perf_counter() - started
        line = self.record(metrics)
        signs = (self.history[-1], logits.shape[1], images[:SAMPLE_COUNT], samples, real_logits)
        return "\n".join([line, *(f"warning: {each}" for each in warnings_of(self.step, *signs))])

    def record(self, metrics):
        """Add a row with the metrics of a test to the history, and return it as a line to print."""
        recent = [row[1:] for row in self.loss_rows if row[0] > self.evaluated()]
        losses = dict(zip(self.loss_names, np.mean(recent, axis=0).tolist(), strict=True)) if recent else {}
        self.history.append(
            {
                "iteration": self.step,
                "test_accuracy": metrics["accuracy"],
                "nll": metrics["nll"],
                "ece": metrics["ece"],
                **losses,
                "seconds": round(self.training_seconds + self.evaluation_seconds, 1),
            }
        )
        shown = "  ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in losses.items())
        return f"iteration {self.step:6,}  test accuracy {100 * metrics['accuracy']:.2f} %  {shown}"

    def save(self, model):
        """Write the checkpoint, and from the same numbers the tables and the generated digits."""
        if self.path is None:
            return
        notes = {
            "settings": self.settings,
            "step": self.step,
            "training_seconds": self.training_seconds,
            "evaluation_seconds": self.evaluation_seconds,
            "history": self.history,
            "loss_names": self.loss_names,
            "iterations": self.iterations,
        }
        arrays = {
            "notes": np.array(json.dumps(notes)),
            "losses": np.array(self.loss_rows),
            "samples": np.array(self.samples, np.uint8),
        }
        checkpoints.save_checkpoint(self.path, self.step, {**arrays, **checkpoints.model_state(model)})
        self.saved = self.step
        self.save_tables()

    def save_tables(self):
        """Write `history.csv`, and `losses.csv` and `samples.npz` where there are losses and generated digits."""
        if self.path is None:
            return
        write_csv(self.path / "history.csv", self.history)
        if not self.loss_rows:
            return
        losses = self.loss_arrays()
        rows = [dict(zip(losses, values, strict=True)) for values in zip(*losses.values(), strict=True)]
        write_csv(self.path / "losses.csv", rows)
        if self.samples:
            buffer = io.BytesIO()
            iterations = np.array([row["iteration"] for row in self.history])
            np.savez_compressed(buffer, iterations=iterations, images=np.array(self.samples, np.uint8))
            write_atomically(self.path / "samples.npz", buffer.getvalue())

    def restore(self, model, iterations):
        """Take up the state of the run in the folder; raise if it is another run."""
        arrays, notes = _read_checkpoint(self.path)
        for name, value in self.settings.items():
            if notes["settings"].get(name, value) != value:
                raise ValueError(
                    f"The run in {str(self.path)!r} cannot be resumed: its {name} is {notes['settings'][name]!r}, "
                    f"but this call's is {value!r}{IN_WORDS.get(name, '')}."
                )
        if notes["step"] > iterations:
            raise ValueError(
                f"The 'iterations' parameter of train must be at least {notes['step']}, the iterations that the run in "
                f"{str(self.path)!r} has had. Got {iterations} instead."
            )
        checkpoints.restore_model_state(model, arrays)
        self.step = self.saved = notes["step"]
        self.training_seconds = notes["training_seconds"]
        self.evaluation_seconds = notes["evaluation_seconds"]
        self.history = notes["history"]
        self.loss_names = tuple(notes["loss_names"])
        self.loss_rows = arrays["losses"].tolist()
        self.samples = list(arrays["samples"])

    def finish(self, model, iterations):
        """Write the weights of classifier and generator, and last `summary.json`. Return the summary."""
        summary = self.summary(iterations)
        if self.path is not None:
            summary["weights"] = {
                file: _save_weights(getattr(model, name), self.path / file)
                for name, file in WEIGHTS.items()
                if hasattr(model, name)
            }
            write_atomically(self.path / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())
        return summary

    def loss_arrays(self):
        """Return the loss curves as a dict of arrays, "iteration" first."""
        columns = np.array(self.loss_rows, np.float64).reshape(len(self.loss_rows), 1 + len(self.loss_names)).T
        return {"iteration": columns[0].astype(int), **dict(zip(self.loss_names, columns[1:], strict=True))}

    def summary(self, iterations):
        """Return the contents of `summary.json`."""
        last = self.history[-1]
        return {
            **{name: value for name, value in self.settings.items() if name != "evaluate_every"},
            "iterations": int(iterations),
            "test_accuracy": last["test_accuracy"],
            "nll": last["nll"],
            "ece": last["ece"],
            "seconds": round(self.training_seconds + self.evaluation_seconds, 1),
            "ms_per_iteration": round(1000 * self.training_seconds / iterations, 2),
            "hardware": hardware(),
            "date": datetime.date.today().isoformat(),
            "versions": {
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "numpy": np.__version__,
            },
        }


def hardware():
    """Describe the processor in a few words: its name and the number of cores that this process uses."""
    name = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text(errors="replace").splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    cores = min(usable_cores(), int(threads)) if threads.isdigit() and int(threads) else usable_cores()
    return f"{name}, {cores} {'core' if cores == 1 else 'cores'}"


def usable_cores():
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def data_fingerprint(*arrays):
    """Return eight hexadecimal digits that change with any image or label, whatever the type of the labels."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array.astype(np.int64) if array.dtype.kind in "iu" else array))
    return digest.hexdigest()[:8]


def labels_per_class(labels):
    """Return the number of labels of each class if all are equal, else None."""
    counts = np.unique(labels, return_counts=True)[1]
    return int(counts[0]) if (counts == counts[0]).all() else None


def planned_iterations(folder):
    """Return the iterations in total that the run in a folder was last asked for, or None where nothing says so."""
    if not checkpoints.checkpoint_paths(folder):
        return None
    return _read_checkpoint(folder)[1].get("iterations")


def _read_checkpoint(folder):
    """Return the arrays of the newest checkpoint of a run, and its notes, a dict."""
    arrays = checkpoints.load_latest_checkpoint(folder)
    notes = json.loads(str(arrays.get("notes", "{}")))
    needed = {"settings", "step", "training_seconds", "evaluation_seconds", "history", "loss_names"}
    if not isinstance(notes, dict) or needed - notes.keys():
        raise ValueError(
            f"The run in {str(folder)!r} cannot be resumed: another version of the package wrote its checkpoint. "
            "Name another folder."
        )
    return arrays, notes


def load_weights(network, path, checksum=None):
    """Load the weights that a run has left, and nothing that is larger than the network or not what was saved.

    Args:
        network: `keras.Model` of the same layers.
        path: path of the file.
        checksum: str, the SHA-256 of the file, or None where nobody has recorded it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds the weights of other layers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    if checksum is not None and _sha256(path) != checksum:
        raise ValueError(f"The file {str(path)!r} does not hold the weights of this classifier as they were saved.")
    try:
        declared = []
        with h5py.File(path) as file:
            file.visititems(lambda _, item: declared.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
        if sum(declared) > sum(variable.numpy().nbytes for variable in network.variables):
            raise ValueError(f"{sum(declared):,} bytes of weights")
        network.load_weights(path)
    except Exception as error:  # Damage raises whatever the layer that meets it raises.
        raise ValueError(f"The file {str(path)!r} does not hold the weights of this classifier.") from error


def _save_weights(network, path):
    """Write the weights of a network, whole or not at all, and return the SHA-256 of the file."""
    temporary = path.with_name("unfinished-" + path.name)
    with written_or_removed(temporary, path):
        try:
            network.save_weights(temporary)
        except (RuntimeError, ValueError, KeyError) as error:  # what h5py makes of a full disk
            raise OSError(str(error)) from error
        checksum = _sha256(temporary)
        os.replace(temporary, path)
    return checksum


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path):
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
