"""The tuned baseline: its distortions against SciPy's, its average against the formula, and what each step moves."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from sgan_helpers import data, supervised, training
from sgan_helpers.networks import build_discriminators

NOTHING = {"rotation": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0}


def amounts_of(seed, step, count):
    """The five amounts of each image, drawn as `distort_images` says that it draws them."""
    pair = tf.random.fold_in(data.random_seed_pair(seed, "labeled_batch", step), tf.constant(1, tf.int64))
    return tf.random.stateless_uniform((5, count), pair, -1.0, 1.0).numpy()


@pytest.mark.parametrize("part", ["rotation", "scale", "shear", "shift", "all"])
def test_distortions_are_those_of_scipy(sample, monkeypatch, part):
    chosen = data.DISTORTION if part == "all" else {**NOTHING, part: data.DISTORTION[part]}
    monkeypatch.setattr(data, "DISTORTION", chosen)
    images = sample.test_images[::250][:4]
    distorted = data.distort_images(images, 3, 7).numpy()
    assert distorted.shape == images.shape and distorted.dtype == np.float32
    assert distorted.min() >= -1 and distorted.max() <= 1
    for image, result, (angle, scale, shear, *shift) in zip(images, distorted, amounts_of(3, 7, 4).T, strict=True):
        angle = np.deg2rad(angle * chosen["rotation"])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ [[1, shear * chosen["shear"]], [0, 1]] / (1 + scale * chosen["scale"])  # of (x, y)
        offset = 13.5 - matrix @ (13.5 + np.array(shift) * chosen["shift"])
        rows = np.array([[0, 1], [1, 0]])  # SciPy's order is (y, x)
        expected = ndimage.affine_transform(
            image[..., 0], rows @ matrix @ rows, rows @ offset, order=1, mode="grid-constant", cval=-1.0
        )
        np.testing.assert_allclose(result[..., 0], expected, atol=2e-4)
        assert not np.array_equal(result, image)


def test_no_distortion_leaves_every_pixel(sample, monkeypatch):
    monkeypatch.setattr(data, "DISTORTION", NOTHING)
    assert np.array_equal(data.distort_images(sample.test_images[:9], 0, 0), sample.test_images[:9])


def test_a_distortion_is_a_function_of_seed_and_step(sample):
    images = np.repeat(sample.test_images[:1], 3, axis=0)
    draws = [data.distort_images(images, seed, step).numpy() for seed in (0, 1) for step in (0, 1)]
    draws.append(data.distort_images(images, 0, 0, "unlabeled_batch").numpy())
    assert len({draw.tobytes() for draw in draws}) == 5
    assert len({image.tobytes() for image in draws[0]}) == 3, "each image has amounts of its own"
    assert np.array_equal(draws[0], data.distort_images(images, 0, tf.constant(0, tf.int64)))


def test_the_average_is_the_formula_and_forgets_its_start():
    averaged, trained = (keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]) for _ in range(2))
    for step, expected in ((0, 0.9), (1, 2 / 11 * 0.9 + 9 / 11)):
        if step == 0:
            averaged.set_weights([np.zeros((1, 1)), np.zeros(1)])
            trained.set_weights([np.ones((1, 1)), np.ones(1)])
        supervised.update_average(averaged, trained, tf.constant(step, tf.int64))
        np.testing.assert_allclose(averaged.get_weights()[0], expected, rtol=1e-6)
    supervised.update_average(averaged, trained, tf.constant(10**6, tf.int64))
    before = 1 - expected
    np.testing.assert_allclose(1 - averaged.get_weights()[0], supervised.AVERAGE_DECAY * before, rtol=1e-4)
    assert (trained.get_weights()[0] == 1).all()


def test_a_step_trains_one_network_on_distorted_images_and_averages_the_other(monkeypatch, bar_split):
    seen = {}

    def update(network, optimizer, images, labels):
        seen.update(network=network, images=images, labels=labels)
        return tf.constant(0.5)

    monkeypatch.setattr(supervised, "update_class_discriminator", update)
    monkeypatch.setattr(supervised, "update_average", lambda *arguments: seen.update(average=arguments))
    model = training.build_model("supervised-tuned", 3, seed=4)
    (batch,) = data.batch_stream(bar_split, seed=4, start=9, stop=10, batch_size=5)
    assert model.train_step(batch) == {"class_loss": 0.5}
    assert seen["network"] is model.trained_discriminator and seen["labels"] is batch[2]
    assert np.array_equal(seen["images"], data.distort_images(batch[1], 4, 9))
    assert seen["average"][:2] == (model.class_discriminator, model.trained_discriminator)
    assert int(seen["average"][2]) == 9


def test_the_average_starts_as_the_network_and_the_methods_start_alike():
    for alike in (("supervised", "supervised-tuned", "sgan"), training.FEATURE_METHODS):
        start = {}
        for method in alike:
            keras.utils.set_random_seed(5)
            start[method] = training.build_model(method, seed=5).class_discriminator.get_weights()
        assert all(all(map(np.array_equal, start[method], start[alike[0]])) for method in alike)
    keras.utils.set_random_seed(5)
    trained = training.build_model("supervised-tuned", seed=5).trained_discriminator.get_weights()
    keras.utils.set_random_seed(5)
    assert all(map(np.array_equal, trained, training.build_model("sgan", seed=5).class_discriminator.get_weights()))


def test_distortion_and_average_are_part_of_the_recipe(monkeypatch):
    def recipe():
        model = training.build_model("supervised-tuned", seed=0)
        return training.recipe_hash("supervised-tuned", model, **training.DEFAULTS)

    before = recipe()
    assert recipe() == before
    monkeypatch.setitem(data.DISTORTION, "shear", 0.25)
    assert recipe() != before
    monkeypatch.undo()
    monkeypatch.setattr(supervised, "AVERAGE_DECAY", 0.99)
    assert recipe() != before


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"class_discriminator": None}, TypeError, "'class_discriminator' parameter of TunedSupervised must be a Mod"),
        ({"trained_discriminator": 1}, TypeError, "'trained_discriminator' parameter of TunedSupervised must be a Mod"),
        ({"seed": -1}, ValueError, "'seed' parameter of TunedSupervised.*Got -1"),
        ({"learning_rate": 0}, ValueError, "'learning_rate' parameter of TunedSupervised.*Got 0"),
        ({"beta_1": 1}, ValueError, "'beta_1' parameter of TunedSupervised.*Got 1"),
    ],
)
def test_bad_arguments_of_the_tuned_baseline_are_named(change, error, message):
    networks = {"class_discriminator": build_discriminators(3)[0], "trained_discriminator": build_discriminators(3)[0]}
    arguments = {**networks, "seed": 0, "learning_rate": 1e-3, "beta_1": 0.5}
    supervised.TunedSupervised(**arguments)
    with pytest.raises(error, match=message):
        supervised.TunedSupervised(**{**arguments, **change})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": np.zeros((2, 28, 28), np.float32)}, ValueError, r"'images' parameter of distort_images.*28, 28, 1"),
        ({"images": np.zeros((2, 28, 28, 1))}, ValueError, "'images' parameter of distort_images.*float32.*float64"),
        ({"images": "digits"}, TypeError, "'images' parameter of distort_images"),
        ({"seed": -1}, ValueError, "'seed'.*Got -1"),
    ],
)
def test_bad_arguments_of_distort_images_are_named(change, error, message):
    arguments = {"images": np.zeros((2, 28, 28, 1), np.float32), "seed": 0, "step": 0}
    with pytest.raises(error, match=message):
        data.distort_images(**{**arguments, **change})
