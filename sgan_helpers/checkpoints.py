"""Save and restore all of a run's state as one checksummed `.npz` of arrays, atomically."""

import csv
import hashlib
import io
import os
import pathlib

import numpy as np

KEPT = 2  # checkpoints kept in a run folder: the newest and the one before


def write_atomically(path, content):
    """Write bytes to `path` so that a reader sees the old file or the whole new one, never a part."""
    temporary = pathlib.Path(f"{path}.tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


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
        path.unlink()


def load_latest_checkpoint(folder):
    """Read the newest undamaged checkpoint of a run folder.

    A damaged one is named in a printed line, and the one before is used.

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
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            if str(arrays.pop("checksum")) == _checksum(arrays):
                return arrays
        except Exception:  # Damage raises whatever the layer that meets it raises.
            pass
        print(f"The checkpoint {path.name} is damaged; trying the one before.")
    raise ValueError(f"Every checkpoint in {str(folder)!r} is damaged: {', '.join(path.name for path in paths)}.")


def checkpoint_paths(folder):
    """Return the paths of a run folder's checkpoints, oldest first."""
    return sorted(pathlib.Path(folder).glob("checkpoint-*.npz"))


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
