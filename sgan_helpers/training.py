"""Train one method on one split: `Model.fit`, evaluation every 1,000 iterations, guards, exact resume, the run folder.

This file knows nothing of plotting: it stores the generated digits as arrays.
"""

import csv
import datetime
import hashlib
import io
import json
import os
import pathlib
import platform
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from sgan_helpers import checkpoints
from sgan_helpers.checks import (
    check_choice,
    check_every_class,
    check_images,
    check_int,
    check_labels,
    check_number,
    check_path,
    check_resume,
    check_type,
)
from sgan_helpers.data import MAX_SEED, STREAMS, LabeledSplit, batch_stream, random_seed_pair
from sgan_helpers.feature_matching import FeatureMatching
from sgan_helpers.methods import FEATURE_METHODS, METHODS
from sgan_helpers.metrics import evaluate_logits
from sgan_helpers.networks import build_discriminators, build_feature_discriminator, build_generator, without_features
from sgan_helpers.sgan import SGAN
from sgan_helpers.supervised import Supervised, TunedSupervised

RANDOM_SCHEME = 1  # count up whenever a draw changes its seed, its order or its distribution
STEPS_PER_EXECUTION = 50
SAMPLE_COUNT = 100
DEFAULTS = {"batch_size": 100, "learning_rate": 5e-4, "beta_1": 0.5}
OWN_DEFAULTS = {  # of some methods only; also chosen on validation images
    "supervised-tuned": {"learning_rate": 1e-3},
    **{method: {"learning_rate": 2e-3} for method in FEATURE_METHODS},
}


@dataclass(frozen=True)
class TrainingRun:
    """What a finished training leaves behind.

    Attributes:
        class_discriminator: the trained classifier, images (batch, 28, 28, 1) to class logits (batch, K).
        generator: the trained generator, or None for a method without a GAN.
        summary: dict, the contents of `summary.json`.
        history: list of dicts, one for each evaluation.
        losses: dict from "iteration" and the names of the losses to arrays, a value for every 50 iterations, each
            the mean over those 50.
        samples: uint8 array (evaluations, 100, 28, 28), digits drawn from the same noise each time; or None.
        output_dir: path of the run folder, or None.
    """

    class_discriminator: keras.Model
    generator: keras.Model | None
    summary: dict
    history: list
    losses: dict
    samples: np.ndarray | None
    output_dir: pathlib.Path | None


