"""The exercises: their anatomy, the marks that their checks give and take, and that the student copies are fresh."""

import re
import subprocess
import sys
import tomllib

import pytest
from book_files import COPIES, REPOSITORY, ROOT, SOLUTIONS, cells, tags
from exercise_files import number_of
from fresh_process import run_in_fresh_process

HEADING = re.compile(
    r"^## (\d+)\. (Check|Change|Extend): .+\n\n\*(\d+) minutes · (easy|medium|hard) · trains: .+ · (\d+) marks?\*\n"
)
WEEKLY = ("04_training",)  # whose many answers all build and train networks: its wrong ones take 40 seconds
solutions = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)


def marks_of(cell):
    """Return nbgrader's metadata of a cell."""
    return cell["metadata"].get("nbgrader", {})


def wrong_answers(path):
    """Return the wrong answers to a chapter's exercises: dict from exercise to a list of tables."""
    return tomllib.loads((ROOT / "tests" / "wrong_answers" / f"{path.stem}.toml").read_text())


def grade(name, seed, kinds):
    """Grade a chapter's exercises with some kinds of answers."""
    from grade_exercises import grade_chapter

    return grade_chapter(name, seed, kinds)


def assert_marks(rows):
    """Check that the reference has full marks, the untouched copy none, and that each wrong answer loses its own."""
    for row in rows:
        what = f"{row['exercise']} {row['answer']} {row['belief']}: {row['failures']}"
        if row["answer"] == "reference":
            assert row["marks"] == row["of"] > 0, what
        elif row["answer"] == "untouched":
            assert row["marks"] == 0, what
        else:
            assert row["marks"] == row["should_have"] < row["of"], what
            assert any(row["says"] in failure for failure in row["failures"]), what
            assert all(re.match(r"AssertionError: .{20,}", failure) for failure in row["failures"]), what


@solutions
def test_checks_give_and_take_the_marks_they_should(path):
    kinds = {"untouched", "reference"} | ({"wrong"} if path.stem not in WEEKLY else set())
    rows = run_in_fresh_process(grade, path.stem, 0, kinds)
    assert {row["answer"] for row in rows} == kinds
    if "wrong" in kinds:
        assert sum(row["answer"] == "wrong" for row in rows) == sum(map(len, wrong_answers(path).values()))
    assert_marks(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", WEEKLY)
def test_wrong_answers_that_take_long_lose_their_marks_too(name):
    rows = run_in_fresh_process(grade, name, 0, {"wrong", "reference"})
    assert {row["answer"] for row in rows} == {"wrong", "reference"}
    assert_marks(rows)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2027])
@solutions
def test_the_reference_has_full_marks_with_the_constants_of_another_seed(path, seed):
    for row in run_in_fresh_process(grade, path.stem, seed, ("reference",)):
        assert row["marks"] == row["of"] > 0, f"{row['exercise']}: {row['failures']}"


@solutions
def test_every_exercise_has_three_wrong_answers_with_beliefs(path):
    exercises = {cell["id"] for cell in cells(path, "code") if marks_of(cell).get("solution")}
    wrong = wrong_answers(path)
    assert set(wrong) == exercises
    for name, answers in wrong.items():
        assert len(answers) >= 3, name
        assert len({answer["belief"] for answer in answers}) == len(answers)
        assert all(len(answer["says"]) >= 5 for answer in answers)


@solutions
def test_a_set_of_exercises_has_its_parts(path):
    found = cells(path)
    number = number_of(path.stem)
    assert found[0]["source"].startswith(f"# Solutions {number}: ")
    address = f"https://colab.research.google.com/github/{REPOSITORY}/blob/main/notebooks/exercises/{path.name}"
    assert (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})" in found[0]["source"]
    )
    chapter = cells(ROOT / "notebooks" / path.name)
    assert found[1]["source"] == chapter[2]["source"] and tags(found[1]) == ["remove-cell"]
    assert 'FAST = os.environ.get("SGAN_FAST") == "1"\n' in found[2]["source"] and "\nSEED = 0\n" in found[2]["source"]
    headings = [HEADING.match(cell["source"]) for cell in found if re.match(r"## \d+\. ", cell["source"])]
    assert all(headings) and 3 <= len(headings) <= 5
    assert [heading[1] for heading in headings] == [str(count) for count in range(1, len(headings) + 1)]
    kinds = [heading[2] for heading in headings]
    assert kinds == sorted(kinds, key=["Check", "Change", "Extend"].index) and set(kinds) == {
        "Check",
        "Change",
        "Extend",
    }
    assert sum(int(heading[5]) for heading in headings) == sum(marks_of(cell).get("points", 0) for cell in found)
    text = "\n\n".join(cell["source"] for cell in found if cell["cell_type"] == "markdown")
    assert text.count("<details><summary>Hint</summary>") == len(headings)
    assert text.count("\n\n**Expected.** ") == len(headings)
    assert len(re.findall(r"^## Talk: .+\n\n\*2 minutes alone, 5 in pairs\*$", text, re.MULTILINE)) == 1
    reasoning = [cell["source"] for cell in found if "reasoning" in tags(cell)]
    assert len(reasoning) == len(headings) + 1 and all(part.startswith("<details><summary>") for part in reasoning)
    assert any("expected-picture" in tags(cell) for cell in found)


def as_wide_as_the_package(code):
    """Return code in 120 columns: in the 100 of a notebook, the messages of a check stand on lines of their own."""
    options = ["--isolated", "--line-length", "120", "--config", "format.skip-magic-trailing-comma=true"]
    command = [sys.executable, "-m", "ruff", "format", *options, "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout


@solutions
def test_each_answer_is_marked_and_folded_in_the_book(path):
    for cell in cells(path, "code"):
        marks = marks_of(cell)
        if marks.get("solution"):
            assert tags(cell) == ["hide-cell"]
            assert cell["source"].count("### BEGIN SOLUTION") == cell["source"].count("### END SOLUTION") >= 1
        elif marks.get("grade"):
            assert tags(cell) == ["hide-input"] and marks["locked"] and marks["points"] >= 1
            assert "assert" in cell["source"] and len(as_wide_as_the_package(cell["source"]).splitlines()) <= 30
        else:
            assert "SOLUTION" not in cell["source"]


def test_student_copies_hold_no_answer():
    for path in COPIES:
        text = path.read_text()
        for forbidden in ("SOLUTION", "HIDDEN TESTS", "<summary>Why", "<summary>What we would say"):
            assert forbidden not in text, path
        assert cells(path)[0]["source"].startswith(f"# Exercises {number_of(path.stem)}: ")
        for cell in cells(path, "code"):
            if cell["outputs"]:
                assert tags(cell) == ["expected-picture"]
            if marks_of(cell).get("grade"):  # The code of a check gives answers away: it is folded everywhere.
                assert cell["source"].startswith("# @title Check exercise ") and cell["metadata"]["cellView"] == "form"
                assert cell["metadata"]["jupyter"]["source_hidden"] and tags(cell) == ["hide-input"]
