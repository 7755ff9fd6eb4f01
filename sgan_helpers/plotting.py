"""Every figure of the book, from arrays alone, with one style sheet."""

import io
import itertools
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from PIL import Image
from sklearn.metrics import ConfusionMatrixDisplay

from sgan_helpers.checks import as_array, check_choice, check_dict, check_finite_array, check_int, check_type
from sgan_helpers.methods import METHODS

# Load the backend now: loaded inside a style context, a notebook's backend would lose its settings when that ends.
plt.draw_if_interactive()

STYLE = str(pathlib.Path(__file__).parent / "sgan.mplstyle")
COLORS = {
    **{name: method.color for name, method in METHODS.items()},
    "real": "#009E73",
    "generated": "#CC79A7",
}
LOSS_COLORS = {
    "class_loss": "#E69F00",
    "consistency_loss": "#D55E00",
    "real_loss": "#009E73",
    "fake_loss": "#CC79A7",
    "generator_loss": "#0072B2",
}
OTHER_COLORS = ("#56B4E9", "#8C510A", "#000000", "#999999")  # of losses that are not among these


def plot_digits(images, captions=None, columns=10):
    """Draw images in a grid, row by row.

    Args:
        images: array (N, 28, 28) or (N, 28, 28, 1), float in [-1, 1] or uint8.
        captions: sequence of N strings below the images, or None.
        columns: int, images in a row.

    Returns:
        The figure.
    """
    images = _as_uint8(images)
    check_int("plot_digits", "columns", columns, 1)
    if captions is not None and (not isinstance(captions, (list, tuple)) or len(captions) != len(images)):
        raise ValueError(
            f"The 'captions' parameter of plot_digits must have one string for each of the {len(images)} images. "
            f"Got {len(captions) if isinstance(captions, (list, tuple)) else repr(captions)} instead."
        )
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height = 0.62 if captions is None else 0.95
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(0.62 * columns + 0.2, height * rows + 0.2), squeeze=False)
        for number, axis in enumerate(axes.flat):
            axis.axis("off")
            if number < len(images):
                axis.imshow(images[number], vmin=0, vmax=255)
                if captions is not None:
                    axis.set_title(captions[number], fontsize=9)
    return figure


def plot_samples(samples, iterations, count=10):
    """Draw the same `count` generated digits at each evaluation: one row an evaluation, its iteration at the left.

    Args:
        samples: uint8 array (evaluations, N, 28, 28).
        iterations: sequence of ints, one for each evaluation.
        count: int, digits in a row.

    Returns:
        The figure.
    """
    check_samples("plot_samples", samples)
    check_int("plot_samples", "count", count, 1, len(samples[0]))
    if not isinstance(iterations, (list, tuple, np.ndarray)) or len(np.atleast_1d(as_array(iterations))) != len(
        samples
    ):
        raise ValueError(
            f"The 'iterations' parameter of plot_samples must have one int for each of the {len(samples)} evaluations. "
            f"Got {len(iterations) if isinstance(iterations, (list, tuple)) else repr(iterations)} instead."
        )
    check_finite_array("plot_samples", "iterations", iterations, 0)
    with plt.style.context(STYLE):
        size = (0.62 * count + 0.9, 0.62 * len(samples) + 0.1)
        figure, axes = plt.subplots(len(samples), 1, figsize=size, squeeze=False)
        for axis, images, iteration in zip(axes.flat, samples, iterations, strict=True):
            axis.imshow(np.concatenate(list(images[:count]), axis=1), vmin=0, vmax=255)
            axis.set_ylabel(f"{iteration:,}", rotation=0, ha="right", va="center")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
    return figure


