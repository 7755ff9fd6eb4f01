"""The built pages in a real browser: nothing fails, nothing asks another host, nothing sticks out, and one gets around.

`make test-browser` builds the book and runs this, and prints how often each check was made. Each page is opened from
the disk at three widths, in light and dark.
"""

import collections
import gzip
import io
import pathlib
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import HTML
from pypdf import PdfReader

PAGES = sorted(
    str(path.relative_to(HTML)) for path in HTML.rglob("*.html") if path.parts[len(HTML.parts)] in ("book", "notebooks")
)
WIDTHS = (1440, 768, 390)
SCHEMES = ("light", "dark")
BROKEN_IMAGES = """
[...document.images].filter(image => image.complete && !image.naturalWidth || !image.getAttribute("alt"))
    .map(image => image.src)
"""
CUT_CODE = """
[...document.querySelectorAll("pre")].filter(block => block.offsetParent)
    .filter(block => innerWidth > 1200 || !block.closest(".cell_output"))  // printed tables scroll on a phone
    .filter(block => block.scrollWidth > block.clientWidth + 1).map(block => block.innerText)
"""
REPOSITORY = re.search(r"url: (https://github\.com/\S+)", (HTML.parents[1] / "_config.yml").read_text())[1]
CHECKS = collections.Counter()


@pytest.fixture(scope="module", autouse=True)
def print_checks():
    yield
    print("\n" + "\n".join(f"{count:6,} x {check}" for check, count in CHECKS.items()))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_at_every_width(open_page, name):
    for width in WIDTHS:
        for scheme in SCHEMES:
            page = open_page(name, width, scheme)
            where = f"{name}, {width} px, {scheme}"
            assert not page.troubles, f"{where}: {page.troubles}"
            sticks_out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert sticks_out <= 0, f"{where}: {sticks_out} px stick out"
            page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach(image => image.loading = 'eager')")
            page.wait_for_function("[...document.images].every(image => image.complete)")
            broken = page.evaluate(BROKEN_IMAGES)
            assert not broken, f"{where}: pictures that are missing or have no alternative text: {broken}"
            cut = page.evaluate(CUT_CODE)
            assert not cut, f"{where}: code that is cut: {cut}"
            CHECKS["pages without trouble, overflow, missing pictures or cut code"] += 1


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_barrier(open_page, name):
    for width, scheme in ((1440, "light"), (390, "dark")):
        page = open_page(name, width, scheme)
        found = Axe().run(page).response["violations"]
        serious = {
            each["id"]: [node["html"][:200] for node in each["nodes"][:3]]
            for each in found
            if each["impact"] in ("serious", "critical")
        }
        assert not serious, f"{name}, {width} px, {scheme}: {serious}"
        CHECKS["pages without a serious or critical violation of axe-core"] += 1


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(open_page, name):
    page = open_page(name)
    targets = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    for target in set(targets):
        CHECKS["links"] += 1
        if target.startswith("file:"):
            path, _, anchor = target.removeprefix("file://").partition("#")
            assert pathlib.Path(path).exists(), f"{name} leads to {target}"
            if anchor and path.endswith(".html"):
                assert f'id="{anchor}"' in pathlib.Path(path).read_text(), f"{name} leads to {target}"
        else:
            assert re.match(r"(https?://[\w.-]+(/[^\s&]*(&[^\s&;]+=[^\s&]*)*)?|mailto:\S+)$", target), target
            if re.match(r"https://github\.com/[^/]+/[^/]+/(blob|edit|raw|issues)", target):
                assert target.startswith(f"{REPOSITORY}/"), f"{name} leads to {target}"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("by", ["click", "tap", "keyboard"])
def test_the_menu_opens_and_leads_on(open_page, width, by):
    if by == "tap" and width > 700:
        pytest.skip("no finger on a wide screen")
    page = open_page("notebooks/04_training.html", width)
    act = {
        "click": lambda place: place.click(),
        "tap": lambda place: place.tap(),
        "keyboard": lambda place: (place.focus(), page.keyboard.press("Enter")),
    }[by]
    link = page.locator(".bd-sidebar-primary a", has_text="6. Compare fairly").first
    if not link.is_visible() or link.bounding_box()["x"] < 0:
        act(page.locator(".primary-toggle:visible").first)
        page.wait_for_timeout(600)
    act(link)
    page.wait_for_url("**/06_fair_comparison.html")


