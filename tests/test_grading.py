"""Grading with nbgrader, end to end and once: the five hand-ins of book/teaching.md get the marks that it tells of."""

import contextlib
import copy
import csv
import io
import json
import os
import pathlib
import re
import runpy
import shutil
import subprocess
import sys
import tomllib

import nbconvert
import nbformat
import pytest
from book_files import ROOT

NAME = "01_data_split"
SEED = 2027


def run(folder, *command):
    """Run a Python program in a folder and return what it printed."""
    programs = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": programs}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


def run_tool(name, *arguments):
    """Run a program of tools/ in this process. Return its exit status, or its last words, and what it printed."""
    printed, status = io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        patch.setattr(sys, "argv", [name, *map(str, arguments)])
        try:
            runpy.run_path(str(ROOT / "tools" / name), run_name="__main__")
        except SystemExit as stop:
            status = stop.code
    return status, printed.getvalue()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder with one assignment."""
    folder = tmp_path_factory.mktemp("course") / "course"
    status, printed = run_tool("make_assignment.py", "--seed", SEED, "--output", folder, NAME)
    assert status == 0, printed
    return folder


def read(course, kind):
    """Read the notebook of the assignment in source/ or release/."""
    return nbformat.read(course / kind / NAME / f"{NAME}.ipynb", as_version=4)


def hand_in(course, student, answers):
    """Write the release version with some answers, dict from exercise to code, as the hand-in of a student."""
    notebook = read(course, "release")
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    if student == "dora":  # A check and a solution cell are there twice, each with the same name.
        for role in ("grade", "solution"):
            number = next(n for n, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get(role))
            double = copy.deepcopy(notebook.cells[number])
            double.id = f"second-{role}"
            if role == "solution":
                double.source = "chance_of_one = 0.5  # my first try\nraise NotImplementedError"
            notebook.cells.insert(number, double)
    if student == "emil":  # No cell has its metadata, and below the settings stands one of his own, which he uses.
        settings = next(n for n, cell in enumerate(notebook.cells) if cell.id == "settings")
        notebook.cells.insert(settings + 1, nbformat.v4.new_code_cell("import numpy as emils_numpy"))
        for cell in notebook.cells:
            cell.metadata = {}
            if cell.id in answers:
                cell.source = cell.source.replace("np.random.default_rng(", "emils_numpy.random.default_rng(")
    name = f"{NAME} (1).ipynb" if student == "ada" else f"{NAME}.ipynb"  # as a browser saves the second download
    path = course / "submitted" / student / NAME / name
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def wrong_answers():
    """Return the wrong answers of the assignment's exercises: dict from exercise to a list of tables."""
    return tomllib.loads((ROOT / "tests" / "wrong_answers" / f"{NAME}.toml").read_text())


def right_answers(course):
    """Return the reference's answers: dict from exercise to code."""
    return {cell.id: cell.source for cell in read(course, "source").cells if cell.id in wrong_answers()}


@pytest.fixture(scope="module")
def repaired(course):
    """What the repair printed of the hand-ins of ada, dora and emil, all with the right answers."""
    for student in ("ada", "dora", "emil"):
        hand_in(course, student, right_answers(course))
    status, printed = run_tool("repair_submissions.py", course, NAME)
    assert status == 0, printed
    return printed


def test_a_repaired_hand_in_has_the_cells_of_the_release_and_the_answers_of_the_student(course, repaired):
    assert re.findall(r"^(\w+): repaired", repaired, re.MULTILINE) == ["dora", "emil"]
    assert f"ada: renamed '{NAME} (1).ipynb'" in repaired
    given = [cell.id for cell in read(course, "release").cells]
    for student in ("ada", "dora", "emil"):
        path = course / "submitted" / student / NAME / f"{NAME}.ipynb"
        found = nbformat.read(path, as_version=4).cells
        graded = [cell.id for cell in found if cell.metadata.get("nbgrader", {}).get("grade_id")]
        assert [cell.id for cell in found if cell.id in given] == given
        assert len(graded) == len(set(graded))
        answers = {cell.id: cell.source.replace("emils_numpy", "np") for cell in found if cell.id in wrong_answers()}
        assert answers == right_answers(course), student
    own = [cell.source for cell in found if cell.id not in given]
    assert own == ["import numpy as emils_numpy"], "what emil wrote between the cells stays there"
    assert (course / "unrepaired" / "emil" / NAME / f"{NAME}.ipynb").exists()


