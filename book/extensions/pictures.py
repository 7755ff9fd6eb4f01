"""The pictures of the pages: films that one can stop, walks through trainings, drawings for phones."""

import html
import pathlib
import re
import shutil

import numpy as np
from PIL import Image, ImageSequence

PICTURE = re.compile(r'<img[^>]*?src="(?P<folder>[^"]*?)(?P<name>[^"/]*)\.gif"[^>]*>')
ALTERNATIVE = re.compile(r'alt="([^"]*)"')
DRAWING = re.compile(r'<img (?![^>]*sd-card-img)[^>]*?src="([^"]*_images/)([^"/]+)\.svg"[^>]*>')
FILM = """<div class="film"><div class="film-window{pixels}" style="aspect-ratio: {width} / {height}">
<img src="{source}" alt="{alt}" width="{width}" height="{total}" loading="lazy"
 style="transform: translateY(-{last_share}%)"></div>
<div class="film-controls" hidden><button type="button">Pause</button>
<input type="range" min="0" max="{last}" value="{last}" aria-label="Frame of the film"></div></div>"""

WALK_MARK = "<!-- walk -->"
WALK = """<figure class="walk" hidden data-walk="{name}" data-source="{static}walks/{name}.png"><figcaption>
<span class="caption-text">Move the sliders: the upper one through the training, the lower one from one noise vector to
another. Recorded with this chapter's settings, seed 0.</span></figcaption></figure>
<script src="{static}walks/{name}.js" defer></script><script src="{static}walk.js" defer></script>"""


def frames_below_one_another(path):
    """Return the frames of a GIF as one picture, their number, and whether it was enlarged; the picture is not."""
    with Image.open(path) as film:
        frames = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)])
    enlarged = False
    while np.array_equal((small := frames[:, ::2, ::2]).repeat(2, axis=1).repeat(2, axis=2), frames):
        frames, enlarged = small, True
    picture = Image.fromarray(np.concatenate(list(frames)))
    return picture.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE), len(frames), enlarged


def replace_gifs(app, pagename, templatename, context, doctree):
    """Write a film wherever a page shows a GIF: its frames in one picture, which book.js moves."""
    sources = {pathlib.Path(name).stem: app.srcdir / source for source, name in app.builder.images.items()}

    def film(found):
        picture, count, enlarged = frames_below_one_another(sources[found["name"]])
        target = pathlib.Path(app.outdir) / "_images" / f"{found['name']}.png"
        target.parent.mkdir(exist_ok=True)
        picture.save(target, optimize=True)
        alt = ALTERNATIVE.search(found[0])
        return FILM.format(
            source=f"{found['folder']}{target.name}",
            alt=html.escape(html.unescape(alt[1])) if alt else "",
            pixels=" film-pixels" if enlarged else "",
            width=picture.width,
            height=picture.height // count,
            total=picture.height,
            last=count - 1,
            last_share=100 * (count - 1) / count,
        )

    if "body" in context:
        context["body"] = PICTURE.sub(film, context["body"])


def insert_walks(app, pagename, templatename, context, doctree):
    """Put the recorded training of a chapter where its text has the comment `<!-- walk -->`, which shows nowhere."""
    static = context["pathto"]("_static/", resource=True)
    walk = WALK.format(name=pathlib.PurePosixPath(pagename).name, static=static)
    if "body" in context:
        context["body"] = context["body"].replace(WALK_MARK, walk)


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


def setup(app):
    """Register everything."""
    app.connect("html-page-context", replace_gifs)
    app.connect("html-page-context", insert_walks)
    app.connect("html-page-context", offer_phone_forms)
    app.connect("build-finished", copy_phone_forms)
    app.add_js_file("book.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
