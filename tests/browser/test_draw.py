"""The board: pictures are cleaned as in Python, the numbers are Keras's, and drawings are read as recorded."""

import base64
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
from make_classifiers import CLASSIFIERS, as_script, fold, load_classifier, rebuild, to_8_bits

from sgan_helpers import like_mnist, load_mnist

ROOT = pathlib.Path(__file__).parents[2]
LAB = ROOT / "book" / "_static" / "lab"
DRAWN = json.loads((pathlib.Path(__file__).parent / "strokes.json").read_text())
SHOW = "(button, drawing) => {button.dataset.drawing = JSON.stringify(drawing); button.click()}"
SEEN = """() => {
    const {data} = document.querySelector(".draw-board").getContext("2d").getImageData(0, 0, 280, 280);
    const rows = document.querySelector(".draw-seen").getContext("2d").getImageData(0, 0, 28, 28).data;
    return [[...data].filter((_, place) => place % 4 === 0), [...rows].filter((_, place) => place % 4 === 0)];
}"""


@pytest.fixture(scope="module")
def digits(browser):
    page = browser.new_page()
    for name in ("network.js", "losses.js", "digits.js"):
        page.add_script_tag(path=LAB / name)
    yield page
    page.close()


def as_text(array):
    """Return a float32 array as base64."""
    return base64.b64encode(np.ascontiguousarray(array, np.float32).tobytes()).decode()


@pytest.mark.parametrize("seed", range(20))
def test_a_picture_is_cleaned_as_in_python(digits, seed):
    rng = np.random.default_rng(seed)
    picture = np.zeros(rng.integers(5, 90, 2), np.uint8)
    top, left = (int(rng.integers(0, side - 3)) for side in picture.shape)
    part = picture[top : top + int(rng.integers(1, 60)), left : left + int(rng.integers(1, 60))]
    part[...] = rng.integers(0, 256, part.shape) * (rng.random(part.shape) < 0.5)
    part[0, 0] = 255
    found = digits.evaluate("([picture, width]) => [...likeMnist(picture, width)]",
                            [picture.ravel().tolist(), picture.shape[1]])  # fmt: skip
    np.testing.assert_allclose(found, np.ravel(like_mnist(picture, 0)), atol=1e-6)


def test_an_empty_picture_is_no_image(digits):
    assert digits.evaluate("likeMnist(new Uint8Array(100), 10)") is None


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_probabilities_are_those_of_keras(digits, name):
    """For 200 test images, with all bits and with the 8 of the page."""
    images = load_mnist("sample").test_images[:200]
    layers = fold(load_classifier(name))
    wanted = keras.ops.softmax(load_classifier(name)(images, training=False)).numpy()
    coded = [{**{key: layer[key] for key in ("size", "slope") if key in layer},
              "kernel": as_text(layer["kernel"]), "bias": as_text(layer["bias"])} for layer in layers]  # fmt: skip
    ask = """(classifier, images) => {
        const every = new Float32Array(bytesOf(images).buffer);
        return range(200).map((row) => [...classifier.probabilities(every.slice(784 * row, 784 * row + 784))]);
    }"""
    found = digits.evaluate(
        "([layers, images]) => {const floats = (text) => new Float32Array(bytesOf(text).buffer);"
        "return (" + ask + ")(new Classifier(layers.map((layer) =>"
        "({...layer, kernel: floats(layer.kernel), bias: floats(layer.bias)}))), images)}",
        [coded, as_text(images)],
    )
    difference = np.abs(np.array(found) - wanted).max()
    in_8_bits = to_8_bits(layers)
    digits.evaluate(as_script(name, in_8_bits, 0))
    rebuilt = keras.ops.softmax(rebuild(in_8_bits)(images, training=False)).numpy()
    found = digits.evaluate(
        f"(images) => ({ask})(Classifier.decode(CLASSIFIERS['{name}'].layers), images)", as_text(images)
    )
    in_8_bits_difference = np.abs(np.array(found) - rebuilt).max()
    print(f"\n{name}: largest difference {difference:.1e}, in 8 bits {in_8_bits_difference:.1e},"
          f" of 8 bits to all bits {np.abs(rebuilt - wanted).max():.3f}")  # fmt: skip
    assert difference < 1e-4 and in_8_bits_difference < 1e-4


