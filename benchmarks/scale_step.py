"""Time an iteration of the package as the batch, the trunk, the labels or the threads grow, and of each method.

All settings of a question take turns in an order that is shuffled every round. Every time goes into `scale.csv`, the
medians into `scale.md` and `scale.svg`.
"""

import argparse
import datetime
import os
import pathlib
import random
import statistics
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import matplotlib.pyplot as plt
from common import count_of, save_picture, write_rows
from compare_steps import HERE, THREADS, Worker, write_start

from sgan_helpers import plotting
from sgan_helpers.methods import METHODS
from sgan_helpers.run_folder import hardware

USUAL = {"method": "sgan", "batch_size": 100, "width": 1, "labels_per_class": 100, "threads": THREADS}
GRID = {
    "batch_size": (25, 50, 100, 200, 400),
    "width": (1, 2, 4),
    "labels_per_class": (2, 10, 100, 1000),
    "threads": tuple(range(1, THREADS + 1)),
    "method": tuple(METHODS),
}
QUESTIONS = {
    "batch_size": "images in a batch",
    "width": "times the maps of the trunk",
    "labels_per_class": "labels of each class",
    "threads": "threads",
    "method": "method",
}


def time_question(name, start, rounds, iterations):
    """Let all settings of one question take turns. Return one dict for each timed turn."""
    workers = [(value, Worker(name, start, module="scaled", **{**USUAL, name: value})) for value in GRID[name]]
    for _, worker in workers:
        worker.ask(do="run", iterations=iterations)  # compile, and warm the caches
    rows, order = [], random.Random(0)
    for number in range(rounds):
        order.shuffle(workers)
        for value, worker in workers:
            answer = worker.ask(do="run", iterations=iterations)
            rows.append(
                {
                    "varied": name,
                    "value": value,
                    "round": number,
                    "iterations": iterations,
                    "milliseconds": round(1000 * answer["seconds"] / iterations, 3),
                    "peak_memory_mb": round(answer["peak_memory"] / 1e6),
                    "hardware": hardware(),
                    "date": datetime.date.today().isoformat(),
                }
            )
    for _, worker in workers:
        worker.close()
    print(f"done: {name}", flush=True)
    return rows


def times_of(rows):
    """Return a dict from (what was varied, value as text) to the list of its milliseconds, in the order of the rows."""
    times = {}
    for row in rows:
        times.setdefault((row["varied"], str(row["value"])), []).append(float(row["milliseconds"]))
    return times


def as_table(rows):
    """Write as Markdown the medians, their range, and the ratio to the usual setting in the same round."""
    times = times_of(rows)
    lines = [
        f"{rows[0]['hardware']}; rounds of {rows[0]['iterations']} iterations on {rows[0]['date']}. What is not varied "
        f"is the book's: the SGAN, batch {USUAL['batch_size']}, {10 * USUAL['labels_per_class']:,} labels, "
        f"{USUAL['threads']} threads. Ratios are to that, within a round.",
        "",
        "| varied | value | ms an iteration (lowest to highest) | ratio | peak memory |",
        "|---|---|---|---|---|",
    ]
    for name, values in GRID.items():
        usual = times[name, str(USUAL[name])]
        for value in (value for value in values if (name, str(value)) in times):
            found = times[name, str(value)]
            ratio = statistics.median(one / other for one, other in zip(found, usual, strict=True))
            of_setting = [row for row in rows if (row["varied"], str(row["value"])) == (name, str(value))]
            memory = max(int(row["peak_memory_mb"]) for row in of_setting)
            spread = f"{statistics.median(found):.1f} ({min(found):.1f} to {max(found):.1f})"
            lines.append(f"| {QUESTIONS[name]} | {value} | {spread} | {ratio:.2f} | {memory:,} MB |")
    return "\n".join(lines) + "\n"


def draw(rows):
    """Draw the time of an iteration against each number that was varied: a dot a round, a line through the medians."""
    times = times_of(rows)
    numbers = [name for name in GRID if name != "method"]
    with plt.style.context(plotting.STYLE):
        figure, axes = plt.subplots(1, len(numbers), figsize=(10, 2.8))
        for axis, name in zip(axes, numbers, strict=True):
            found = [times[name, str(value)] for value in GRID[name]]
            axis.plot(GRID[name], [statistics.median(one) for one in found], "o-")
            for value, one in zip(GRID[name], found, strict=True):
                axis.plot([value] * len(one), one, ".", color="0.6", markersize=3)
            axis.set(xlabel=QUESTIONS[name], ylim=(0, None), xscale="log" if name == "labels_per_class" else "linear")
        axes[0].set_ylabel("ms an iteration")
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=count_of, default=5, help="turns of each setting (default 5)")
    parser.add_argument("--iterations", type=count_of, default=50, help="iterations in a turn (default 50)")
    parser.add_argument("--output", type=pathlib.Path, default=HERE, help="folder of scale.csv, scale.md, scale.svg")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = pathlib.Path(folder) / "start.npz"
        write_start(start)
        rows = [row for name in GRID for row in time_question(name, start, arguments.rounds, arguments.iterations)]
    write_rows(arguments.output / "scale.csv", rows)
    (arguments.output / "scale.md").write_text(as_table(rows))
    save_picture(draw(rows), arguments.output / "scale.svg")


if __name__ == "__main__":
    main()
