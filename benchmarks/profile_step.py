"""Find out where the time of the SGAN's iteration goes: by operation, and in waiting for the input pipeline.

TensorFlow's profiler counts the time inside operations, on all threads together. The wait at the end of each call of
`fit` is seen from outside, with the tuner of `tf.data` on, as it was before a repair, and off, as it is now. The times
go into `profile.csv` and `profile.md`.
"""

import argparse
import datetime
import os
import pathlib
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from common import count_of, write_rows
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from sgan_helpers import batch_stream, build_model, load_mnist, split_labeled
from sgan_helpers.run_folder import hardware
from sgan_helpers.training import STEPS_PER_EXECUTION

HERE = pathlib.Path(__file__).parent
KINDS = {  # how an operation's name begins -> what it is for; oneDNN's names begin with one of PREFIXES
    "Conv2DBackprop": "gradients of convolutions",
    "Conv2D": "convolutions",
    "FusedConv2D": "convolutions",
    "MatMul": "matrix products and their gradients",
    "FusedMatMul": "matrix products and their gradients",
    "StatelessRandom": "random numbers: dropout, noise, batches",
}
PREFIXES = ("_MklNative", "_Mkl", "_")
CONTAINERS = ("Process", "Run", "Map", "DoCompute")  # these hold other operations


def kind_of(operation):
    """Say what an operation is for."""
    for prefix in PREFIXES:
        operation = operation.removeprefix(prefix)
    return next(
        (kind for start, kind in KINDS.items() if operation.startswith(start)), "everything else, Adam included"
    )


def operation_times(folder):
    """Read a profile: a dict from the type of an operation to the seconds inside it, on all threads together."""
    space = xplane_pb2.XSpace()
    space.ParseFromString(next(pathlib.Path(folder).rglob("*.xplane.pb")).read_bytes())
    times = {}
    for plane in space.planes:
        names = {number: metadata.name for number, metadata in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                name, _, operation = names[event.metadata_id].rpartition(":")
                # "layer/name:Type" is an operation.
                if name and operation.isidentifier() and operation not in CONTAINERS and "Dataset" not in operation:
                    times[operation] = times.get(operation, 0.0) + event.duration_ps / 1e12
    return times


def fit_seconds(model, split, start, iterations, tuner):
    """Return the seconds of one call of `fit`, with or without the tuner of `tf.data`."""
    options = tf.data.Options()
    options.autotune.enabled = tuner
    stream = batch_stream(split, seed=0, start=start, stop=start + iterations).with_options(options)
    started = time.perf_counter()
    model.fit(stream, verbose=0, shuffle=False)
    return time.perf_counter() - started


def as_table(rows):
    """Write the profile and the waits as Markdown."""
    shares = {row["what"]: float(row["seconds"]) for row in rows if row["measured"] == "operations"}
    total = sum(shares.values())
    lines = [
        f"{rows[0]['hardware']}, {rows[0]['date']}: {rows[0]['iterations']} iterations of the SGAN, batch 100.",
        "",
        "| time inside operations | share |",
        "|---|---|",
    ]
    lines += [
        f"| {what} | {100 * share / total:.0f} % |" for what, share in sorted(shares.items(), key=lambda x: -x[1])
    ]
    lines += ["", "| one call of `fit` | ms an iteration (lowest to highest) |", "|---|---|"]
    for what in ("tuner on", "tuner off"):
        found = [1e3 * float(row["seconds"]) / int(row["iterations"]) for row in rows if row["what"] == what]
        lines.append(f"| {what} | {statistics.median(found):.1f} ({min(found):.1f} to {max(found):.1f}) |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=count_of, default=5, help="calls of fit with and without the tuner (default 5)"
    )
    parser.add_argument("--calls", type=count_of, default=4, help=f"times {STEPS_PER_EXECUTION} iterations (default 4)")
    parser.add_argument("--output", type=pathlib.Path, default=HERE, help="folder of profile.csv and profile.md")
    arguments = parser.parse_args()
    mnist = load_mnist()
    split = split_labeled(mnist.train_images, mnist.train_labels, 100, seed=0)
    keras.utils.set_random_seed(0)
    model = build_model("sgan", seed=0)
    model.compile(optimizer=None, steps_per_execution=STEPS_PER_EXECUTION, jit_compile=False)
    iterations = arguments.calls * STEPS_PER_EXECUTION
    fit_seconds(model, split, 0, STEPS_PER_EXECUTION, tuner=False)  # traces
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            fit_seconds(model, split, 0, iterations, tuner=False)
        times = operation_times(folder)
    found = {}
    for operation, seconds in times.items():
        found[kind_of(operation)] = found.get(kind_of(operation), 0.0) + seconds
    measured = [("operations", what, seconds) for what, seconds in found.items()]
    for number in range(arguments.rounds):
        for what in ("tuner on", "tuner off")[:: 1 if number % 2 else -1]:
            measured.append(("fit", what, fit_seconds(model, split, 0, iterations, tuner=what == "tuner on")))
    common = {"iterations": iterations, "hardware": hardware(), "date": datetime.date.today().isoformat()}
    rows = [{"measured": one, "what": what, "seconds": round(seconds, 4), **common} for one, what, seconds in measured]
    write_rows(arguments.output / "profile.csv", rows)
    (arguments.output / "profile.md").write_text(as_table(rows))
    print(as_table(rows))


if __name__ == "__main__":
    main()
