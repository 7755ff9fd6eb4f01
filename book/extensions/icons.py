"""Keeps of the theme's icons those that the book shows."""

import pathlib
import re

from fontTools import subset

ICON = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
DRAWN_ICON = re.compile(r'"\\([ef][0-9a-f]{3})"')
ICON_SCRIPT = re.compile(r'<script src="[^"]*/scripts/fontawesome\.js[^"]*"></script>')
SHOWN_ICON = re.compile(r"\bfa-([a-z0-9-]+)")


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


def setup(app):
    """Register it."""
    app.connect("build-finished", trim_icons)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
