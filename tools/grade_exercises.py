"""Grade the exercises of a chapter as nbgrader would, but without a kernel: `grade_exercises.py 02_discriminators …`.

Each exercise is graded with the reference, with the untouched student copy, and with every wrong answer of
tests/wrong_answers/. Only set-up, solution and check cells run, all in this process. `--seed N` grades the exercises as
`make assignment SEED=N` would set them. Prints a table, or with `--json` the rows of it.
"""

import argparse
import contextlib
import io
import json
import os
import tomllib
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("SGAN_FAST", "1")
os.environ["MPLBACKEND"] = "agg"

from exercise_files import COPIES, ROOT, SOLUTIONS, assignment_source, chapter_names, read

WRONG_ANSWERS = ROOT / "tests" / "wrong_answers"


def role(cell):
    """Return "solution", "check", "given" for other code that runs, or None for what does not."""
    if cell.cell_type != "code" or "%pip" in cell.source:
        return None
    marks = cell.metadata.get("nbgrader", {})
    return "solution" if marks.get("solution") else "check" if marks.get("grade") else "given"


def exercises(cells):
    """Return the cells before the first solution, and for each solution: the cell, its checks, other cells behind it.

    Those others draw the answer, or are given for the next exercise. They run with the reference's answer only.
    """
    running = [cell for cell in cells if role(cell)]
    starts = [number for number, cell in enumerate(running) if role(cell) == "solution"]
    groups = []
    for start, stop in zip(starts, [*starts[1:], len(running)], strict=True):
        behind = running[start + 1 : stop]
        checks, others = ([cell for cell in behind if role(cell) == kind] for kind in ("check", "given"))
        groups.append((running[start], checks, others))
    return running[: starts[0]], groups


def run_cell(source, namespace):
    """Run a cell. Return the exception that it raised as text, or None; and what it wrote to stderr."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in the course folder of make_assignment.py
            exec(compile(source, "cell", "exec"), namespace)
    except Exception as error:
        return f"{type(error).__name__}: {error}", errors.getvalue()
    return None, errors.getvalue()


def grade(answer, checks, namespace):
    """Run an answer and its checks. Return its marks, and the exceptions of the checks that failed."""
    run_cell(answer, namespace)
    marks, failures = 0, []
    for cell in checks:
        error, on_stderr = run_cell(cell.source, namespace)
        if error or on_stderr:  # nbgrader gives no mark to a check that writes to stderr.
            failures.append(error or f"stderr: {on_stderr}")
        else:
            marks += cell.metadata.nbgrader.points
    return marks, failures


def wrong_answers(name):
    """Return the wrong answers of a chapter: dict from exercise to a list of tables."""
    path = WRONG_ANSWERS / f"{name}.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def grade_chapter(name, seed=0, kinds=("untouched", "wrong", "reference")):
    """Grade every exercise of a chapter with every answer of some kinds. Return a list of rows."""
    from matplotlib import pyplot as plt

    source = assignment_source(read(SOLUTIONS / f"{name}.ipynb"), seed)
    untouched = {cell.id: cell.source for cell in read(COPIES / f"{name}.ipynb").cells}
    wrong = wrong_answers(name)
    set_up, groups = exercises(source.cells)
    namespace, rows = {"__name__": "__main__"}, []
    for cell in set_up:
        error, _ = run_cell(cell.source, namespace)
        assert error is None, (cell.id, error)
    for solution, checks, others in groups:
        before = dict(namespace)
        possible = sum(cell.metadata.nbgrader.points for cell in checks)
        answers = [("untouched", untouched[solution.id], {})]
        answers += [("wrong", table["answer"], table) for table in wrong.get(solution.id, [])]
        answers += [("reference", solution.source, {})]
        for kind, answer, table in (answer for answer in answers if answer[0] in kinds):
            namespace.clear()
            namespace.update(before)
            marks, failures = grade(answer, checks, namespace)
            plt.close("all")
            row = {"chapter": name, "exercise": solution.id, "answer": kind, "belief": table.get("belief", "")}
            row |= {"marks": marks, "of": possible, "should_have": table.get("marks", 0), "says": table.get("says", "")}
            rows.append(row | {"failures": failures})
        for cell in others:  # The reference's answer came last.
            error, _ = run_cell(cell.source, namespace)
            assert error is None, (cell.id, error)
    return rows


def print_table(rows):
    """Print a line for each answer."""
    for row in rows:
        what = f"{row['chapter']}/{row['exercise']}"
        print(f"{what:38s} {row['answer']:10s} {row['marks']} of {row['of']}  {row['belief']}")
        for failure in row["failures"] if row["answer"] == "wrong" else []:
            print(f"{'':50s}{failure}")


def main():
    """Grade the chapters that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", choices=[*chapter_names(), []], default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.chapters or chapter_names():
        rows = grade_chapter(name, arguments.seed)
        print(json.dumps(rows)) if arguments.json else print_table(rows)


if __name__ == "__main__":
    main()
