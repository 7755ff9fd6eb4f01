"""Make the classifiers that the page of drawings asks: weights of recorded runs, in 8 bits, and how good they are.

All have learned from the same 100 labelled images, split and seed 0:

    python -m sgan_helpers train --labels-per-class 10 --method supervised --output runs/drawn/supervised
    python -m sgan_helpers train --labels-per-class 10 --method sgan --output runs/drawn/sgan
    python -m sgan_helpers train --labels-per-class 10 --method noisy-student --iterations 30000 \\
        --output runs/drawn/noisy-student

`make_classifiers.py --keep` copies their weights into results/. Without it, these weights become scripts that a page
loads, in book/_static/lab/, and results/classifiers.csv tells their accuracy on MNIST's test images: with all bits,
with 8 bits, and on the same images changed in the ways in which a reader's own may differ.
"""

import argparse
import base64
import csv
import hashlib
import json
import os
import pathlib
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from sgan_helpers.methods import METHODS
from sgan_helpers.methods.build import build_model
from sgan_helpers.mnist import load_mnist
from sgan_helpers.pictures import like_mnist

ROOT = pathlib.Path(__file__).parents[1]
SCRIPTS = ROOT / "book" / "_static" / "lab"
CLASSIFIERS = ("supervised", "sgan", "noisy-student")
CHANGES = {  # name: how images (N, 28, 28, 1) in [-1, 1] change
    "in [0, 1]": lambda images: (images + 1.0) / 2.0,
    "dark on white": lambda images: -images,
    "4 pixels to the left": lambda images: np.roll(images, -4, axis=2),
    "half as large": lambda images: np.pad(
        images.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4)), ((0, 0), (7, 7), (7, 7), (0, 0)), constant_values=-1.0
    ),
}
COLUMNS = ("method", "as they are", "8 bits", *CHANGES, "half as large, cleaned", "kilobytes", "sha256")


def weights_path(name):
    """Return where the weights of a recorded run lie."""
    return ROOT / "results" / f"{name}-100-0.weights.h5"


def load_classifier(name):
    """Return the class discriminator of a recorded run."""
    classifier = build_model(name, 10, seed=0).class_discriminator
    classifier.load_weights(weights_path(name))
    return classifier


def fold(classifier):
    """Return the layers that count in prediction, batch normalisation folded into the layer before it.

    Each is a dict with "kernel" (size, size, inputs, outputs) or (inputs, outputs), "bias" (outputs,), the "slope" of
    the leaky ReLU behind it, where there is one, and the "size" of a convolution, whose stride is 2.
    """
    folded = []
    for layer in _flat(classifier):
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            kernel, bias = (np.asarray(weights, np.float64) for weights in layer.get_weights())
            folded.append({"kernel": kernel, "bias": bias})
            if isinstance(layer, keras.layers.Conv2D):
                assert layer.strides == (2, 2) and layer.padding == "same"
                folded[-1]["size"] = layer.kernel_size[0]
        elif isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = (np.asarray(weights, np.float64) for weights in layer.get_weights())
            factor = gamma / np.sqrt(variance + layer.epsilon)
            folded[-1]["kernel"] = folded[-1]["kernel"] * factor
            folded[-1]["bias"] = (folded[-1]["bias"] - mean) * factor + beta
        elif isinstance(layer, keras.layers.LeakyReLU):
            folded[-1]["slope"] = layer.negative_slope
        else:  # these change nothing in prediction
            assert isinstance(layer, (keras.layers.InputLayer, keras.layers.Dropout, keras.layers.Flatten)), layer
    return folded


def to_8_bits(layers):
    """Return the layers with kernels of whole numbers from -127 to 127 and a float32 "scale" for each output."""
    coded = []
    for layer in layers:
        scale = np.abs(layer["kernel"]).reshape(-1, layer["kernel"].shape[-1]).max(axis=0).astype(np.float32) / 127
        coded.append({**layer, "kernel": np.round(layer["kernel"] / scale).astype(np.int8), "scale": scale})
    return coded


def rebuild(layers):
    """Return a Keras model of folded layers: images (batch, 28, 28, 1) to logits (batch, 10)."""
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for layer in layers:
        outputs, size = layer["kernel"].shape[-1], layer.get("size")
        if size is None and not any(isinstance(each, keras.layers.Flatten) for each in model.layers):
            model.add(keras.layers.Flatten())
        model.add(keras.layers.Conv2D(outputs, size, 2, "same") if size else keras.layers.Dense(outputs))
        model.layers[-1].set_weights([layer["kernel"] * layer.get("scale", 1.0), layer["bias"]])
        if "slope" in layer:
            model.add(keras.layers.LeakyReLU(layer["slope"]))
    return model


def as_script(name, layers, accuracy):
    """Return the script that hands a classifier of 8 bits to a page, with its title and its accuracy."""
    coded = [
        {
            **{key: layer[key] for key in ("size", "slope") if key in layer},
            "weights": _base64(layer["kernel"]),
            "scales": _base64(layer["scale"]),
            "biases": _base64(layer["bias"].astype(np.float32)),
        }
        for layer in layers
    ]
    classifier = {"title": METHODS[name].title, "accuracy": float(accuracy), "layers": coded}
    first = f"// Weights of {name}, 100 labels, seed 0, in 8 bits: made by tools/make_classifiers.py.\n"
    return f"{first}(window.CLASSIFIERS ??= {{}})[{json.dumps(name)}] = {json.dumps(classifier)};\n"


def describe(name, mnist):
    """Write the script of one classifier and return its row of the table."""
    classifier = load_classifier(name)
    coded = to_8_bits(fold(classifier))
    images = mnist.test_images
    small = np.round((CHANGES["half as large"](images)[..., 0] + 1.0) * 127.5).astype(np.uint8)

    def accuracy(model, changed):
        predicted = model.predict(changed, batch_size=1000, verbose=0).argmax(axis=1)
        return f"{(predicted == mnist.test_labels).mean():.4f}"

    script = as_script(name, coded, accuracy(rebuild(coded), images))
    (SCRIPTS / f"weights-{name}.js").write_text(script)
    return {
        "method": name,
        "as they are": accuracy(classifier, images),
        "8 bits": accuracy(rebuild(coded), images),
        **{change: accuracy(classifier, apply(images)) for change, apply in CHANGES.items()},
        "half as large, cleaned": accuracy(classifier, np.concatenate([like_mnist(picture) for picture in small])),
        "kilobytes": round(len(script) / 1000),
        "sha256": hashlib.sha256(script.encode()).hexdigest(),
    }


def _flat(model):
    for layer in model.layers:
        yield from _flat(layer) if hasattr(layer, "layers") else [layer]


def _base64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def main():
    """Make the scripts and the table, or keep the weights of runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="copy the weights of the runs in runs/drawn into results/")
    if parser.parse_args().keep:
        for name in CLASSIFIERS:
            shutil.copyfile(ROOT / "runs" / "drawn" / name / "class_discriminator.weights.h5", weights_path(name))
        return
    mnist = load_mnist("full")
    with open(ROOT / "results" / "classifiers.csv", "w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(describe(name, mnist) for name in CLASSIFIERS)


if __name__ == "__main__":
    main()
