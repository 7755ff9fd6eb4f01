"""Turns each GIF of the pages into a film that one can stop: its frames in one picture, which book.js moves."""

import html
import pathlib
import re

import numpy as np
from PIL import Image, ImageSequence

PICTURE = re.compile(r'<img[^>]*?src="(?P<folder>[^"]*?)(?P<name>[^"/]*)\.gif"[^>]*>')
ALTERNATIVE = re.compile(r'alt="([^"]*)"')
FILM = """<div class="film"><div class="film-window{pixels}" style="aspect-ratio: {width} / {height}">
<img src="{source}" alt="{alt}" width="{width}" height="{total}" loading="lazy"
 style="transform: translateY(-{last_share}%)"></div>
<div class="film-controls" hidden><button type="button">Pause</button>
<input type="range" min="0" max="{last}" value="{last}" aria-label="Frame of the film"></div></div>"""


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
    """Write a film wherever a page shows a GIF."""
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


def setup(app):
    """Register everything."""
    app.connect("html-page-context", replace_gifs)
    app.add_js_file("book.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
