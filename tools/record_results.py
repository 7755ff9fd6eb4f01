"""Repeat the recorded training runs: three methods at 20, 50, 100 and 1,000 labels, 10,000 iterations.

Each run has a folder below runs/results. A run that is recorded in results/runs.csv is not repeated, and an unfinished
one goes on; to repeat all, give another table: `record_results.py mine.csv`. The classifier of the SGAN with 1,000
labels and seed 0 is kept for chapter 5.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pathlib
import shutil
import sys

from sgan_helpers.experiments import Experiment, sweep

ROOT = pathlib.Path(__file__).parents[1]
RUNS = ROOT / "runs" / "results"
METHODS = ("supervised", "supervised-tuned", "sgan")
GRID = [((10,), range(5)), ((2, 5), range(3)), ((100,), range(5))]  # labels per class, seeds


def main():
    """Run what is missing."""
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results" / "runs.csv"
    for methods in (METHODS[:2], METHODS[2:]):  # the quick ones first
        for labels_per_class, seeds in GRID:
            sweep(methods, labels_per_class, seeds, path=path, runs_dir=RUNS, source="full")
    weights = RUNS / Experiment("sgan", 100, 0, 10000).name / "class_discriminator.weights.h5"
    if weights.exists():
        shutil.copyfile(weights, ROOT / "results" / "sgan-1000-0.weights.h5")


if __name__ == "__main__":
    main()
