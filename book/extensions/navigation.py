"""Around the text of a page: Previous and Next, tabs, description, addresses, and what the theme gets wrong."""

import html
import re
import urllib.parse

PRACTICE = ("notebooks/exercises/", "notebooks/solutions/")
NOT_FOUND = """<h1>This page is not here</h1>
<p>It may have moved. The <a href="{root}book/intro.html">front page</a> lists all chapters, and the search
finds words.</p>"""


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


def reading_order(env):
    """Return the names of all pages in the order of the table of contents."""
    order, waiting = [], [env.config.root_doc]
    while waiting:
        name = waiting.pop(0)
        order.append(name)
        waiting = [*env.toctree_includes.get(name, []), *waiting]
    return order


def describe(app, pagename, templatename, context, doctree):
    """Add the description of a page, and the icons that phones and old browsers ask for."""
    root = context["pathto"]("_static/", resource=True)
    text = html.escape((context.get("meta") or {}).get("og:description", ""))
    context["metatags"] = context.get("metatags", "") + f'\n<meta name="description" content="{text}"/>' * bool(text)
    context["metatags"] += "".join(
        f'\n<link rel="{kind}" href="{root}{name}"/>'
        for kind, name in (("apple-touch-icon", "apple-touch-icon.png"), ("alternate icon", "favicon.ico"))
    )


def set_addresses(app, config):
    """Tell the card for sharing, and the page that is shown for a wrong address, where the book lies."""
    config.ogp_site_url, config.ogp_site_name = config.html_baseurl, config.html_title
    config.notfound_urls_prefix = root = urllib.parse.urlparse(config.html_baseurl).path
    config.notfound_context = {"title": "This page is not here", "body": NOT_FOUND.format(root=root)}


def name_folds(app, pagename, templatename, context, doctree):
    """Let a screen reader read out what a fold says that it holds, and not look for list items that are not there."""
    if "body" in context:
        context["body"] = context["body"].replace('<summary aria-label="Toggle hidden content">', "<summary>")
        context["body"] = context["body"].replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )


def drop_thebe(app, pagename, templatename, context, doctree):
    """Leave out the scripts of Thebe, which the book does not use, and which declare one name twice."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{script} {getattr(script, 'attributes', '')}".lower()
    ]


def setup(app):
    """Register everything."""
    app.connect("config-inited", set_addresses)
    app.connect("html-page-context", arrange_navigation)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", name_folds)
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
