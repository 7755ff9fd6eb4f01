"""Draw the labelled split, and stream batches and noise that depend on seed and step alone."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from sgan_helpers.checks import (
    LARGEST_SIZE,
    check_choice,
    check_every_class,
    check_images,
    check_int,
    check_labels,
    check_type,
    is_array,
)

# Each use of random numbers has a stream of its own, so that no two share bits. The order is part of every recipe.
STREAMS = ("labeled_batch", "unlabeled_batch", "fake_noise", "generator_noise", "sample_noise")
RANDOM_SCHEME = 1  # count up whenever a draw changes its seed, its order or its distribution
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class LabeledSplit:
    """Training images in two parts that share none: with labels, and without. Indices point into the original array."""

    labeled_images: np.ndarray
    labeled_labels: np.ndarray
    unlabeled_images: np.ndarray
    labeled_indices: np.ndarray
    unlabeled_indices: np.ndarray


def split_labeled(images, labels, per_class=100, *, seed):
    """Choose the images that keep their labels, the same number of each class, and hide the labels of the rest.

    Drawn without replacement. With the same seed, a smaller `per_class` gives a subset of a larger one.

    Args:
        images: float32 array (N, 28, 28, 1) in [-1, 1].
        labels: int array (N,), classes 0 to K - 1.
        per_class: int from 1 to the size of the smallest class, the number of labels kept of each class.
        seed: int in [0, 2**31 - 1]; the same seed draws the same split.

    Returns:
        A `LabeledSplit`. Both arrays of indices are sorted.

    Raises:
        TypeError, ValueError: an argument has the wrong type, shape or range.
    """
    check_split_arguments(images, labels, per_class, seed)
    rng = np.random.default_rng(seed)
    chosen = []
    for digit in np.unique(labels):
        of_this_class = np.flatnonzero(labels == digit)
        chosen.append(rng.permutation(of_this_class)[:per_class])
    labeled_indices = np.sort(np.concatenate(chosen))
    unlabeled_indices = np.setdiff1d(np.arange(len(labels)), labeled_indices)
    return LabeledSplit(
        labeled_images=images[labeled_indices],
        labeled_labels=labels[labeled_indices],
        unlabeled_images=images[unlabeled_indices],
        labeled_indices=labeled_indices,
        unlabeled_indices=unlabeled_indices,
    )


def random_seed_pair(seed, stream, step):
    """Return the seed of one draw, an int64 tensor (2,): one number for (seed, stream), one for the step.

    Args:
        seed: int in [0, 2**31 - 1], the run's seed.
        stream: one of `STREAMS`, the use that the numbers are put to.
        step: int or int64 scalar tensor, the iteration, from 0.

    Raises:
        TypeError, ValueError: `seed`, `stream` or `step` is not one of those.
    """
    check_seed_and_stream("random_seed_pair", seed, stream, step)
    return tf.stack([tf.constant(seed, tf.int64) * len(STREAMS) + STREAMS.index(stream), tf.cast(step, tf.int64)])


def batch_stream(split, *, seed, start, stop, batch_size=100):
    """Stream the batches of iterations `start` to `stop` - 1. Each batch is a function of seed and step alone.

    Args:
        split: a `LabeledSplit`.
        seed: int in [0, 2**31 - 1].
        start: int, the first iteration, from 0.
        stop: int, the iteration after the last.
        batch_size: int in [1, 10000], the number of labelled and of unlabelled images in a batch, drawn with
            replacement.

    Returns:
        A `tf.data.Dataset` of tuples: step (int64 scalar), labelled images (batch_size, 28, 28, 1),
        labels (int64, batch_size), unlabelled images (batch_size, 28, 28, 1).

    Raises:
        TypeError, ValueError: an argument has the wrong type, shape or range.
    """
    check_stream_arguments(split, seed, start, stop, batch_size)

    def draw_batch(step):
        labeled_rows = draw_rows(seed, "labeled_batch", step, batch_size, len(split.labeled_images))
        unlabeled_rows = draw_rows(seed, "unlabeled_batch", step, batch_size, len(split.unlabeled_images))
        return (
            step,
            take_rows(split.labeled_images, labeled_rows),
            take_rows(split.labeled_labels, labeled_rows),
            take_rows(split.unlabeled_images, unlabeled_rows),
        )

    # TensorFlow's tuner of such pipelines has nothing to tune here, and keeps whoever is done waiting: it looks whether
    # the iterator is gone only after 10, 20, 40, 80 … milliseconds, so the wait can be as long as the work.
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.range(start, stop).map(draw_batch).prefetch(2).with_options(options)


def draw_rows(seed, stream, step, batch_size, count):
    """Draw `batch_size` row numbers from 0 to `count` - 1, with replacement: int64 tensor (batch_size,)."""
    check_row_arguments(seed, stream, step, batch_size, count)
    pair = random_seed_pair(seed, stream, step)
    return tf.random.stateless_uniform((batch_size,), pair, maxval=count, dtype=tf.int64)


def take_rows(array, rows):
    """Return some rows of an array as a tensor, without a second copy of the array: images can be most of the memory.

    A tensor of the array would be such a copy. Ints become int64.
    """
    dtype = np.int64 if np.issubdtype(array.dtype, np.integer) else array.dtype
    taken = tf.numpy_function(lambda numbers: array[numbers].astype(dtype, copy=False), [rows], dtype, stateful=False)
    return tf.ensure_shape(taken, (*rows.shape, *array.shape[1:]))


def draw_noise(seed, stream, step, batch_size, latent_dim):
    """Draw the noise of one update, a function of seed, stream and step alone.

    Args:
        seed: int in [0, 2**31 - 1], the run's seed.
        stream: "fake_noise" or "generator_noise", the name of the update that uses it.
        step: int64 scalar tensor, the iteration, from 0.
        batch_size: int in [1, 10000], the number of noise vectors.
        latent_dim: int in [1, 10000], the length of one.

    Returns:
        float32 tensor (batch_size, latent_dim), standard normal.

    Raises:
        TypeError, ValueError: an argument has the wrong type or range.
    """
    check_noise_arguments(seed, stream, step, batch_size, latent_dim)
    return tf.random.stateless_normal((batch_size, latent_dim), random_seed_pair(seed, stream, step))


def check_row_arguments(seed, stream, step, batch_size, count):
    """Raise unless the arguments of `draw_rows` are valid."""
    check_seed_and_stream("draw_rows", seed, stream, step)
    check_int("draw_rows", "batch_size", batch_size, 1, LARGEST_SIZE)
    check_int("draw_rows", "count", count, 1)


def check_noise_arguments(seed, stream, step, batch_size, latent_dim):
    """Raise unless the arguments of `draw_noise` are valid; the value of a tensor is not looked at."""
    check_seed_and_stream("draw_noise", seed, stream, step)
    for name, value in (("batch_size", batch_size), ("latent_dim", latent_dim)):
        if not tf.is_tensor(value):
            check_int("draw_noise", name, value, 1, LARGEST_SIZE)


def check_split_arguments(images, labels, per_class, seed):
    """Raise unless the arguments of `split_labeled` are valid."""
    check_images("split_labeled", "images", images)
    check_labels("split_labeled", "labels", labels, len(images))
    check_every_class("split_labeled", "labels", labels)
    check_int("split_labeled", "per_class", per_class, 1, int(np.unique(labels, return_counts=True)[1].min()))
    check_int("split_labeled", "seed", seed, 0, MAX_SEED)


def check_seed_and_stream(function, seed, stream, step):
    """Raise unless the seed, the stream and the step of a draw are valid; the value of a tensor is not looked at."""
    check_int(function, "seed", seed, 0, MAX_SEED)
    check_choice(function, "stream", stream, STREAMS)
    if not (tf.is_tensor(step) and step.dtype.is_integer and step.shape.rank == 0):
        check_int(function, "step", step, 0)


def check_stream_arguments(split, seed, start, stop, batch_size):
    """Raise unless the arguments of `batch_stream` are valid."""
    check_type("batch_stream", "split", split, LabeledSplit)
    for name, kinds in (("labeled_images", "f"), ("labeled_labels", "iu"), ("unlabeled_images", "f")):
        part = getattr(split, name)
        if not is_array(part) or part.dtype.kind not in kinds:
            allowed, given = {"f": "floats", "iu": "ints"}[kinds], getattr(part, "dtype", "")
            raise TypeError(
                f"The 'split.{name}' parameter of batch_stream must be an array of {allowed}. "
                f"Got {type(part).__name__} {given} instead."
            )
    counts = (len(split.labeled_images), len(split.labeled_labels), len(split.unlabeled_images))
    if counts[0] != counts[1] or min(counts) == 0:
        raise ValueError(
            "The 'split' parameter of batch_stream must have a label for each labelled image, and at least one "
            f"labelled and one unlabelled image. Got {counts[0]} labelled images, {counts[1]} labels and {counts[2]} "
            "unlabelled images instead."
        )
    check_int("batch_stream", "seed", seed, 0, MAX_SEED)
    check_int("batch_stream", "start", start, 0)
    check_int("batch_stream", "stop", stop, start)
    check_int("batch_stream", "batch_size", batch_size, 1, LARGEST_SIZE)
