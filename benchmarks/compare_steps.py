"""Time one iteration of the book's SGAN in several implementations, side by side: `make bench`.

Each implementation runs in a process of its own. First all compute the losses of the same iterations from the same
weights, batches and noise, without dropout; they must agree within 1e-4. Then, with dropout, they take turns in
an order that is shuffled every round. Every time of every round goes into `steps.csv`; the medians go into `steps.md`,
the ratios into `steps.svg`.
"""

import argparse
import datetime
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import matplotlib.pyplot as plt
import numpy as np
from common import count_of, save_picture, write_rows
from implementations import matrix_product
from operations import count_iteration, weighted_layers

from sgan_helpers import load_mnist, plotting, split_labeled
from sgan_helpers.methods import METHODS
from sgan_helpers.methods.build import build_model
from sgan_helpers.run_folder import hardware

THREADS = len(os.sched_getaffinity(0))
HERE = pathlib.Path(__file__).parent
IMPLEMENTATIONS = {
    "sgan_helpers": {"module": "ours"},
    "Keras, train_on_batch": {"module": "train_on_batch"},
    "JAX, jit": {"module": "jax_jit"},
    "PyTorch, eager": {"module": "pytorch", "compiled": False},
    "PyTorch, torch.compile": {"module": "pytorch", "compiled": True},
}
PEAK = "matrix product"
TOLERANCE = 1e-4
# Keras adds Adam's epsilon to another quantity than PyTorch and Optax do. The losses are compared where it vanishes.
EPSILON, CHECKED_EPSILON = 1e-7, 1e-12
CHECKED_ITERATIONS = 3


class Worker:
    """A process that runs one implementation and answers one request at a time."""

    def __init__(self, name, start, *, dropout=0.5, epsilon=EPSILON, batch_size, threads, **others):
        settings = {
            **IMPLEMENTATIONS.get(name, {"module": "matrix_product"}),
            **others,
            "start": str(start),
            "dropout": dropout,
            "epsilon": epsilon,
            "batch_size": batch_size,
            "threads": threads,
            "learning_rate": METHODS["sgan"].defaults["learning_rate"],
            "beta_1": METHODS["sgan"].defaults["beta_1"],
        }
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, HERE / "worker.py", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if "-v" not in sys.argv else None,
            text=True,
            env=environment,
        )

    def ask(self, **request):
        """Send a request and wait for its answer."""
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"The worker of {self.name!r} ended without an answer. Run with -v to see why.")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def write_start(path):
    """Write the data and the initial weights that all implementations start from. Return the networks."""
    mnist = load_mnist()
    split = split_labeled(mnist.train_images, mnist.train_labels, 100, seed=0)
    keras.utils.set_random_seed(0)
    model = build_model("sgan", seed=0)
    networks = (model.class_discriminator, model.binary_discriminator, model.generator)
    arrays, counts = {}, {"convolutions": 0, "dense": 0}
    for layer in weighted_layers(*networks):
        kind = "convolutions" if isinstance(layer, keras.layers.Conv2D) else "dense"
        arrays[f"{kind}_{counts[kind]}_kernel"], arrays[f"{kind}_{counts[kind]}_bias"] = layer.get_weights()
        counts[kind] += 1
    np.savez(
        path,
        labeled_images=split.labeled_images,
        labels=split.labeled_labels,
        unlabeled_images=split.unlabeled_images,
        **arrays,
    )
    return networks


def check_losses(start, settings):
    """Raise unless all implementations compute the same losses."""
    found = {}
    for name in IMPLEMENTATIONS:
        worker = Worker(name, start, dropout=0.0, epsilon=CHECKED_EPSILON, **settings)
        found[name] = np.array(worker.ask(do="losses", count=CHECKED_ITERATIONS))
        worker.close()
    reference = found["sgan_helpers"]
    for name, losses in found.items():
        difference = np.abs(losses - reference).max()
        print(f"losses of {name:24s} differ from ours by at most {difference:.1e}", flush=True)
        if not difference < TOLERANCE:
            raise SystemExit(f"{name}: the losses differ.\nours\n{reference}\ntheirs\n{losses}")


