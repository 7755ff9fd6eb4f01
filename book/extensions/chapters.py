"""What the book adds to Sphinx: MathML, numbers, mentions of chapters as links, captions, a button, fewer icons.

The sources stay portable Markdown, which GitHub and Colab render; all of this happens when the pages are built.
"""

import html
import pathlib
import re
import shutil
import urllib.parse

from docutils import nodes
from fontTools import subset
from latex2mathml.converter import convert
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform

MATH_FONT = "STIXTwoMath-Regular.ttf"  # comes with the package ziamath
CHAPTER = re.compile(r"notebooks/(\d\d)_\w+")
MENTIONS = re.compile(r"\b[Cc]hapters? \d+(?:(?:,|, and| to| and| or) \d+)*\b")
MENTION = re.compile(r"(?:[Cc]hapters? )?(\d+)")
PRACTICE = ("notebooks/exercises/", "notebooks/solutions/")
MATH = (nodes.math, nodes.math_block)
UNLINKED = (nodes.reference, pending_xref, nodes.literal, nodes.literal_block, nodes.title, nodes.raw, *MATH)
AMBIGUOUS = ("style", "balance", "collapse", "temperature")  # words of the glossary that also have everyday meanings
ICON = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
DRAWN_ICON = re.compile(r'"\\([ef][0-9a-f]{3})"')
ICON_SCRIPT = re.compile(r'<script src="[^"]*/scripts/fontawesome\.js[^"]*"></script>')
SHOWN_ICON = re.compile(r"\bfa-([a-z0-9-]+)")
CHAPTER_NAME = re.compile(r"(\d\d)_\w+$")
BOX = re.compile(r"(Key idea|Pitfall|Predict|Measured)\.")
MARK = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
NOT_FOUND = """<h1>This page is not here</h1>
<p>It may have moved. The <a href="{root}book/intro.html">front page</a> lists all chapters, and the search
finds words.</p>"""
BADGE = "colab-badge.svg"
FIGURE = re.compile(r"^https://raw\.githubusercontent\.com/[^/]+/[^/]+/main(/book/figures/.*)$")
DRAWING = re.compile(r'<img (?![^>]*sd-card-img)[^>]*?src="([^"]*_images/)([^"/]+)\.svg"[^>]*>')
BAR = re.compile(r'<mover>(.*?)<mo stretchy="true">&#x000AF;</mo></mover>')
NAME = re.compile(r"<mo>([A-Za-z]{2,})</mo>")
APPLIED = re.compile(r"(<mi>[A-Za-z]{2,}</mi>|<msub><mi>[A-Za-z]{2,}</mi>.*?</msub>)(?=<m(?:i|n|sub|sup|row|over))")


def as_mathml(latex, display):
    """Return a formula as MathML, with what browsers would draw otherwise than TeX put right."""
    mathml = convert(latex, display="block" if display else "inline")
    mathml = mathml.replace('<mn mathvariant="double-struck">1</mn>', "<mn>\U0001d7d9</mn>")
    mathml = re.sub(
        r'<mover>(.*?)<mo stretchy="true">&#x000AF;</mo></mover>',
        r'<mover accent="true">\1<mo>&#x000AF;</mo></mover>',
        mathml,
    )
    mathml = NAME.sub(r"<mi>\1</mi>", mathml)  # else it would be spaced like a plus
    return APPLIED.sub(r'\1<mspace width="0.167em" />', mathml)


def visit_math(translator, node):
    """Write a formula in a line."""
    translator.body.append(as_mathml(node.astext(), display=False))
    raise nodes.SkipNode


def visit_displaymath(translator, node):
    """Write a formula of its own; parts with a wide space between them stand below one another where it is narrow."""
    parts = re.split(r"\\q?quad(?! *\\text)", node.astext())
    written = "".join(as_mathml(part.strip(), display=True) for part in parts)
    translator.body.append(f'<div class="formula">{written}</div>')
    raise nodes.SkipNode


def drawn_characters(app):
    """Return every character in the formulas of the book, those of pages that this build did not touch included."""
    pages = map(app.env.get_doctree, app.env.found_docs)
    formulas = (node for page in pages for node in page.findall(lambda node: isinstance(node, MATH)))
    text = re.sub(r"<[^>]*>", "", "".join(as_mathml(node.astext(), display=True) for node in formulas))
    return set(html.unescape(text))


