"""What the benchmarks' scripts share: how a count is read, and how times and pictures are written."""

import argparse

import matplotlib.pyplot as plt

from sgan_helpers.checkpoints import write_csv


def count_of(text):
    """Read a command-line argument that must be an int of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an int of at least 1. Got {text!r} instead.")
    return int(text)


def write_rows(path, rows):
    """Write dicts with the same keys as a CSV file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(path, rows)


def save_picture(figure, path):
    """Save a figure as SVG: the same bytes for the same times."""
    with plt.rc_context({"svg.hashsalt": path.name}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
