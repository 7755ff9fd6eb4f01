"""Distortions of images, affine ones and noise, a function of seed and step."""

import numpy as np
import tensorflow as tf

from sgan_helpers.checks import IMAGE_SHAPE, check_amounts, check_images
from sgan_helpers.data import check_seed_and_stream, random_seed_pair

# The largest distortion of an image, either way, in degrees, fraction, slope and pixels, and the standard deviation of
# noise. Chosen on validation images, the second for long trainings with unlabelled images.
DISTORTION = {"rotation": 15.0, "scale": 0.15, "shear": 0.2, "shift": 2.0, "noise": 0.0}
NOISY_DISTORTION = {"rotation": 10.0, "scale": 0.1, "shear": 0.1, "shift": 1.5, "noise": 0.3}


def distort_images(images, seed, step, stream="labeled_batch", amounts=DISTORTION):
    """Rotate, scale, shear and shift each image a little and add noise, so that no batch shows the same pixels twice.

    What happens to each image is drawn uniformly from ranges around "unchanged", and the noise of each pixel from a
    normal distribution. It is a function of seed, stream and step alone, folded once more so that the numbers share no
    bits with the rows of that batch.

    Args:
        images: float32 array or tensor (batch, 28, 28, 1) in [-1, 1].
        seed: int in [0, 2**31 - 1], the run's seed.
        step: int or int64 scalar tensor, the iteration, from 0.
        stream: one of `STREAMS`, the batch that the images come from.
        amounts: dict, the largest distortion either way: "rotation" in degrees, "scale" as a fraction, "shear" as a
            slope, "shift" in pixels; and "noise", a standard deviation, where white - black = 2.

    Returns:
        float32 tensor (batch, 28, 28, 1), in [-1, 1] but for noise; pixels from outside the image are -1, black.

    Raises:
        TypeError, ValueError: an argument has the wrong type, shape or range.

    Source: Simard, Steinkraus and Platt (2003), "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", section 2: affine distortions.
    """
    check_distort_arguments(images, seed, step, stream, amounts)
    pair = tf.random.fold_in(random_seed_pair(seed, stream, step), tf.constant(1, tf.int64))
    images = tf.convert_to_tensor(images)
    drawn = tf.random.stateless_uniform((5, tf.shape(images)[0]), pair, -1.0, 1.0)  # (5, batch)
    angle = drawn[0] * np.float32(np.deg2rad(amounts["rotation"]))
    scale = 1.0 + drawn[1] * amounts["scale"]
    shear = drawn[2] * amounts["shear"]
    shift = drawn[3:] * amounts["shift"]  # (2, batch), pixels
    # The matrix maps a pixel of the result to the place in the image that it shows. It turns, shears and scales about
    # the centre.
    xx, xy = tf.cos(angle) / scale, (shear * tf.cos(angle) - tf.sin(angle)) / scale
    yx, yy = tf.sin(angle) / scale, (shear * tf.sin(angle) + tf.cos(angle)) / scale
    centre = (IMAGE_SHAPE[0] - 1) / 2
    x0 = centre - xx * (centre + shift[0]) - xy * (centre + shift[1])
    y0 = centre - yx * (centre + shift[0]) - yy * (centre + shift[1])
    zero = tf.zeros_like(angle)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([xx, xy, x0, yx, yy, y0, zero, zero], axis=1),  # (batch, 8)
        output_shape=IMAGE_SHAPE[:2],
        fill_value=-1.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    if not amounts["noise"]:
        return moved
    pair = tf.random.fold_in(random_seed_pair(seed, stream, step), tf.constant(2, tf.int64))
    return moved + amounts["noise"] * tf.random.stateless_normal(tf.shape(moved), pair)


def check_distort_arguments(images, seed, step, stream, amounts):
    """Raise unless the arguments of `distort_images` are valid; the values of a symbolic tensor are not looked at."""
    if not (isinstance(images, tf.Tensor) and images.dtype == tf.float32 and images.shape[1:] == IMAGE_SHAPE):
        check_images("distort_images", "images", images)
    check_seed_and_stream("distort_images", seed, stream, step)
    check_amounts("distort_images", "amounts", amounts, DISTORTION)