@pytest.mark.slow
def test_the_five_hand_ins_of_the_teaching_page_get_their_marks(course, repaired):
    wrong, right = wrong_answers(), right_answers(course)
    exercises = list(wrong)
    plausible = {name: wrong[name][0]["answer"] for name in exercises}
    hand_in(course, "ben", {**right, **{name: plausible[name] for name in exercises[2:]}})
    hand_in(course, "chi", {exercises[0]: plausible[exercises[0]]})
    assert "ben: as it should be" in run(course, ROOT / "tools" / "repair_submissions.py", ".", NAME)
    for command in (["autograde", NAME, "--create"], ["generate_feedback", NAME], ["export"]):
        run(course, "-m", "nbgrader", *command)

    with open(course / "grades.csv", newline="") as file:
        graded = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}
    told = re.findall(
        r"^\| (ada|ben|chi|dora|emil) \| .* \| (\d+) \|$", (ROOT / "book" / "teaching.md").read_text(), re.M
    )
    assert {student: score for student, (score, _) in graded.items()} == {name: float(marks) for name, marks in told}
    assert graded["ada"][0] == graded["ada"][1]
    for student in graded:
        assert (course / "feedback" / student / NAME / f"{NAME}.html").exists()


DAMAGES = {  # how a hand-in with the right answers is damaged, and what the repair says of it
    "widgets": "a record of widgets without their state removed",
    "types": "cells of another type: missing (markdown), missing-check-measure (raw)",
    "bare": "cells missing or without their metadata, 0 duplicated",
    "prose": "cells missing or without their metadata, 0 duplicated",
}


def damage(notebook, kind):
    """Damage a hand-in, a dict as it stands in the file, as Colab, an editor or a student would."""
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    if kind == "widgets":  # Colab's own form
        notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"a1b2": {"model_name": "x"}}}
    if kind in ("types", "prose"):
        for name, cell_type in {"missing": "markdown", "missing-check-measure": "raw"}.items():
            cells[name]["cell_type"] = cell_type
            del cells[name]["outputs"], cells[name]["execution_count"]
    if kind in ("bare", "prose"):
        for cell in notebook["cells"]:
            del cell["metadata"]
    if kind == "bare":
        del notebook["metadata"]
        for cell in notebook["cells"]:
            for field in ("outputs", "execution_count", "id"):
                cell.pop(field, None)


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_hand_in_is_repaired_and_the_feedback_can_be_written(course, tmp_path, kind):
    shutil.copytree(course / "release", tmp_path / "release")
    notebook, right = json.loads((course / "release" / NAME / f"{NAME}.ipynb").read_text()), right_answers(course)
    for cell in notebook["cells"]:
        cell["source"] = right.get(cell["id"], cell["source"])
    damage(notebook, kind)
    path = tmp_path / "submitted" / "fay" / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook))
    status, printed = run_tool("repair_submissions.py", tmp_path, NAME)
    assert status == 0 and re.search(r"^fay: repaired \(.*" + re.escape(DAMAGES[kind]), printed, re.MULTILINE), printed
    found = nbformat.read(path, as_version=4)
    given = read(course, "release")
    assert [
        (cell.metadata.nbgrader.grade_id, cell.cell_type) for cell in found.cells if "nbgrader" in cell.metadata
    ] == [(cell.metadata.nbgrader.grade_id, cell.cell_type) for cell in given.cells if "nbgrader" in cell.metadata]
    assert {cell.id: cell.source for cell in found.cells if cell.id in right} == right
    assert "<html" in nbconvert.HTMLExporter().from_notebook_node(found)[0]
    assert (tmp_path / "unrepaired" / "fay" / NAME / f"{NAME}.ipynb").read_text() == json.dumps(notebook)


def test_a_hand_in_that_breaks_the_repair_does_not_stop_it(course, tmp_path):
    shutil.copytree(course / "release", tmp_path / "release")
    texts = {"ana": '{"cells": 7}', "bob": "[]", "cy": '{"nbformat": 4, "nbformat_minor": 5, "cells": [7]}'}
    for student, text in {**texts, "dan": (course / "release" / NAME / f"{NAME}.ipynb").read_text()}.items():
        path = tmp_path / "submitted" / student / NAME / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    status, printed = run_tool("repair_submissions.py", tmp_path, NAME)
    assert status == 1
    assert re.findall(r"^(\w+): CANNOT BE GRADED", printed, re.MULTILINE) == list(texts)
    assert "dan: as it should be" in printed and "Traceback" not in printed


