"""Run what is missing of the recorded grid, and make what the book keeps of one run: a picture and a classifier.

Four methods at 20, 50, 100 and 1,000 labels, 10,000 iterations; then the parts of pseudo-labels at 20 and 100 labels,
with iterations that make all take about equally long; then the strongest method, 30,000 iterations. Each run has a
folder below runs/results. A run that is recorded in results/runs.csv is not repeated, and an unfinished one goes on. To
repeat recorded runs, name another table: `record_results.py mine.csv`.

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

from sgan_helpers import plotting
from sgan_helpers.sweep import sweep

ROOT = pathlib.Path(__file__).parents[1]
GRID = [((10,), range(5)), ((2, 5), range(3)), ((100,), range(5))]  # labels per class, seeds
PARTS = {
    "distortions": 15000,
    "shared-batches": 12000,
    "real-or-fake": 5000,
    "feature-matching": 5000,
    "pseudo-labels+gan": 5000,
}
SHOWN = (1000, 4000, 10000)  # iterations whose digits are drawn


def record(path):
    """Run what the table at `path` lacks. Return the messages of the runs that failed."""
    methods = ("supervised", "supervised-tuned", "sgan", "pseudo-labels")
    grids = [(method, *cells, 10000) for method in methods for cells in GRID]
    grids += [(method, (10, 2), range(3), iterations) for method, iterations in PARTS.items()]
    grids += [("noisy-student", (count,), range(5), 30000) for count in (10, 2, 5, 100)]
    common = {"path": path, "runs_dir": ROOT / "runs" / "results", "source": "full"}
    failures = []
    for method, labels_per_class, seeds, iterations in grids:
        try:
            sweep([method], labels_per_class, seeds, iterations=iterations, **common)
        except RuntimeError as error:
            failures.append(str(error))
    return failures


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
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