def write_math_font(app, error):
    """Write the part of the font that the formulas need into the static files."""
    if error or app.builder.format != "html":
        return
    import ziamath

    options = subset.Options(flavor="woff", layout_features=["*"], notdef_outline=True)
    font = subset.load_font(str(pathlib.Path(ziamath.__file__).parent / "fonts" / MATH_FONT), options)
    subsetter = subset.Subsetter(options)
    letters = "".join(drawn_characters(app)) + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    italics = [0x1D434 + number for number in range(52)] + [0x210E] + list(range(0x1D6E2, 0x1D71C))
    subsetter.populate(text=letters, unicodes=italics)  # a browser draws a variable with its italic character
    subsetter.subset(font)
    subset.save_font(font, str(pathlib.Path(app.outdir) / "_static" / "math.woff"), options)


def trim_icons(app, error):
    """Keep of the theme's icons, two fonts that every page loads, those that some page shows."""
    static = pathlib.Path(app.outdir) / "_static"
    if error or not (static / "vendor" / "fontawesome").exists():
        return
    style = (static / "styles" / "pydata-sphinx-theme.css").read_text()
    files = [*pathlib.Path(app.outdir).rglob("*.html"), *static.rglob("*.js"), *static.glob("styles/sphinx-book*.css")]
    characters = shown_icons(style, [file.read_text() for file in files])
    for path in (path for path in files if path.suffix == ".html"):
        path.write_text(ICON_SCRIPT.sub("", path.read_text()))  # it would draw them a second time
    for path in (static / "vendor" / "fontawesome" / "webfonts").glob("*.woff2"):
        options = subset.Options(flavor="woff2")
        font = subset.load_font(str(path), options)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=characters)
        subsetter.subset(font)
        subset.save_font(font, str(path), options)
    for path in (static / "vendor" / "fontawesome" / "webfonts").glob("*.ttf"):  # for browsers of before 2016
        path.unlink()


def shown_icons(style, texts):
    """Return the code points of the icons that some text names, and of those that the style itself draws."""
    named = {name for text in texts for name in SHOWN_ICON.findall(text)}
    drawn = {code for rule, code in ICON.findall(style) if named & set(SHOWN_ICON.findall(rule))}
    return {int(code, 16) for code in drawn | set(DRAWN_ICON.findall(ICON.sub("", style)))}


