"""Write book/full_code.md: the whole program as one script, put together from the package's own functions.

`--check` writes nothing and fails if the page is not what it would write.
"""

import ast
import inspect
import pathlib
import sys
import textwrap

from sgan_helpers import data, losses, networks, sgan, training

PAGE = pathlib.Path(__file__).parents[1] / "book" / "full_code.md"

INTRO = """# Read the whole program on one page

This is the SGAN of the book as one script, without checks, checkpoints and pictures. It is put together from the very
functions that the chapters show, and a test runs it: its losses are those of the package.

Copy it into a file `sgan.py`, and run `python sgan.py`. It needs TensorFlow with Keras 3 and NumPy, and takes as long
as [chapter 4](../notebooks/04_training.ipynb). Where MNIST cannot be downloaded, give the path of an `mnist.npz`:
`python sgan.py mnist.npz`.

"""

HEADER = '''"""A semi-supervised GAN on MNIST: 1,000 labels, two discriminators on one trunk, 10,000 iterations."""

import sys
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers
'''

MAIN = '''def run(images, labels, test_images, test_labels, *, iterations=10000, report_every=1000, seed=0):
    """Train the SGAN, test it every `report_every` iterations, and return a row for each test."""
    keras.utils.set_random_seed(seed)
    split = split_labeled(images, labels, per_class=100, seed=seed)
    class_discriminator, binary_discriminator = build_discriminators()
    networks = (class_discriminator, binary_discriminator, build_generator())
    model = SGAN(*networks, seed=seed, learning_rate=LEARNING_RATE, beta_1=BETA_1)
    model.compile(optimizer=None, steps_per_execution=min(50, report_every), jit_compile=False)
    rows = []
    for start in range(0, iterations, report_every):
        stream = batch_stream(split, seed=seed, start=start, stop=start + report_every, batch_size=BATCH_SIZE)
        model.fit(stream, verbose=0, shuffle=False)
        predicted = predict_logits(class_discriminator, test_images).argmax(axis=1)
        row = {"iteration": start + report_every, "test_accuracy": float((predicted == test_labels).mean())}
        row |= {tracker.name: float(tracker.result()) for tracker in model.loss_trackers}
        print(row)
        rows.append(row)
    return rows


def scaled(images):
    """Map uint8 images (N, 28, 28) to float32 (N, 28, 28, 1) in [-1, 1]."""
    return (images.astype(np.float32) / np.float32(127.5) - np.float32(1.0))[..., np.newaxis]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        mnist = np.load(sys.argv[1], allow_pickle=False)
        x_train, y_train, x_test, y_test = (mnist[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    else:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    run(scaled(x_train), y_train.astype(np.int64), scaled(x_test), y_test.astype(np.int64))
'''

PARTS = [
    ("Data: the labelled split and the batches", data.LabeledSplit, data.split_labeled, data.random_seed_pair)
    + (data.draw_rows, data.batch_stream),
    ("Networks", networks.build_trunk, networks.build_discriminators, networks.build_generator),
    ("Losses", losses.class_loss, losses.real_loss, losses.fake_loss, losses.generator_loss, losses.LossTracker),
    ("The four updates, and the iteration", sgan.draw_noise, sgan.update_class_discriminator)
    + (sgan.update_binary_on_real, sgan.update_binary_on_fake, sgan.update_generator, sgan.SGAN),
    ("Training and testing", training.predict_logits),
]


def plain_source(item):
    """Return the source of a function or class with one-line docstrings and without argument checks."""
    source = textwrap.dedent(inspect.getsource(item))
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                lines[decorator.lineno - 1] = None
        for statement in node.body:
            value = statement.value if isinstance(statement, ast.Expr) else None
            first, last = statement.lineno - 1, statement.end_lineno
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and last - first > 1:
                lines[first:last] = [lines[first].rstrip() + '"""'] + [None] * (last - first - 1)
            elif isinstance(value, ast.Call) and getattr(value.func, "id", "").startswith("check_"):
                lines[first:last] = [None] * (last - first)
    return "\n".join(line for line in lines if line is not None)


def make_script():
    """Return the script."""
    constants = [f"{name.upper()} = {value}" for name, value in training.DEFAULTS.items()]
    constants.append(f"STREAMS = {data.STREAMS}".replace("'", '"'))
    parts = [HEADER, "\n".join(constants)]
    for title, *items in PARTS:
        parts.append("\n\n# " + title + ".")
        parts.extend("\n\n" + plain_source(item) for item in items)
    parts.append("\n\n" + MAIN)
    return "\n".join(parts)


def main():
    """Write the page, or check it."""
    page = INTRO + "```python\n" + make_script() + "```\n"
    if "--check" in sys.argv:
        if PAGE.read_text() != page:
            sys.exit("book/full_code.md is stale: run `make pages`.")
    else:
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
