"""Take the strongest method apart: which ingredient earns its result? And where would a GAN be needed?

The rule, written down before the first run:

- **Rows.** One network, the feature discriminator with averaged weights, trained in the ways of `ROWS`.
- **Equal time.** Each row has as many iterations as one thread does in the time of 10,000 iterations of the row
  "pseudo-labels, distortions", by the medians of rounds in which the rows take turns on a machine that does nothing
  else (`ablation.py --time` -> results/ablation-times.csv).
- **Equal effort.** Each row chooses its learning rate of two, on six validation splits with 100 labels, at a fifth of
  its length (results/ablation-tuning.csv). All else is as the methods have it.
- **Runs.** The splits 0 to 4 at 20 and at 100 labels (results/ablation.csv), test accuracy of the last iteration.
- **Questions.** The pairs of `QUESTIONS` at both numbers of labels, one family. "Helps" is said where Holm's adjusted
  interval of the family (`holm_intervals`, 95 %) lies above zero, "harms" where it lies below, and "not decided" else.
- **The guard.** Seen on validation splits: with a GAN, pseudo-labels lose fewer styles of digits. The hypothesis is
  one question of its own, with the plain interval: "pseudo-labels, distortions, GAN" minus "pseudo-labels, distortions"
  at 100 labels, equal time, on five splits that nothing else has used, 5 to 9.
- **Where knowledge of the data fails.** Pseudo-labels are balanced because digits come in equal numbers. In the stress
  test, nine of ten unlabelled 5s to 9s are taken away, and nobody tells the method (the rows of `STRESSED`, splits 0
  to 4, 100 labels, the lengths and learning rates as before). The question is what each loses.
- **Added when all this had been seen.** What the row without balance has where the classes are balanced.

What is recorded already is not repeated, so this can be stopped and started again.
"""

import argparse
import csv
import functools
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from choose_settings import CHOICE_SPLITS, RESULTS, compare_side_by_side, read_csv, validate

from sgan_helpers.experiment import ONE_THREAD

NOTHING = {"rotation": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0, "noise": 0.0}
ROWS = {  # name: method, settings
    "labels alone": ("distortions", {"distortion": NOTHING}),
    "distortions": ("distortions", {}),
    "pseudo-labels alone": ("pseudo-labels", {"distortion": NOTHING}),
    "pseudo-labels, noise": ("pseudo-labels", {"distortion": {**NOTHING, "noise": 0.5}}),
    "pseudo-labels, distortions": ("pseudo-labels", {}),
    "pseudo-labels, distortions, GAN": ("pseudo-labels+gan", {}),
    "distortions, GAN that fools": ("real-or-fake", {}),
    "distortions, GAN that matches": ("feature-matching", {}),
}
YARDSTICK = "pseudo-labels, distortions"
WITHOUT_BALANCE = "pseudo-labels without balance"
STRESSED = {  # name: the row whose learning rate and length it has, further settings
    "distortions": ("distortions", {}),
    YARDSTICK: (YARDSTICK, {}),
    WITHOUT_BALANCE: (YARDSTICK, {"balance_limit": 0.0}),
    "distortions, GAN that fools": ("distortions, GAN that fools", {}),
}
QUESTIONS = [
    ("distortions", "labels alone"),
    ("pseudo-labels alone", "labels alone"),
    ("pseudo-labels, distortions", "distortions"),
    ("pseudo-labels, distortions", "pseudo-labels alone"),
    ("pseudo-labels, noise", "pseudo-labels alone"),
    ("distortions, GAN that fools", "distortions"),
    ("distortions, GAN that matches", "distortions"),
    ("pseudo-labels, distortions, GAN", "pseudo-labels, distortions"),
]
LEARNING_RATES = (1e-3, 2e-3)
YARDSTICK_ITERATIONS = 10000
TURN = 100  # iterations of a turn, when the rows are timed


