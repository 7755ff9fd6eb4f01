"""Time each chapter in FAST mode, the tests and the build of the book: what a contributor waits for.

Each is one run, so the figures are rough. They go into `book.csv`.
"""

import argparse
import datetime
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from common import write_rows

from sgan_helpers.training import hardware

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent


def timed(command, **environment):
    """Run a command from the root of the project and return its seconds."""
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - started, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=HERE, help="folder of book.csv")
    arguments = parser.parse_args()
    jupyter = pathlib.Path(sys.executable).with_name("jupyter")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for chapter in sorted((ROOT / "notebooks").glob("0*.ipynb")):
            copy = pathlib.Path(folder) / chapter.name
            copy.write_bytes(chapter.read_bytes())
            found[chapter.stem] = timed([jupyter, "execute", "--inplace", copy], SGAN_FAST="1")
            print(f"{chapter.stem}: {found[chapter.stem]} s", flush=True)
    for target in ("book", "test"):
        found[f"make {target}"] = timed(["make", target])
        print(f"make {target}: {found[f'make {target}']} s", flush=True)
    rows = [
        {"what": what, "seconds": seconds, "hardware": hardware(), "date": datetime.date.today().isoformat()}
        for what, seconds in found.items()
    ]
    write_rows(arguments.output / "book.csv", rows)


if __name__ == "__main__":
    main()
