"""Distortions against SciPy's."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from sgan_helpers import data
from sgan_helpers.distortions import DISTORTION, distort_images

NOTHING = dict.fromkeys(DISTORTION, 0.0)


def amounts_of(seed, step, count):
    """The five amounts of each image, drawn as `distort_images` says that it draws them."""
    pair = tf.random.fold_in(data.random_seed_pair(seed, "labeled_batch", step), tf.constant(1, tf.int64))
    return tf.random.stateless_uniform((5, count), pair, -1.0, 1.0).numpy()


@pytest.mark.parametrize("part", ["rotation", "scale", "shear", "shift", "all"])
def test_distortions_are_those_of_scipy(sample, part):
    chosen = DISTORTION if part == "all" else {**NOTHING, part: DISTORTION[part]}
    images = sample.test_images[::250][:4]
    distorted = distort_images(images, 3, 7, amounts=chosen).numpy()
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


def test_no_distortion_leaves_every_pixel(sample):
    assert np.array_equal(distort_images(sample.test_images[:9], 0, 0, amounts=NOTHING), sample.test_images[:9])


def test_noise_has_its_deviation_and_comes_on_top(sample):
    images, amounts = sample.test_images[:200], {**DISTORTION, "noise": 0.3}
    noise = (distort_images(images, 5, 2, amounts=amounts) - distort_images(images, 5, 2)).numpy()
    assert abs(noise.mean()) < 0.003 and abs(noise.std() - 0.3) < 0.003
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.15, "each image has noise of its own"
    other = (distort_images(images, 5, 3, amounts=amounts) - distort_images(images, 5, 3)).numpy()
    assert not np.allclose(noise, other, atol=0.1)


def test_a_distortion_is_a_function_of_seed_and_step(sample):
    images = np.repeat(sample.test_images[:1], 3, axis=0)
    draws = [distort_images(images, seed, step).numpy() for seed in (0, 1) for step in (0, 1)]
    draws.append(distort_images(images, 0, 0, "unlabeled_batch").numpy())
    assert len({draw.tobytes() for draw in draws}) == 5
    assert len({image.tobytes() for image in draws[0]}) == 3, "each image has amounts of its own"
    assert np.array_equal(draws[0], distort_images(images, 0, tf.constant(0, tf.int64)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": np.zeros((2, 28, 28), np.float32)}, ValueError, r"'images' parameter of distort_images.*28, 28, 1"),
        ({"images": np.zeros((2, 28, 28, 1))}, ValueError, "'images' parameter of distort_images.*float32.*float64"),
        ({"images": "digits"}, TypeError, "'images' parameter of distort_images"),
        ({"seed": -1}, ValueError, "'seed' parameter of distort_images.*Got -1"),
        (
            {"amounts": 1.0},
            TypeError,
            "'amounts' parameter of distort_images must be a dict with the keys 'rotation', ",
        ),
        ({"amounts": {"shift": 1.0}}, ValueError, "'amounts'.*a dict with the keys 'rotation', 'scale', "),
        ({"amounts": {**DISTORTION, "shear": -0.1}}, ValueError, r"'amounts\['shear'\]'.*\[0, inf\). Got -0.1"),
    ],
)
def test_bad_arguments_of_distort_images_are_named(change, error, message):
    arguments = {"images": np.zeros((2, 28, 28, 1), np.float32), "seed": 0, "step": 0}
    with pytest.raises(error, match=message):
        distort_images(**{**arguments, **change})
