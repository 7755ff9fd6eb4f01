"""The recorded trainings of chapters 0 and 4: how they are recorded, and what is kept of them."""

import json
import re

import keras
import nbformat
import numpy as np
import pytest
import record_walks
from book_files import ROOT
from PIL import Image

from sgan_helpers import build_model, load_mnist, split_labeled, train
from sgan_helpers.data import batch_stream


def read_walk(name):
    """Return the record of a walk as a page reads it."""
    text = (record_walks.WALKS / f"{name}.js").read_text()
    return json.loads(text.split("] = ")[1].rstrip(";\n"))


@pytest.fixture(scope="module")
def recorded():
    """A walk of two iterations through the SGAN on the sample, with the run that `train` makes of the same settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sgan_helpers.training.STEPS_PER_EXECUTION", 1)
        patch.setattr(record_walks, "RECORD_EVERY", 1)
        yield record_both()


def record_both():
    mnist = load_mnist("sample")
    split = split_labeled(mnist.train_images, mnist.train_labels, 10, seed=0)
    task = {"test_images": mnist.test_images[:50], "test_labels": mnist.test_labels[:50]}
    run = train("sgan", split, **task, iterations=2, evaluate_every=1, seed=0)
    keras.utils.set_random_seed(0)
    model = build_model("sgan", 10, seed=0)
    model.compile(optimizer=None, steps_per_execution=1, jit_compile=False)

    def batches(start, stop):
        return batch_stream(split, seed=0, start=start, stop=stop, batch_size=100)

    return run, record_walks.walk("two iterations", model, batches, (0, 1, 2), lambda: 0.5)


def test_a_walk_is_the_training_of_the_package(recorded):
    run, (drawn, losses, measured) = recorded
    assert drawn.shape == (3, 35, 28, 28) and drawn.dtype == np.uint8 and measured == [0.5] * 3
    for name, values in losses.items():
        np.testing.assert_allclose(values, run.losses[name], atol=1e-5)
    assert np.abs(drawn[1:, :24].astype(int) - run.samples[:, :24]).max() <= 1
    assert not np.array_equal(drawn[0], drawn[2])


def test_the_way_from_noise_to_noise_ends_at_both(recorded):
    _, (drawn, _, _) = recorded
    ends = drawn[-1, [24, 34]]
    assert not np.array_equal(*ends) and not np.array_equal(drawn[-1, 29], ends[0])


def test_what_is_kept_is_what_was_recorded(recorded, monkeypatch, tmp_path):
    _, (drawn, losses, measured) = recorded
    monkeypatch.setattr(record_walks, "WALKS", tmp_path)
    record_walks.keep("04_training", (0, 1, 2), drawn, losses, measured)
    record = read_walk("04_training")
    assert record["moments"] == [0, 1, 2] and record["every"] == 2 and record["accuracies"] == measured
    for name, values in losses.items():
        name = name.replace("_", " ")
        assert record["losses"][name] == [pytest.approx(np.mean(values), abs=6e-4)]
        assert record["lossesAt"][name] == [None, *(pytest.approx(value, abs=6e-4) for value in values)]
    with Image.open(record_walks.WALKS / "04_training.png") as picture:
        pixels = np.asarray(picture.convert("L")).astype(int)
    assert pixels.shape == (84, 980)
    assert np.abs(pixels[28:56, 56:84] - drawn[1, 2]).max() <= 9  # 16 greys


@pytest.mark.parametrize("name", record_walks.MOMENTS)
def test_the_books_walks_have_the_settings_of_their_chapters(name):
    record = read_walk(name)
    assert tuple(record["moments"]) == record_walks.MOMENTS[name]
    assert all(moment % 50 == 0 for moment in record["moments"])
    settings = next(
        cell.source
        for cell in nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
        if cell.cell_type == "code" and "FAST" in cell.source
    )
    last = re.search(r"(?:ITERATIONS = \d+ if FAST else |MOMENTS = .* 2_000, )([\d_]+)", settings)[1]
    assert record["moments"][-1] == int(last) and "SEED = 0" in settings
    assert all(len(values) == int(last) // record["every"] for values in record["losses"].values())
    assert (record["accuracies"] is None) == (name == "00_gan_primer")
    with Image.open(record_walks.WALKS / f"{name}.png") as picture:
        assert picture.size == (980, 28 * len(record["moments"]))


def test_chapter_0_is_recorded_by_its_own_code(monkeypatch, capsys):
    monkeypatch.setenv("SGAN_FAST", "1")
    monkeypatch.setenv("SGAN_MNIST", "sample")
    monkeypatch.setattr(record_walks, "RECORD_EVERY", 2)
    gan, batches = record_walks.plain_gan()
    drawn, losses, _ = record_walks.walk("chapter 0", gan, batches, (0, 2), lambda: None)
    assert list(losses) == ["real_loss", "fake_loss", "generator_loss"] and drawn.shape == (2, 35, 28, 28)
    assert all(np.isfinite(values).all() for values in losses.values())
