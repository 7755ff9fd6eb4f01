"""Files that hold whole: written atomically, locked, read within bounds; and all of a run's state in one of them."""

import contextlib
import csv
import errno
import hashlib
import io
import math
import os
import pathlib
import re
import tempfile
import zipfile

import numpy as np
from filelock import FileLock, Timeout

from sgan_helpers.console import say

KEPT = 2  # checkpoints kept in a run folder: the newest and the one before
# What file systems without locks answer, and full ones; not every platform has every name.
NO_LOCKS = {getattr(errno, name, None) for name in ("ENOLCK", "ENOSYS", "EOPNOTSUPP", "ENOTSUP")}
NO_SPACE = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EFBIG")}


def write_atomically(path, content):
    """Write bytes to `path` so that a reader sees the old file or the whole new one, never a part.

    In the place of a link comes the file; what the link led to stays as it is.

    Raises:
        OSError: the file cannot be written; the message names it and a remedy.
    """
    temporary = pathlib.Path(f"{path}.tmp")
    with written_or_removed(temporary, path):
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


@contextlib.contextmanager
def written_or_removed(temporary, path):
    """Leave no half file at `temporary` where writing fails, and raise with a line that names `path` and a remedy.

    What lies at `temporary` is removed first: if it is a link, writing would change what it leads to.
    """
    try:
        temporary.unlink(missing_ok=True)
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def cannot_write(path, error):
    """Return an `OSError` of the same kind, whose message names what could not be written, why, and a remedy."""
    remedy = "Free some space there" if error.errno in NO_SPACE else "Make its folder writable"
    message = f"{str(path)!r} cannot be written: {error.strerror or error}. {remedy}, or name another place."
    failure = type(error)(message)
    failure.errno = error.errno
    return failure


@contextlib.contextmanager
def locked(path, timeout=-1):
    """Hold the lock file at `path`, also where the file system knows no locks: then it lies in this machine's own
    temporary folder, and keeps out other processes of this machine. Who holds it may take it again.

    Args:
        path: path of the lock file, in an existing folder.
        timeout: float, seconds to wait for whoever holds it; negative: for ever.

    Raises:
        filelock.Timeout: somebody else holds it.
        OSError: the lock file cannot be made.
    """
    path = pathlib.Path(path).resolve()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FileLock(path, is_singleton=True).acquire(timeout=timeout))
        except Timeout:
            raise
        except (OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno not in NO_LOCKS:
                raise cannot_write(path, error) from error
            name = f"sgan_helpers-{hashlib.sha256(os.fsencode(path)).hexdigest()}.lock"
            elsewhere = FileLock(pathlib.Path(tempfile.gettempdir()) / name, is_singleton=True)
            stack.enter_context(elsewhere.acquire(timeout=timeout))
        yield


@contextlib.contextmanager
def open_npz(path):
    """Open an `.npz` archive, and read what its arrays say of themselves before anything is unpacked.

    Yields:
        A pair: the `numpy.lib.npyio.NpzFile`, and a dict from the names of its arrays to (shape, dtype).

    Raises:
        Whatever the layer that meets damage raises; ValueError for what is no file with a size: a folder, a pipe, a
        device, a file of /proc, whose reading may never end.
    """
    path = pathlib.Path(path)
    if not path.is_file() or not path.stat().st_size:
        raise ValueError("no file, or an empty one")
    with open(path, "rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
        declared = {}
        for info in archive.zip.infolist():
            with archive.zip.open(info) as member:
                version = np.lib.format.read_magic(member)
                readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = readers[version](member)
            if dtype.hasobject:
                raise ValueError("an array of objects")
            declared[info.filename.removesuffix(".npy")] = (shape, dtype)
        yield archive, declared


def write_csv(path, rows, columns=None):
    """Write rows, a list of dicts, as a CSV file, atomically; no rows without `columns` write nothing.

    Args:
        path: path of the file.
        rows: list of dicts with the same keys.
        columns: sequence of those keys, in the order of the file; None means that of the first row.
    """
    if columns is None and not rows:
        return
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]) if columns is None else columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, buffer.getvalue().encode())