def animate_samples(samples, columns=10, milliseconds=600, zoom=2):
    """Make an animated GIF of generated digits, one frame an evaluation.

    Args:
        samples: uint8 array (evaluations, N, 28, 28).
        columns: int, digits in a row; N must be a multiple of it.
        milliseconds: int, the time of one frame; the last stays three times as long.
        zoom: int, screen pixels for each pixel of a digit.

    Returns:
        bytes of the GIF.
    """
    check_samples("animate_samples", samples)
    for name, value, high in (("columns", columns, 65535), ("milliseconds", milliseconds, 65535), ("zoom", zoom, 32)):
        check_int("animate_samples", name, value, 1, high)
    if len(samples[0]) % columns:
        raise ValueError(
            f"The 'columns' parameter of animate_samples must divide the {len(samples[0])} digits of an evaluation. "
            f"Got {columns} instead."
        )
    frames = []
    for images in samples:
        grid = images.reshape(-1, columns, 28, 28).transpose(0, 2, 1, 3).reshape(-1, columns * 28)
        frames.append(Image.fromarray(grid.repeat(zoom, axis=0).repeat(zoom, axis=1)))
    buffer = io.BytesIO()
    durations = [milliseconds] * (len(frames) - 1) + [3 * milliseconds]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return buffer.getvalue()


def plot_losses(losses):
    """Draw loss curves.

    Args:
        losses: dict from "iteration" and names of losses to arrays of one length, as in `TrainingRun.losses`.

    Returns:
        The figure.
    """
    check_dict("plot_losses", "losses", losses, "'iteration' and losses by name")
    check_finite_array("plot_losses", "losses['iteration']", losses.get("iteration"), 0)
    for name, values in losses.items():
        check_finite_array("plot_losses", f"losses[{name!r}]", values, count=len(losses["iteration"]))
    with plt.style.context(STYLE):
        figure, axis = plt.subplots()
        spare = itertools.cycle(OTHER_COLORS)
        for name in (name for name in losses if name != "iteration"):
            style = {"color": LOSS_COLORS.get(name) or next(spare), "marker": "o" if len(losses[name]) == 1 else ""}
            axis.plot(losses["iteration"], losses[name], label=name.replace("_", " "), **style)
        axis.set(xlabel="iteration", ylabel="loss (nats)")
        axis.set_ylim(bottom=0)
        axis.legend()
    return figure


def plot_accuracy(iterations, accuracies, reference=None):
    """Draw test accuracy against iterations, one curve a method.

    Args:
        iterations: sequence of ints.
        accuracies: dict from the name of a method in `METHODS` to a sequence of fractions.
        reference: fraction drawn as a dashed line, or None.

    Returns:
        The figure.
    """
    check_finite_array("plot_accuracy", "iterations", iterations, 0)
    check_curves("plot_accuracy", "accuracies", accuracies, reference, len(iterations))
    with plt.style.context(STYLE):
        figure, axis = plt.subplots()
        for name, values in accuracies.items():
            axis.plot(iterations, 100 * np.asarray(values), marker="o", label=METHODS[name].title, color=COLORS[name])
        if reference is not None:
            axis.axhline(100 * reference, color="0.4", linestyle="--", label=f"reference {100 * reference:.1f} %")
        axis.set(xlabel="iteration", ylabel="test accuracy (%)")
        axis.legend(loc="lower right")
    return figure


def plot_seeds(accuracies, reference=None):
    """Draw one dot for each run and a bar for each method's mean, so that the spread over seeds is seen.

    Args:
        accuracies: dict from the name of a method in `METHODS` to a sequence of fractions, one a run.
        reference: fraction drawn as a dashed line, or None.

    Returns:
        The figure.
    """
    check_curves("plot_seeds", "accuracies", accuracies, reference)
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(6.4, 2.4))
        for row, (name, values) in enumerate(accuracies.items()):
            percent = 100 * np.asarray(values)
            axis.plot(percent, np.full(len(percent), row), "o", color=COLORS[name], alpha=0.8, markersize=8)
            axis.plot([percent.mean()] * 2, [row - 0.25, row + 0.25], color=COLORS[name])
        if reference is not None:
            axis.axvline(100 * reference, color="0.4", linestyle="--")
        axis.set(
            xlabel="test accuracy (%)",
            yticks=range(len(accuracies)),
            yticklabels=[METHODS[name].title for name in accuracies],
        )
        axis.set_ylim(len(accuracies) - 0.5, -0.5)
    return figure