class Book(SphinxTransform):
    """Numbers a chapter, links each mention of one, gives pictures their captions, and makes the badge a plain word."""

    default_priority = 700

    def apply(self, **settings):
        """Change the document that has been read."""
        chapters = {int(found[1]): name for name in self.env.found_docs if (found := CHAPTER.fullmatch(name))}
        here = CHAPTER.fullmatch(self.env.docname)
        if here:
            title = next(self.document.findall(nodes.title))
            title.insert(0, nodes.Text(f"{int(here[1])}. "))
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].endswith(BADGE):
                image.parent["classes"].append("colab-button")
                image.replace_self(nodes.Text(image.get("alt") or "Open in Colab"))
            elif found := FIGURE.search(image["uri"]):  # the address is for Colab; here is the file itself
                image["uri"] = found[1]
        for quote in self.document.findall(nodes.block_quote):
            if found := BOX.match(quote.astext()):
                quote["classes"] += ["box", found[1].lower().replace(" ", "-")]
        if self.env.docname.startswith("notebooks/solutions/"):
            self._open_solutions()
        for cell in self.document.findall(lambda node: isinstance(node, nodes.container) and "hide_mode" in node):
            cell["prompt_show"] = cell["prompt_hide"] = _content(cell)
        for paragraph in list(self.document.findall(nodes.paragraph)):
            if paragraph.parent:  # else it is a caption by now
                self._caption(paragraph)
        for text in list(self.document.findall(nodes.Text)):
            if not any(isinstance(parent, UNLINKED) for parent in _ancestors(text)):
                self._link(text, chapters)
        if here:
            self._explain()
        first = next((text for text in map(_own_text, self.document.findall(nodes.paragraph)) if len(text) > 60), "")
        self.env.metadata[self.env.docname]["og:description"] = first

    def _open_solutions(self):
        """Let a page of solutions speak to its reader: its own introduction, and no marks of the grading program."""
        for paragraph in self.document.findall(nodes.paragraph):
            if paragraph.astext().startswith("These exercises go with "):
                exercises = self._reference("exercises", self.env.docname.replace("solutions", "exercises"))
                exercises["reftarget"] = "/" + exercises["reftarget"]
                name = f"chapter {int(CHAPTER_NAME.search(self.env.docname)[1])}"
                before = (
                    f"What the exercises of {name} ask for, how one can do it, and why. Each answer is folded below "
                )
                paragraph.children = []
                paragraph += [
                    nodes.Text(before + "its question. Write your own first, in the "),
                    exercises,
                    nodes.Text("."),
                ]
                break
        for block in self.document.findall(nodes.literal_block):
            if MARK.search(block.astext()):
                block.rawsource = MARK.sub("", block.astext())  # Sphinx colours what equals its raw source
                block.children = []
                block += nodes.Text(block.rawsource)

    def _caption(self, paragraph):
        """Make a picture, and the emphasised paragraph below it, a figure with a caption."""
        siblings = paragraph.parent.children
        below = next(iter(siblings[siblings.index(paragraph) + 1 :]), None)
        if not (_is_only(paragraph, nodes.image) and _is_only(below, nodes.emphasis)):
            return
        figure = nodes.figure("", paragraph[0], nodes.caption("", "", *below[0].children))
        self.document.set_id(figure)
        paragraph.replace_self(figure)
        siblings.remove(below)
        below.parent = None

    def _link(self, text, chapters):
        parts, end = [], 0
        for mention in (each for found in MENTIONS.finditer(text) for each in MENTION.finditer(text, *found.span())):
            name = chapters.get(int(mention[1]), self.env.docname)
            if name != self.env.docname:
                parts += [nodes.Text(text[end : mention.start()]), self._reference(mention[0], f"/{name}")]
                end = mention.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])

    def _explain(self):
        """Let the first mention of each word of the glossary lead there."""
        waiting = glossary_terms(self.env.srcdir)
        for text in list(self.document.findall(nodes.Text)):
            if any(isinstance(parent, UNLINKED) for parent in _ancestors(text)):
                continue
            parts, end = [], 0
            for found in re.finditer("|".join(rf"(?<![\w-]){re.escape(word)}s?\b" for word in waiting) or "(?!)", text):
                word = found[0] if found[0] in waiting else found[0].removesuffix("s")
                if word in waiting:  # else it was met in this very text
                    link = self._reference(found[0], waiting[word], "term")
                    parts += [nodes.Text(text[end : found.start()]), link]
                    waiting = {other: entry for other, entry in waiting.items() if entry != waiting[word]}
                    end = found.end()
            if parts:
                text.parent.replace(text, [*parts, nodes.Text(text[end:])])

    def _reference(self, words, target, kind="doc"):
        link = pending_xref(
            "", nodes.inline("", words, classes=[kind]), refdomain="std", reftype=kind, reftarget=target
        )
        link["refdoc"], link["refexplicit"], link["refwarn"] = self.env.docname, True, True
        return link


def arrange_navigation(app, pagename, templatename, context, doctree):
    """Let Previous and Next go from chapter to chapter, and put tabs on a chapter, its exercises and its solutions."""
    line = [name for name in reading_order(app.env) if not name.startswith(PRACTICE)]
    found = re.fullmatch(r"notebooks/(?:exercises/|solutions/)?((\d\d)_\w+)", pagename)
    place = line.index(f"notebooks/{found[1]}" if found else pagename) if found or pagename in line else None
    if place is None:
        return
    for name, other in (("prev", place - 1), ("next", place + 1)):
        if 0 <= other < len(line):
            title = app.builder.render_partial(app.env.titles[line[other]])["title"]
            context[name] = {"link": app.builder.get_relative_uri(pagename, line[other]), "title": title}
        else:
            context[name] = None
    if found:
        tabs = []
        for word, folder in (("Chapter", ""), ("Exercises", "exercises/"), ("Solutions", "solutions/")):
            target = f"notebooks/{folder}{found[1]}"
            state = ' aria-current="page"' if target == pagename else ""
            tabs.append(f'<a href="{app.builder.get_relative_uri(pagename, target)}"{state}>{word}</a>')
        label = f"Chapter {int(found[2])}, its exercises and its solutions"
        context["body"] = f'<nav class="chapter-tabs" aria-label="{label}">{"".join(tabs)}</nav>' + context["body"]


def describe(app, pagename, templatename, context, doctree):
    """Add the description of a page, and the icons that phones and old browsers ask for."""
    root = context["pathto"]("_static/", resource=True)
    text = html.escape((context.get("meta") or {}).get("og:description", ""))
    context["metatags"] = context.get("metatags", "") + f'\n<meta name="description" content="{text}"/>' * bool(text)
    context["metatags"] += "".join(
        f'\n<link rel="{kind}" href="{root}{name}"/>'
        for kind, name in (("apple-touch-icon", "apple-touch-icon.png"), ("alternate icon", "favicon.ico"))
    )


