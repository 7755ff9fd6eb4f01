"""Run what is missing of the recorded grid, and make what the book keeps of one run: a picture and a classifier.

Each method of the grid at 20, 50, 100 and 1,000 labels. Each run has a folder below runs/results. A run that is
recorded in results/runs.csv is not repeated, and an unfinished one goes on. To repeat recorded runs, name another
table: `record_results.py mine/runs.csv`. Then the ceilings, each network with all 60,000 labels, into ceilings.csv
beside that table.

`record_results.py --first` draws book/figures/hero.png from the run of `make train`, and keeps its classifier for
chapter 5.
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
from result_tables import GRID

from sgan_helpers import plotting
from sgan_helpers.data import LabeledSplit
from sgan_helpers.distortions import NOISY_DISTORTION
from sgan_helpers.mnist import load_mnist
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
SHOWN = (1000, 4000, 10000)  # iterations whose digits are drawn


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


def keep_first_run(run=ROOT / "runs" / "first"):
    """Draw digits at three moments beside the accuracy curve, and keep the classifier."""
    with open(run / "history.csv", newline="") as file:
        history = [(int(row["iteration"]), 100 * float(row["test_accuracy"])) for row in csv.DictReader(file)]
    samples = np.load(run / "samples.npz", allow_pickle=False)
    with plt.style.context([plotting.STYLE, {"font.size": 13}]):
        figure = plt.figure(figsize=(11, 3.4))
        grid = figure.add_gridspec(len(SHOWN), 2, width_ratios=(1.35, 1))
        for row, iteration in enumerate(SHOWN):
            images = samples["images"][list(samples["iterations"]).index(iteration)][:8]
            axis = figure.add_subplot(grid[row, 0])
            axis.imshow(np.concatenate(list(images), axis=1), vmin=0, vmax=255)
            axis.set_ylabel(f"{iteration:,}", rotation=0, ha="right", va="center")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        axis = figure.add_subplot(grid[:, 1])
        axis.plot(*zip(*history, strict=True), marker="o", color=plotting.COLORS["sgan"], label="SGAN, seed 0")
        axis.axhline(94.8, color="0.4", linestyle="--", label="reference 94.8 %")
        axis.set(xlabel="iteration", ylabel="test accuracy (%)")
        axis.legend(loc="lower right")
        figure.savefig(ROOT / "book" / "figures" / "hero.png")
    shutil.copyfile(run / "class_discriminator.weights.h5", ROOT / "results" / "sgan-1000-0.weights.h5")


def main():
    """Run what is missing, or keep the first run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", type=pathlib.Path, default=ROOT / "results" / "runs.csv")
    parser.add_argument("--first", action="store_true", help="picture and classifier from the run of `make train`")
    options = parser.parse_args()
    if options.first:
        return keep_first_run()
    failures = record(options.table)
    compare_side_by_side(options.table.with_name("ceilings.csv"), ceiling_candidates(), ceiling, "test_accuracy")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