def plot_label_curve(values, ylabel="test error (%)", published=()):
    """Draw a quantity against the number of labels, both logarithmic: each run, and a line through the means.

    Args:
        values: dict from the name of a method in `METHODS` to a dict from number of labels to a sequence of finite
            numbers of at least 0, one a run. A zero lies below the axis.
        ylabel: str, the name of the quantity, with its unit.
        published: sequence of (name, number of labels, value) from the literature; of those with one number of labels,
            the lowest and the highest are named.

    Returns:
        The figure.
    """
    check_dict("plot_label_curve", "values", values, "runs by method")
    check_type("plot_label_curve", "ylabel", ylabel, str)
    check_published(published)
    for name, runs in values.items():
        check_choice("plot_label_curve", "values", name, METHODS)
        check_dict("plot_label_curve", f"values[{name!r}]", runs, "runs by number of labels")
        for labels, numbers in runs.items():
            check_int("plot_label_curve", "values", labels, 1)
            numbers = as_array(numbers)
            fits = numbers.dtype.kind in "iuf" and numbers.ndim == 1 and len(numbers) > 0
            if not (fits and (np.isfinite(numbers) & (numbers >= 0)).all()):
                raise ValueError(
                    "The 'values' parameter of plot_label_curve must have finite numbers of at least 0 for each number "
                    f"of labels. Got {numbers} for {labels} labels of {name!r} instead."
                )
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(7.4, 4.8) if published else (5.4, 4.2))
        for number, (name, runs) in enumerate(values.items()):
            style = {"color": METHODS[name].color, "marker": METHODS[name].marker}
            counts = sorted(runs)
            axis.plot(counts, [np.mean(runs[count]) for count in counts], label=METHODS[name].title, **style)
            aside = 1.06 ** (number - (len(values) - 1) / 2)  # so that the runs of one method do not hide another's
            for count in counts:
                axis.plot([count * aside] * len(runs[count]), runs[count], linestyle="", alpha=0.4, **style)
        if published:
            _, labels, errors = zip(*published, strict=True)
            axis.plot(labels, errors, "_", color="0.4", markersize=9, label="published")
            axis.margins(x=0.16)
            grey = {"color": "0.35", "fontsize": 7.5, "ha": "right", "va": "center", "textcoords": "offset points"}
            grey["path_effects"] = [withStroke(linewidth=2.5, foreground="white")]
            for count in sorted(set(labels)):  # names for the lowest and the highest: more would overlap
                of_count = sorted((value, name) for name, labels, value in published if labels == count)
                for (value, name), up in ((of_count[0], -5), (of_count[-1], 5))[: len(of_count)]:
                    axis.annotate(name, (count, value), (-5, up), **grey)
        some = any(np.max(numbers) > 0 for runs in values.values() for numbers in runs.values())
        axis.set(xscale="log", yscale="log" if some else "linear", xlabel="labels", ylabel=ylabel)
        counts = sorted({count for runs in values.values() for count in runs} | {row[1] for row in published})
        axis.set_xticks(counts, [f"{count:,}" for count in counts])
        axis.minorticks_off()
        low, high = axis.get_ylim()
        ticks = [digit * 10.0**power for power in range(-4, 3) for digit in (1, 2, 5)]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) < 2:
            ticks = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
        axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        _name_ends(
            figure, axis, {METHODS[name].title: (max(runs), np.mean(runs[max(runs)])) for name, runs in values.items()}
        )
    return figure


def _name_ends(figure, axis, ends):
    """Write each name right of its point, moved up or down where names would overlap."""
    figure.draw_without_rendering()  # places the axes
    line = 12  # points between two names
    places = {name: axis.transData.transform(end) * 72 / figure.dpi for name, end in ends.items()}
    heights = {name: place[1] for name, place in places.items()}
    order = sorted(heights, key=heights.get)
    for _ in range(100):
        for low, high in itertools.pairwise(order):
            overlap = line - (heights[high] - heights[low])
            if overlap > 0 and abs(places[high][0] - places[low][0]) < 100:
                heights[low], heights[high] = heights[low] - overlap / 2, heights[high] + overlap / 2
    for name, end in ends.items():
        offset = (14, heights[name] - places[name][1])
        axis.annotate(name, end, offset, textcoords="offset points", va="center", fontsize=9, annotation_clip=False)


