"""The walks through recorded trainings: sliders move everything together, and show what was recorded."""

import json
import pathlib

import pytest
from conftest import CHROMIUM, HTML

WALKS = pathlib.Path(__file__).parents[2] / "book" / "_static" / "walks"
NAMES = ("00_gan_primer", "04_training")
PIXELS = """([which, column, row]) => {
    const canvas = document.querySelectorAll(".walk canvas")[which];
    const {data} = canvas.getContext("2d").getImageData(28 * column, 28 * row, 28, 28);
    return [...data].filter((_, place) => place % 4 === 0);
}"""
SPRITE = """([column, row]) => new Promise((resolve) => {
    const picture = new Image();
    picture.onload = () => {
        const canvas = new OffscreenCanvas(28, 28);
        canvas.getContext("2d").drawImage(picture, -28 * column, -28 * row);
        resolve([...canvas.getContext("2d").getImageData(0, 0, 28, 28).data].filter((_, place) => place % 4 === 0));
    };
    picture.src = document.querySelector(".walk").dataset.source;
})"""


def read_walk(name):
    """Return the record of a walk."""
    return json.loads((WALKS / f"{name}.js").read_text().split("] = ")[1].rstrip(";\n"))


def open_walk(open_page, name, width=1440):
    """Open a chapter where its walk is."""
    page = open_page(f"notebooks/{name}.html", width)
    page.evaluate("document.querySelector('.walk').closest('section').scrollIntoView()")
    page.locator(".walk canvas").first.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.walk-says').textContent !== ''")
    return page


def told(record, row):
    """Return the line that a walk must show at a moment."""
    losses = record["lossesAt"].items()
    parts = [f"{name} {values[row]:.2f}" if values[row] is not None else f"{name} –" for name, values in losses]
    if record["accuracies"]:
        parts.append(f"test accuracy {100 * record['accuracies'][row]:.1f} %")
    return f"Iteration {record['moments'][row]:,}: {', '.join(parts)}."


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", NAMES)
def test_the_sliders_move_everything_together(open_page, name, width):
    record, page = read_walk(name), open_walk(open_page, name, width)
    last = len(record["moments"]) - 1
    assert page.locator(".walk-says").inner_text() == told(record, last)
    marks = page.locator(".walk-mark")
    places = [marks.nth(number).get_attribute("x1") for number in range(marks.count())]
    assert len(places) == (1 if name == "00_gan_primer" else 2) and len(set(places)) == 1
    moment, way = page.locator(".walk input").all()
    moment.focus()
    for row in range(last - 1, last - 4, -1):
        page.keyboard.press("ArrowLeft")
        assert page.locator(".walk-says").inner_text() == told(record, row)
    assert float(marks.first.get_attribute("x1")) < float(places[0])
    way.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".walk-morph output").inner_text() == "10 %"
    box = moment.bounding_box()  # a finger at the left end
    (page.touchscreen.tap if width < 700 else page.mouse.click)(box["x"] + 4, box["y"] + box["height"] / 2)
    assert page.locator(".walk-says").inner_text().startswith("Iteration 0: ")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture
def reading_page(browser):
    """A page that may read the pixels of pictures from the disk, which other pages may not."""
    flags = ["--no-sandbox", "--allow-file-access-from-files"]
    reader = browser.browser_type.launch(executable_path=CHROMIUM, args=flags)
    yield reader.new_page(viewport={"width": 1440, "height": 900})
    reader.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_digits_are_those_of_the_picture(reading_page, name):
    page = open_walk(lambda address, width: reading_page.goto(f"{HTML.as_uri()}/{address}") and reading_page, name)
    last = len(read_walk(name)["moments"]) - 1
    moment, way = page.locator(".walk input").all()
    moment.focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(PIXELS, [0, 2, 1]) == page.evaluate(SPRITE, [10, last - 1])
    assert page.evaluate(PIXELS, [0, 2, 1]) != page.evaluate(SPRITE, [10, last])
    way.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(PIXELS, [2, 0, 0]) == page.evaluate(SPRITE, [25, last - 1])
    page.keyboard.press("End")
    assert page.evaluate(PIXELS, [2, 0, 0]) == page.evaluate(SPRITE, [34, last - 1])


def test_it_plays_when_it_is_asked_to_and_takes_the_films_place(open_page):
    page = open_walk(open_page, "04_training")
    assert page.locator(".film:visible").count() == 0 and page.locator(".walk").is_visible()
    shown = page.locator(".walk-says").inner_text()
    page.wait_for_timeout(1000)
    assert page.locator(".walk-says").inner_text() == shown  # nothing plays by itself
    page.locator(".walk button").click()
    page.wait_for_function("document.querySelector('.walk-says').textContent.startsWith('Iteration 100:')")
    page.get_by_role("button", name="Pause").click()
    shown = page.locator(".walk-says").inner_text()
    page.wait_for_timeout(1000)
    assert page.locator(".walk-says").inner_text() == shown and not page.troubles


def test_without_a_script_the_stored_pictures_stand_there(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{HTML.as_uri()}/notebooks/04_training.html")
    assert page.locator(".film").is_visible() and not page.locator(".walk").is_visible()
    context.close()
