"""Draw book/figures/hero.png from the run of `make train`, and keep its classifier for chapter 5."""

import csv
import pathlib
import shutil

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from sgan_helpers import plotting

ROOT = pathlib.Path(__file__).parents[1]
SHOWN = (1000, 4000, 10000)  # iterations whose digits are drawn


def main():
    """Draw digits at three moments beside the accuracy curve."""
    run = ROOT / "runs" / "first"
    with open(run / "history.csv", newline="") as file:
        history = [(int(row["iteration"]), 100 * float(row["test_accuracy"])) for row in csv.DictReader(file)]
    samples = np.load(run / "samples.npz", allow_pickle=False)
    with plt.style.context([plotting.STYLE, {"font.size": 13}]):
        figure = plt.figure(figsize=(11, 3.4))
        grid = figure.add_gridspec(len(SHOWN), 2, width_ratios=(1.35, 1))
        for row, iteration in enumerate(SHOWN):
            images = samples["images"][list(samples["iterations"]).index(iteration)][:8]
            axis = figure.add_subplot(grid[row, 0])
            axis.imshow(np.concatenate(list(images), axis=1), vmin=0, vmax=255)
            axis.set_ylabel(f"{iteration:,}", rotation=0, ha="right", va="center")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        axis = figure.add_subplot(grid[:, 1])
        axis.plot(*zip(*history, strict=True), marker="o", color=plotting.COLORS["sgan"], label="SGAN, seed 0")
        axis.axhline(94.8, color="0.4", linestyle="--", label="reference 94.8 %")
        axis.set(xlabel="iteration", ylabel="test accuracy (%)")
        axis.legend(loc="lower right")
        figure.savefig(ROOT / "book" / "figures" / "hero.png")
    shutil.copyfile(run / "class_discriminator.weights.h5", ROOT / "results" / "sgan-1000-0.weights.h5")


if __name__ == "__main__":
    main()
