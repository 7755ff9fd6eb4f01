"""Photograph the lab and the board for readers without JavaScript: book/_static/lab/lab.png and draw.png.

Opens the built book in Chromium, runs the five experiments of the lab for a thousand updates each, and shows the board
each drawing of its page. Needs `make book`, and what `make test-browser` installs.
"""

import base64
import io
import os
import pathlib
import shutil

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).parents[1]
HTML = ROOT / "_build" / "html" / "book"
STILLS = ROOT / "book" / "_static" / "lab"


def photograph_lab(page):
    """Return a picture of the planes of each experiment, and what stands below each: a list of lists of pairs."""
    page.goto((HTML / "lab.html").as_uri())
    rows = []
    for button in page.locator("[data-experiment]").all():
        button.click()
        page.wait_for_function("document.querySelector('[data-act=play]').textContent === 'Play'", timeout=120_000)
        planes = page.evaluate("[...document.querySelectorAll('.lab-panel canvas')].map(each => each.toDataURL())")
        kinds = page.evaluate("[...document.querySelectorAll('.lab-panel option:checked')].map(each => each.text)")
        kinds = [kind.split(":")[0] for kind in kinds]
        shares = [text.split(": ")[1].split(" of")[0] for text in page.locator(".lab-figures").all_inner_texts()]
        captions = [f"{kind}\n{share} right" for kind, share in zip(kinds, shares, strict=True)]
        rows.append(list(zip(map(as_picture, planes), captions, strict=True)))
    return rows


def photograph_board(page):
    """Return for each drawing of the board's page what the classifiers see, and what they say: rows of two."""
    page.goto((HTML / "draw.html").as_uri())
    pairs = []
    for button in page.locator("[data-drawing]").all():
        button.click()
        page.wait_for_function("document.querySelectorAll('.draw-answer').length === 3")
        page.wait_for_timeout(300)
        pairs.append((as_picture(page.evaluate("document.querySelector('.draw-seen').toDataURL()")),
                      page.locator(".draw-says").inner_text()))  # fmt: skip
    return [pairs[start : start + 2] for start in range(0, len(pairs), 2)]


def as_picture(address):
    """Return the picture in a data address."""
    return Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB")


def keep(rows, path, inches):
    """Write rows of pictures with their captions as one picture."""
    figure, axes = plt.subplots(len(rows), 2, figsize=(2 * inches, len(rows) * (inches + 0.7)), squeeze=False, dpi=100)
    for line, row in zip(axes, rows, strict=True):
        for axis in line:
            axis.axis("off")
        for axis, (picture, caption) in zip(line, row, strict=False):
            axis.imshow(picture, interpolation="nearest")
            axis.set_title(caption, fontsize=7)
    figure.tight_layout()
    figure.canvas.draw()
    drawn = Image.frombuffer("RGBA", figure.canvas.get_width_height(), figure.canvas.buffer_rgba()).convert("RGB")
    plt.close(figure)
    drawn.quantize(48, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)


def main():
    """Photograph both pages."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        keep(photograph_lab(page), STILLS / "lab.png", 2.6)
        keep(photograph_board(page), STILLS / "draw.png", 1.8)
        browser.close()


if __name__ == "__main__":
    main()
