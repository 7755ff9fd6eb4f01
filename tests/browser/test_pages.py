"""The built pages in a real browser: nothing fails, nothing asks another host, nothing sticks out, and one gets around.

`make test-browser` builds the book and runs this. Each page is opened from the disk at three widths, in light and dark.
"""

import os
import pathlib
import shutil

import pytest
from playwright.sync_api import sync_playwright

HTML = pathlib.Path(__file__).parents[2] / "_build" / "html"
PAGES = sorted(
    str(path.relative_to(HTML)) for path in HTML.rglob("*.html") if path.parts[len(HTML.parts)] in ("book", "notebooks")
)
WIDTHS = (1440, 768, 390)
BROKEN_IMAGES = """
[...document.images].filter(image => image.complete && !image.naturalWidth || !image.hasAttribute("alt"))
    .map(image => image.src)
"""
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM:
        pytest.exit("No Chromium: apt-get install chromium, or set CHROMIUM to its path.", returncode=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Return a function that opens a page; what went wrong on the way is in its `troubles`."""
    contexts = []

    def open_page(name, width=1440, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.troubles = []
        page.on("console", lambda line: page.troubles.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("request", lambda request: request.url.startswith("http") and page.troubles.append(request.url))
        page.on("requestfailed", lambda request: page.troubles.append(f"failed: {request.url}"))
        page.goto((HTML / name).as_uri())
        page.wait_for_load_state("load")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_at_every_width(open_page, name):
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            page = open_page(name, width, scheme)
            where = f"{name}, {width} px, {scheme}"
            assert not page.troubles, f"{where}: {page.troubles}"
            sticks_out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert sticks_out <= 0, f"{where}: {sticks_out} px stick out"
            page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach(image => image.loading = 'eager')")
            broken = page.evaluate(BROKEN_IMAGES)
            assert not broken, f"{where}: pictures that are missing or have no alternative text: {broken}"


@pytest.mark.parametrize("name", PAGES)
def test_every_link_into_the_book_leads_somewhere(open_page, name):
    page = open_page(name)
    targets = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    for target in {target for target in targets if target.startswith("file:")}:
        path, _, anchor = target.removeprefix("file://").partition("#")
        assert pathlib.Path(path).exists(), f"{name} leads to {target}"
        if anchor and path.endswith(".html"):
            assert f'id="{anchor}"' in pathlib.Path(path).read_text(), f"{name} leads to {target}"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_menu_opens_and_leads_on(open_page, width):
    page = open_page("notebooks/04_training.html", width)
    link = page.locator(".bd-sidebar-primary a", has_text="6. Compare fairly").first
    toggle = page.locator(".primary-toggle:visible").first
    if not link.is_visible() or link.bounding_box()["x"] < 0:
        toggle.click()
        page.wait_for_timeout(600)
    link.click()
    page.wait_for_url("**/06_fair_comparison.html")


def test_the_tabs_lead_from_a_chapter_to_its_practice_and_back(open_page):
    page = open_page("notebooks/04_training.html")
    for word, title in (("Exercises", "Exercises 4"), ("Solutions", "Solutions 4"), ("Chapter", "4. Train the SGAN")):
        page.locator("nav.chapter-tabs a", has_text=word).click()
        page.wait_for_load_state("load")
        assert page.locator("h1").first.inner_text().startswith(title)
