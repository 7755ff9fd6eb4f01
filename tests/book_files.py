"""What several tests of the book need: where its files are, and how a notebook is read."""

import json

from exercise_files import ROOT, chapter_names, repository_name

CHAPTERS = [ROOT / "notebooks" / f"{name}.ipynb" for name in chapter_names()]
SOLUTIONS = [ROOT / "notebooks" / "solutions" / path.name for path in CHAPTERS]
COPIES = [ROOT / "notebooks" / "exercises" / path.name for path in CHAPTERS]
PAGES = [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md"]
REPOSITORY = repository_name()


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
