"""Run what is missing of the recorded grid, and make what the book keeps of one run: a picture and a classifier.

Each method of the grid at 20, 50, 100 and 1,000 labels. Each run has a folder below runs/results. A run that is
recorded in results/runs.csv is not repeated, and an unfinished one goes on. To repeat recorded runs, name another
table: `record_results.py mine/runs.csv`. Then the ceilings, each network with all 60,000 labels, into ceilings.csv
beside that table.

`record_results.py --first` draws the film of the front page, book/figures/hero.gif, from the run of `make first`, and
keeps its classifier for chapter 5. `record_results.py --errors runs/improved-gan` keeps which test images the published
GAN of that run folder misreads, for chapter 8.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import argparse
import csv
import pathlib
import shutil
import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from choose_settings import compare_side_by_side, validate
from PIL import Image
from result_tables import GRID

from sgan_helpers import plotting
from sgan_helpers.checkpoints import write_csv
from sgan_helpers.data import LabeledSplit
from sgan_helpers.distortions import NOISY_DISTORTION
from sgan_helpers.methods.build import build_model
from sgan_helpers.mnist import load_mnist
from sgan_helpers.networks import predict_logits
from sgan_helpers.run_folder import load_weights
from sgan_helpers.sweep import sweep

ROOT = pathlib.Path(__file__).parents[1]
PER_CLASS = (10, 2, 5, 100)
SEEDS = range(5)
CEILINGS = {  # the method whose network it is: the method that trains it with labels alone, settings
    "supervised": ("supervised", {}),
    "supervised-tuned": ("supervised-tuned", {}),
    "pseudo-labels": ("distortions", {}),
    "noisy-student": ("distortions", {"distortion": NOISY_DISTORTION}),
}
SHOWN = (250, 500, 750, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10000)  # iterations of the film


def record(path):
    """Run what the table at `path` lacks. Return the messages of the runs that failed."""
    common = {"path": path, "runs_dir": ROOT / "runs" / "results", "source": "full"}
    failures = []
    for method, iterations in GRID.items():
        try:
            sweep([method], PER_CLASS, SEEDS, iterations=iterations, **common)
        except RuntimeError as error:
            failures.append(str(error))
    return failures


def ceiling_candidates():
    """Yield the trainings with all labels: (what is recorded, labels per class, of which none is left, settings)."""
    for name, (method, settings) in CEILINGS.items():
        for seed in range(3):
            yield {"ceiling_of": name, "method": method, "split_seed": seed, "iterations": GRID[name]}, 1, settings


def ceiling(row, per_class, settings):
    """Train a network with all labels and return its test accuracy."""
    mnist = load_mnist("full")
    every = np.arange(len(mnist.train_labels))
    all_labeled = LabeledSplit(mnist.train_images, mnist.train_labels, mnist.train_images, every, every)
    return validate(row, per_class, settings, mnist, lambda split: all_labeled)


def keep_first_run(run=ROOT / "runs" / "film"):
    """Draw the film of the front page, digits beside the accuracy curve, and the card; keep the classifier."""
    with open(run / "history.csv", newline="") as file:
        history = {int(row["iteration"]): 100 * float(row["test_accuracy"]) for row in csv.DictReader(file)}
    samples = np.load(run / "samples.npz", allow_pickle=False)
    drawn = dict(zip(samples["iterations"].tolist(), samples["images"], strict=True))
    frames = [draw_frame(drawn[iteration], iteration, history) for iteration in SHOWN]
    path = ROOT / "book" / "figures" / "hero.gif"
    times = [500] * (len(frames) - 1) + [2500]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0)
    draw_card(drawn[SHOWN[-1]]).save(ROOT / "book" / "_static" / "card.png", optimize=True)
    shutil.copyfile(run / "class_discriminator.weights.h5", ROOT / "results" / "sgan-1000-0.weights.h5")


def keep_errors(run, path=ROOT / "results" / "improved-gan-errors.csv"):
    """Write a row for each test image that the published GAN of a run folder misreads."""
    mnist = load_mnist("full")
    classifier = build_model("improved-gan", seed=0).class_discriminator
    load_weights(classifier, run / "class_discriminator.weights.h5")
    guesses = predict_logits(classifier, mnist.test_images).argmax(axis=1)
    wrong = np.flatnonzero(guesses != mnist.test_labels)
    names = ("test_image", "true_label", "guess")
    write_csv(
        path,
        [
            dict(zip(names, row, strict=True))
            for row in zip(wrong, mnist.test_labels[wrong], guesses[wrong], strict=True)
        ],
    )


def draw_frame(digits, iteration, history):
    """Return a frame of the film, a picture of few colours: 24 digits, and the accuracy until this iteration."""
    with plt.style.context([plotting.STYLE, {"font.size": 12}]):
        figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.9), dpi=100, width_ratios=(1.45, 1))
        left.imshow(side_by_side(digits, rows=3, columns=8), vmin=0, vmax=255)
        left.set_xlabel(f"digits that the generator draws at iteration {iteration:,}")
        left.set(xticks=[], yticks=[])
        left.spines[:].set_visible(False)
        past = [step for step in history if step <= iteration]
        right.plot(past, [history[step] for step in past], color=plotting.COLORS["sgan"])
        right.plot(past[-1:], [history[past[-1]]], marker="o", color=plotting.COLORS["sgan"])
        right.set(xlim=(0, 1.04 * max(history)), ylim=(88, 98), xlabel="iteration", ylabel="test accuracy (%)")
        return as_picture(figure).quantize(64, method=Image.Quantize.FASTOCTREE)


def draw_card(digits):
    """Return the picture of 1200 x 630 pixels that stands for the book where it is shared: its question, and digits."""
    figure = plt.figure(figsize=(12, 6.3), dpi=100)
    axis = figure.add_axes((0.05, 0.08, 0.9, 0.45))
    axis.imshow(side_by_side(digits, rows=4, columns=12), cmap="gray")
    axis.axis("off")
    figure.text(0.05, 0.85, "Semi-supervised learning with GANs", fontsize=37, weight="bold")
    question = "60,000 images, 1,000 labels: can the other 59,000 images\nteach a classifier, too? A book to run."
    figure.text(0.05, 0.64, question, fontsize=23, linespacing=1.5)
    return as_picture(figure)


def side_by_side(digits, rows, columns):
    """Return the first digits (N, 28, 28) as one image, row by row."""
    return np.block([[digits[columns * row + column] for column in range(columns)] for row in range(rows)])


def as_picture(figure):
    """Return what a figure shows, and close it."""
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    plt.close(figure)
    return picture


def main():
    """Run what is missing, or keep the first run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", type=pathlib.Path, default=ROOT / "results" / "runs.csv")
    parser.add_argument("--first", action="store_true", help="film and classifier from the run of `make first`")
    parser.add_argument("--errors", metavar="RUN", type=pathlib.Path, help="test errors of a run of the published GAN")
    options = parser.parse_args()
    if options.first:
        return keep_first_run()
    if options.errors:
        return keep_errors(options.errors)
    failures = record(options.table)
    compare_side_by_side(options.table.with_name("ceilings.csv"), ceiling_candidates(), ceiling, "test_accuracy")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
