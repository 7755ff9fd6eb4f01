"""What the book adds to Sphinx: formulas without a script, numbers, links, captions, a plain button, films."""

import importlib.util
import re
import types
import xml.etree.ElementTree

import numpy as np
import pytest
from book_files import CHAPTERS, PAGES, ROOT, prose
from docutils import nodes, utils
from PIL import Image
from sphinx.addnodes import pending_xref


def load(name):
    """Return a module of the folder book/extensions/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "book" / "extensions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


chapters, icons, mathml, navigation, pictures = map(load, ["chapters", "icons", "mathml", "navigation", "pictures"])


@pytest.mark.parametrize(
    ("latex", "piece"),
    [
        (r"\frac{a}{b}", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        (r"\mathbb 1", "<mn>\U0001d7d9</mn>"),
        (r"\bar\theta", '<mover accent="true"><mi>&#x003B8;</mi><mo>&#x000AF;</mo></mover>'),
        (r"a \pm b", "<mo>&#x000B1;</mo>"),
        (r"\log p", '<mi>log</mi><mspace width="0.167em" /><mi>p</mi>'),
        (r"\operatorname{softmax}(x)", '<mi>softmax</mi><mo stretchy="false">'),
    ],
)
def test_a_formula_becomes_mathml(latex, piece):
    assert piece in mathml.as_mathml(latex, display=False)


def test_the_font_has_the_sign_of_a_root():
    assert mathml.characters_of(mathml.as_mathml(r"\sqrt{n}", display=False)) == {"√", "n"}
    assert mathml.characters_of(mathml.as_mathml("n", display=False)) == {"n"}


def test_every_formula_of_the_book_becomes_mathml():
    formulas = [each for path in CHAPTERS + PAGES for each in prose(path).replace("$$", "$").split("$")[1::2]]
    assert len(formulas) > 150
    for formula in formulas:
        assert mathml.as_mathml(formula, display=True).startswith('<math xmlns="http://www.w3.org/1998/Math/MathML"')


def transformed(docname, *children):
    """Run the transform on a document of the book, and return it."""
    document = utils.new_document("a page")
    found = {"book/intro", "notebooks/01_data_split", "notebooks/06_fair_comparison", "notebooks/10_pseudo_labels"}
    document.settings.env = types.SimpleNamespace(
        docname=docname, found_docs=found, srcdir=ROOT, metadata={docname: {}}
    )
    section = nodes.section("", nodes.title("", "Compare fairly"), *children)
    document += section
    chapters.Book(document).apply()
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


def test_the_first_mention_of_a_word_leads_to_the_glossary():
    text = nodes.paragraph("", "Two GANs, and a generative adversarial network; cross-entropy, a mode collapse, EMA.")
    again = nodes.paragraph("", "Mode collapse and mode collapse.")
    found = links(transformed("notebooks/06_fair_comparison", text, again))
    words = ["GANs", "cross-entropy", "mode collapse", "EMA"]
    assert found == list(
        zip(words, ["GAN", "negative log-likelihood", "mode collapse", "averaged weights"], strict=True)
    )
    assert links(transformed("book/results", nodes.paragraph("", "a GAN"))) == []


def test_a_picture_and_the_emphasis_below_it_are_a_figure():
    address = "https://raw.githubusercontent.com/owner/name/main/book/figures/01_split.svg"
    picture = nodes.paragraph("", "", nodes.image(uri=address))
    below = nodes.paragraph("", "", nodes.emphasis("", "What one sees."))
    document = transformed("book/intro", picture, below, nodes.paragraph("", "", nodes.emphasis("", "Only a text.")))
    (figure,) = document.findall(nodes.figure)
    assert (figure[0]["uri"], figure[1].astext()) == ("/book/figures/01_split.svg", "What one sees.")
    assert [each.astext() for each in document.findall(nodes.paragraph)] == ["Only a text."]


def test_a_block_quote_that_names_its_kind_is_a_box():
    quotes = [
        nodes.block_quote("", nodes.paragraph("", text)) for text in ("Key idea. Share the trunk.", "He said no.")
    ]
    document = transformed("book/intro", *quotes)
    assert [quote["classes"] for quote in document.findall(nodes.block_quote)] == [["box", "key-idea"], []]


def test_a_page_of_solutions_has_its_own_introduction_and_no_marks_of_the_grading_program():
    code = "def half(x):\n    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION\n"
    opening = nodes.paragraph("", "These exercises go with chapter 6. Work in this notebook.")
    document = transformed("notebooks/solutions/06_fair_comparison", opening, nodes.literal_block(code, code))
    assert "What the exercises of chapter 6 ask for" in document.astext()
    assert ("exercises", "/notebooks/exercises/06_fair_comparison") in links(document)
    (block,) = document.findall(nodes.literal_block)
    assert block.astext() == block.rawsource == "def half(x):\n    return x / 2\n"


def test_a_page_of_exercises_opens_with_a_list_of_them():
    about = nodes.paragraph("", "", nodes.emphasis("", "10 minutes · easy · trains: reading · 2 marks"))
    task = nodes.section("", nodes.title("", "1. Check: read the losses"), about, ids=["read"])
    opening = nodes.paragraph("", "These exercises go with chapter 6. Write your answer where a cell says so.")
    document = transformed("notebooks/exercises/06_fair_comparison", opening, task)
    (tasks,) = document.findall(nodes.bullet_list)
    assert tasks.astext() == "1. Check: read the losses (10 minutes, easy)"
    assert next(tasks.findall(nodes.reference))["refid"] == "read"


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"nbgrader": {"solution": True, "grade": False}}, "Solution"),
        ({"nbgrader": {"solution": False, "grade": True}}, "Check"),
        ({"mystnb": {"image": {"alt": "a curve"}}}, "Plot code"),
        ({}, "Code"),
    ],
)
def test_a_fold_says_what_it_holds(metadata, name):
    cell = nodes.container("", cell_metadata=metadata, hide_mode="input", prompt_show="Show", prompt_hide="Hide")
    transformed("notebooks/06_fair_comparison", cell)
    assert (cell["prompt_show"], cell["prompt_hide"]) == (name, name)


def test_a_page_is_described_by_its_first_sentence():
    picture = nodes.paragraph("", "", nodes.image(uri="figures/x.svg", alt="a long alternative text " * 5))
    long = "We build a network with one trunk and two outputs,\nand prove that they share it."
    document = transformed("notebooks/06_fair_comparison", picture, nodes.paragraph("", long))
    found = document.settings.env.metadata["notebooks/06_fair_comparison"]["og:description"]
    assert found == long.replace("\n", " ")
    context = {"meta": {"og:description": 'a "b" & c'}, "pathto": lambda name, resource: f"../{name}"}
    navigation.describe(None, "a page", "page.html", context, None)
    assert '<meta name="description" content="a &quot;b&quot; &amp; c"/>' in context["metatags"]
    assert 'href="../_static/apple-touch-icon.png"' in context["metatags"]


def test_addresses_come_from_the_configured_repository():
    config = types.SimpleNamespace(html_baseurl="https://owner.github.io/name/", html_title="A book")
    navigation.set_addresses(None, config)
    assert config.notfound_urls_prefix == "/name/" and 'href="/name/book/intro.html"' in config.notfound_context["body"]
    assert config.ogp_site_url == "https://owner.github.io/name/"


def test_figures_are_numbered_within_a_chapter():
    numbers = {name: {"figure": {"id1": (7,), "id2": (8,)}} for name in ("notebooks/06_fair_comparison", "book/intro")}
    chapters.number_figures(None, types.SimpleNamespace(toc_fignumbers=numbers))
    assert list(numbers["notebooks/06_fair_comparison"]["figure"].values()) == [(6, 1), (6, 2)]
    assert list(numbers["book/intro"]["figure"].values()) == [(1,), (2,)]


def test_a_gif_becomes_a_film_of_all_its_frames(tmp_path):
    frames = [np.random.default_rng(number).integers(0, 2, (5, 6), np.uint8) * 255 for number in range(3)]
    images = [Image.fromarray(frame.repeat(4, axis=0).repeat(4, axis=1)) for frame in frames]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=100)
    builder = types.SimpleNamespace(images={"a.gif": "a.gif"})
    app = types.SimpleNamespace(srcdir=tmp_path, outdir=tmp_path, builder=builder)
    context = {"body": '<p>text</p><img alt="three &amp; more" src="../_images/a.gif" />'}
    pictures.replace_gifs(app, "a page", "page.html", context, None)
    assert ".gif" not in context["body"]
    assert 'alt="three &amp; more"' in context["body"] and 'max="2"' in context["body"]
    with Image.open(tmp_path / "_images" / "a.png") as strip:
        np.testing.assert_array_equal(np.asarray(strip.convert("L")), np.concatenate(frames))


def test_a_narrow_screen_gets_the_form_for_phones(tmp_path):
    figures, images = tmp_path / "book" / "figures", tmp_path / "html" / "_images"
    for folder in (figures, images):
        folder.mkdir(parents=True)
    for name in ("a.svg", "a.phone.svg", "b.svg"):
        (figures / name).write_text(name)
    app = types.SimpleNamespace(srcdir=tmp_path, outdir=images.parent, builder=types.SimpleNamespace(format="html"))
    drawing, card, other = (
        f'<img alt="c" {kind}src="../_images/{name}.svg" />'
        for kind, name in (("", "a"), ('class="sd-card-img-top" ', "a"), ("", "b"))
    )
    context = {"body": f"<p>{drawing}</p>{card}{other}"}
    pictures.offer_phone_forms(app, "a page", "page.html", context, None)
    source = '<source media="(max-width: 600px)" srcset="../_images/a.phone.svg">'
    assert context["body"] == f"<p><picture>{source}{drawing}</picture></p>{card}{other}"
    pictures.copy_phone_forms(app, None)
    assert [path.name for path in images.iterdir()] == ["a.phone.svg"]


@pytest.mark.parametrize("name", [path.stem for path in CHAPTERS])
def test_both_forms_of_a_drawing_say_the_same(name):
    """A row of the wide form may be a column on a phone, so that widths show there what heights show here."""
    (address,) = re.findall(r"/(book/figures/\w+)\.svg\)", prose(ROOT / "notebooks" / f"{name}.ipynb"))
    wide, phone = (xml.etree.ElementTree.parse(ROOT / f"{address}{form}.svg").getroot() for form in ("", ".phone"))
    space = "{http://www.w3.org/2000/svg}"
    assert wide.findtext(f"{space}title") == phone.findtext(f"{space}title")
    words = [sorted(" ".join(each.text or "" for each in form.iter(f"{space}text")).split()) for form in (wide, phone)]
    assert words[0] == sorted("heights" if word == "widths" else word for word in words[1])
    assert phone.get("width") == "360"
    assert min(float(each.get("font-size", 14)) for each in phone.iter()) >= 12


def test_an_address_is_escaped_once():
    link = nodes.reference("", "pull", refuri="https://hub/git-pull?repo=a&amp;branch=main")
    transformed("book/intro", nodes.paragraph("", "", link))
    assert link["refuri"] == "https://hub/git-pull?repo=a&branch=main"


def test_the_badge_asks_no_other_host():
    badge = nodes.image(uri="https://colab.research.google.com/assets/colab-badge.svg", alt="Open in Colab")
    document = transformed("book/intro", nodes.paragraph("", "", nodes.reference("", "", badge, refuri="https://x")))
    assert not list(document.findall(nodes.image))
    (link,) = document.findall(nodes.reference)
    assert (link.astext(), link["classes"]) == ("Open in Colab", ["colab-button"])


def test_icons_that_no_page_shows_are_left_out():
    style = '.fa-rocket:before{content:"\\f135"}.fa-pencil-alt:before,.fa-pencil:before{content:"\\f303"}'
    style += '.fa-ghost:before{content:"\\f6e2"}.admonition:before{content:"\\f0a1"}'
    page = '<i class="fa-solid fa-rocket"></i> <i class="fas fa-pencil"></i>'
    assert icons.shown_icons(style, [page]) == {0xF135, 0xF303, 0xF0A1}


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
    navigation.arrange_navigation(types.SimpleNamespace(env=env, builder=builder), pagename, "page.html", context, None)
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