def test_focus_is_visible(open_page):
    page = open_page("notebooks/04_training.html")
    for _ in range(25):
        page.keyboard.press("Tab")
        style = page.evaluate("(({outlineStyle, boxShadow}) => [outlineStyle, boxShadow])"
                              "(getComputedStyle(document.activeElement))")  # fmt: skip
        assert style != ["none", "none"], page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def test_the_tabs_lead_from_a_chapter_to_its_practice_and_back(open_page):
    page = open_page("notebooks/04_training.html")
    for word, title in (("Exercises", "Exercises 4"), ("Solutions", "Solutions 4"), ("Chapter", "4. Train the SGAN")):
        page.locator("nav.chapter-tabs a", has_text=word).click()
        page.wait_for_load_state("load")
        assert page.locator("h1").first.inner_text().startswith(title)


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("mode collapse", "00_gan_primer"),
        ("feature matching", "08_feature_matching"),
        ("pseudo-labels", "10_pseudo_labels"),
        ("trainable", "07_why_old_code_fails"),
        ("calibration", "05_evaluation"),
        ("label leak", "01_data_split"),
        ("Dask", "using_this_book"),
        ("resume", "04_training"),
        ("Colab", "using_this_book"),
        ("logsumexp", "02_discriminators"),
    ],
)
def test_a_search_finds_the_page_that_explains_it_first(open_page, words, target):
    page = open_page(f"search.html?q={words.replace(' ', '+')}")
    first = page.locator("#search-results li > a").first
    assert target in first.get_attribute("href")
    assert "Opened from the disk" in page.locator("article, main").first.inner_text()


def test_a_block_of_code_is_copied_whole(open_page):
    page = open_page("notebooks/04_training.html", permissions=["clipboard-read", "clipboard-write"])
    block = page.locator("div.cell_input").nth(1)
    block.hover()
    block.locator("button.copybtn").click()
    page.wait_for_timeout(200)
    assert page.evaluate("navigator.clipboard.readText()").strip() == block.locator("pre").inner_text().strip()


def test_a_fold_opens_by_keyboard_and_says_what_it_holds(open_page):
    page = open_page("notebooks/solutions/04_training.html")
    names = {name.strip() for name in page.locator("details.hide > summary").all_inner_texts()}
    assert {"Solution", "Check"} <= names <= {"Solution", "Check", "Plot code", "Code"}
    fold = page.locator("details.hide").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.evaluate("fold => fold.open")
    assert "BEGIN SOLUTION" not in page.content()


def test_a_film_can_be_stopped_and_rests_where_motion_is_not_wanted(open_page):
    page = open_page("book/intro.html", reduced_motion="reduce")
    button, slider = page.locator(".film button"), page.locator(".film input")
    last = slider.get_attribute("max")
    assert button.inner_text() == "Play" and slider.input_value() == last
    page = open_page("book/intro.html")
    button, slider = page.locator(".film button"), page.locator(".film input")
    page.wait_for_function("document.querySelector('.film input').value > 0")
    button.click()
    stands = slider.input_value()
    page.wait_for_timeout(1500)
    assert button.inner_text() == "Play" and slider.input_value() == stands
    slider.focus()
    page.keyboard.press("End")
    assert slider.input_value() == last


@pytest.mark.parametrize("name", ["book/intro", "notebooks/04_training", "notebooks/solutions/04_training"])
def test_print_is_whole_and_white(open_page, name):
    page = open_page(f"{name}.html", scheme="dark")
    text = "\n".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages)
    squeezed = re.sub(r"\s", "", text)
    for block in page.locator("article div.highlight pre").all():
        assert re.sub(r"\s", "", block.text_content()) in squeezed, f"{name}: a block is cut: {block.text_content()}"
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    assert not page.locator(".bd-sidebar-primary").is_visible()
    assert page.evaluate("[...document.querySelectorAll('details')].every(fold => fold.open)")


def test_pages_are_light(open_page):
    """Bytes over the wire with gzip, as the limits of the book say: a chapter 1.2 MB, the front page 500 kB."""
    for name, limit in (("book/intro", 500_000), ("notebooks/04_training", 1_200_000)):
        page = open_page(f"{name}.html")
        paths = [pathlib.Path(file) for file in page.files if pathlib.Path(file).is_file()]
        packed = sum(len(gzip.compress(path.read_bytes())) for path in paths)
        CHECKS[f"kB over the wire, {name}: {packed // 1000}, requests {len(paths)}"] += 1
        assert packed < limit, f"{name}: {packed:,} bytes"
