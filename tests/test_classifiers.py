"""The classifiers that the page of drawings asks: folded, in 8 bits, and as the table says."""

import csv
import hashlib
import json

import numpy as np
import pytest
from book_files import ROOT
from make_classifiers import CHANGES, CLASSIFIERS, COLUMNS, SCRIPTS, fold, load_classifier, rebuild, to_8_bits

from sgan_helpers import load_mnist


@pytest.fixture(scope="module")
def table():
    with open(ROOT / "results" / "classifiers.csv", newline="") as file:
        return {row["method"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_folding_changes_nothing_and_8_bits_little(name):
    images = load_mnist("sample").test_images[:200]
    classifier = load_classifier(name)
    layers = fold(classifier)
    wanted = classifier(images, training=False).numpy()
    np.testing.assert_allclose(rebuild(layers)(images).numpy(), wanted, atol=1e-3)
    in_8_bits = to_8_bits(layers)
    assert all(layer["kernel"].dtype == np.int8 for layer in in_8_bits)
    assert (rebuild(in_8_bits)(images).numpy().argmax(axis=1) != wanted.argmax(axis=1)).mean() <= 0.02


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_script_is_the_one_of_the_table(name, table):
    script = (SCRIPTS / f"weights-{name}.js").read_bytes()
    row = table[name]
    assert tuple(row) == COLUMNS and hashlib.sha256(script).hexdigest() == row["sha256"]
    assert abs(len(script) / 1000 - float(row["kilobytes"])) <= 0.5
    held = json.loads(script.decode().split("] = ")[1].rstrip(";\n"))
    assert held["accuracy"] == float(row["8 bits"])
    assert abs(float(row["8 bits"]) - float(row["as they are"])) <= 0.001
    images = load_mnist("sample").test_images  # of MNIST's training images, so an accuracy near the recorded one
    found = rebuild(to_8_bits(fold(load_classifier(name))))(images).numpy().argmax(axis=1)
    assert abs((found == load_mnist("sample").test_labels).mean() - float(row["as they are"])) < 0.04


def test_the_changes_do_what_their_names_say():
    images = load_mnist("sample").test_images[:20]
    changed = {name: change(images) for name, change in CHANGES.items()}
    assert all(each.shape == images.shape and np.abs(each).max() <= 1.0 for each in changed.values())
    assert changed["in [0, 1]"].min() == 0.0 and np.median(changed["dark on white"]) == 1.0
    assert np.array_equal(changed["4 pixels to the left"][:, :, :-4], images[:, :, 4:])
    small = changed["half as large"] + 1.0
    assert (small[:, :7] == 0).all() and np.isclose(4 * small.sum(), (images + 1.0).sum(), rtol=1e-5)