ENDLESS = {  # a first answer that does not end, or that eats
    "loop": "while True:\n    pass",
    "stubborn": "while True:\n    try:\n        sum(range(10**6))\n    except BaseException:\n        pass",
    "flood": "while True:\n    print('no end' * 100)",
    "eater": "eaten = []\nwhile True:\n    eaten.append(bytearray(10**8))",
}


@pytest.mark.slow
def test_answers_without_an_end_cost_their_own_marks_and_stop_nobody(course, tmp_path):
    folder = tmp_path / "course"
    shutil.copytree(course, folder, ignore=shutil.ignore_patterns("submitted", "unrepaired", "autograded", "feedback"))
    right = right_answers(course)
    for student, code in ENDLESS.items():
        hand_in(folder, student, {**right, "missing": code})
    hand_in(folder, "zoe", right)
    with open(folder / "nbgrader_config.py", "a") as file:
        file.write("\nc.ExecutePreprocessor.timeout = 30\n")
    limits = folder / "ipython" / "profile_default" / "ipython_kernel_config.py"
    text = limits.read_text()
    assert "(8 << 30, 10 << 30)" in text and "(3600, 3600)" in text
    limits.write_text(text.replace("8 << 30", "3 << 30").replace("10 << 30", "5 << 30").replace("3600, 3600", "90, 90"))
    programs = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "nbgrader", "autograde", NAME, "--create"]
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": programs}, capture_output=True, text=True)
    assert re.findall(r"There was an error processing assignment: .*/submitted/(\w+)/", done.stderr) == ["stubborn"]
    run(folder, "-m", "nbgrader", "generate_feedback", NAME)
    run(folder, "-m", "nbgrader", "export")
    with open(folder / "grades.csv", newline="") as file:
        graded = {
            row["student_id"]: (float(row["score"] or 0), float(row["max_score"])) for row in csv.DictReader(file)
        }
    points = graded["zoe"][1]
    assert graded.pop("zoe") == (points, points) and graded.pop("stubborn")[0] == 0
    assert graded == {student: (points - 2, points) for student in ("loop", "flood", "eater")}
    for student, named in {"loop": "CellTimeoutError", "flood": "CellTimeoutError", "eater": "MemoryError"}.items():
        assert named in (folder / "feedback" / student / NAME / f"{NAME}.html").read_text()


def test_hand_ins_that_cannot_be_graded_are_named(course, tmp_path):
    shutil.copytree(course / "release", tmp_path / "release")
    for student, names in {"none": [], "two": ["a", "b"], "broken": [NAME], "good": [NAME]}.items():
        folder = tmp_path / "submitted" / student / NAME
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.ipynb").write_text("no notebook")
    shutil.copy(tmp_path / "release" / NAME / f"{NAME}.ipynb", tmp_path / "submitted" / "good" / NAME)
    status, printed = run_tool("repair_submissions.py", tmp_path, NAME)
    assert status == 1
    assert re.findall(r"^(\w+): CANNOT BE GRADED", printed, re.MULTILINE) == ["broken", "none", "two"]
    assert "good: as it should be" in printed
    last_words, _ = run_tool("repair_submissions.py", tmp_path, "02_discriminators")
    assert "There is no" in last_words and "02_discriminators.ipynb" in last_words


def test_an_assignment_gives_nothing_away(course):
    text = (course / "release" / NAME / f"{NAME}.ipynb").read_text()
    assert f"SEED = {SEED}" in text
    for forbidden in ("SOLUTION", "<summary>Why", "**Expected.**", "solutions", "](../"):
        assert forbidden not in text
    assert all(not cell.get("outputs") for cell in read(course, "release").cells)
    assert (course / ".gitignore").read_text() == "*\n"


def test_the_released_cells_are_those_of_the_student_copy(course):
    copies = {cell.id: cell for cell in nbformat.read(ROOT / "notebooks" / "exercises" / f"{NAME}.ipynb", 4).cells}
    released = read(course, "release").cells
    assert [cell.id for cell in released] == list(copies)
    for cell in released:
        if cell.cell_type == "code":
            assert cell.source.replace(f"SEED = {SEED}", "SEED = 0") == copies[cell.id].source


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "-1"], "--seed must be an int in [0, 99999]. Got -1 instead."),
        (["--output", "."], "exists already. Move it away"),
        (["11_quantum"], "there are no exercises 11_quantum. There are: 00_gan_primer"),
    ],
)
def test_bad_arguments_of_make_assignment_are_named(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, printed = run_tool("make_assignment.py", *arguments)
    assert status == 2 and message in printed
    assert not list(tmp_path.iterdir())
