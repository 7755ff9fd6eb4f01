"""One implementation in a process of its own: reads a line of JSON, works, answers with a line of JSON.

`compare_steps.py` starts it. A process each keeps the libraries' threads and memory apart.
"""

import contextlib
import importlib
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np


def load_start(path):
    """Read the data and the initial weights that every implementation starts from."""
    with np.load(path) as arrays:
        data = {name: arrays[name] for name in ("labeled_images", "labels", "unlabeled_images")}
        weights = {"convolutions": [], "dense": []}
        for kind, layers in weights.items():
            while f"{kind}_{len(layers)}_kernel" in arrays:
                number = len(layers)
                layers.append((arrays[f"{kind}_{number}_kernel"], arrays[f"{kind}_{number}_bias"]))
    return data, weights


def peak_memory():
    """Return the largest resident memory of this process so far, in bytes (Linux)."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def make_batches(data, batch_size, count):
    """Draw batches and noise from NumPy's generator: the same for every implementation."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        labeled_rows = rng.integers(len(data["labels"]), size=batch_size)
        unlabeled_rows = rng.integers(len(data["unlabeled_images"]), size=batch_size)
        yield (
            data["labeled_images"][labeled_rows],
            data["labels"][labeled_rows],
            data["unlabeled_images"][unlabeled_rows],
            rng.standard_normal((batch_size, 100), dtype=np.float32),
            rng.standard_normal((batch_size, 100), dtype=np.float32),
        )


def main():
    settings = json.loads(sys.argv[1])
    data, weights = load_start(settings["start"])
    answers = os.fdopen(os.dup(1), "w")  # what libraries print must not end up between the answers
    with contextlib.redirect_stdout(sys.stderr):
        module = importlib.import_module(f"implementations.{settings['module']}")
        implementation = module.Implementation(weights, data, settings)
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "losses":
                batches = make_batches(data, settings["batch_size"], request["count"])
                answer = implementation.losses(batches).tolist()
            else:
                started = time.perf_counter()
                losses = implementation.run(request["iterations"])  # ends with numbers, so all work is done
                answer = {
                    "seconds": time.perf_counter() - started,
                    "finite": bool(np.isfinite(losses).all()),
                    "peak_memory": peak_memory(),
                }
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
