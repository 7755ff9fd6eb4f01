"""Train one method on one split: `Model.fit`, evaluation every 1,000 iterations, guards, Ctrl-C, exact resume.

This file knows nothing of plotting: it stores the generated digits as arrays.
"""

import pathlib
import sys
import time
from dataclasses import dataclass

import keras
import numpy as np
from tqdm import tqdm

from sgan_helpers.checkpoints import first_not_finite
from sgan_helpers.checks import (
    LARGEST_SIZE,
    check_backend,
    check_every_class,
    check_images,
    check_int,
    check_labels,
    check_path,
    check_resume,
    check_type,
    nearest_existing,
)
from sgan_helpers.console import Unbreakable, deferred_stop, say
from sgan_helpers.data import MAX_SEED, LabeledSplit, batch_stream
from sgan_helpers.health import DIVERGED
from sgan_helpers.methods import METHODS
from sgan_helpers.methods.build import build_model, check_model_arguments, recipe_hash
from sgan_helpers.metrics import evaluate_logits
from sgan_helpers.networks import keras_defaults
from sgan_helpers.run_folder import RunFolder, data_fingerprint, labels_per_class

STEPS_PER_EXECUTION = 50


@dataclass(frozen=True)
class TrainingRun:
    """What a finished training leaves behind.

    Attributes:
        class_discriminator: the trained classifier, images (batch, 28, 28, 1) to class logits (batch, K); or None for a
            method without a network.
        generator: the trained generator, or None for a method without a GAN.
        summary: dict, the contents of `summary.json`.
        history: list of dicts, one for each evaluation.
        losses: dict from "iteration" and the names of the losses to arrays, a value for every 50 iterations, each
            the mean over those 50.
        samples: uint8 array (evaluations, 100, 28, 28), digits drawn from the same noise each time; or None.
        output_dir: path of the run folder, or None.
    """

    class_discriminator: keras.Model | None
    generator: keras.Model | None
    summary: dict
    history: list
    losses: dict
    samples: np.ndarray | None
    output_dir: pathlib.Path | None


@keras_defaults()
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
    batch_size=100,
    networks=None,
    **hyperparameters,
):
    """Train a classifier on a split, test it as it learns, and keep everything in a run folder.

    The same arguments give the same bits on the same machine, whether or not the run was stopped and resumed.
    Ctrl-C, SIGTERM and SIGHUP stop at the next multiple of 50 iterations, save a checkpoint and raise
    KeyboardInterrupt.
    A progress bar is shown in a terminal; elsewhere one line is printed for each evaluation.

    Args:
        method: one of `sgan_helpers.methods.METHODS`; `python -m sgan_helpers train --help` says what each is.
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
        batch_size: int in [1, 10000], labelled and unlabelled images in a batch.
        networks: function from K to the networks of the method, see `build_networks` of its class; None: its own.
        hyperparameters: the method's own settings by name, such as `learning_rate` (float above 0) and `beta_1` (float
            in [0, 1)), of every Adam optimiser. Those that are not given keep the defaults of its class.

    Returns:
        A `TrainingRun`. Its summary's `test_accuracy` is that of the last iteration.

    Raises:
        TypeError, ValueError: an argument has the wrong type, shape or range, or differs from the resumed run's.
        FileExistsError: `output_dir` holds a run already, and it is not to be resumed; or somebody trains in it.
        OSError: `output_dir` cannot hold what a run writes, or there is no more space for it.
        FileNotFoundError: `resume` is True and there is no checkpoint in `output_dir`.
        NotADirectoryError: `output_dir` is a file.
        FloatingPointError: a loss or a variable became NaN or infinite, or a loss huge; the last checkpoint is kept.
    """
    check_train_arguments(split, test_images, test_labels, iterations, evaluate_every, batch_size)
    num_classes = int(split.labeled_labels.max()) + 1
    check_model_arguments("train", method, num_classes, seed, networks, hyperparameters)
    check_record_arguments(output_dir, resume, split_seed, data_source)
    iterations, seed, evaluate_every, batch_size = map(int, (iterations, seed, evaluate_every, batch_size))
    keras.utils.set_random_seed(seed)
    model = build_model(method, num_classes, seed=seed, networks=networks, **hyperparameters)
    settings = {
        "method": method,
        "labels_per_class": labels_per_class(split.labeled_labels),
        "labels": len(split.labeled_labels),
        "seed": seed,
        "split_seed": None if split_seed is None else int(split_seed),
        "batch_size": batch_size,
        **model.hyperparameters,
        "recipe": recipe_hash(method, model, batch_size),
        "data_source": data_source,
        "evaluate_every": evaluate_every,
        "num_classes": num_classes,
        "split_fingerprint": data_fingerprint(split.labeled_images, split.labeled_labels, split.unlabeled_images),
        "test_fingerprint": data_fingerprint(test_images, test_labels),
    }
    run = RunFolder(output_dir, settings)
    try:
        with run.open(model, resume, iterations):
            if METHODS[method].has_network:
                stopped = _fit(model, split, run, test_images, test_labels, iterations, evaluate_every, batch_size)
            else:
                stopped = _classify(model, split, run, test_images, test_labels, iterations)
            summary = run.finish(model, iterations)
    except KeyboardInterrupt as stop:
        if stop.args or run.path is None:
            raise
        kept = f"goes on after iteration {run.saved:,}" if run.saved else "holds no checkpoint yet"
        raise KeyboardInterrupt(f"Stopped at once. The run in {str(run.path)!r} {kept}.") from None
    if stopped and run.path is not None:  # in the last steps: whoever called may have more to do
        raise KeyboardInterrupt(f"Stopped at the last iteration; the run in {str(run.path)!r} is finished.")
    return TrainingRun(
        class_discriminator=getattr(model, "class_discriminator", None),
        generator=getattr(model, "generator", None),
        summary=summary,
        history=run.history,
        losses=run.loss_arrays(),
        samples=np.stack(run.samples) if run.samples else None,
        output_dir=run.path,
    )


