"""Checks of arguments: every error names the parameter, what is allowed and what was given."""

import errno
import functools
import json
import os
import pathlib
import sys

import numpy as np

IMAGE_SHAPE = (28, 28, 1)
LARGEST_INT = 2**31 - 1
LARGEST_SIZE = 10_000  # of a dimension that is allocated; more fills the memory, which ends the process without a word


def plain_ints(function):
    """Hand NumPy's integers on to `function` as Python's, which are all that Keras's layers take."""

    def plain(value):
        if isinstance(value, (tuple, list)):
            return type(value)(plain(item) for item in value)
        return int(value) if isinstance(value, np.integer) else value

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*map(plain, args), **{name: plain(value) for name, value in kwargs.items()})

    return wrapper


def check_int(function, name, value, low, high=None):
    """Raise unless `value` is an integer in [low, high]; a tensor can count no further than `LARGEST_INT`."""
    if high is None and isinstance(value, (int, np.integer)) and value > LARGEST_INT:
        high = LARGEST_INT
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if is_int and value >= low and (high is None or value <= high):
        return
    allowed = f"an int in [{low}, {high}]" if high is not None else f"an int of at least {low}"
    raise _wrong(function, name, allowed, value, type_error=not is_int)


def check_number(function, name, value, low, high, includes_low=False):
    """Raise unless `value` is a finite real number in the open interval (low, high), or in [low, high)."""
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if is_number and (low < value < high or (includes_low and value == low)):
        return
    interval = f"{'[' if includes_low else '('}{low}, {high})"
    raise _wrong(function, name, f"a number in {interval}", value, type_error=not is_number)


def check_amounts(function, name, value, example):
    """Raise unless `value` is a dict with the keys of the dict `example` and finite numbers of at least 0."""
    if not isinstance(value, dict) or value.keys() != example.keys():
        keys = ", ".join(map(repr, example))
        raise _wrong(function, name, f"a dict with the keys {keys}", value, type_error=not isinstance(value, dict))
    for key, amount in value.items():
        check_number(function, f"{name}[{key!r}]", amount, 0, float("inf"), includes_low=True)


def check_backend():
    """Raise unless Keras runs on TensorFlow, or will once it is imported."""
    if "keras" in sys.modules:
        backend, where = sys.modules["keras"].config.backend(), "Keras was imported with"
    elif "KERAS_BACKEND" in os.environ:
        backend, where = os.environ["KERAS_BACKEND"], "the environment variable KERAS_BACKEND says"
    else:
        home = pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"))
        try:
            backend, where = json.loads((home / "keras.json").read_text())["backend"], f"{home / 'keras.json'} says"
        except (OSError, ValueError, KeyError, TypeError):
            return  # Without one, or with one that Keras cannot read either, the backend is TensorFlow.
    if backend != "tensorflow":
        raise ImportError(
            f"sgan_helpers needs Keras on TensorFlow, but {where} {backend!r}. "
            "Set the environment variable KERAS_BACKEND=tensorflow, and start Python again."
        )


def check_resume(function, name, value):
    """Raise unless `value` is True, False or "auto"."""
    if not isinstance(value, (bool, np.bool_)) and not (isinstance(value, str) and value == "auto"):
        raise _wrong(function, name, "True, False or 'auto'", value, type_error=not isinstance(value, str))


def check_path(function, name, value):
    """Raise unless `value` is a path: a string that is not empty and has no zero character, or a `pathlib.Path`."""
    if isinstance(value, bytes) or not isinstance(value, (str, os.PathLike)):
        raise _wrong(function, name, "a path", value, type_error=True)
    if value == "" or "\0" in str(value):
        raise _wrong(function, name, "a path", value)
    try:
        os.stat(value)
    except OSError as error:  # nothing may be there yet; but can there ever be?
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            raise _wrong(function, name, f"a path that can be opened ({error.strerror})", value) from None


def nearest_existing(path):
    """Return the path, absolute, or what lies nearest above it and exists, be it as a link to nothing."""
    path = pathlib.Path(path).absolute()
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def is_array(value):
    """Return whether `value` is a NumPy array that means all that it holds: one with a mask hides some of it."""
    return isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray)