def test_drawings_are_read_as_recorded(open_page):
    page = open_page("book/draw.html")
    button = page.locator("[data-drawing]").first
    classifiers = [rebuild(to_8_bits(fold(load_classifier(name)))) for name in CLASSIFIERS]
    assert len(DRAWN) >= 20
    for drawn in DRAWN:
        button.evaluate(SHOW, {"preparation": "cleaned", "strokes": drawn["strokes"]})
        page.wait_for_function("document.querySelectorAll('.draw-answer').length === 3")
        page.wait_for_timeout(60)
        lines = page.locator(".draw-says").inner_text().splitlines()
        assert [int(line.split(": ")[1][0]) for line in lines] == drawn["answers"], drawn["digit"]
        board, seen = (np.array(each, np.uint8) for each in page.evaluate(SEEN))
        image = like_mnist(board.reshape(280, 280))
        np.testing.assert_allclose(seen, np.ravel(image + 1) * 127.5, atol=1)
        assert [int(np.argmax(model(image))) for model in classifiers] == drawn["answers"]


@pytest.mark.parametrize(("page_name", "width"), [("draw", 1440), ("draw", 390), ("intro", 1440), ("intro", 390)])
def test_a_seven_is_drawn_by_hand(open_page, page_name, width):
    page = open_page(f"book/{page_name}.html", width)
    assert not any("weights-" in name for name in page.files)
    board = page.locator(".draw-board")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    places = [(0.27, 0.25), (0.72, 0.25), (0.46, 0.82)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    page.wait_for_function("document.querySelector('.draw-says').textContent.split('\\n').length === 3")
    lines = page.locator(".draw-says").inner_text().splitlines()
    assert all(": 7 (" in line for line in lines), lines
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".draw-says").inner_text().startswith("Draw a digit")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and not page.troubles


def test_a_one_is_drawn_by_keyboard(open_page):
    page = open_page("book/draw.html")
    page.locator(".draw-board").focus()
    for key, times in (("ArrowUp", 10), ("Space", 1), ("ArrowDown", 20), ("Space", 1)):
        for _ in range(times):
            page.keyboard.press(key)
    page.wait_for_function("document.querySelectorAll('.draw-answer').length === 3")
    assert all(": 1 (" in line for line in page.locator(".draw-says").inner_text().splitlines())
    page.keyboard.press("Delete")
    page.wait_for_function("document.querySelectorAll('.draw-answer').length === 0")


def test_what_breaks_them_breaks_them(open_page):
    """The page says who reads the 3 and the open 4, that the 1 with a foot is a 2 for all, and what cleaning does."""
    page = open_page("book/draw.html")
    answers = {}
    for button in page.locator("[data-drawing]").all():
        button.click()
        page.wait_for_function("document.querySelectorAll('.draw-answer').length === 3")
        page.wait_for_timeout(100)
        lines = page.locator(".draw-says").inner_text().splitlines()
        answers[button.inner_text()] = [int(line.split(": ")[1][0]) for line in lines]
    assert answers["Draw a 3"] == [5, 3, 3] and answers["Draw an open 4"] == [9, 9, 4]
    assert answers["Draw a 1 with a foot"] == [2, 2, 2]
    assert answers["Draw it small, only shrunk"] == [1, 1, 1] and answers["The same, cleaned"] == [7, 7, 7]
    assert 7 not in answers["Draw dark on white"] and len(set(answers["Draw an A"])) == 3
    seen = np.array(page.evaluate(SEEN)[1])
    assert 0 == seen.min() < seen.max() <= 255
