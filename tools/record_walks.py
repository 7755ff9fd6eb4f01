"""Record the trainings of chapters 0 and 4 for the sliders of their pages: digits, a morph, losses, accuracy.

Chapter 0's plain GAN is that of the notebook: its code cells are run up to the one that builds it. Chapter 4's SGAN is
the package's, with the chapter's settings. At each moment the generator draws 24 digits from fixed noise, and 11 on the
straight way from one noise vector to another. They go into one picture, a line for each moment, and the rest into a
script beside it: book/_static/walks/. About ten minutes on two cores; what is there is not recorded again.
"""

import functools
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import nbformat
import numpy as np
from PIL import Image
from tqdm import tqdm

from sgan_helpers.data import batch_stream, draw_noise, split_labeled
from sgan_helpers.methods.build import build_model
from sgan_helpers.mnist import load_mnist
from sgan_helpers.networks import predict_logits

ROOT = pathlib.Path(__file__).parents[1]
WALKS = ROOT / "book" / "_static" / "walks"
RECORD_EVERY = 50  # iterations behind each recorded loss
KEPT = 2  # of so many recorded losses one goes into the script, their mean
SEED = 0
LATENT_DIM = 100
SHOWN, STEPS = 24, 11  # digits, and places on the way between two noise vectors
ENDS = (31, 57)  # which of the fixed noise vectors the way joins
MOMENTS = {
    "00_gan_primer": (0, 50, 100, 200, 300, 400, 600, 800, 1000, 1500, 2000, 2500, 3000),
    "04_training": (0, 50, 100, 200, 400, 700, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10000),
}


def plain_gan():
    """Return chapter 0's GAN, untrained, and a function from two iterations to the batches between them."""
    cells = nbformat.read(ROOT / "notebooks" / "00_gan_primer.ipynb", as_version=4).cells
    namespace = {"__name__": "chapter"}
    for cell in cells:
        if cell.cell_type == "code" and "remove-cell" not in cell.metadata.get("tags", []):
            if "train_and_draw(\n" in cell.source:  # the training itself: only what is above it
                exec(cell.source.split("samples, losses")[0], namespace)
                break
            exec(cell.source, namespace)

    def batches(start, stop):
        return namespace["gan_batches"](namespace["images"], start=start, stop=stop, **namespace["settings"])

    return namespace["gan"], batches


def semi_supervised_gan():
    """Return chapter 4's SGAN, untrained, and a function from two iterations to the batches between them."""
    mnist = load_mnist("full")
    split = split_labeled(mnist.train_images, mnist.train_labels, 100, seed=SEED)
    keras.utils.set_random_seed(SEED)
    model = build_model("sgan", 10, seed=SEED)
    model.compile(optimizer=None, steps_per_execution=RECORD_EVERY, jit_compile=False)
    return model, lambda start, stop: batch_stream(split, seed=SEED, start=start, stop=stop, batch_size=100)


def walk(name, model, batches, moments, measure):
    """Train to each moment in turn. Return the generator's images there, the losses, and what `measure` finds.

    Args:
        name: str, what the progress bar is called.
        model: a compiled `keras.Model` with a `generator` of noise (batch, 100).
        batches: function from the first and last iteration to a `tf.data.Dataset`.
        moments: ints, multiples of `RECORD_EVERY`.
        measure: function without arguments, called at each moment.

    Returns:
        uint8 array (moments, 35, 28, 28); dict from the name of a loss to a float for every 50 iterations; list.
    """
    fixed = draw_noise(SEED, "sample_noise", 0, 100, LATENT_DIM).numpy()
    share = np.linspace(0.0, 1.0, STEPS, dtype=np.float32)[:, np.newaxis]
    noise = np.concatenate([fixed[:SHOWN], (1.0 - share) * fixed[ENDS[0]] + share * fixed[ENDS[1]]])
    drawn, losses, measured = [], {}, []
    for start, stop in zip(
        tqdm((0, *moments), name, len(moments), disable=not sys.stderr.isatty()), moments, strict=False
    ):
        if stop > start:
            epochs = {"epochs": (stop - start) // RECORD_EVERY, "steps_per_epoch": RECORD_EVERY}
            recorded = model.fit(batches(start, stop), verbose=0, shuffle=False, **epochs).history
            for loss, values in recorded.items():
                losses.setdefault(loss, []).extend(map(float, values))
        images = model.generator(noise, training=False).numpy()[..., 0]
        drawn.append(np.round((images + 1.0) * 127.5).astype(np.uint8))
        measured.append(measure())
    return np.stack(drawn), {loss: losses[loss] for loss in model.loss_names}, measured


def measure_accuracy(model):
    """Return the share of MNIST's test images that the class discriminator gets right."""
    mnist = load_mnist("full")
    predicted = predict_logits(model.class_discriminator, mnist.test_images).argmax(axis=1)
    return round(float((predicted == mnist.test_labels).mean()), 4)


def keep(name, moments, drawn, losses, accuracies):
    """Write the picture and the script of one walk."""
    WALKS.mkdir(exist_ok=True)
    lines = drawn.transpose(0, 2, 1, 3).reshape(len(moments) * 28, -1)  # (moments * 28, 35 * 28)
    levels = np.round(lines / 17.0).astype(np.uint8)  # 16 greys, 4 bits a pixel
    picture = Image.fromarray(levels, "P")
    picture.putpalette([17 * (level // 3) for level in range(48)])
    picture.save(WALKS / f"{name}.png", optimize=True, bits=4)
    fixed = draw_noise(SEED, "sample_noise", 0, 100, LATENT_DIM).numpy()
    thinned = {
        key.replace("_", " "): np.reshape(values[: len(values) // KEPT * KEPT], (-1, KEPT))
        .mean(axis=1)
        .round(3)
        .tolist()
        for key, values in losses.items()
    }
    at_moments = {
        key.replace("_", " "): [round(values[moment // RECORD_EVERY - 1], 3) if moment else None for moment in moments]
        for key, values in losses.items()
    }
    told = {
        "moments": moments,
        "every": RECORD_EVERY * KEPT,
        "losses": thinned,
        "lossesAt": at_moments,
        "accuracies": accuracies,
        "noise": [fixed[end].round(2).tolist() for end in ENDS],
    }
    first = f"// A recorded training of chapter {int(name[:2])}, made by tools/record_walks.py.\n"
    line = json.dumps(told, separators=(",", ":"))
    (WALKS / f"{name}.js").write_text(f"{first}(window.WALKS ??= {{}})[{json.dumps(name)}] = {line};\n")


def main():
    """Record what is not there."""
    for name, build in (("00_gan_primer", plain_gan), ("04_training", semi_supervised_gan)):
        if not (WALKS / f"{name}.js").exists():
            model, batches = build()
            measure = functools.partial(measure_accuracy, model) if name == "04_training" else lambda: None
            drawn, losses, measured = walk(name, model, batches, MOMENTS[name], measure)
            keep(name, MOMENTS[name], drawn, losses, measured if name == "04_training" else None)
            print(f"{name}: recorded")


if __name__ == "__main__":
    main()
