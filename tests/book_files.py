"""What several tests of the book need: where its files are, and how a notebook is read."""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
COPIES = sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb"))
PAGES = [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md", ROOT / "results" / "table.md"]
REPOSITORY = re.search(r"url: https://github\.com/(\S+)", (ROOT / "_config.yml").read_text()).group(1)


def cells(path, kind=None):
    """Return the cells of a notebook, of one kind or all, with the source as one string."""
    found = json.loads(path.read_text())["cells"]
    for cell in found:
        cell["source"] = "".join(cell["source"])
    return [cell for cell in found if kind in (None, cell["cell_type"])]


def tags(cell):
    """Return the tags of a cell."""
    return cell["metadata"].get("tags", [])


def prose(path):
    """Return the Markdown of a chapter or a page."""
    if path.suffix == ".md":
        return path.read_text()
    return "\n\n".join(cell["source"] for cell in cells(path, "markdown"))