def time_rounds(start, settings, rounds, iterations):
    """Let the implementations take turns. Return one dict for each timed turn."""
    workers = [Worker(name, start, **settings) for name in (*IMPLEMENTATIONS, PEAK)]
    for worker in workers:
        worker.ask(do="run", iterations=iterations)  # compile, and warm the caches
    rows, order = [], random.Random(0)
    for number in range(rounds):
        order.shuffle(workers)
        for worker in workers:
            count = iterations if worker.name != PEAK else 20
            answer = worker.ask(do="run", iterations=count)
            if not answer["finite"]:
                raise SystemExit(f"{worker.name}: a loss is not finite.")
            rows.append(
                {
                    "round": number,
                    "implementation": worker.name,
                    "iterations": count,
                    "milliseconds": round(1000 * answer["seconds"] / count, 3),
                    "peak_memory_mb": round(answer["peak_memory"] / 1e6),
                    **settings,
                    "hardware": hardware(),
                    "date": datetime.date.today().isoformat(),
                }
            )
        print(f"round {number + 1} of {rounds}", flush=True)
    for worker in workers:
        worker.close()
    return rows


def as_table(rows, operations):
    """Write the medians, the ratios round by round, and how much of the machine's peak each reaches, as Markdown.

    Args:
        rows: list of dicts, the rows of `steps.csv`.
        operations: int, floating-point operations of one iteration.
    """
    times = {name: [] for name in (*IMPLEMENTATIONS, PEAK)}
    for row in rows:
        times[row["implementation"]].append(float(row["milliseconds"]))
    iterations = next(row["iterations"] for row in rows if row["implementation"] != PEAK)
    peak = matrix_product.Implementation.operations / statistics.median(times[PEAK]) / 1e6  # billions a second
    lines = [
        f"{rows[0]['hardware']}; batch {rows[0]['batch_size']}, {rows[0]['threads']} threads; "
        f"{len(times[PEAK])} rounds of {iterations} iterations on {rows[0]['date']}. "
        f"One iteration is {operations / 1e9:.2f} billion operations; "
        f"a large matrix product runs at {peak:.0f} billion a second.",
        "",
        "| implementation | ms an iteration | ratio to ours (lowest to highest) | of the peak | peak memory |",
        "|---|---|---|---|---|",
    ]
    for name in IMPLEMENTATIONS:
        ratios = [theirs / ours for theirs, ours in zip(times[name], times["sgan_helpers"], strict=True)]
        memory = max(int(row["peak_memory_mb"]) for row in rows if row["implementation"] == name)
        share = operations / statistics.median(times[name]) / 1e6 / peak
        lines.append(
            f"| {name} | {statistics.median(times[name]):.1f} | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) | {share:.0%} | {memory:,} MB |"
        )
    return "\n".join(lines) + "\n"


def draw(rows):
    """Draw for each implementation the ratio of its time to ours: a dot a round, a bar at the median."""
    times = {
        name: [float(row["milliseconds"]) for row in rows if row["implementation"] == name] for name in IMPLEMENTATIONS
    }
    with plt.style.context(plotting.STYLE):
        figure, axis = plt.subplots(figsize=(6.4, 2.6))
        for place, name in enumerate(IMPLEMENTATIONS):
            ratios = [theirs / ours for theirs, ours in zip(times[name], times["sgan_helpers"], strict=True)]
            axis.barh(
                place,
                statistics.median(ratios),
                height=0.6,
                color=plotting.COLORS["supervised-tuned" if place else "sgan"],
            )
            axis.plot(ratios, [place] * len(ratios), ".", color="0.3", markersize=4)
        axis.set(
            xlabel="time of an iteration, ours = 1", yticks=range(len(times)), yticklabels=list(times), xlim=(0, None)
        )
        axis.invert_yaxis()
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=count_of, default=9, help="turns of each implementation (default 9)")
    parser.add_argument("--iterations", type=count_of, default=100, help="iterations in a turn (default 100)")
    parser.add_argument("--batch-size", type=count_of, default=100)
    parser.add_argument("--threads", type=count_of, default=THREADS)
    parser.add_argument("--output", type=pathlib.Path, default=HERE, help="folder of steps.csv, steps.md, steps.svg")
    parser.add_argument("-v", action="store_true", help="show what the workers print")
    arguments = parser.parse_args()
    settings = {"batch_size": arguments.batch_size, "threads": arguments.threads}
    with tempfile.TemporaryDirectory() as folder:
        start = pathlib.Path(folder) / "start.npz"
        networks = write_start(start)
        operations = sum(count_iteration(*networks, arguments.batch_size).values())
        check_losses(start, settings)
        rows = time_rounds(start, settings, arguments.rounds, arguments.iterations)
    write_rows(arguments.output / "steps.csv", rows)
    table = as_table(rows, operations)
    (arguments.output / "steps.md").write_text(table)
    save_picture(draw(rows), arguments.output / "steps.svg")
    print(table)


if __name__ == "__main__":
    main()
