"""Run what is missing of the recorded grid: four methods at 20, 50, 100 and 1,000 labels, 10,000 iterations.

Then the parts of the strongest method at 20 and 100 labels, with iterations that make all take about equally long.

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
PARTS = {
    "distortions": 15000,
    "batch-statistics": 12000,
    "real-or-fake": 5000,
    "feature-matching-alone": 5000,
    "feature-matching": 5000,
}


def main():
    """Run what is missing."""
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results" / "runs.csv"
    methods = ("supervised", "supervised-tuned", "sgan", "pseudo-labels")
    grids = [(method, *cells, 10000) for method in methods for cells in GRID]
    grids += [(method, (10, 2), range(3), iterations) for method, iterations in PARTS.items()]
    common = {"path": path, "runs_dir": ROOT / "runs" / "results", "source": "full"}
    failures = []
    for method, labels_per_class, seeds, iterations in grids:
        try:
            sweep([method], labels_per_class, seeds, iterations=iterations, **common)
        except RuntimeError as error:
            failures.append(str(error))
    sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
