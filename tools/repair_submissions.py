"""Repair collected notebooks that nbgrader cannot grade: `repair_submissions.py COURSE ASSIGNMENT`.

A file with another name gets the assignment's. Where a student has duplicated a cell, or where Colab or an editor has
dropped cell metadata, the student's code is put into a fresh copy of the release version: what stands between two cells
that the student was given stays there, in its order, and the last such cell becomes the answer. A cell of another type
than it was handed out with gets its own back, and a record of widgets at which the feedback would stop is removed. The
notebook as it was handed in is kept under COURSE/unrepaired/. Exits with 1 if somebody's hand-in cannot be graded.
"""

import ast
import collections
import copy
import json
import pathlib
import re
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


def read_complete(path):
    """Read a notebook, and give it and its cells the fields that an editor has left out."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5, **notebook}
    for number, cell in enumerate(notebook["cells"]):
        for field, value in {"cell_type": "code", "metadata": {}, "source": "", "id": f"cell-{number}"}.items():
            cell.setdefault(field, value)
        set_type(cell, cell["cell_type"])
    return nbformat.reads(json.dumps(notebook), as_version=4)


def set_type(cell, kind):
    """Make a cell one of another type, in place."""
    cell["cell_type"] = kind
    if kind == "code":
        cell.setdefault("outputs", [])
        cell.setdefault("execution_count", None)
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def set_types_back(submitted, release):
    """Give each cell the type that it was handed out with. Return the names of those that had another."""
    kinds, changed = {}, []
    for cell in release.cells:
        kinds[cell.metadata.get("nbgrader", {}).get("grade_id")] = cell.cell_type
    for cell in submitted.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name and cell.cell_type != kinds.get(name, cell.cell_type):
            changed.append(f"{name} ({cell.cell_type})")
            set_type(cell, kinds[name])
    return changed


def holds_code(cell):
    """Tell whether a cell holds Python: a code cell, or one that was turned into text and still reads as a program."""
    if cell.cell_type == "code" or not re.search(r"^def |^\w[\w, ]* = ", cell.source, re.MULTILINE):
        return cell.cell_type == "code"
    try:
        ast.parse(cell.source)
    except SyntaxError:
        return False
    return True


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
        elif holds_code(cell) and source and source not in stubs:
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
        submitted = read_complete(path)
    except Exception as error:
        raise ValueError(f"{path} is no notebook that can be read ({type(error).__name__})") from error
    done, retyped = [], set_types_back(submitted, release)
    if retyped:
        done.append(f"cells of another type: {', '.join(retyped)}")
    if any("state" not in record for record in submitted.metadata.get("widgets", {}).values()):
        del submitted.metadata["widgets"]
        done.append("a record of widgets without their state removed")
    if grade_ids(submitted) != grade_ids(release):
        lost = (grade_ids(release) - grade_ids(submitted)).total()
        twice = (grade_ids(submitted) - grade_ids(release)).total()
        done.append(f"{lost} cells missing or without their metadata, {twice} duplicated")
        submitted = repaired(submitted, release)
    if not done:
        return "as it should be"
    kept = free_path(course / "unrepaired" / folder.parent.name / name / path.name)
    kept.parent.mkdir(parents=True, exist_ok=True)
    path.rename(kept)
    nbformat.write(submitted, path)
    return f"repaired ({'; '.join(done)}); was: {kept}"


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
        except Exception as error:  # Whatever is wrong with one hand-in, the others get their turn.
            said = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            failed, line = failed + 1, f"CANNOT BE GRADED: {said}"
        print(f"{folder.parent.name}: {line}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
