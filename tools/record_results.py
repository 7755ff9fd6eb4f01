"""Repeat the recorded training runs: SGAN and matched baseline, 1,000 labels, 10,000 iterations, seeds 0, 1 and 2.

Each run has a folder below runs/results. A finished run is not repeated and an unfinished one is resumed. Every
finished run becomes a row of results/runs.csv, and the classifier of the SGAN with seed 0 is kept for chapter 5.
"""

import json
import pathlib
import shutil

from sgan_helpers.checkpoints import checkpoint_paths
from sgan_helpers.data import load_mnist, split_labeled
from sgan_helpers.experiments import append_result
from sgan_helpers.training import train

ROOT = pathlib.Path(__file__).parents[1]
SEEDS = (0, 1, 2)


def main():
    """Train what is missing, then write the rows."""
    mnist = load_mnist("full")
    for seed in SEEDS:
        split = split_labeled(mnist.train_images, mnist.train_labels, 100, seed=seed)
        for method in ("supervised", "sgan"):
            folder = ROOT / "runs" / "results" / f"{method}-1000-{seed}"
            if not (folder / "summary.json").exists():
                print(f"{method}, seed {seed}")
                train(
                    method,
                    split,
                    test_images=mnist.test_images,
                    test_labels=mnist.test_labels,
                    seed=seed,
                    split_seed=seed,
                    output_dir=folder,
                    resume=bool(checkpoint_paths(folder)),
                    data_source=mnist.source,
                )
            append_result(json.loads((folder / "summary.json").read_text()), ROOT / "results" / "runs.csv")
    weights = ROOT / "runs" / "results" / "sgan-1000-0" / "class_discriminator.weights.h5"
    shutil.copyfile(weights, ROOT / "results" / "sgan-1000-0.weights.h5")


if __name__ == "__main__":
    main()