def _fit(model, split, run, test_images, test_labels, iterations, evaluate_every, batch_size):
    """Train a model to the end, test and save it along the way. Return whether Ctrl-C was pressed in the last steps."""
    model.compile(optimizer=None, steps_per_execution=STEPS_PER_EXECUTION, jit_compile=False)
    in_terminal = Unbreakable(sys.stderr).isatty()
    with (
        deferred_stop() as interrupt,
        tqdm(
            total=iterations,
            initial=run.step,
            unit="it",
            disable=not in_terminal,
            smoothing=0.05,
            file=Unbreakable(sys.stderr),
            desc="compiling",
        ) as bar,
    ):
        watcher = _Watcher(run, interrupt, bar)
        while run.evaluated() < iterations:
            stop = min(iterations, (run.step // evaluate_every + 1) * evaluate_every)
            if run.step < stop:  # Not so where a run stopped by Ctrl-C is to end at the very iteration it reached.
                stream = batch_stream(split, seed=model.seed, start=run.step, stop=stop, batch_size=batch_size)
                started = time.perf_counter()
                model.fit(stream, verbose=0, shuffle=False, callbacks=[watcher])
                run.training_seconds += time.perf_counter() - started
            if run.step == stop:
                line = run.evaluate(model, test_images, test_labels)
                tqdm.write(line, file=Unbreakable(sys.stdout)) if in_terminal else say(line)
            run.save(model)
            if interrupt.is_set() and run.step < iterations:
                kept = "" if run.path is None else f" and saved a checkpoint in {str(run.path)!r}"
                raise KeyboardInterrupt(f"Stopped after iteration {run.step:,}{kept}.")
    return interrupt.is_set()


def _classify(model, split, run, test_images, test_labels, iterations):
    """Let a method without a network classify the test images, and record that as the one test of the run."""
    started = time.perf_counter()
    logits = model.classify(split, test_images, iterations)
    run.step, run.training_seconds = iterations, time.perf_counter() - started
    say(run.record(evaluate_logits(logits, test_labels)))
    run.save_tables()
    return False


def check_train_arguments(split, test_images, test_labels, iterations, evaluate_every, batch_size):
    """Raise unless the data and the schedule of `train` are valid."""
    check_backend()
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
    check_int("train", "evaluate_every", evaluate_every, 1)
    check_int("train", "batch_size", batch_size, 1, LARGEST_SIZE)


def check_record_arguments(output_dir, resume, split_seed, data_source):
    """Raise unless the arguments of `train` that decide what is recorded, and where, are valid."""
    check_resume("train", "resume", resume)
    if output_dir is not None:
        check_path("train", "output_dir", output_dir)
        place = nearest_existing(output_dir)
        if not place.is_dir():
            raise NotADirectoryError(
                "The 'output_dir' parameter of train must be a folder. Got the "
                f"{'file' if place.exists() else 'link to nothing'} {str(place)!r} instead."
            )
    elif resume and resume != "auto":
        raise ValueError("The 'resume' parameter of train needs an output_dir, the run folder to resume. Got None.")
    if split_seed is not None:
        check_int("train", "split_seed", split_seed, 0, MAX_SEED)
    check_type("train", "data_source", data_source, str)


class _Watcher(keras.callbacks.Callback):
    """After every execution of 50 steps: count, keep the losses, stop on a non-finite one or on Ctrl-C."""

    def __init__(self, run, interrupt, bar):
        super().__init__()
        self.run, self.interrupt, self.bar = run, interrupt, bar

    def on_train_batch_end(self, batch, logs=None):
        trackers = self.model.loss_trackers
        steps = int(trackers[0].steps.numpy())
        self._raise_if_not_finite(trackers, steps)
        self.run.step += steps
        self.run.loss_names = self.model.loss_names
        self.run.loss_rows.append([self.run.step] + [float(tracker.result()) for tracker in trackers])
        self._raise_if_diverged(self.run.loss_rows[-1][1:])
        for tracker in trackers:
            tracker.reset_state()
        self.bar.set_description(refresh=False)
        self.bar.update(steps)
        if self.interrupt.is_set():
            self.model.stop_training = True

    def _raise_if_diverged(self, losses):
        for name, loss in zip(self.model.loss_names, losses, strict=True):
            if loss > DIVERGED:
                raise FloatingPointError(
                    f"The loss {name!r} is {loss:.1e} at iteration {self.run.step:,}: the updates are too large. "
                    "Training stopped; the last checkpoint, if any, is kept. A smaller learning_rate is the usual cure."
                )

    def _raise_if_not_finite(self, trackers, steps):
        """Look at every loss and at all that the next step depends on: nothing else is ever saved."""
        finite = [int(tracker.finite_steps.numpy()) for tracker in trackers]
        if min(finite) < steps:
            first = finite.index(min(finite))  # of several, the one computed first in an iteration
            what, iteration = f"loss {self.model.loss_names[first]!r}", self.run.step + finite[first] + 1
        elif variable := first_not_finite(self.model):
            what, iteration = f"variable {variable!r}", self.run.step + steps
        else:
            return
        raise FloatingPointError(
            f"The {what} became NaN or infinite by iteration {iteration:,}: the updates are too large. Training "
            "stopped; the last checkpoint, if any, is kept. A smaller learning_rate is the usual cure."
        )
