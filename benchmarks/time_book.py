"""Time what a reader, a runner and a contributor wait for: `time_book.py [WHAT …]` → `book.csv`.

Each notebook is executed in FAST mode, in a copy; `NAME, full` is its full run. Each is one run, so the figures are
rough. Without names, everything is timed but the full runs; with names, the other rows of the table stay.
"""

import argparse
import csv
import datetime
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from common import write_rows

from sgan_helpers.run_folder import hardware

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
NOTEBOOKS = {
    str(path.relative_to(ROOT / "notebooks").with_suffix("")): path
    for folder in ("", "solutions/")
    for path in sorted((ROOT / "notebooks").glob(f"{folder}*.ipynb"))
}
FULL = {f"{name}, full": path for name, path in NOTEBOOKS.items()}
TARGETS = {f"make {target}": target for target in ("book", "test")}


def timed(command, **environment):
    """Run a command from the root of the project and return its seconds."""
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - started, 1)


def measure(what):
    """Time a notebook in FAST mode or in full, or a target of make, and return the seconds."""
    if what in TARGETS:
        return timed(["make", TARGETS[what]])
    path = {**NOTEBOOKS, **FULL}[what]
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        jupyter = pathlib.Path(sys.executable).with_name("jupyter")
        return timed([jupyter, "execute", "--inplace", copy], SGAN_FAST="0" if what in FULL else "1")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="for instance 04_training, '04_training, full' or 'make book'")
    parser.add_argument("--output", type=pathlib.Path, default=HERE, help="folder of book.csv")
    arguments = parser.parse_args()
    known = [*NOTEBOOKS, *FULL, *TARGETS]
    unknown = [what for what in arguments.what if what not in known]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}. There are: {'; '.join(known)}.")
    path = arguments.output / "book.csv"
    rows = {}
    if path.exists():
        with open(path, newline="") as file:
            rows = {row["what"]: row for row in csv.DictReader(file)}
    for what in arguments.what or [*NOTEBOOKS, *TARGETS]:
        found = {"seconds": measure(what), "hardware": hardware(), "date": datetime.date.today().isoformat()}
        rows[what] = {"what": what, **found}
        print(f"{what}: {found['seconds']} s", flush=True)
        write_rows(path, [rows[name] for name in known if name in rows])


if __name__ == "__main__":
    main()
