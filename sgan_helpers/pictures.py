"""Turn a picture of a sign, drawn or photographed, into an image like MNIST's."""

import warnings

import numpy as np

from sgan_helpers.checks import check_int, check_type

BOX = 20  # pixels of the longer side of every digit of MNIST
SIDE = 28


def like_mnist(picture, ground=0):
    """Clean a picture as the makers of MNIST cleaned their digits, so that a classifier meets what it has learned from.

    Cut out the sign, scale it into 20 x 20 pixels without changing its proportions, and lay it into 28 x 28 pixels so
    that its centre of mass is the centre. Each new pixel is the mean of the area that it covers. Of MNIST's own 10,000
    test images, this leaves all but three as they are.

    Args:
        picture: uint8 array (height, width), a bright sign on a dark ground.
        ground: int in [0, 254], the brightness of the ground: pixels up to it become 0. A drawing has 0, a photograph
            more, for instance 100.

    Returns:
        float32 array (1, 28, 28, 1) in [-1, 1], a batch of one image.

    Raises:
        TypeError, ValueError: `picture` is no such array, has nothing brighter than `ground`, or a bright border.

    Source: LeCun, Cortes and Burges, the MNIST database: "normalized to fit in a 20x20 pixel box while preserving their
    aspect ratio", "centered in a 28x28 image by computing the center of mass of the pixels".
    """
    check_picture(picture, ground)
    rows, columns = (np.flatnonzero((picture > ground).any(axis=axis)) for axis in (1, 0))
    sign = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    sign = np.where(sign > ground, sign, 0) / 255.0
    height, width = (max(1, _nearest(BOX * side / max(sign.shape))) for side in sign.shape)
    small = area_means(sign.shape[0], height) @ sign @ area_means(sign.shape[1], width).T  # (height, width)
    top = _start(small.sum(axis=1))
    left = _start(small.sum(axis=0))
    image = np.zeros((SIDE, SIDE))
    image[top : top + height, left : left + width] = small
    return (2.0 * image - 1.0).astype(np.float32)[np.newaxis, ..., np.newaxis]


def area_means(length, cells):
    """Return the matrix (cells, length) whose row i takes the mean of a line of `length` pixels over its i-th part."""
    edges = np.linspace(0.0, length, cells + 1)
    pixels = np.arange(length)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.clip(covered, 0.0, None) * cells / length


def warn_of_foreign_images(function, name, images):
    """Warn when images (N, 28, 28, 1) look as if they were scaled to [0, 1], or dark on white."""
    if images.min() >= 0.0:
        finding, remedy = "have no value below 0", "2.0 * images - 1.0, if they were scaled to [0, 1]"
    elif np.median(_border(images)) > 0.0:
        finding, remedy = "have bright borders", "-images, if they are dark on white"
    else:
        return
    warnings.warn(
        f"The images of the '{name}' parameter of {function} {finding}. "
        f"A classifier that has learned from MNIST needs {remedy}.",
        stacklevel=4,
    )


def check_picture(picture, ground):
    """Raise unless `picture` is a uint8 array (height, width) of a bright sign on a dark ground."""
    check_int("like_mnist", "ground", ground, 0, 254)
    check_type("like_mnist", "picture", picture, np.ndarray)
    wrong = "The 'picture' parameter of like_mnist must be {}. Got {} instead."
    if picture.dtype != np.uint8 or picture.ndim != 2 or picture.size == 0:
        allowed = "a uint8 array of shape (height, width)"
        raise ValueError(wrong.format(allowed, f"{picture.dtype} of shape {picture.shape}"))
    if picture.max() <= ground:
        allowed = f"a picture with pixels above its ground, {ground}"
        raise ValueError(wrong.format(allowed, f"a brightest pixel of {picture.max()}"))
    if np.median(_border(picture[np.newaxis])) >= 128:
        allowed = "a bright sign on a dark ground; of a dark one on white, pass 255 - picture"
        raise ValueError(wrong.format(allowed, "a picture with a bright border"))


def _border(images):
    """Return the pixels along the four edges of images (N, height, width, ...), as one array."""
    edges = images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]
    return np.concatenate([edge.ravel() for edge in edges])


def _start(masses):
    """Return where a line of masses begins, so that its centre of mass comes to pixel 14 of 0 to 27, as in MNIST."""
    centre = (masses * np.arange(len(masses))).sum() / masses.sum()
    return min(max(_nearest(SIDE / 2 - centre), 0), SIDE - len(masses))


def _nearest(value):
    return int(np.floor(value + 0.5))
