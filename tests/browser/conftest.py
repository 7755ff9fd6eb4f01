"""A browser, and pages of the built book opened in it."""

import os
import pathlib
import shutil

import pytest
from playwright.sync_api import sync_playwright

HTML = pathlib.Path(__file__).parents[2] / "_build" / "html"
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
    """Return a function that opens a page; its `troubles` and `files` say what went wrong and what it read."""
    contexts = []

    def open_page(name, width=1440, scheme="light", **options):
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, has_touch=width < 700, **options)
        contexts.append(context)
        page = context.new_page()
        page.troubles, page.files = [], set()
        page.on("console", lambda line: page.troubles.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("request", lambda request: request.url.startswith("http") and page.troubles.append(request.url))
        page.on("request", lambda request: page.files.add(request.url.removeprefix("file://").split("?")[0]))
        page.on("requestfailed", lambda request: page.troubles.append(f"failed: {request.url}"))
        page.goto(f"{HTML.as_uri()}/{name}")
        page.wait_for_load_state("load")
        return page

    yield open_page
    for context in contexts:
        context.close()
