"""Print the whole book into one PDF with a table of contents and page numbers: `make pdf`.

Sphinx puts all pages into one, and Chromium prints it twice: the second time, the contents know the pages.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from playwright.sync_api import sync_playwright
from pypdf import PdfReader

ROOT = pathlib.Path(__file__).parents[1]
BOOK = ROOT / "_build" / "pdf"
PDF = ROOT / "_build" / "book.pdf"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FOOTER = '<div style="width: 100%; text-align: center; font-size: 8pt"><span class="pageNumber"></span></div>'
PREPARE = """pages => {
    const heads = [...document.querySelectorAll("span[id^=document-] + section > :is(h1, h2, h3, h4)")];
    const list = document.createElement("ol");
    list.style = "list-style: none; padding: 0; line-height: 1.25";
    for (const [number, head] of heads.entries()) {
        head.style = "break-before: page; font-size: 2rem";
        for (const link of head.querySelectorAll(".headerlink")) link.remove();
        const line = document.createElement("li");
        line.style = "display: flex; max-width: none";
        line.innerHTML = `<a href="#${head.parentElement.id}" style="flex: 1"></a><span>${pages[number] ?? 0}</span>`;
        line.firstChild.textContent = head.textContent;
        list.append(line);
    }
    const contents = document.createElement("section");
    contents.innerHTML = "<h2 style='break-before: page'>Contents</h2>";
    contents.append(list);
    document.querySelector("span[id^=document-]").before(contents);
    document.querySelectorAll(".bd-sidebar-primary, .skip-link, #jb-print-docs-body").forEach(part => part.remove());
    for (const picture of document.images) picture.loading = "eager";
    return heads.map(head => head.parentElement.id);
}"""


def print_book(browser, pages, path):
    """Print the book with these page numbers in its contents, and return the pages on which its parts begin."""
    page = browser.new_page()
    page.goto((BOOK / "print.html").as_uri())
    page.wait_for_load_state("load")
    names = page.evaluate(PREPARE, pages)
    page.wait_for_function("[...document.images].every(picture => picture.complete)")
    options = {"display_header_footer": True, "header_template": "<span></span>", "footer_template": FOOTER}
    page.pdf(path=path, prefer_css_page_size=True, print_background=True, outline=True, tagged=True, **options)
    page.close()
    reader = PdfReader(path)
    return [reader.get_destination_page_number(reader.named_destinations[f"/{name}"]) + 1 for name in names]


def main():
    """Build the single page, and print it."""
    if not CHROMIUM:
        sys.exit("No Chromium: apt-get install chromium, or set CHROMIUM to its path.")
    with tempfile.TemporaryDirectory() as folder:
        options = ["--builder", "custom", "--custom-builder", "singlehtml", "--path-output", folder]
        subprocess.run([shutil.which("jupyter-book"), "build", ROOT, *options, "-q"], check=True)
        shutil.rmtree(BOOK, ignore_errors=True)
        shutil.move(pathlib.Path(folder) / "_build" / "singlehtml", BOOK)
        shutil.copy(BOOK / "book" / "intro.html", BOOK / "print.html")  # its addresses are those of the top folder
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        first = print_book(browser, [], PDF)
        second = print_book(browser, first, PDF)
        browser.close()
    if first != second:
        sys.exit("The pages moved when the contents were filled in.")
    print(f"{PDF}: {len(PdfReader(PDF).pages)} pages")


if __name__ == "__main__":
    main()
