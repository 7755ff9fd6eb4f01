"""Formulas as MathML, which browsers draw without a script, and the part of a font that they need."""

import html
import pathlib
import re

from docutils import nodes
from fontTools import subset
from latex2mathml.converter import convert

MATH_FONT = "STIXTwoMath-Regular.ttf"  # comes with the package ziamath
MATH = (nodes.math, nodes.math_block)
BAR = re.compile(r'<mover>(.*?)<mo stretchy="true">&#x000AF;</mo></mover>')
NAME = re.compile(r"<mo>([A-Za-z]{2,})</mo>")
APPLIED = re.compile(r"(<mi>[A-Za-z]{2,}</mi>|<msub><mi>[A-Za-z]{2,}</mi>.*?</msub>)(?=<m(?:i|n|sub|sup|row|over))")


def as_mathml(latex, display):
    """Return a formula as MathML, with what browsers would draw otherwise than TeX put right."""
    mathml = convert(latex, display="block" if display else "inline")
    mathml = mathml.replace('<mn mathvariant="double-struck">1</mn>', "<mn>\U0001d7d9</mn>")
    mathml = BAR.sub(r'<mover accent="true">\1<mo>&#x000AF;</mo></mover>', mathml)
    mathml = mathml.replace("<mi>&#x000B1;</mi>", "<mo>&#x000B1;</mo>")  # else it would be spaced like a letter
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
    return characters_of("".join(as_mathml(node.astext(), display=True) for node in formulas))


def characters_of(mathml):
    """Return the characters that a browser draws for a formula: its text, and the sign of each root."""
    return set(html.unescape(re.sub(r"<[^>]*>", "", mathml))) | ({"√"} if "<msqrt" in mathml else set())


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


def setup(app):
    """Register the renderer and the font."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    app.connect("build-finished", write_math_font)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
