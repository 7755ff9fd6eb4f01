"""Compare candidate settings on validation images and record each in results/validation*.csv.

The validation images are the last 10,000 training images; the test set is not touched. The split seeds are 100 and
above, which no reported run uses. First the trunk and the learning rate, for the SGAN and the matched baseline (into
validation.csv); then the distortions of the tuned baseline on that trunk (into validation-tuned.csv); last the balance
of the pseudo-labels and the weight of the GAN, with 100 labels (into validation-pseudo-labels.csv). Candidates that are
recorded already are skipped, so the comparison can be stopped and resumed.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import csv
import pathlib

import keras
from keras import layers

from sgan_helpers import data, feature_matching, networks, supervised, training

RESULTS = pathlib.Path(__file__).parents[1] / "results"
ITERATIONS = 3000


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


TRUNKS = [
    # filters, kernel size, dropout, learning rate, batch size
    ((16, 32, 64), 5, (0.0, 0.3, 0.5), 2e-4, 100),
    ((32, 64, 128), 3, (0.3, 0.3, 0.3), 2e-4, 100),
    ((16, 32, 64), 5, (0.0, 0.3, 0.5), 5e-4, 100),
    ((16, 32, 64), 5, (0.0, 0.5, 0.5), 2e-4, 100),
    ((16, 32, 64), 5, (0.0, 0.5, 0.5), 5e-4, 100),
    ((16, 32, 64), 5, (0.0, 0.3, 0.5), 1e-3, 100),
]
TUNED = [
    # rotation (degrees), scale, shear, shift (pixels), decay of the average, learning rate
    (0.0, 0.0, 0.0, 2.0, 0.999, 5e-4),
    (10.0, 0.1, 0.1, 2.0, 0.999, 5e-4),
    (15.0, 0.15, 0.2, 2.0, 0.999, 5e-4),
    (20.0, 0.2, 0.3, 3.0, 0.999, 5e-4),
    (15.0, 0.15, 0.2, 2.0, 0.999, 1e-3),
    (15.0, 0.15, 0.2, 2.0, 0.0, 1e-3),
    (15.0, 0.15, 0.2, 2.0, 0.0, 5e-4),
]
PSEUDO_LABELS = [
    # method, limit of the bias, iterations until the limit is 0, learning rate, weight of the GAN
    ("pseudo-labels", 0.0, 3000, 2e-3, 0.0),
    ("pseudo-labels", 3.0, 3000, 2e-3, 0.0),
    ("pseudo-labels", 3.0, 1_000_000, 2e-3, 0.0),  # as good as never
    ("pseudo-labels", 3.0, 3000, 1e-3, 0.0),
    ("feature-matching", 3.0, 3000, 2e-3, 0.1),
    ("feature-matching", 3.0, 3000, 2e-3, 1.0),
]
PSEUDO_LABELS_ITERATIONS = 5000
TUNED_SPLITS = [(10, 100), (10, 101), (100, 100)]  # labels per class, split seed


def record(path, candidate, mnist, per_class, **settings):
    """Train one candidate unless it is recorded in the CSV at `path`, and add its validation accuracy there."""
    rows = []
    if path.exists():
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
    candidate = {name: str(value) for name, value in candidate.items()}
    if any(all(row[name] == value for name, value in candidate.items()) for row in rows):
        return
    print(candidate, flush=True)
    seed = int(candidate["split_seed"])
    split = data.split_labeled(mnist.train_images, mnist.train_labels, per_class, seed=seed)
    run = training.train(
        candidate["method"],
        split,
        test_images=mnist.test_images,
        test_labels=mnist.test_labels,
        iterations=int(candidate["iterations"]),
        seed=seed,
        **settings,
    )
    rows.append({**candidate, "validation_accuracy": run.summary["test_accuracy"]})
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def choose_trunk(mnist):
    """Compare trunks and learning rates, for both methods, with 1,000 labels."""
    chosen_trunk = networks.build_trunk
    for filters, kernel_size, dropout, learning_rate, batch_size in TRUNKS:
        networks.build_trunk = lambda f=filters, k=kernel_size, d=dropout: candidate_trunk(f, k, d)
        for method in ("sgan", "supervised"):
            candidate = {
                "method": method,
                "filters": "-".join(map(str, filters)),
                "kernel_size": kernel_size,
                "dropout": "-".join(map(str, dropout)),
                "learning_rate": learning_rate,
                "batch_size": batch_size,
                "split_seed": 100,
                "iterations": ITERATIONS,
            }
            path = RESULTS / "validation.csv"
            record(path, candidate, mnist, 100, learning_rate=learning_rate, batch_size=batch_size)
    networks.build_trunk = chosen_trunk


def choose_distortion(mnist):
    """Compare distortions, learning rates and averaging for the tuned baseline, with 100 and 1,000 labels."""
    for *amounts, average_decay, learning_rate in TUNED:
        data.DISTORTION.update(zip(data.DISTORTION, amounts, strict=True))
        supervised.AVERAGE_DECAY = average_decay
        for per_class, split_seed in TUNED_SPLITS:
            candidate = {
                "method": "supervised-tuned",
                **data.DISTORTION,
                "average_decay": average_decay,
                "learning_rate": learning_rate,
                "labels": 10 * per_class,
                "split_seed": split_seed,
                "iterations": ITERATIONS,
            }
            path = RESULTS / "validation-tuned.csv"
            record(path, candidate, mnist, per_class, learning_rate=learning_rate)


def choose_balance(mnist):
    """Compare balances of the pseudo-labels, learning rates and weights of the GAN, with 100 labels."""
    for method, limit, steps, learning_rate, gan_weight in PSEUDO_LABELS:
        feature_matching.BALANCE_LIMIT, feature_matching.BALANCE_STEPS = limit, steps
        feature_matching.GAN_WEIGHT = gan_weight
        for split_seed in (100, 101, 102):
            candidate = {
                "method": method,
                "balance_limit": limit,
                "balance_steps": steps,
                "learning_rate": learning_rate,
                "gan_weight": gan_weight,
                "labels": 100,
                "split_seed": split_seed,
                "iterations": PSEUDO_LABELS_ITERATIONS,
            }
            path = RESULTS / "validation-pseudo-labels.csv"
            record(path, candidate, mnist, 10, learning_rate=learning_rate)


def main():
    """Run every candidate that is not recorded yet."""
    mnist = data.hold_out_validation(data.load_mnist("full"))
    choose_trunk(mnist)
    choose_distortion(mnist)
    choose_balance(mnist)


if __name__ == "__main__":
    main()
