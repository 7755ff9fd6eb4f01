"""Write what is generated of the teacher's pages: book/exercises.md, and the links and times in book/teaching.md.

Sources are the solution notebooks, the wrong answers of the tests, benchmarks/book.csv, and the repository's name in
_config.yml. `--check` writes nothing, and fails if a page is not what it would write.
"""

import csv
import re
import sys
import urllib.parse

from exercise_files import ROOT, SOLUTIONS, exercise_names, read
from grade_exercises import wrong_answers
from set_repository import current_name

BADGE = "https://colab.research.google.com/github/{}/blob/main/notebooks/{}.ipynb"
HEADING = re.compile(
    r"^## (\d)\. (Check|Change|Extend): (.*)\n\n\*(\d+) minutes · (\w+) · trains: (.*) · (\d+) marks?\*", re.M
)


def describe(name):
    """Return the title of a chapter's exercises, and a dict from exercise to what its heading says."""
    notebook, found, heading = read(SOLUTIONS / f"{name}.ipynb"), {}, None
    title = re.match(r"# Solutions \d: (.*)", notebook.cells[0].source).group(1)
    for cell in notebook.cells:
        heading = HEADING.search(cell.source) or heading
        if cell.metadata.get("nbgrader", {}).get("solution"):
            keys = ("number", "kind", "name", "minutes", "difficulty", "trains", "marks")
            found[cell.id] = dict(zip(keys, heading.groups(), strict=True))
    return title, found


def make_catalogue():
    """Return book/exercises.md."""
    parts = []
    for name in exercise_names():
        title, exercises = describe(name)
        minutes, marks = (sum(int(exercise[what]) for exercise in exercises.values()) for what in ("minutes", "marks"))
        parts.append(f"## Chapter {int(name[:2])}: {title}\n")
        links = f"[chapter](../notebooks/{name}.ipynb), [exercises](../notebooks/exercises/{name}.ipynb), "
        parts.append(f"{minutes} minutes, {marks} marks: {links}[solutions](../notebooks/solutions/{name}.ipynb).\n")
        parts.append("| exercise | minutes | difficulty | marks | trains |\n|---|---|---|---|---|")
        for exercise in exercises.values():
            cells = [f"{exercise['number']}. {exercise['kind']}: {exercise['name']}", exercise["minutes"]]
            cells += [exercise["difficulty"], exercise["marks"], exercise["trains"]]
            parts.append("| " + " | ".join(cells) + " |")
        parts.append("\n```{dropdown} Misconceptions that these checks name\n")
        for key, answers in wrong_answers(name).items():
            parts += [f"- Exercise {exercises[key]['number']}: {answer['belief']}." for answer in answers]
        parts.append("```\n")
    return f"""# Choose an exercise

This page is made from the exercises by `make pages`. Every exercise is marked by its checks. The tests of the book
grade each of them with the reference answer (full marks), with the untouched copy (no marks), and with at least three
wrong answers, whose beliefs are listed here: each loses its marks, and meets a message about that belief.

{chr(10).join(parts)}"""


def link_table(repository):
    """Return the table of links to hand out: Colab, nbgitpuller on a JupyterHub, Binder."""
    rows = ["| chapter | Colab | JupyterHub | Binder |", "|---|---|---|---|"]
    for name in exercise_names():
        folder = repository.split("/")[1]
        query = {
            "repo": f"https://github.com/{repository}",
            "branch": "main",
            "urlpath": f"lab/tree/{folder}/notebooks/exercises/{name}.ipynb",
        }
        hub = "https://hub.example.edu/hub/user-redirect/git-pull?" + urllib.parse.urlencode(query)
        colab = BADGE.format(repository, f"exercises/{name}")
        binder = f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/notebooks/exercises/{name}.ipynb"
        rows.append(f"| {int(name[:2])} | [open]({colab}) | [pull]({hub}) | [start]({binder}) |")
    return "\n".join(rows)


def time_table():
    """Return the table of measured times."""
    with open(ROOT / "benchmarks" / "book.csv", newline="") as file:
        measured = {row["what"]: row for row in csv.DictReader(file)}
    rows = ["| chapter | exercises, minutes of work | chapter, FAST | exercises, FAST |", "|---|---|---|---|"]
    for name in exercise_names():
        work = sum(int(exercise["minutes"]) for exercise in describe(name)[1].values())
        cells = [str(int(name[:2])), str(work)]
        cells += [f"{float(measured[what]['seconds']):.0f} s" for what in (name, f"solutions/{name}")]
        rows.append("| " + " | ".join(cells) + " |")
    hardware = sorted({row["hardware"] for row in measured.values()})
    return "\n".join(rows) + f"\n\nMeasured on: {', '.join(hardware)}."


def fill(text, block, content):
    """Replace what stands between the two comments of a block."""
    begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def main():
    """Write the pages, or check them."""
    repository = current_name((ROOT / "_config.yml").read_text())
    teaching = (ROOT / "book" / "teaching.md").read_text()
    for block, content in (("links", link_table(repository)), ("times", time_table())):
        teaching = fill(teaching, block, content)
    for name, text in {"exercises.md": make_catalogue(), "teaching.md": teaching}.items():
        path = ROOT / "book" / name
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"book/{name} is stale: run `make pages`.")


if __name__ == "__main__":
    main()
