"""The text of a page: numbers, mentions of chapters and first uses of words as links, captions, boxes, folds.

The sources stay portable Markdown, which GitHub and Colab render; all of this happens when the pages are built.
"""

import pathlib
import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform

CHAPTER = re.compile(r"notebooks/(\d\d)_\w+")
CHAPTER_NAME = re.compile(r"(\d\d)_\w+$")
MENTIONS = re.compile(r"\b[Cc]hapters? \d+(?:(?:,|, and| to| and| or) \d+)*\b")
MENTION = re.compile(r"(?:[Cc]hapters? )?(\d+)")
BADGE = "colab-badge.svg"
FIGURE = re.compile(r"^https://raw\.githubusercontent\.com/[^/]+/[^/]+/main(/book/figures/.*)$")
BOX = re.compile(r"(Key idea|Pitfall|Predict|Measured)\.")
MARK = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
UNLINKED = (
    nodes.reference,
    pending_xref,
    nodes.literal,
    nodes.literal_block,
    nodes.title,
    nodes.raw,
    nodes.math,
    nodes.math_block,
)
AMBIGUOUS = ("style", "balance", "collapse", "temperature")  # words of the glossary that also have everyday meanings


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
        for link in self.document.findall(lambda node: isinstance(node, nodes.reference) and "refuri" in node):
            link["refuri"] = link["refuri"].replace("&amp;", "&")  # in a table, it is escaped twice
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
        if here or self.env.docname == "book/intro":
            self._explain()
        if self.env.docname.startswith("notebooks/exercises/"):
            self._list_tasks()
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

    def _list_tasks(self):
        """Open a page of exercises with a list of them: title, minutes and difficulty, each a link."""
        tasks = nodes.bullet_list()
        for section in self.document.findall(nodes.section):
            about = next((node for node in section.children if _is_only(node, nodes.emphasis)), None)
            if about is not None and " minutes · " in about.astext():
                link = nodes.reference("", "", nodes.Text(section[0].astext()), refid=section["ids"][0], internal=True)
                words = " (" + ", ".join(about.astext().split(" · ")[:2]) + ")"
                tasks += nodes.list_item("", nodes.paragraph("", "", link, nodes.Text(words)))
        opening = next(node for node in self.document.findall(nodes.paragraph) if len(node.astext()) > 60)
        opening.parent.insert(opening.parent.index(opening) + 1, tasks)

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


def glossary_terms(source):
    """Return the words of the glossary: dict from each word to the entry that explains it, longer words first."""
    block = (pathlib.Path(source) / "book" / "glossary.md").read_text().split("```{glossary}\n")[1].split("```")[0]
    words = {}
    for entry in block.split("\n\n"):
        names = [line for line in entry.splitlines() if not line.startswith(" ")]
        words |= {name: names[0] for name in names if name not in AMBIGUOUS}
    return dict(sorted(words.items(), key=lambda pair: -len(pair[0])))


def number_figures(app, env):
    """Number the figures of a chapter as 4.1, 4.2 and so on, and those of other pages from 1."""
    for name, kinds in env.toc_fignumbers.items():
        found = CHAPTER.fullmatch(name)
        for numbers in kinds.values():
            for count, each in enumerate(numbers, start=1):
                numbers[each] = (int(found[1]), count) if found else (count,)


def _content(cell):
    if "mystnb" in cell["cell_metadata"]:
        return "Plot code"
    marks = cell["cell_metadata"].get("nbgrader", {})
    return "Solution" if marks.get("solution") else "Check" if marks.get("grade") else "Code"


def _own_text(paragraph):
    return "" if next(paragraph.findall(nodes.image), None) else " ".join(paragraph.astext().split())


def _is_only(paragraph, kind):
    return isinstance(paragraph, nodes.paragraph) and len(paragraph) == 1 and isinstance(paragraph[0], kind)


def _ancestors(node):
    while node := node.parent:
        yield node


def setup(app):
    """Register everything."""
    app.add_transform(Book)
    app.connect("env-check-consistency", number_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
