"""Compare candidate settings on validation images and record each in results/validation*.csv.

The validation images are the last 10,000 training images; the test set is not touched. The split seeds are 100 and
above, which no reported run uses. First the trunk and the learning rate, for the SGAN and the matched baseline (into
validation.csv); then the distortions of the tuned baseline on that trunk (into validation-tuned.csv); then the balance
of the pseudo-labels and the weight of the GAN, with 100 labels (into validation-pseudo-labels.csv). These three were
made with up to three splits. The later choices have six splits each, and one table (validation-choices.csv).

Candidates that are recorded already are skipped, so the comparison can be stopped and resumed. The later ones are
trained one a core at a time, in processes with one thread. Whatever a candidate is, it is handed to `train`: nothing is
left behind for the next one.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import concurrent.futures
import csv
import functools
import multiprocessing
import pathlib

import keras
from keras import layers

from sgan_helpers.checkpoints import write_csv
from sgan_helpers.data import split_labeled
from sgan_helpers.distortions import DISTORTION, NOISY_DISTORTION
from sgan_helpers.experiment import ONE_THREAD
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
STRONG = {"rotation": 20.0, "scale": 0.2, "shear": 0.3, "shift": 3.0, "noise": 0.0}
CHOICES = [
    # method, labels per class, iterations, settings that differ from the defaults
    *(
        ("label-spreading", 10, 1000, settings)
        for settings in (
            {},
            {"neighbors": 5},
            {"neighbors": 20},
            {"components": 30},
            {"components": 100},
            {"alpha": 0.9},
            {"alpha": 0.999},
            {"sharpness": 1.0},
        )
    ),
    *(
        ("supervised-tuned", per_class, 3000, {"distortion": distortion})
        for per_class in (10, 100)
        for distortion in (
            DISTORTION,
            {**DISTORTION, "noise": 0.3},
            NOISY_DISTORTION,
            STRONG,
            {**STRONG, "noise": 0.3},
        )
    ),
    *(
        ("sgan-tuned", 10, 4000, {"learning_rate": learning_rate, "distortion": distortion})
        for learning_rate in (5e-4, 1e-3)
        for distortion in (DISTORTION, NOISY_DISTORTION)
    ),
    *(
        ("pseudo-labels", 10, 10000, {"distortion": distortion})
        for distortion in (
            DISTORTION,
            {**DISTORTION, "noise": 0.1},
            {**DISTORTION, "noise": 0.3},
            {**DISTORTION, "noise": 0.5},
            NOISY_DISTORTION,
        )
    ),
    ("improved-gan", 10, 10000, {"epsilon": 1e-14}),  # no choice: what becomes of it with as little as in Keras
    ("improved-gan", 10, 10000, {}),
    ("noisy-student", 10, 30000, {"last_confidence": 0.95}),
    ("noisy-student", 10, 30000, {}),
]
CHOICE_SPLITS = range(100, 106)
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
                {**settings, "distortion": {**distortion, "noise": 0.0}},
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


def choice_candidates():
    """Yield the later choices, six splits each."""
    for method, per_class, iterations, settings in CHOICES:
        row = {"method": method, "settings": in_words(settings), "labels": 10 * per_class}
        for split_seed in CHOICE_SPLITS:
            yield {**row, "split_seed": split_seed, "iterations": iterations}, per_class, settings


def in_words(settings):
    """Return settings as text, "alpha 0.9", those inside a dict one by one; "as it is" where there are none."""
    flat = {}
    for name, value in settings.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return "; ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in flat.items()) or "as it is"


def read_csv(path):
    """Return the rows of a CSV, dicts of strings; none if there is no such file."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def validate(row, per_class, settings, mnist=None, change=None):
    """Train a candidate and return its accuracy on validation images.

    `mnist` is the database with these as its test images, and `change` a function from the split to another one.
    """
    mnist = mnist or _held_out()
    split = split_labeled(mnist.train_images, mnist.train_labels, per_class, seed=int(row["split_seed"]))
    run = train(
        row["method"],
        change(split) if change else split,
        test_images=mnist.test_images,
        test_labels=mnist.test_labels,
        iterations=int(row["iterations"]),
        seed=int(row["split_seed"]),
        **settings,
    )
    return run.summary["test_accuracy"]


@functools.cache
def _held_out():
    return hold_out_validation(load_mnist("full"))


def missing(path, candidates):
    """Return the candidates that are not recorded in the CSV at `path`, their rows as strings."""
    candidates = [({name: str(value) for name, value in row.items()}, *rest) for row, *rest in candidates]
    recorded = read_csv(path)
    return [candidate for candidate in candidates if not any(candidate[0].items() <= row.items() for row in recorded)]


def compare(path, candidates, mnist):
    """Train each candidate that is not recorded in the CSV at `path`, and add its validation accuracy there.

    Args:
        path: path of the CSV, made if needed.
        candidates: iterable of triples: the row, a dict with at least "method", "split_seed" and "iterations"; the
            labelled images of each class; and what `train` is given, a dict.
        mnist: a `Mnist` whose test images are the validation images.
    """
    for row, per_class, settings in missing(path, candidates):
        accuracy = validate(row, per_class, settings, mnist)
        write_csv(path, [*read_csv(path), {**row, "validation_accuracy": accuracy}])


def compare_side_by_side(path, candidates, measure=validate, column="validation_accuracy"):
    """Do the same, one candidate a core at a time; `measure` is given the triple, and what it returns is recorded."""
    os.environ.update(ONE_THREAD)  # for the processes that start now
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(mp_context=context, max_tasks_per_child=1) as pool:  # frees its memory
        running = {pool.submit(measure, *candidate): candidate[0] for candidate in missing(path, candidates)}
        try:
            for number, future in enumerate(concurrent.futures.as_completed(running), start=1):
                row = {**running[future], column: future.result()}
                write_csv(path, [*read_csv(path), row])
                print(f"{number} of {len(running)}: {row}", flush=True)
        except BaseException:  # Ctrl-C, or a candidate that fails: do not go through the others first
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def main():
    """Run every candidate that is not recorded yet."""
    mnist = hold_out_validation(load_mnist("full"))
    compare(RESULTS / "validation.csv", trunk_candidates(), mnist)
    compare(RESULTS / "validation-tuned.csv", tuned_candidates(), mnist)
    compare(RESULTS / "validation-pseudo-labels.csv", pseudo_label_candidates(), mnist)
    compare_side_by_side(RESULTS / "validation-choices.csv", choice_candidates())


if __name__ == "__main__":
    main()
