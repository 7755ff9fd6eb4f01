"""The Sphinx extension: formulas without a script, numbered chapters, mentions that are links, a plain button."""

import importlib.util
import types

import pytest
from book_files import CHAPTERS, PAGES, ROOT, prose
from docutils import nodes, utils
from sphinx.addnodes import pending_xref

SPEC = importlib.util.spec_from_file_location("extension", ROOT / "book" / "extension.py")
extension = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(extension)


@pytest.mark.parametrize(
    ("latex", "piece"),
    [
        (r"\frac{a}{b}", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        (r"\mathbb 1", "<mn>\U0001d7d9</mn>"),
        (r"\bar\theta", '<mover accent="true"><mi>&#x003B8;</mi><mo>&#x000AF;</mo></mover>'),
        (r"\log p", '<mi>log</mi><mspace width="0.167em" /><mi>p</mi>'),
        (r"\operatorname{softmax}(x)", '<mi>softmax</mi><mo stretchy="false">'),
    ],
)
def test_a_formula_becomes_mathml(latex, piece):
    assert piece in extension.as_mathml(latex, display=False)


def test_every_formula_of_the_book_becomes_mathml():
    formulas = [each for path in CHAPTERS + PAGES for each in prose(path).replace("$$", "$").split("$")[1::2]]
    assert len(formulas) > 150
    for formula in formulas:
        assert extension.as_mathml(formula, display=True).startswith('<math xmlns="http://www.w3.org/1998/Math/MathML"')


def transformed(docname, *children):
    """Run the transform on a document of the book, and return it."""
    document = utils.new_document("a page")
    found = {"book/intro", "notebooks/01_data_split", "notebooks/06_fair_comparison", "notebooks/10_pseudo_labels"}
    document.settings.env = types.SimpleNamespace(docname=docname, found_docs=found)
    section = nodes.section("", nodes.title("", "Compare fairly"), *children)
    document += section
    extension.Book(document).apply()
    return document


def links(document):
    """Return the links that were made, as pairs (words, page)."""
    return [(link.astext(), link["reftarget"]) for link in document.findall(pending_xref)]


def test_a_chapter_has_its_number_and_a_page_has_none():
    for docname, title in (("notebooks/06_fair_comparison", "6. Compare fairly"), ("book/intro", "Compare fairly")):
        (found,) = transformed(docname).findall(nodes.title)
        assert found.astext() == title


def test_each_mention_of_a_chapter_is_a_link():
    text = "As chapter 6 shows. Chapters 1, 6 and 10 do, too; chapter 12 is not there, and 6 alone is a number."
    document = transformed("book/intro", nodes.paragraph("", text))
    one, six, ten = "/notebooks/01_data_split", "/notebooks/06_fair_comparison", "/notebooks/10_pseudo_labels"
    assert links(document) == [("chapter 6", six), ("Chapters 1", one), ("6", six), ("10", ten)]
    assert text in document.astext()


def test_code_links_and_the_chapter_itself_are_left_alone():
    paragraph = nodes.paragraph("", "In chapter 6, ")
    paragraph += [nodes.literal("", "chapter 1"), nodes.reference("", "chapter 10", refuri="x")]
    assert links(transformed("notebooks/06_fair_comparison", paragraph)) == []


def test_the_badge_asks_no_other_host():
    badge = nodes.image(uri="https://colab.research.google.com/assets/colab-badge.svg", alt="Open in Colab")
    document = transformed("book/intro", nodes.paragraph("", "", nodes.reference("", "", badge, refuri="https://x")))
    assert not list(document.findall(nodes.image))
    (link,) = document.findall(nodes.reference)
    assert (link.astext(), link["classes"]) == ("Open in Colab", ["colab-button"])


def test_icons_that_no_page_shows_are_left_out():
    rocket = 'rocket:[512,512,[],"f135","M1"],'
    pencil = 'pencil:[512,512,[9999,"pencil-alt"],"f303","M2"],'
    arrow = '"arrow-up":[3,5,[],"f0",["M3","M4"]]'
    found = extension.without_icons(f"var a={{{rocket}{pencil}{arrow}}};b", {"rocket", "pencil-alt"})
    assert found == f"var a={{{rocket}{pencil}}};b"
    assert extension.SHOWN_ICON.findall('<i class="fa-solid fa-chevron-down">') == ["solid", "chevron-down"]


def arranged(pagename):
    """Return the context of a page of a small book after `arrange_navigation`."""
    contents = {
        "book/intro": ["notebooks/01_data_split", "notebooks/06_fair_comparison", "book/results"],
        "notebooks/01_data_split": ["notebooks/exercises/01_data_split"],
        "notebooks/exercises/01_data_split": ["notebooks/solutions/01_data_split"],
    }
    pages = {page for listed in contents.values() for page in listed} | {"book/intro"}
    env = types.SimpleNamespace(
        config=types.SimpleNamespace(root_doc="book/intro"),
        toctree_includes=contents,
        titles={page: page for page in pages},
    )
    builder = types.SimpleNamespace(
        render_partial=lambda title: {"title": title}, get_relative_uri=lambda here, there: f"from {here} to {there}"
    )
    context = {"body": "<p>text</p>", "prev": "before", "next": "after"}
    extension.arrange_navigation(types.SimpleNamespace(env=env, builder=builder), pagename, "page.html", context, None)
    return context


@pytest.mark.parametrize("folder", ["", "exercises/", "solutions/"])
def test_previous_and_next_stay_in_the_line_of_chapters(folder):
    context = arranged(f"notebooks/{folder}01_data_split")
    assert context["prev"]["link"].endswith("to book/intro")
    assert context["next"]["link"].endswith("to notebooks/06_fair_comparison")
    assert context["body"].count("<a ") == 3 and context["body"].count('aria-current="page"') == 1
    assert f'to notebooks/{folder}01_data_split" aria-current="page"' in context["body"]


def test_other_pages_have_no_tabs_and_the_ends_no_neighbour():
    assert arranged("book/results") | {"prev": 0} == {"body": "<p>text</p>", "prev": 0, "next": None}
    assert arranged("book/intro")["prev"] is None
    assert arranged("genindex") == {"body": "<p>text</p>", "prev": "before", "next": "after"}