def name_folds(app, pagename, templatename, context, doctree):
    """Let a screen reader read out what a fold says that it holds, and not look for list items that are not there."""
    if "body" in context:
        context["body"] = context["body"].replace('<summary aria-label="Toggle hidden content">', "<summary>")
        context["body"] = context["body"].replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )


def offer_phone_forms(app, pagename, templatename, context, doctree):
    """Let a narrow screen show name.phone.svg, where one lies beside the drawing name.svg: there its words can be read.

    The cards of the front page are left out: they show a drawing as an ornament, and a tall one would part their words.
    """

    def both(found):
        folder, name = found.groups()
        if not (pathlib.Path(app.srcdir) / "book" / "figures" / f"{name}.phone.svg").exists():
            return found[0]
        source = f'<source media="(max-width: 600px)" srcset="{folder}{name}.phone.svg">'
        return f"<picture>{source}{found[0]}</picture>"

    if "body" in context:
        context["body"] = DRAWING.sub(both, context["body"])


def copy_phone_forms(app, error):
    """Copy the forms for phones, of which Sphinx does not know, beside the drawings, anew in every build."""
    if error or app.builder.format != "html":
        return
    for path in (pathlib.Path(app.srcdir) / "book" / "figures").glob("*.phone.svg"):
        shutil.copy(path, pathlib.Path(app.outdir) / "_images")


def set_addresses(app, config):
    """Tell the card for sharing, and the page that is shown for a wrong address, where the book lies."""
    config.ogp_site_url, config.ogp_site_name = config.html_baseurl, config.html_title
    config.notfound_urls_prefix = root = urllib.parse.urlparse(config.html_baseurl).path
    config.notfound_context = {"title": "This page is not here", "body": NOT_FOUND.format(root=root)}


def drop_thebe(app, pagename, templatename, context, doctree):
    """Leave out the scripts of Thebe, which the book does not use, and which declare one name twice."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{script} {getattr(script, 'attributes', '')}".lower()
    ]


def reading_order(env):
    """Return the names of all pages in the order of the table of contents."""
    order, waiting = [], [env.config.root_doc]
    while waiting:
        name = waiting.pop(0)
        order.append(name)
        waiting = [*env.toctree_includes.get(name, []), *waiting]
    return order


def glossary_terms(source):
    """Return the words of the glossary: dict from each word to the entry that explains it, longer words first."""
    block = (pathlib.Path(source) / "book" / "glossary.md").read_text().split("```{glossary}\n")[1].split("```")[0]
    words = {}
    for entry in block.split("\n\n"):
        names = [line for line in entry.splitlines() if not line.startswith(" ")]
        words |= {name: names[0] for name in names if name not in AMBIGUOUS}
    return dict(sorted(words.items(), key=lambda pair: -len(pair[0])))


def _content(cell):
    if "mystnb" in cell["cell_metadata"]:
        return "Plot code"
    marks = cell["cell_metadata"].get("nbgrader", {})
    return "Solution" if marks.get("solution") else "Check" if marks.get("grade") else "Code"


def _own_text(paragraph):
    return "" if next(paragraph.findall(nodes.image), None) else " ".join(paragraph.astext().split())


def _is_only(paragraph, kind):
    return isinstance(paragraph, nodes.paragraph) and len(paragraph) == 1 and isinstance(paragraph[0], kind)


def number_figures(app, env):
    """Number the figures of a chapter as 4.1, 4.2 and so on, and those of other pages from 1."""
    for name, kinds in env.toc_fignumbers.items():
        found = CHAPTER.fullmatch(name)
        for numbers in kinds.values():
            for count, each in enumerate(numbers, start=1):
                numbers[each] = (int(found[1]), count) if found else (count,)


def _ancestors(node):
    while node := node.parent:
        yield node


def setup(app):
    """Register everything."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    app.add_transform(Book)
    app.connect("env-check-consistency", number_figures)
    app.connect("html-page-context", arrange_navigation)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", name_folds)
    app.connect("html-page-context", offer_phone_forms)
    app.connect("config-inited", set_addresses)
    app.connect("build-finished", copy_phone_forms)
    app.connect("build-finished", write_math_font)
    app.connect("build-finished", trim_icons)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
