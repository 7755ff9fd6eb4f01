"""Time a grid of runs in two ways: one after another with all threads, and by `sweep`, one a core with one thread.

Both do the same runs in new processes, start-up and tests included, and take turns. Every time goes into `sweep.csv`,
the ratios into `sweep.md`.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from common import count_of, write_rows
from compare_steps import HERE, THREADS

from sgan_helpers.run_folder import hardware

METHODS = ("sgan", "pseudo-labels")
SEEDS = (0, 1)


def one_after_another(iterations, folder):
    """Train each run of the grid with all threads, and wait for it before the next."""
    for method in METHODS:
        for seed in SEEDS:
            run(f"train --method {method} --labels-per-class 10 --seed {seed}", iterations, folder / f"{method}-{seed}")


def side_by_side(iterations, folder):
    """Train the grid by `sweep`, one run a core at a time."""
    seeds, methods = " ".join(map(str, SEEDS)), " ".join(METHODS)
    run(
        f"sweep --methods {methods} --labels-per-class 10 --seeds {seeds} --runs {folder}/runs",
        iterations,
        folder / "sweep.csv",
    )


def run(arguments, iterations, output):
    """Run a command of the package."""
    command = [sys.executable, "-m", "sgan_helpers", *arguments.split(), "--iterations", str(iterations)]
    subprocess.run(
        [*command, "--output", str(output)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


WAYS = {"one after another, all threads": one_after_another, "side by side, one thread each": side_by_side}


def as_text(rows):
    """Write as Markdown what was measured, and the ratio."""
    seconds = {way: [float(row["seconds"]) for row in rows if row["way"] == way] for way in WAYS}
    first, second = seconds.values()
    ratios = [two / one for one, two in zip(first, second, strict=True)]
    runs = len(METHODS) * len(SEEDS)
    lines = [
        f"{rows[0]['hardware']}; {runs} runs of {rows[0]['iterations']} iterations each ({' and '.join(METHODS)}, two "
        f"seeds), from the start of the first process to the end of the last, in {len(ratios)} rounds of turns.",
        "",
        "| way | seconds (lowest to highest) | ratio |",
        "|---|---|---|",
    ]
    for way, found in seconds.items():
        ratio = "1" if way == next(iter(WAYS)) else f"{statistics.median(ratios):.2f}"
        lines.append(f"| {way} | {statistics.median(found):.0f} ({min(found):.0f} to {max(found):.0f}) | {ratio} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=count_of, default=3, help="turns of each way (default 3)")
    parser.add_argument("--iterations", type=count_of, default=500, help="iterations of each run (default 500)")
    parser.add_argument("--output", type=pathlib.Path, default=HERE, help="folder of sweep.csv and sweep.md")
    arguments = parser.parse_args()
    rows = []
    for number in range(arguments.rounds):
        for way, train in list(WAYS.items())[:: 1 if number % 2 else -1]:
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                train(arguments.iterations, pathlib.Path(folder))
                seconds = round(time.perf_counter() - started, 1)
            rows.append({"way": way, "round": number, "iterations": arguments.iterations, "seconds": seconds})
            rows[-1] |= {"threads": THREADS, "hardware": hardware()}
            print(f"round {number + 1} of {arguments.rounds}: {way}: {seconds} s", flush=True)
    write_rows(arguments.output / "sweep.csv", rows)
    (arguments.output / "sweep.md").write_text(as_text(rows))


if __name__ == "__main__":
    main()