def as_array(value):
    """Return a sequence as an array; what makes none, such as rows of several lengths, as one of None."""
    try:
        return np.array(None) if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
    except (ValueError, TypeError):
        return np.array(None)


def check_type(function, name, value, expected):
    """Raise unless `value` is an instance of the class `expected`, and hides nothing behind a mask."""
    if not isinstance(value, expected) or isinstance(value, np.ma.MaskedArray):
        raise _wrong(function, name, f"a {expected.__name__}", type(value).__name__, type_error=True)


def check_choice(function, name, value, choices):
    """Raise unless `value` is one of the strings in `choices`."""
    if isinstance(value, str) and value in choices:
        return
    raise _wrong(function, name, "one of " + ", ".join(repr(choice) for choice in choices), value)


def check_images(function, name, images):
    """Raise unless `images` is a float32 array (N, 28, 28, 1) with N >= 1 and finite values in [-1, 1]."""
    allowed = "a float32 array of shape (N, 28, 28, 1) with N >= 1"
    if not is_array(images):
        raise _wrong(function, name, allowed, type(images).__name__, type_error=True)
    if images.dtype != np.float32 or images.ndim != 4 or images.shape[1:] != IMAGE_SHAPE or len(images) == 0:
        raise _wrong(function, name, allowed, f"{images.dtype} of shape {images.shape}")
    low, high = images.min(), images.max()  # NaN propagates through both
    if not (low >= -1.0 and high <= 1.0):
        raise _wrong(function, name, "finite, with every value in [-1, 1]", f"values from {low} to {high}")


def check_labels(function, name, labels, count):
    """Raise unless `labels` is an integer array of shape (count,) with no negative entry."""
    allowed = f"an array of {count} ints of at least 0, one for each image"
    if not is_array(labels) or not np.issubdtype(labels.dtype, np.integer):
        given = f"{labels.dtype} array" if is_array(labels) else type(labels).__name__
        raise _wrong(function, name, allowed, given, type_error=True)
    if labels.shape != (count,):
        raise _wrong(function, name, allowed, f"shape {labels.shape}")
    if count and labels.min() < 0:
        raise _wrong(function, name, allowed, f"a smallest label of {labels.min()}")


def check_finite_array(function, name, value, low=-np.inf, high=np.inf, count=None):
    """Raise unless `value` is a sequence of finite real numbers in [low, high], at least one; or of `count` of them."""
    array = as_array(value)
    within = "finite numbers" if (low, high) == (-np.inf, np.inf) else f"numbers from {low} to {high}"
    allowed = f"a sequence of {'at least one' if count is None else count} {within}"
    if array.dtype.kind not in "iuf" or array.ndim != 1 or len(array) != (len(array) or 1 if count is None else count):
        raise _wrong(function, name, allowed, value)
    if not (np.isfinite(array) & (array >= low) & (array <= high)).all():
        raise _wrong(function, name, allowed, value)


def check_dict(function, name, value, allowed):
    """Raise unless `value` is a dict with something in it; `allowed` says of what."""
    if not isinstance(value, dict) or not value:
        raise _wrong(function, name, f"a dict of {allowed}", value, type_error=not isinstance(value, dict))


def check_every_class(function, name, labels):
    """Raise unless `labels`, ints of at least 0, hold every class from 0 to the largest."""
    present = np.unique(labels)
    largest = int(present[-1])
    if len(present) == largest + 1:
        return
    missing = np.setdiff1d(np.arange(min(largest, len(present) + 5)), present)[:5]
    given = f"no image of class {', '.join(map(str, missing))}"
    raise _wrong(function, name, f"labels that hold every class from 0 to {largest}", given)


def _wrong(function, name, allowed, given, type_error=False):
    shown = given if isinstance(given, str) and " " in given else repr(given)
    message = f"The '{name}' parameter of {function} must be {allowed}. Got {shown} instead."
    return TypeError(message) if type_error else ValueError(message)
