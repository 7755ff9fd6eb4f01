"""Compare candidate settings on validation images and record each in results/validation*.csv.

The validation images are the last 10,000 training images; the test set is not touched. The split seeds are 100 and
above, which no reported run uses. First the trunk and the learning rate, for the SGAN and the matched baseline (into
validation.csv); then the distortions of the tuned baseline on that trunk (into validation-tuned.csv); last the balance
of the pseudo-labels and the weight of the GAN, with 100 labels (into validation-pseudo-labels.csv). Candidates that are
recorded already are skipped, so the comparison can be stopped and resumed.

Whatever a candidate is, it is handed to `train`: nothing is left behind for the next one.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import csv
import pathlib

import keras
from keras import layers

from sgan_helpers.checkpoints import write_csv
from sgan_helpers.data import split_labeled
from sgan_helpers.mnist import hold_out_validation, load_mnist
from sgan_helpers.networks import build_generator
from sgan_helpers.training import train

RESULTS = pathlib.Path(__file__).parents[1] / "results"
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
    ("pseudo-labels+gan", 3.0, 3000, 2e-3, 0.1),
    ("pseudo-labels+gan", 3.0, 3000, 2e-3, 1.0),
]
TUNED_SPLITS = [(10, 100), (10, 101), (100, 100)]  # labels per class, split seed


def networks_on(filters, kernel_size, dropout, with_gan):
    """Return a function that builds the networks of the SGAN, or of the matched baseline, on a candidate trunk.

    The trunk has strided convolutions; `dropout` has a rate for each, the last one after flattening.
    """

    def build(num_classes):
        trunk = keras.Sequential([keras.Input((28, 28, 1))], name="trunk")
        for maps, rate in zip(filters, dropout, strict=True):
            trunk.add(layers.Conv2D(maps, kernel_size, strides=2, padding="same"))
            trunk.add(layers.LeakyReLU(0.2))
            if rate and maps != filters[-1]:
                trunk.add(layers.Dropout(rate))
        trunk.add(layers.Flatten())
        trunk.add(layers.Dropout(dropout[-1]))
        images = keras.Input((28, 28, 1), name="images")
        features = trunk(images)
        outputs = [layers.Dense(units, name=name)(features) for units, name in ((num_classes, "class"), (1, "real"))]
        discriminators = [keras.Model(images, output) for output in outputs]
        return (*discriminators, build_generator()) if with_gan else discriminators[:1]

    return build


def trunk_candidates():
    """Yield trunks and learning rates, for both methods, with 1,000 labels: (row, labels per class, settings)."""
    for filters, kernel_size, dropout, learning_rate, batch_size in TRUNKS:
        for method in ("sgan", "supervised"):
            row = {
                "method": method,
                "filters": "-".join(map(str, filters)),
                "kernel_size": kernel_size,
                "dropout": "-".join(map(str, dropout)),
                "learning_rate": learning_rate,
                "batch_size": batch_size,
                "split_seed": 100,
                "iterations": 3000,
            }
            networks = networks_on(filters, kernel_size, dropout, with_gan=method == "sgan")
            yield row, 100, {"networks": networks, "learning_rate": learning_rate, "batch_size": batch_size}


def tuned_candidates():
    """Yield distortions, learning rates and averages of the tuned baseline, with 100 and 1,000 labels."""
    for *amounts, average_decay, learning_rate in TUNED:
        distortion = dict(zip(("rotation", "scale", "shear", "shift"), amounts, strict=True))
        for per_class, split_seed in TUNED_SPLITS:
            settings = {"average_decay": average_decay, "learning_rate": learning_rate}
            row = {"method": "supervised-tuned", **distortion, **settings, "labels": 10 * per_class}
            yield (
                {**row, "split_seed": split_seed, "iterations": 3000},
                per_class,
                {**settings, "distortion": distortion},
            )


def pseudo_label_candidates():
    """Yield balances of the pseudo-labels, learning rates and weights of the GAN, with 100 labels."""
    for method, limit, steps, learning_rate, gan_weight in PSEUDO_LABELS:
        settings = {"balance_limit": limit, "balance_steps": steps, "learning_rate": learning_rate}
        row = {"method": method, **settings, "gan_weight": gan_weight, "labels": 100}
        if method == "pseudo-labels+gan":
            settings["gan_weight"] = gan_weight
        for split_seed in (100, 101, 102):
            yield {**row, "split_seed": split_seed, "iterations": 5000}, 10, settings


def compare(path, candidates, mnist):
    """Train each candidate that is not recorded in the CSV at `path`, and add its validation accuracy there.

    Args:
        path: path of the CSV, made if needed.
        candidates: iterable of triples: the row, a dict with at least "method", "split_seed" and "iterations"; the
            labelled images of each class; and what `train` is given, a dict.
        mnist: a `Mnist` whose test images are the validation images.
    """
    for row, per_class, settings in candidates:
        rows = []
        if path.exists():
            with open(path, newline="") as file:
                rows = list(csv.DictReader(file))
        row = {name: str(value) for name, value in row.items()}
        if any(all(recorded[name] == value for name, value in row.items()) for recorded in rows):
            continue
        print(row, flush=True)
        seed = int(row["split_seed"])
        run = train(
            row["method"],
            split_labeled(mnist.train_images, mnist.train_labels, per_class, seed=seed),
            test_images=mnist.test_images,
            test_labels=mnist.test_labels,
            iterations=int(row["iterations"]),
            seed=seed,
            **settings,
        )
        write_csv(path, [*rows, {**row, "validation_accuracy": run.summary["test_accuracy"]}])


def main():
    """Run every candidate that is not recorded yet."""
    mnist = hold_out_validation(load_mnist("full"))
    compare(RESULTS / "validation.csv", trunk_candidates(), mnist)
    compare(RESULTS / "validation-tuned.csv", tuned_candidates(), mnist)
    compare(RESULTS / "validation-pseudo-labels.csv", pseudo_label_candidates(), mnist)


if __name__ == "__main__":
    main()
