"""The book as a PDF: the contents name the page on which each part begins."""

import sys

from pypdf import PdfReader
from test_pages import HTML

sys.path.append(str(HTML.parents[1] / "tools"))
import make_pdf


def test_the_contents_name_the_page_of_each_part(browser, tmp_path, monkeypatch):
    parts = "".join(
        f'<span id="document-{name}"></span><section id="{name}"><h2>Part {name}<a class="headerlink">#</a></h2>'
        f"{lines * '<p>A line.</p>'}</section>"
        for name, lines in (("one", 100), ("two", 3), ("three", 3))
    )
    (tmp_path / "print.html").write_text(f"<article><h1>A book</h1>{parts}</article>")
    monkeypatch.setattr(make_pdf, "BOOK", tmp_path)
    first = make_pdf.print_book(browser, [], tmp_path / "book.pdf")
    assert make_pdf.print_book(browser, first, tmp_path / "book.pdf") == first
    pages = [page.extract_text() for page in PdfReader(tmp_path / "book.pdf").pages]
    contents = next(page for page in pages if "Contents" in page)
    for name, number in zip(("one", "two", "three"), first, strict=True):
        assert f"Part {name}" in pages[number - 1]
        assert f"{number}" in contents.split(f"Part {name}")[1].split("Part")[0]
    assert first[1] - first[0] > 1
