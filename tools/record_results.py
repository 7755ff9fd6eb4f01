"""Run what is missing of the recorded grid: four methods at 20, 50, 100 and 1,000 labels, 10,000 iterations.

Each run has a folder below runs/results. A run that is recorded in results/runs.csv is not repeated, and an unfinished
one goes on. To repeat recorded runs, name another table: `record_results.py mine.csv`.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pathlib
import sys

from sgan_helpers.experiments import sweep

ROOT = pathlib.Path(__file__).parents[1]
GRID = [((10,), range(5)), ((2, 5), range(3)), ((100,), range(5))]  # labels per class, seeds


def main():
    """Run what is missing."""
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results" / "runs.csv"
    failures = []
    for method in ("supervised", "supervised-tuned", "sgan", "pseudo-labels"):
        for labels_per_class, seeds in GRID:
            try:
                sweep([method], labels_per_class, seeds, path=path, runs_dir=ROOT / "runs" / "results", source="full")
            except RuntimeError as error:
                failures.append(str(error))
    sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