def train(
    method,
    split,
    *,
    test_images,
    test_labels,
    iterations=10000,
    seed,
    output_dir=None,
    resume=False,
    evaluate_every=1000,
    split_seed=None,
    data_source="arrays",
    batch_size=DEFAULTS["batch_size"],
    learning_rate=None,
    beta_1=DEFAULTS["beta_1"],
):
    """Train a classifier on a split, test it as it learns, and keep everything in a run folder.

    The same arguments give the same bits on the same machine, whether or not the run was stopped and resumed.
    Ctrl-C stops at the next multiple of 50 iterations, saves a checkpoint and raises KeyboardInterrupt.
    A progress bar is shown in a terminal; elsewhere one line is printed for each evaluation.

    Args:
        method: one of `METHODS`: "supervised", "supervised-tuned", "sgan", "pseudo-labels", "feature-matching", or one
            of those that take the last apart; see `build_model`.
        split: a `LabeledSplit`; any float32 images (N, 28, 28, 1) in [-1, 1], any number K of classes of at least 2,
            a label of each class 0 to K - 1.
        test_images: float32 array (M, 28, 28, 1) in [-1, 1].
        test_labels: int array (M,).
        iterations: int of at least 1, the number of iterations in total, those before a resume included.
        seed: int in [0, 2**31 - 1]: initial weights, batches, noise and dropout.
        output_dir: path of the run folder, made if needed; None keeps nothing on disk.
        resume: bool or "auto". True continues the run in `output_dir` from its last checkpoint; "auto" does so if there
            is one, and starts a run otherwise.
        evaluate_every: int of at least 1, iterations between evaluations. The last iteration is always evaluated.
        split_seed: int in [0, 2**31 - 1] or None, the seed that drew the split; only recorded.
        data_source: str, where the images come from; only recorded.
        batch_size: int of at least 1, labelled and unlabelled images in a batch.
        learning_rate: float above 0, of every Adam optimiser; None means the method's own, see `defaults_of`.
        beta_1: float in (0, 1), of every Adam optimiser.

    Returns:
        A `TrainingRun`. Its summary's `test_accuracy` is that of the last iteration.

    Raises:
        TypeError, ValueError: an argument has the wrong type, shape or range, or differs from the resumed run's.
        FileExistsError: `output_dir` holds a run already, and it is not to be resumed.
        FileNotFoundError: `resume` is True and there is no checkpoint in `output_dir`.
        NotADirectoryError: `output_dir` is a file.
        FloatingPointError: a loss became NaN or infinite; the last checkpoint is kept.
    """
    if learning_rate is None:
        learning_rate = defaults_of(method)["learning_rate"]
    check_train_arguments(
        method, split, test_images, test_labels, iterations, seed, evaluate_every, batch_size, learning_rate, beta_1
    )
    check_record_arguments(output_dir, resume, split_seed, data_source)
    iterations, seed, evaluate_every, batch_size = map(int, (iterations, seed, evaluate_every, batch_size))
    learning_rate, beta_1 = float(learning_rate), float(beta_1)
    num_classes = int(split.labeled_labels.max()) + 1
    keras.utils.set_random_seed(seed)
    model = build_model(method, num_classes, seed=seed, learning_rate=learning_rate, beta_1=beta_1)
    settings = {
        "method": method,
        "labels_per_class": labels_per_class(split.labeled_labels),
        "labels": len(split.labeled_labels),
        "seed": seed,
        "split_seed": None if split_seed is None else int(split_seed),
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "beta_1": beta_1,
        "recipe": recipe_hash(method, model, batch_size, learning_rate, beta_1),
        "data_source": data_source,
        "evaluate_every": evaluate_every,
        "split_fingerprint": split_fingerprint(split),
    }
    folder = None if output_dir is None else pathlib.Path(output_dir)
    progress = _Progress(settings)
    if folder is not None:
        if resume == "auto":
            resume = bool(checkpoints.checkpoint_paths(folder))
        if resume:
            progress.restore(model, folder, iterations)
            print(f"resumed after iteration {progress.step:,}", flush=True)
        elif checkpoints.checkpoint_paths(folder) or (folder / "summary.json").exists():
            raise FileExistsError(
                f"The 'output_dir' {str(folder)!r} already holds a run. Continue it with resume=True (--resume), "
                "or name another folder."
            )
        folder.mkdir(parents=True, exist_ok=True)

    model.compile(optimizer=None, steps_per_execution=STEPS_PER_EXECUTION, jit_compile=False)
    tensors = replace(
        split,
        labeled_images=tf.constant(split.labeled_images),
        labeled_labels=tf.constant(split.labeled_labels.astype(np.int64)),
        unlabeled_images=tf.constant(split.unlabeled_images),
    )
    in_terminal = sys.stderr.isatty()
    with (
        _deferred_interrupt() as interrupt,
        tqdm(total=iterations, initial=progress.step, unit="it", disable=not in_terminal, smoothing=0.05) as bar,
    ):
        watcher = _Watcher(progress, interrupt, bar)
        while progress.evaluated() < iterations:
            stop = min(iterations, (progress.step // evaluate_every + 1) * evaluate_every)
            if progress.step < stop:  # Not so where a run stopped by Ctrl-C is to end at the very iteration it reached.
                stream = batch_stream(tensors, seed=seed, start=progress.step, stop=stop, batch_size=batch_size)
                started = time.perf_counter()
                model.fit(stream, verbose=0, shuffle=False, callbacks=[watcher])
                progress.training_seconds += time.perf_counter() - started
            if progress.step == stop:
                line = progress.evaluate(model, test_images, test_labels)
                tqdm.write(line) if in_terminal else print(line, flush=True)
            if folder is not None:
                progress.save(model, folder)
            if interrupt.is_set() and progress.step < iterations:
                kept = "" if folder is None else f" and saved a checkpoint in {str(folder)!r}"
                raise KeyboardInterrupt(f"Stopped after iteration {progress.step:,}{kept}.")

    summary = progress.summary(iterations)
    generator = getattr(model, "generator", None)
    if folder is not None:
        _save_weights(model.class_discriminator, folder / "class_discriminator.weights.h5")
        if generator is not None:
            _save_weights(generator, folder / "generator.weights.h5")
        checkpoints.write_atomically(folder / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())
        if interrupt.is_set():  # Ctrl-C in the last steps: whoever called may have more to do, and should not do it.
            raise KeyboardInterrupt(f"Stopped at the last iteration; the run in {str(folder)!r} is finished.")
    return TrainingRun(
        class_discriminator=model.class_discriminator,
        generator=generator,
        summary=summary,
        history=progress.history,
        losses=progress.loss_arrays(),
        samples=np.stack(progress.samples) if progress.samples else None,
        output_dir=folder,
    )


def defaults_of(method):
    """Return a method's default "batch_size", "learning_rate" and "beta_1", which were chosen on validation images."""
    return {**DEFAULTS, **(OWN_DEFAULTS.get(method, {}) if isinstance(method, str) else {})}


def build_model(method, num_classes=10, *, seed, learning_rate=None, beta_1=DEFAULTS["beta_1"]):
    """Build the untrained `keras.Model` of a method. Initial weights follow Keras's global seed.

    All methods after "sgan" have the feature discriminator. "distortions" trains it on distorted labelled images alone,
    with averaged weights. From "batch-statistics" on, unlabelled images share the batches, and so enter the batch
    normalisation; nothing else is asked of them there. "real-or-fake" adds a GAN whose generator wants to pass for
    real, "feature-matching-alone" one that matches features, "pseudo-labels" no GAN but pseudo-labels;
    "feature-matching" has both of the last two.
    """
    check_choice("build_model", "method", method, METHODS)
    if learning_rate is None:
        learning_rate = defaults_of(method)["learning_rate"]
    adam = {"learning_rate": learning_rate, "beta_1": beta_1}
    # Built for every method: the initial weights of what follows depend on how much was drawn before.
    class_discriminator, binary_discriminator = build_discriminators(num_classes)
    if method == "supervised":
        return Supervised(class_discriminator, **adam)
    if method == "sgan":
        return SGAN(class_discriminator, binary_discriminator, build_generator(), seed=seed, **adam)
    if method == "supervised-tuned":
        averaged_discriminator = build_discriminators(num_classes)[0]
        averaged_discriminator.set_weights(class_discriminator.get_weights())
        return TunedSupervised(averaged_discriminator, class_discriminator, seed=seed, **adam)
    trained_discriminator = build_feature_discriminator(num_classes)
    averaged_discriminator = build_feature_discriminator(num_classes)
    averaged_discriminator.set_weights(trained_discriminator.get_weights())
    if method == "distortions":
        classifiers = without_features(averaged_discriminator), without_features(trained_discriminator)
        return TunedSupervised(*classifiers, seed=seed, **adam)
    generator = None if method in ("batch-statistics", "pseudo-labels") else build_generator()
    return FeatureMatching(
        averaged_discriminator,
        trained_discriminator,
        generator,
        seed=seed,
        uses_pseudo_labels=method in ("pseudo-labels", "feature-matching"),
        matches_features=method != "real-or-fake",
        **adam,
    )


def predict_logits(class_discriminator, images, batch_size=1000):
    """Compute class logits without dropout: float32 images (N, 28, 28, 1) in [-1, 1] to a float32 array (N, K)."""
    check_type("predict_logits", "class_discriminator", class_discriminator, keras.Model)
    check_images("predict_logits", "images", images)
    check_int("predict_logits", "batch_size", batch_size, 1)
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    return np.concatenate([class_discriminator(batch, training=False).numpy() for batch in batches])


def recipe_hash(method, model, batch_size, learning_rate, beta_1):
    """Return eight hexadecimal digits that change with any hyperparameter or with the random scheme."""
    parts = ("class_discriminator", "binary_discriminator", "generator")
    networks = [getattr(model, part) for part in parts if hasattr(model, part)]
    recipe = {
        "method": method,
        "batch_size": int(batch_size),
        "learning_rate": float(learning_rate),
        "beta_1": float(beta_1),
        "networks": [_describe(layer) for network in networks for layer in network.layers],
        "random_scheme": [RANDOM_SCHEME, *STREAMS],
        **getattr(model, "recipe", {}),
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:8]


def split_fingerprint(split):
    """Return eight hexadecimal digits that change with any image or label of a split."""
    digest = hashlib.sha256()
    for array in (split.labeled_images, split.labeled_labels.astype(np.int64), split.unlabeled_images):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:8]


def labels_per_class(labels):
    """Return the number of labels of each class if all are equal, else None."""
    counts = np.unique(labels, return_counts=True)[1]
    return int(counts[0]) if (counts == counts[0]).all() else None


def check_train_arguments(
    method, split, test_images, test_labels, iterations, seed, evaluate_every, batch_size, learning_rate, beta_1
):
    """Raise unless the arguments of `train` that decide what is learned are valid."""
    check_choice("train", "method", method, METHODS)
    check_type("train", "split", split, LabeledSplit)
    check_images("train", "split.labeled_images", split.labeled_images)
    check_labels("train", "split.labeled_labels", split.labeled_labels, len(split.labeled_images))
    check_images("train", "split.unlabeled_images", split.unlabeled_images)
    check_images("train", "test_images", test_images)
    check_labels("train", "test_labels", test_labels, len(test_images))
    num_classes = int(split.labeled_labels.max()) + 1
    if num_classes < 2:
        raise ValueError("The 'split' parameter of train must have labels of at least 2 classes. Got 1 instead.")
    check_every_class("train", "split.labeled_labels", split.labeled_labels)
    if test_labels.max() >= num_classes:
        raise ValueError(
            f"The 'test_labels' parameter of train must lie in 0 to {num_classes - 1}, the classes of the split. "
            f"Got {test_labels.max()} instead."
        )
    check_int("train", "iterations", iterations, 1)
    check_int("train", "seed", seed, 0, MAX_SEED)
    check_int("train", "evaluate_every", evaluate_every, 1)
    check_int("train", "batch_size", batch_size, 1)
    check_number("train", "learning_rate", learning_rate, 0, float("inf"))
    check_number("train", "beta_1", beta_1, 0, 1)


def check_record_arguments(output_dir, resume, split_seed, data_source):
    """Raise unless the arguments of `train` that decide what is recorded, and where, are valid."""
    check_resume("train", "resume", resume)
    if output_dir is not None:
        check_path("train", "output_dir", output_dir)
        if pathlib.Path(output_dir).is_file():
            raise NotADirectoryError(
                f"The 'output_dir' parameter of train must be a folder. Got the file {str(output_dir)!r} instead."
            )
    elif resume and resume != "auto":
        raise ValueError("The 'resume' parameter of train needs an output_dir, the run folder to resume. Got None.")
    if split_seed is not None:
        check_int("train", "split_seed", split_seed, 0, MAX_SEED)
    check_type("train", "data_source", data_source, str)


class _Progress:
    """Everything of a run that is not a variable of the model: it is saved, and restored, with them."""

    def __init__(self, settings):
        self.settings = settings
        self.step = 0
        self.training_seconds = 0.0
        self.evaluation_seconds = 0.0
        self.history = []
        self.loss_rows = []
        self.loss_names = ()
        self.samples = []

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
        if hasattr(model, "generator"):
            noise_shape = (SAMPLE_COUNT, model.generator.input_shape[-1])
            noise = tf.random.stateless_normal(noise_shape, random_seed_pair(model.seed, "sample_noise", 0))
            images = model.generator(noise, training=False).numpy()[..., 0]  # (100, 28, 28) in [-1, 1]
            self.samples.append(np.round((images + 1.0) * 127.5).astype(np.uint8))
        recent = [row[1:] for row in self.loss_rows if row[0] > self.evaluated()]
        losses = dict(zip(self.loss_names, np.mean(recent, axis=0).tolist(), strict=True))
        self.evaluation_seconds += time.perf_counter() - started
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

    def save(self, model, folder):
        """Write the checkpoint, and from the same numbers `history.csv`, `losses.csv` and `samples.npz`."""
        notes = {
            "settings": self.settings,
            "step": self.step,
            "training_seconds": self.training_seconds,
            "evaluation_seconds": self.evaluation_seconds,
            "history": self.history,
            "loss_names": self.loss_names,
        }
        arrays = {
            "notes": np.array(json.dumps(notes)),
            "losses": np.array(self.loss_rows),
            "samples": np.array(self.samples, np.uint8),
        }
        checkpoints.save_checkpoint(folder, self.step, {**arrays, **checkpoints.model_state(model)})
        _write_csv(folder / "history.csv", self.history)
        losses = self.loss_arrays()
        rows = [dict(zip(losses, values, strict=True)) for values in zip(*losses.values(), strict=True)]
        _write_csv(folder / "losses.csv", rows)
        if self.samples:
            buffer = io.BytesIO()
            iterations = np.array([row["iteration"] for row in self.history])
            np.savez_compressed(buffer, iterations=iterations, images=np.array(self.samples, np.uint8))
            checkpoints.write_atomically(folder / "samples.npz", buffer.getvalue())

    def restore(self, model, folder, iterations):
        """Take up the state of the run in `folder`; raise if it is another run."""
        arrays = checkpoints.load_latest_checkpoint(folder)
        notes = json.loads(str(arrays["notes"]))
        for name, value in self.settings.items():
            if notes["settings"].get(name, value) != value:
                raise ValueError(
                    f"The run in {str(folder)!r} cannot be resumed: its {name} is {notes['settings'][name]!r}, "
                    f"but this call's is {value!r}."
                )
        if notes["step"] > iterations:
            raise ValueError(
                f"The 'iterations' parameter of train must be at least {notes['step']}, the iterations that the run in "
                f"{str(folder)!r} has had. Got {iterations} instead."
            )
        checkpoints.restore_model_state(model, arrays)
        self.step = notes["step"]
        self.training_seconds = notes["training_seconds"]
        self.evaluation_seconds = notes["evaluation_seconds"]
        self.history = notes["history"]
        self.loss_names = tuple(notes["loss_names"])
        self.loss_rows = arrays["losses"].tolist()
        self.samples = list(arrays["samples"])

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


class _Watcher(keras.callbacks.Callback):
    """After every execution of 50 steps: count, keep the losses, stop on a non-finite one or on Ctrl-C."""

    def __init__(self, progress, interrupt, bar):
        super().__init__()
        self.progress, self.interrupt, self.bar = progress, interrupt, bar

    def on_train_batch_end(self, batch, logs=None):
        trackers = self.model.loss_trackers
        steps = int(trackers[0].steps.numpy())
        self._raise_if_not_finite(trackers, steps)
        self.progress.step += steps
        self.progress.loss_names = self.model.loss_names
        self.progress.loss_rows.append([self.progress.step] + [float(tracker.result()) for tracker in trackers])
        for tracker in trackers:
            tracker.reset_state()
        self.bar.update(steps)
        if self.interrupt.is_set():
            self.model.stop_training = True

    def _raise_if_not_finite(self, trackers, steps):
        finite = [int(tracker.finite_steps.numpy()) for tracker in trackers]
        if min(finite) == steps:
            return
        first = finite.index(min(finite))  # of several, the one computed first in an iteration
        raise FloatingPointError(
            f"The loss {self.model.loss_names[first]!r} became NaN or infinite by iteration "
            f"{self.progress.step + finite[first] + 1:,}. Training stopped; the last checkpoint, if any, is kept. "
            "A smaller learning_rate is the usual cure."
        )


class _deferred_interrupt:
    """Turn the first Ctrl-C into an event that training looks at between executions; the second acts at once."""

    def __enter__(self):
        self.event = threading.Event()
        self.previous = None
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self._handle)
        return self.event

    def _handle(self, number, frame):
        self.event.set()
        signal.signal(signal.SIGINT, self.previous)
        print("\nStopping at the next multiple of 50 iterations …", flush=True)

    def __exit__(self, *exception):
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)


def hardware():
    """Describe the processor in a few words: its name and the number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} {'core' if cores == 1 else 'cores'}"


def _describe(layer):
    """Return the settings of a layer that shape what it computes, and those of the layers inside it."""
    kept = ("filters", "kernel_size", "strides", "padding", "units", "rate", "negative_slope", "activation", "momentum")
    config = layer.get_config()
    described = {"layer": type(layer).__name__, **{name: config[name] for name in kept if name in config}}
    if "kernel_initializer" in config:
        described["kernel_initializer"] = config["kernel_initializer"]["class_name"]
    if hasattr(layer, "layers"):
        described["layers"] = [_describe(inner) for inner in layer.layers]
    return described


def _save_weights(network, path):
    temporary = path.with_name("unfinished-" + path.name)
    network.save_weights(temporary)
    os.replace(temporary, path)


def _write_csv(path, rows):
    if not rows:
        return
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    checkpoints.write_atomically(path, buffer.getvalue().encode())