def model_state(model):
    """Return every variable that the next training step depends on, as NumPy arrays.

    These are `model.variables` (weights, and dropout's seed states, which Keras's own weight files leave out)
    and the variables of each optimiser in `model.optimizers` (moments and step counts).

    Args:
        model: a `keras.Model` with a list `optimizers`.

    Returns:
        dict from "variable/0000", "variable/0001", … to arrays, in a fixed order.
    """
    return {f"variable/{number:04d}": variable.numpy() for number, variable in enumerate(_variables(model))}


def restore_model_state(model, arrays):
    """Assign arrays made by `model_state` to a model built in the same way.

    Raises:
        ValueError: the number, shapes or dtypes of the arrays are not those of the model's variables.
    """
    variables = _variables(model)
    saved = [arrays[name] for name in sorted(arrays) if name.startswith("variable/")]
    expected = [(tuple(variable.shape), np.dtype(variable.dtype)) for variable in variables]
    if expected != [(array.shape, array.dtype) for array in saved]:
        raise ValueError(
            f"The checkpoint's {len(saved)} variables do not fit the model's {len(variables)}: "
            "it was written by another version of the networks."
        )
    for variable, array in zip(variables, saved, strict=True):
        variable.assign(array)


def save_checkpoint(folder, step, arrays):
    """Write `checkpoint-<step>.npz` with a checksum, atomically, and keep the last two checkpoints.

    Args:
        folder: path of an existing folder.
        step: int, the number of finished iterations.
        arrays: dict from name to NumPy array (no objects).
    """
    buffer = io.BytesIO()
    np.savez(buffer, checksum=np.array(_checksum(arrays)), **arrays)
    write_atomically(pathlib.Path(folder) / f"checkpoint-{step:08d}.npz", buffer.getvalue())
    for path in checkpoint_paths(folder)[:-KEPT]:
        with contextlib.suppress(OSError):  # a folder of that name
            path.unlink()


def load_latest_checkpoint(folder):
    """Read the newest undamaged checkpoint of a run folder.

    One that is damaged, or that holds numbers that are not finite, is named in a printed line, and the one before is
    used.

    Args:
        folder: path of a run folder.

    Returns:
        dict from name to array.

    Raises:
        FileNotFoundError: the folder holds no checkpoint.
        ValueError: every checkpoint in it is damaged.
    """
    paths = checkpoint_paths(folder)
    if not paths:
        raise FileNotFoundError(f"There is no checkpoint in {str(folder)!r} to resume from.")
    for path in reversed(paths):
        try:
            arrays = _read_checkpoint(path)
            if str(arrays.pop("checksum")) == _checksum(arrays):
                state = [array for name, array in arrays.items() if name.startswith("variable/")]
                if all(map(_is_finite, state)):
                    return arrays
        except Exception:  # Damage raises whatever the layer that meets it raises.
            pass
        say(f"The checkpoint {path.name} is damaged; trying the one before.")
    raise ValueError(f"Every checkpoint in {str(folder)!r} is damaged: {', '.join(path.name for path in paths)}.")


def checkpoint_paths(folder):
    """Return the paths of a run folder's checkpoints, oldest first. Other names are other people's files."""
    paths = pathlib.Path(folder).glob("checkpoint-*.npz")
    numbers = {path: re.fullmatch(r"checkpoint-([0-9]{8,})\.npz", path.name) for path in paths}
    return sorted(filter(numbers.get, numbers), key=lambda path: int(numbers[path][1]))


def first_not_finite(model):
    """Return the name of the first variable of `model_state` that is not finite, or None."""
    return next((variable.path for variable in _variables(model) if not _is_finite(variable.numpy())), None)


def _read_checkpoint(path):
    """Read the arrays of a checkpoint: they are stored as they are, so that it cannot unpack to more than its size."""
    with open_npz(path) as (archive, declared):
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.zip.infolist()):
            raise ValueError("a compressed array")
        if sum(math.prod(shape) * dtype.itemsize for shape, dtype in declared.values()) > path.stat().st_size:
            raise ValueError("arrays larger than their file")
        return {name: archive[name] for name in archive.files}


def _is_finite(array):
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _variables(model):
    variables = list(model.variables)
    for optimizer in model.optimizers:
        variables.extend(optimizer.variables)
    return variables


def _checksum(arrays):
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