def plot_confusion(confusion):
    """Draw a confusion matrix of counts: rows are the true digits, columns the predicted ones.

    Args:
        confusion: int array (K, K).

    Returns:
        The figure.
    """
    if not isinstance(confusion, np.ndarray) or confusion.ndim != 2 or len(set(confusion.shape)) > 1:
        given = f"shape {confusion.shape}" if isinstance(confusion, np.ndarray) else type(confusion).__name__
        raise ValueError(
            f"The 'confusion' parameter of plot_confusion must be an int array of shape (K, K). Got {given} instead."
        )
    if confusion.dtype.kind not in "iu" or confusion.size == 0 or confusion.min() < 0:
        raise ValueError(
            "The 'confusion' parameter of plot_confusion must be counts: ints of at least 0. "
            f"Got {confusion.dtype} of shape {confusion.shape}, {confusion.ravel()[:3]} … instead."
        )
    with plt.style.context([STYLE, {"axes.grid": False}]):
        figure, axis = plt.subplots(figsize=(5.6, 5.6))
        shown = np.log1p(confusion)  # so that rare errors can be seen beside the diagonal
        display = ConfusionMatrixDisplay(shown)
        display.plot(ax=axis, cmap="Blues", colorbar=False, include_values=False)
        dark = shown > 0.6 * shown.max()
        for row, column in np.ndindex(confusion.shape):
            if confusion[row, column]:
                color = "white" if dark[row, column] else "black"
                axis.text(column, row, confusion[row, column], ha="center", va="center", color=color, fontsize=9)
        axis.set(xlabel="predicted digit", ylabel="true digit")
    return figure


def check_published(published):
    """Raise unless `published` is a sequence of (name, number of labels, value)."""
    fits = isinstance(published, (list, tuple)) and all(
        isinstance(row, (list, tuple)) and len(row) == 3 for row in published
    )
    if not fits:
        raise ValueError(
            "The 'published' parameter of plot_label_curve must be a sequence of (name, number of labels, value). "
            f"Got {published!r} instead."
        )
    for name, labels, value in published:
        check_type("plot_label_curve", "published", name, str)
        check_int("plot_label_curve", "published", labels, 1)
        check_finite_array("plot_label_curve", "published", [value], 0)


def check_samples(function, samples):
    """Raise unless `samples` is a uint8 array (evaluations, N, 28, 28), or a sequence of such parts."""
    array = as_array(samples)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[2:] != (28, 28) or 0 in array.shape:
        raise ValueError(
            f"The 'samples' parameter of {function} must be a uint8 array of shape (evaluations, N, 28, 28), none "
            f"of them 0. Got {array.dtype} of shape {array.shape} instead."
        )


def check_curves(function, name, curves, reference, count=None):
    """Raise unless `curves` are fractions by method, of which there are `count` each, and `reference` one or None."""
    check_dict(function, name, curves, "fractions by method")
    for method, values in curves.items():
        check_choice(function, name, method, METHODS)
        check_finite_array(function, f"{name}[{method!r}]", values, 0, 1, count)
    if reference is not None:
        check_finite_array(function, "reference", [reference], 0, 1)


def _as_uint8(images):
    images = as_array(images)
    is_float = images.dtype.kind == "f" and images.size and images.min() >= -1.0 and images.max() <= 1.0
    if (
        images.shape[1:] not in ((28, 28), (28, 28, 1))
        or len(images) == 0
        or not (is_float or images.dtype == np.uint8)
    ):
        values = f", values from {images.min()} to {images.max()}" if images.dtype.kind == "f" and images.size else ""
        raise ValueError(
            "The 'images' parameter of plot_digits must be an array of shape (N, 28, 28) or (N, 28, 28, 1), N >= 1, "
            f"either uint8 or floats in [-1, 1]. Got {images.dtype} of shape {images.shape}{values} instead."
        )
    images = images.reshape(-1, 28, 28)
    return images if images.dtype == np.uint8 else np.round((images + 1.0) * 127.5).astype(np.uint8)
