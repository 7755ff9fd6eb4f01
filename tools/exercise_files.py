"""What the tools share: the list of chapters, where their files are, and how a student copy is made with nbgrader.

A notebook in notebooks/solutions/ is the one source of a chapter's exercises. Its cells have roles:

- *set-up*, read-only for the student;
- *solution*, an answer between `### BEGIN SOLUTION` and `### END SOLUTION`, which the student copy lacks;
- *check*, an autograded cell of assertions, which the student runs too;
- tagged `expected-picture`: draws the student's answer; the student copy shows the reference's picture until then;
- tagged `reasoning`: explains the solution, and is not in the student copy.
"""

import copy
import pathlib
import re

import nbformat
import yaml
from traitlets.config import Config

ROOT = pathlib.Path(__file__).parents[1]
SOLUTIONS = ROOT / "notebooks" / "solutions"
COPIES = ROOT / "notebooks" / "exercises"
CHECK_TITLE = "# @title Check exercise {}"  # Colab shows it in place of the code, with the metadata below.
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}  # in Colab, and in JupyterLab
STUB = "# Your answer here.\nraise NotImplementedError"


def chapter_names(root=ROOT):
    """Return the names of the chapters, in the order of the table of contents: "00_gan_primer", "01_data_split", …"""
    contents = yaml.safe_load((root / "_toc.yml").read_text())
    files = [entry["file"] for part in contents["parts"] for entry in part["chapters"]]
    return [file.removeprefix("notebooks/") for file in files if file.startswith("notebooks/")]


def number_of(name):
    """Return the number of a chapter: 4 of "04_training", 10 of "10_few_labels"."""
    return int(name.split("_")[0])


def repository_name():
    """Return "owner/name" of the repository as it stands in _config.yml."""
    config = (ROOT / "_config.yml").read_text()
    return re.search(r"url: https://github\.com/([\w.-]+/[\w.-]+)", config).group(1)


def nbgrader_settings():
    """Return the settings of nbgrader that the book relies on."""
    return Config({"ClearSolutions": {"code_stub": {"python": STUB}}})


def source_for_students(solutions):
    """Return a copy of a solution notebook without its reasoning, with the code of the checks folded."""
    notebook = copy.deepcopy(solutions)
    notebook.cells = [cell for cell in notebook.cells if "reasoning" not in cell.metadata.get("tags", [])]
    notebook.cells[0].source = notebook.cells[0].source.replace("# Solutions", "# Exercises", 1)
    number = ""
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        if heading := re.match(r"## (\d+)\. ", cell.source):
            number = heading.group(1)
        if marks.get("solution"):
            del cell.metadata["tags"]  # In the book, answers are folded, and the place for one is not.
        elif marks.get("grade"):
            cell.source = f"{CHECK_TITLE.format(number)}\n{cell.source}"
            cell.metadata.update(copy.deepcopy(FOLDED))
    return notebook


def assignment_source(solutions, seed=0):
    """Return what nbgrader generates an assignment from: no link into the book, no outputs, constants of another seed.

    The expected values in the text are those of seed 0, and left out with any other.
    """
    notebook = source_for_students(solutions)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(r"^SEED = 0\b", f"SEED = {seed}", cell.source, flags=re.MULTILINE)
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = re.sub(r"\n\n\[!\[.*?(?=\n\n|\Z)", "", cell.source)  # the badge opens the book's copy
            cell.source = re.sub(r" The \[solutions\]\([^)]*\)[^.]*\.", "", cell.source)
            cell.source = re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", cell.source)
            if seed != 0:
                cell.source = re.sub(r"\n\n\*\*Expected\.\*\*.*?(?=\n\n|\Z)", "", cell.source, flags=re.DOTALL)
    return notebook


def student_copy(solutions):
    """Return the student copy of a solution notebook: answers, hidden checks and outputs gone, expected pictures kept.

    The steps are those of `nbgrader generate_assignment`, without its database.
    """
    from nbgrader import preprocessors

    notebook = source_for_students(solutions)
    pictures = {cell.id: cell.outputs for cell in notebook.cells if "expected-picture" in cell.metadata.get("tags", [])}
    steps = "LockCells ClearSolutions ClearOutput CheckCellMetadata ComputeChecksums ClearHiddenTests ClearMarkScheme"
    resources = {}
    for name in (steps + " ComputeChecksums CheckCellMetadata").split():
        step = getattr(preprocessors, name)(config=nbgrader_settings())
        notebook, resources = step.preprocess(notebook, resources)
    for cell in notebook.cells:
        if cell.id in pictures:
            cell.outputs = copy.deepcopy(pictures[cell.id])
    return notebook


def read(path):
    """Read a notebook."""
    return nbformat.read(path, as_version=4)
