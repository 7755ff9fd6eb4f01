"""Repair collected notebooks that nbgrader cannot grade: `repair_submissions.py COURSE ASSIGNMENT`.

Where a student has duplicated a cell, or where Colab or an editor has dropped cell metadata, the answers are put into a
fresh copy of the release version. An answer is what stands in code cells between two cells that the student was given:
several such cells become one, in their order. The notebook as it was handed in moves to COURSE/unrepaired/.
"""

import collections
import copy
import pathlib
import sys

import nbformat


def grade_ids(notebook):
    """Count the nbgrader names of the cells of a notebook."""
    return collections.Counter(
        cell.metadata.nbgrader.grade_id for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id")
    )


def is_solution(cell):
    """Tell whether a cell of the release version is one to write an answer into."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def answers_between_given_cells(submitted, release):
    """Collect the student's code by its place: dict from the number of the last given cell to a list of sources."""
    given = {cell.source.strip(): number for number, cell in enumerate(release.cells) if not is_solution(cell)}
    stubs = {cell.source.strip() for cell in release.cells if is_solution(cell)}
    found, last = collections.defaultdict(list), -1
    for cell in submitted.cells:
        source = cell.source.strip()
        if source in given:
            last = max(last, given[source])
        elif cell.cell_type == "code" and source and source not in stubs:
            found[last].append(source)
    return found


def repaired(submitted, release):
    """Return a copy of the release version with the student's answers in it."""
    notebook, found, last = copy.deepcopy(release), answers_between_given_cells(submitted, release), -1
    for number, cell in enumerate(notebook.cells):
        if not is_solution(cell):
            last = number
        elif found[last]:
            cell.source = "\n\n\n".join(found[last])
    return notebook


def main():
    """Look at every submission of an assignment, and repair those that need it."""
    if len(sys.argv) != 3:
        sys.exit("Usage: python tools/repair_submissions.py COURSE ASSIGNMENT")
    course, name = pathlib.Path(sys.argv[1]), sys.argv[2]
    path = course / "release" / name / f"{name}.ipynb"
    submissions = sorted((course / "submitted").glob(f"*/{name}/{name}.ipynb"))
    if not path.exists() or not submissions:
        sys.exit(f"There must be {path} and a {course}/submitted/STUDENT/{name}/{name}.ipynb. One of them is missing.")
    release = nbformat.read(path, as_version=4)
    for submission in submissions:
        student = submission.relative_to(course / "submitted").parts[0]
        submitted = nbformat.read(submission, as_version=4)
        if grade_ids(submitted) == grade_ids(release):
            print(f"{student}: as it should be")
            continue
        kept = course / "unrepaired" / submission.relative_to(course / "submitted")
        if kept.exists():
            sys.exit(f"{student}: {kept} exists from an earlier repair. Move it away first.")
        lost = grade_ids(release) - grade_ids(submitted)
        twice = grade_ids(submitted) - grade_ids(release)
        kept.parent.mkdir(parents=True)
        submission.rename(kept)
        nbformat.write(repaired(submitted, release), submission)
        print(f"{student}: repaired ({len(lost)} cells without their metadata, {len(twice)} duplicated); was: {kept}")


if __name__ == "__main__":
    main()
