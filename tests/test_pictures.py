"""Pictures become images like MNIST's, and images that are not like them draw a warning."""

import warnings

import numpy as np
import pytest

from sgan_helpers import build_discriminators, like_mnist, load_mnist, predict_logits
from sgan_helpers.pictures import area_means


@pytest.fixture(scope="module")
def digits():
    """Test digits of MNIST, as uint8 (N, 28, 28)."""
    return np.round((load_mnist("sample").test_images[..., 0] + 1.0) * 127.5).astype(np.uint8)


def test_the_digits_of_mnist_stay_as_they_are(digits):
    cleaned = np.concatenate([like_mnist(digit) for digit in digits])
    moved = np.abs(cleaned[..., 0] - (digits / 127.5 - 1.0)).max(axis=(1, 2)) > 1e-6
    assert cleaned.dtype == np.float32 and cleaned.shape == (1000, 28, 28, 1)
    assert moved.mean() <= 0.001


def test_a_digit_comes_back_from_any_size_and_place(digits):
    for digit in digits[:20]:
        drawn = np.kron(np.pad(digit, ((10, 31), (2, 17))), np.ones((7, 7), np.uint8))
        np.testing.assert_allclose(like_mnist(drawn), like_mnist(digit), atol=1e-6)


def test_proportions_are_kept_and_the_centre_of_mass_is_the_centre():
    picture = np.zeros((100, 300), np.uint8)
    picture[20:40, 10:290] = 255  # 20 by 280
    image = (like_mnist(picture)[0, ..., 0] + 1.0) / 2.0
    rows, columns = np.nonzero(image)
    assert np.ptp(columns) + 1 == 20 and np.ptp(rows) + 1 == 1
    assert np.isclose(image.sum(), 20) and abs(rows.mean() - 14) <= 0.5 and abs(columns.mean() - 14) <= 0.5


def test_a_photographs_ground_is_taken_away(digits):
    photograph = np.clip(digits[0].astype(int) // 2 + 90, 0, 255).astype(np.uint8)
    image = like_mnist(photograph, ground=100)
    assert (image[0, 0] == -1.0).all() and (image > -1.0).sum() <= 400


def test_the_means_of_parts_keep_the_mean():
    for length, cells in ((7, 3), (3, 7), (20, 20), (280, 13)):
        means = area_means(length, cells)
        np.testing.assert_allclose(means.sum(axis=1), 1.0)
        np.testing.assert_allclose(means.sum(axis=0), cells / length)


@pytest.mark.parametrize(
    ("picture", "ground", "part"),
    [
        ([[0, 255]], 0, "must be a ndarray. Got 'list'"),
        (np.ma.array(np.eye(9, dtype=np.uint8), mask=np.eye(9)), 0, "must be a ndarray. Got 'MaskedArray'"),
        (np.zeros((28, 28)), 0, "a uint8 array of shape (height, width). Got float64 of shape (28, 28)"),
        (np.zeros((28, 28, 3), np.uint8), 0, "Got uint8 of shape (28, 28, 3)"),
        (np.zeros((0, 28), np.uint8), 0, "Got uint8 of shape (0, 28)"),
        (np.full((28, 28), 90, np.uint8), 100, "pixels above its ground, 100. Got a brightest pixel of 90"),
        (np.full((28, 28), 255, np.uint8), 0, "of a dark one on white, pass 255 - picture"),
        (np.eye(28, dtype=np.uint8), 255, "The 'ground' parameter of like_mnist must be an int in [0, 254]. Got 255"),
        (np.eye(28, dtype=np.uint8), 0.5, "Got 0.5"),
    ],
)
def test_what_is_no_picture_of_a_sign_is_refused(picture, ground, part):
    with pytest.raises((TypeError, ValueError)) as error:
        like_mnist(picture, ground)
    assert part in str(error.value)


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (lambda images: (images + 1.0) / 2.0, "2.0 * images - 1.0, if they were scaled to [0, 1]"),
        (lambda images: -images, "-images, if they are dark on white"),
        (lambda images: np.zeros_like(images), "no value below 0"),
    ],
)
def test_images_that_are_not_like_those_of_mnist_draw_a_warning(change, remedy):
    images = load_mnist("sample").test_images[:50]
    network, _ = build_discriminators()
    with pytest.warns(UserWarning, match="needs|below") as caught:
        predict_logits(network, change(images))
    assert remedy in str(caught[0].message) and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predict_logits(network, images)
        predict_logits(network, images[:1])
