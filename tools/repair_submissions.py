"""Repair collected notebooks that nbgrader cannot grade: `repair_submissions.py COURSE ASSIGNMENT`.

A file with another name gets the assignment's. Where a student has duplicated a cell, or where Colab or an editor has
dropped cell metadata, the student's code is put into a fresh copy of the release version: what stands between two cells
that the student was given stays there, in its order, and the last such cell becomes the answer. The notebook as it was
handed in is kept under COURSE/unrepaired/. Exits with 1 if somebody's hand-in cannot be graded.
"""

import collections
import copy
import pathlib
import sys

try:
    import nbformat
except ImportError:
    sys.exit("nbformat is not installed here. Activate the environment first: source .venv/bin/activate")


def grade_ids(notebook):
    """Count the nbgrader names of the cells of a notebook."""
    return collections.Counter(
        cell.metadata.nbgrader.grade_id for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id")
    )


def is_solution(cell):
    """Tell whether a cell of the release version is one to write an answer into."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def code_behind_given_cells(submitted, release):
    """Collect the student's code: dict from the number of the last given cell before it (-1: none) to cells."""
    given = {cell.source.strip(): number for number, cell in enumerate(release.cells) if not is_solution(cell)}
    stubs = {cell.source.strip() for cell in release.cells if is_solution(cell)}
    found, last = collections.defaultdict(list), -1
    for cell in submitted.cells:
        source = cell.source.strip()
        if source in given:
            last = max(last, given[source])
        elif source.startswith("# @title Check exercise"):
            continue  # a check that the student has edited
        elif cell.cell_type == "code" and source and source not in stubs:
            found[last].append(cell.source)
    return found


def repaired(submitted, release):
    """Return a copy of the release version with the student's code in its places."""
    notebook, found = copy.deepcopy(release), code_behind_given_cells(submitted, release)
    cells, waiting = [], found[-1]
    for number, cell in enumerate(notebook.cells):
        if is_solution(cell) and waiting:
            cell.source = waiting.pop()
        cells += [nbformat.v4.new_code_cell(source) for source in waiting]
        cells.append(cell)
        waiting = [] if is_solution(cell) else found[number]
    notebook.cells = cells + [nbformat.v4.new_code_cell(source) for source in waiting]
    return notebook


def find_notebook(folder, name):
    """Return the path of a student's notebook, renamed if need be. Raise ValueError if it is not clear which one."""
    path, notebooks = folder / f"{name}.ipynb", sorted(folder.glob("*.ipynb"))
    if path in notebooks:
        return path
    if len(notebooks) != 1:
        names = ", ".join(notebook.name for notebook in notebooks) or "none"
        raise ValueError(f"there must be one notebook in {folder}. There are: {names}")
    print(f"{folder.parent.name}: renamed {notebooks[0].name!r} to {path.name!r}")
    return notebooks[0].rename(path)


def free_path(path):
    """Return the path, or the first of `name-2`, `name-3`, … that does not exist."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def look_after(folder, release, course, name):
    """Repair one student's hand-in if it needs it. Return a line that says what was done."""
    path = find_notebook(folder, name)
    try:
        submitted = nbformat.read(path, as_version=4)
    except Exception as error:
        raise ValueError(f"{path} is no notebook that can be read ({type(error).__name__})") from error
    if grade_ids(submitted) == grade_ids(release):
        return "as it should be"
    lost = (grade_ids(release) - grade_ids(submitted)).total()
    twice = (grade_ids(submitted) - grade_ids(release)).total()
    kept = free_path(course / "unrepaired" / folder.parent.name / name / path.name)
    kept.parent.mkdir(parents=True, exist_ok=True)
    path.rename(kept)
    nbformat.write(repaired(submitted, release), path)
    return f"repaired ({lost} cells missing or without their metadata, {twice} duplicated); was: {kept}"


def main():
    """Look at every submission of an assignment, and repair those that need it."""
    if len(sys.argv) != 3:
        sys.exit("Usage: python tools/repair_submissions.py COURSE ASSIGNMENT")
    course, name = pathlib.Path(sys.argv[1]), sys.argv[2]
    released = course / "release" / name / f"{name}.ipynb"
    folders = sorted((course / "submitted").glob(f"*/{name}"))
    for missing in [str(released)] * (not released.exists()) + [f"{course}/submitted/STUDENT/{name}/"] * (not folders):
        sys.exit(f"There is no {missing}. Is {str(course)!r} the course folder, and {name!r} the assignment?")
    release, failed = nbformat.read(released, as_version=4), 0
    for folder in folders:
        try:
            line = look_after(folder, release, course, name)
        except ValueError as error:
            failed, line = failed + 1, f"CANNOT BE GRADED: {error}"
        print(f"{folder.parent.name}: {line}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
