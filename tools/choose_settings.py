"""Compare candidate settings on validation images and record each in results/validation.csv.

The validation images are the last 10,000 training images; the test set is not touched. The split seed is 100, which no
reported run uses. Candidates that are recorded already are skipped, so the comparison can be stopped and resumed.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import csv
import pathlib

import keras
from keras import layers

from sgan_helpers import networks, training
from sgan_helpers.data import hold_out_validation, load_mnist, split_labeled

RESULTS = pathlib.Path(__file__).parents[1] / "results" / "validation.csv"
ITERATIONS = 3000
SPLIT_SEED = 100


def candidate_trunk(filters, kernel_size, dropout):
    """Build a trunk of strided convolutions; `dropout` has a rate for each, the last one after flattening."""
    trunk = keras.Sequential([keras.Input((28, 28, 1))], name="trunk")
    for maps, rate in zip(filters, dropout, strict=True):
        trunk.add(layers.Conv2D(maps, kernel_size, strides=2, padding="same"))
        trunk.add(layers.LeakyReLU(0.2))
        if rate and maps != filters[-1]:
            trunk.add(layers.Dropout(rate))
    trunk.add(layers.Flatten())
    trunk.add(layers.Dropout(dropout[-1]))
    return trunk


CANDIDATES = [
    # filters, kernel size, dropout, learning rate, batch size
    ((16, 32, 64), 5, (0.0, 0.3, 0.5), 2e-4, 100),
    ((32, 64, 128), 3, (0.3, 0.3, 0.3), 2e-4, 100),
    ((16, 32, 64), 5, (0.0, 0.3, 0.5), 5e-4, 100),
    ((16, 32, 64), 5, (0.0, 0.5, 0.5), 2e-4, 100),
    ((16, 32, 64), 5, (0.0, 0.5, 0.5), 5e-4, 100),
    ((16, 32, 64), 5, (0.0, 0.3, 0.5), 1e-3, 100),
]


def main():
    """Run every candidate that is not recorded yet, for each method."""
    mnist = hold_out_validation(load_mnist("full"))
    split = split_labeled(mnist.train_images, mnist.train_labels, 100, seed=SPLIT_SEED)
    recorded = []
    if RESULTS.exists():
        with open(RESULTS, newline="") as file:
            recorded = list(csv.DictReader(file))
    for filters, kernel_size, dropout, learning_rate, batch_size in CANDIDATES:
        networks.build_trunk = lambda f=filters, k=kernel_size, d=dropout: candidate_trunk(f, k, d)
        for method in ("sgan", "supervised"):
            candidate = {
                "method": method,
                "filters": "-".join(map(str, filters)),
                "kernel_size": str(kernel_size),
                "dropout": "-".join(map(str, dropout)),
                "learning_rate": str(learning_rate),
                "batch_size": str(batch_size),
                "split_seed": str(SPLIT_SEED),
                "iterations": str(ITERATIONS),
            }
            if any(all(row[name] == value for name, value in candidate.items()) for row in recorded):
                continue
            print(candidate)
            run = training.train(
                method,
                split,
                test_images=mnist.test_images,
                test_labels=mnist.test_labels,
                iterations=ITERATIONS,
                seed=SPLIT_SEED,
                learning_rate=learning_rate,
                batch_size=batch_size,
            )
            recorded.append({**candidate, "validation_accuracy": run.summary["test_accuracy"]})
            with open(RESULTS, "w", newline="") as file:
                writer = csv.DictWriter(file, fieldnames=list(recorded[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(recorded)


if __name__ == "__main__":
    main()