def time_rows(path=RESULTS / "ablation-times.csv", rounds=5):
    """Let all rows take turns with one thread, and write the milliseconds of every turn."""
    os.environ.update(ONE_THREAD)  # before TensorFlow is imported
    import keras
    import numpy as np

    from sgan_helpers.data import batch_stream, split_labeled
    from sgan_helpers.methods.build import build_model
    from sgan_helpers.mnist import load_mnist
    from sgan_helpers.run_folder import hardware
    from sgan_helpers.training import STEPS_PER_EXECUTION

    mnist = load_mnist("full")
    split = split_labeled(mnist.train_images, mnist.train_labels, 10, seed=0)
    models = {}
    for name, (method, settings) in ROWS.items():
        keras.utils.set_random_seed(0)
        models[name] = build_model(method, seed=0, **settings)
        models[name].compile(optimizer=None, steps_per_execution=STEPS_PER_EXECUTION, jit_compile=False)
    turns, order = [], np.random.default_rng(0)
    for number in range(-1, rounds):  # the first round compiles, and is not written
        for name in order.permutation(list(models)):
            stream = batch_stream(split, seed=0, start=0, stop=TURN)
            started = time.perf_counter()
            models[name].fit(stream, verbose=0, shuffle=False)
            milliseconds = round(1000 * (time.perf_counter() - started) / TURN, 3)
            if number >= 0:
                turns.append({"row": name, "round": number, "milliseconds": milliseconds, "hardware": hardware()})
        print(f"round {number + 1} of {rounds}", flush=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, turns[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(turns)


def iterations_of(turns):
    """Return how many iterations each row gets, a dict, in hundreds, from the rows of ablation-times.csv."""
    times = {}
    for turn in turns:
        times.setdefault(turn["row"], []).append(float(turn["milliseconds"]))
    medians = {name: statistics.median(found) for name, found in times.items()}
    return {name: round(YARDSTICK_ITERATIONS * medians[YARDSTICK] / each, -2) for name, each in medians.items()}


def tuning_candidates(iterations):
    """Yield the candidates of each row's learning rate: (what is recorded, labels per class, settings)."""
    for name, (method, settings) in ROWS.items():
        for learning_rate in LEARNING_RATES:
            for seed in CHOICE_SPLITS:
                row = {"row": name, "method": method, "learning_rate": learning_rate, "split_seed": seed}
                row["iterations"] = int(iterations[name] / 5)
                yield row, 10, {**settings, "learning_rate": learning_rate}


def chosen_rates(rows):
    """Return the learning rate of each row with the best mean validation accuracy, from ablation-tuning.csv."""
    accuracies = {}
    for row in rows:
        accuracies.setdefault((row["row"], float(row["learning_rate"])), []).append(float(row["validation_accuracy"]))
    return {
        name: max(LEARNING_RATES, key=lambda rate, name=name: statistics.mean(accuracies[name, rate])) for name in ROWS
    }


def final_candidates(iterations, rates):
    """Yield the runs behind the chapter's table, its guard, its stress test, and what was added to that."""
    grid = [(name, name, {}, labels, seed, "all") for seed in range(5) for labels in (20, 100) for name in ROWS]
    guard = [(name, name, {}, 100, seed, "all") for seed in range(5, 10) for name in (YARDSTICK, f"{YARDSTICK}, GAN")]
    stress = [(name, *like, 100, seed, "unbalanced") for seed in range(5) for name, like in STRESSED.items()]
    added = [(WITHOUT_BALANCE, *STRESSED[WITHOUT_BALANCE], 100, seed, "all") for seed in range(5)]
    for name, like, more, labels, seed, unlabeled in (*grid, *guard, *stress, *added):
        method, settings = ROWS[like]
        row = {"row": name, "method": method, "labels": labels, "split_seed": seed, "unlabeled": unlabeled}
        row |= {"iterations": int(iterations[like]), "learning_rate": rates[like]}
        yield row, labels // 10, {**settings, **more, "learning_rate": rates[like]}


def unbalance(split, labels):
    """Return the split without nine of ten of its unlabelled images of the classes 5 to 9: the first of ten stay.

    Args:
        split: a `LabeledSplit`.
        labels: int array, the classes of all training images.
    """
    from dataclasses import replace

    import numpy as np

    classes = labels[split.unlabeled_indices]
    order = np.zeros(len(classes), int)  # the number of an image within its class
    for each in np.unique(classes):
        order[classes == each] = np.arange((classes == each).sum())
    kept = (classes < 5) | (order % 10 == 0)
    return replace(
        split, unlabeled_images=split.unlabeled_images[kept], unlabeled_indices=split.unlabeled_indices[kept]
    )


@functools.cache
def _whole():
    from sgan_helpers.mnist import load_mnist

    return load_mnist("full")


def final_accuracy(row, per_class, settings):
    """Train a row and return its test accuracy."""
    labels = _whole().train_labels
    change = (lambda split: unbalance(split, labels)) if row["unlabeled"] == "unbalanced" else None
    return validate(row, per_class, settings, _whole(), change)


def main():
    """Time the rows, or tune and run what is not recorded yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--time", action="store_true", help="time an iteration of each row on a quiet machine")
    if parser.parse_args().time:
        return time_rows()
    iterations = iterations_of(read_csv(RESULTS / "ablation-times.csv"))
    tuning = RESULTS / "ablation-tuning.csv"
    compare_side_by_side(tuning, tuning_candidates(iterations))
    rates = chosen_rates(read_csv(tuning))
    candidates = final_candidates(iterations, rates)
    compare_side_by_side(RESULTS / "ablation.csv", candidates, final_accuracy, "test_accuracy")


if __name__ == "__main__":
    main()
