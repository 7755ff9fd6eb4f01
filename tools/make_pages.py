"""Write what is generated of the book: student copies, the one-page program, results, catalogue, contents, cards.

`--check` writes nothing, and names every file that is not what it would write. `--repository owner/name` first writes
that name into every badge, link and install cell of the repository.
"""

import argparse
import ast
import csv
import re
import subprocess
import sys
import urllib.parse

import nbformat
import result_tables
from exercise_files import COPIES, ROOT, SOLUTIONS, chapter_names, number_of, read, repository_name, student_copy
from grade_exercises import wrong_answers

import sgan_helpers
from sgan_helpers.methods import METHODS

BADGE = "https://colab.research.google.com/github/{}/blob/main/notebooks/{}.ipynb"
BADGE_PICTURE = "![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)"
HEADING = re.compile(
    r"^## (\d+)\. (Check|Change|Extend): (.*)\n\n\*(\d+) minutes · (\w+) · trains: (.*) · (\d+) marks?\*", re.M
)
WORDS_A_MINUTE = 150  # of prose and code
RENAMED = {".md", ".ipynb", ".yml", ".cff", ".toml"}  # files that hold the repository's name

# --- the whole program on one page, and the public names -------------------------------------------------------------

PROGRAM_INTRO = """# Read the whole program on one page

This is the SGAN of the book as one script, without checks, checkpoints and pictures. It is put together from the very
functions that the chapters show, and a test runs it: its losses are those of the package.

Copy it into a file `sgan.py`, and run `python sgan.py`. It needs TensorFlow with Keras 3 and NumPy, and takes as long
as [chapter 4](../notebooks/04_training.ipynb). Where MNIST cannot be downloaded, give the path of an `mnist.npz`:
`python sgan.py mnist.npz`.

"""

PROGRAM_HEADER = '''
"""A semi-supervised GAN on MNIST: 1,000 labels, two discriminators on one trunk, 10,000 iterations."""

import sys
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers
'''

PROGRAM_MAIN = '''def run(images, labels, test_images, test_labels, *, iterations=10000, report_every=1000, seed=0):
    """Train the SGAN, test it every `report_every` iterations, and return a row for each test."""
    keras.utils.set_random_seed(seed)
    split = split_labeled(images, labels, per_class=100, seed=seed)
    class_discriminator, binary_discriminator = build_discriminators()
    model = SGAN(class_discriminator, binary_discriminator, build_generator(), seed=seed)
    model.compile(optimizer=None, steps_per_execution=min(50, report_every), jit_compile=False)
    rows = []
    for start in range(0, iterations, report_every):
        stream = batch_stream(split, seed=seed, start=start, stop=start + report_every)
        model.fit(stream, verbose=0, shuffle=False)
        predicted = predict_logits(class_discriminator, test_images).argmax(axis=1)
        row = {"iteration": start + report_every, "test_accuracy": float((predicted == test_labels).mean())}
        row |= {tracker.name: float(tracker.result()) for tracker in model.loss_trackers}
        print(row)
        rows.append(row)
    return rows


def scaled(images):
    """Map uint8 images (N, 28, 28) to float32 (N, 28, 28, 1) in [-1, 1]."""
    return (images.astype(np.float32) / np.float32(127.5) - np.float32(1.0))[..., np.newaxis]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        mnist = np.load(sys.argv[1], allow_pickle=False)
        x_train, y_train, x_test, y_test = (mnist[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    else:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    run(scaled(x_train), y_train.astype(np.int64), scaled(x_test), y_test.astype(np.int64))
'''

PROGRAM_PARTS = {  # title of a part: names of the package, "module.name"
    "Data: the labelled split, the batches and the noise": "data.LabeledSplit data.split_labeled data.random_seed_pair "
    "data.draw_rows data.take_rows data.batch_stream data.draw_noise",
    "Networks": "networks.build_trunk networks.build_discriminators networks.build_generator",
    "Losses": "losses.class_loss losses.real_loss losses.fake_loss losses.generator_loss losses.LossTracker",
    "The four updates, and the iteration": "methods/sgan.update_class_discriminator methods/sgan.update_binary_on_real "
    "methods/sgan.update_binary_on_fake methods/sgan.update_generator methods/base.MethodModel methods/sgan.SGAN",
    "Testing": "networks.predict_logits",
}


def definition(name):
    """Return the syntax tree of a module-level name of the package, "module.name", and its source as lines."""
    module, name = name.split(".")
    source = (ROOT / "sgan_helpers" / f"{module}.py").read_text()
    for node in ast.parse(source).body:
        targets = (
            [target.id for target in node.targets] if isinstance(node, ast.Assign) else [getattr(node, "name", "")]
        )
        if name in targets:
            return node, source.splitlines()
    raise ValueError(f"sgan_helpers/{module}.py has no {name}.")


def plain_source(name):
    """Return the source of a function or class with one-line docstrings, without argument checks.

    A function loses its decorators. A class and its methods keep theirs, which are part of what they do.
    """
    top, lines = definition(name)
    for node in ast.walk(top):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        for statement in node.body:
            value = statement.value if isinstance(statement, ast.Expr) else None
            first, last = statement.lineno - 1, statement.end_lineno
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and last - first > 1:
                lines[first:last] = [lines[first].rstrip() + '"""'] + [None] * (last - first - 1)
            elif isinstance(value, ast.Call) and getattr(value.func, "id", "").startswith("check_"):
                lines[first:last] = [None] * (last - first)
    decorators = top.decorator_list if isinstance(top, ast.ClassDef) else []
    start = min([top.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(line for line in lines[start - 1 : top.end_lineno] if line is not None)


def make_program():
    """Return book/full_code.md."""
    streams, lines = definition("data.STREAMS")
    parts = [PROGRAM_HEADER.lstrip(), *lines[streams.lineno - 1 : streams.end_lineno]]
    for title, names in PROGRAM_PARTS.items():
        parts.append("\n\n# " + title + ".")
        parts.extend("\n\n" + plain_source(name) for name in names.split())
    parts.append("\n\n" + PROGRAM_MAIN)
    return PROGRAM_INTRO + "```python\n" + "\n".join(parts) + "```\n"


API_INTRO = """# Look up the package

The public names of `sgan_helpers`, with what goes in and what comes out. `from sgan_helpers import train` gets one of
them; each checks its arguments before it starts.

"""


def make_api():
    """Return book/api.md: the public names, below the modules that they come from. Sphinx fills in the docstrings."""
    parts, modules = [API_INTRO], list(dict.fromkeys(sgan_helpers._HOME.values()))
    for module in modules:
        path = ROOT / "sgan_helpers" / module.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        purpose = ast.get_docstring(ast.parse(path.read_text())).split("\n\n")[0]
        parts.append(f"## sgan_helpers.{module}\n\n{purpose}\n\n```{{eval-rst}}\n.. currentmodule:: sgan_helpers\n")
        for name in (name for name, home in sgan_helpers._HOME.items() if home == module):
            tree, _ = definition(f"{path.relative_to(ROOT / 'sgan_helpers').with_suffix('')}.{name}")
            kind = {ast.ClassDef: "class", ast.FunctionDef: "function", ast.Assign: "data"}[type(tree)]
            from_home = f"sgan_helpers.{module}.{name}\n   :no-value:"  # where its comment is
            parts.append(f".. auto{kind}:: {from_home if kind == 'data' else name}\n")
        parts.append("```\n\n")
    return "".join(parts).rstrip() + "\n"


# --- exercises -------------------------------------------------------------------------------------------------------


def describe(name):
    """Return the title of a chapter's exercises, and a dict from exercise to what its heading says."""
    notebook, found, heading = read(SOLUTIONS / f"{name}.ipynb"), {}, None
    title = re.match(r"# Solutions \d+: (.*)", notebook.cells[0].source).group(1)
    for cell in notebook.cells:
        heading = HEADING.search(cell.source) or heading
        if cell.metadata.get("nbgrader", {}).get("solution"):
            keys = ("number", "kind", "name", "minutes", "difficulty", "trains", "marks")
            found[cell.id] = dict(zip(keys, heading.groups(), strict=True))
    return title, found


def make_catalogue():
    """Return book/exercises.md."""
    parts = []
    for name in chapter_names():
        title, exercises = describe(name)
        minutes, marks = (sum(int(exercise[what]) for exercise in exercises.values()) for what in ("minutes", "marks"))
        parts.append(f"## Chapter {number_of(name)}: {title}\n")
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


# --- tables of contents, links and times -----------------------------------------------------------------------------


def link_table(repository):
    """Return the table of links to hand out: Colab, nbgitpuller on a JupyterHub, Binder."""
    rows = ["| chapter | Colab | JupyterHub | Binder |", "|---|---|---|---|"]
    for name in chapter_names():
        folder = repository.split("/")[1]
        query = {
            "repo": f"https://github.com/{repository}",
            "branch": "main",
            "urlpath": f"lab/tree/{folder}/notebooks/exercises/{name}.ipynb",
        }
        hub = "https://hub.example.edu/hub/user-redirect/git-pull?" + urllib.parse.urlencode(query)
        colab = BADGE.format(repository, f"exercises/{name}")
        binder = f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/notebooks/exercises/{name}.ipynb"
        rows.append(f"| {number_of(name)} | [open]({colab}) | [pull]({hub}) | [start]({binder}) |")
    return "\n".join(rows)


def time_table():
    """Return the table of measured times; a dash stands for what `benchmarks/time_book.py` has not measured yet."""
    with open(ROOT / "benchmarks" / "book.csv", newline="") as file:
        measured = {row["what"]: row for row in csv.DictReader(file)}
    rows = ["| chapter | exercises, minutes of work | chapter, FAST | exercises, FAST |", "|---|---|---|---|"]
    for name in chapter_names():
        work = sum(int(exercise["minutes"]) for exercise in describe(name)[1].values())
        cells = [str(number_of(name)), str(work)]
        for what in (name, f"solutions/{name}"):
            cells.append(f"{float(measured[what]['seconds']):.0f} s" if what in measured else "–")
        rows.append("| " + " | ".join(cells) + " |")
    hardware = sorted({row["hardware"] for row in measured.values()})
    return "\n".join(rows) + f"\n\nMeasured on: {', '.join(hardware)}."


def classifier_table():
    """Return the table of the classifiers that the page of drawings asks, in per cent of MNIST's test images."""
    with open(ROOT / "results" / "classifiers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = [column for column in rows[0] if column not in ("method", "kilobytes", "sha256")]
    lines = ["| images | " + " | ".join(METHODS[row["method"]].title for row in rows) + " |", "|---" * 4 + "|"]
    for kind in kinds:
        lines.append(f"| {kind} | " + " | ".join(f"{100 * float(row[kind]):.1f}" for row in rows) + " |")
    return "\n".join(lines)


def chapter_table(repository):
    """Return the table of the chapters with their badges."""
    rows = ["| | |", "|---|---|"]
    for name in chapter_names():
        title = read(ROOT / "notebooks" / f"{name}.ipynb").cells[0].source.splitlines()[0].removeprefix("# ")
        badge = f"[{BADGE_PICTURE}]({BADGE.format(repository, name)})"
        rows.append(f"| [{number_of(name)}. {title}](notebooks/{name}.ipynb) | {badge} |")
    return "\n".join(rows)


def chapter_cards():
    """Return a card for each chapter: its picture, its first sentence, its minutes, and what it needs."""
    lines = [":::::{grid} 1 2 2 2", ":gutter: 3"]
    for name in chapter_names():
        cells = read(ROOT / "notebooks" / f"{name}.ipynb").cells
        title, _, promise, picture, caption = cells[0].source.split("\n\n")[:5]
        needs = cells[1].source.split("**What you'll need**")[1].strip().split(" The full run")[0]
        words = sum(len(cell.source.split()) for cell in cells)
        work = sum(int(exercise["minutes"]) for exercise in describe(name)[1].values())
        lines += ["", f"::::{{grid-item-card}} {number_of(name)}. {title.removeprefix('# ')}"]
        lines += [f":link: ../notebooks/{name}", ":link-type: doc"]
        lines += [
            ":img-top: figures/" + re.search(r"figures/(\w+\.svg)", picture)[1],
            f":img-alt: {caption.strip('*')}",
            promise,
            ":::{card-footer}",
        ]
        lines += [
            f"{5 * round(words / WORDS_A_MINUTE / 5)} minutes to read, {work} of exercises. {needs}",
            ":::",
            "::::",
        ]
    return "\n".join([*lines, ":::::"])


def make_contents(text):
    """Return _toc.yml with the exercises and the solutions below each chapter."""

    def entry(match):
        indent, name = match.groups()
        lines = [f"- file: notebooks/{name}", "  sections:"]
        for level, (folder, word) in enumerate((("exercises", "Exercises"), ("solutions", "Solutions"))):
            shift = "    " * (level + 1)
            lines += [f"{shift}- file: notebooks/{folder}/{name}", f"{shift}  title: {word} {number_of(name)}"]
            lines += [f"{shift}  sections:"] if level == 0 else []
        return "".join(f"{indent}{line}\n" for line in lines)

    return re.sub(r"^( *)- file: notebooks/(\w+)\n(?:\1 +.*\n)*", entry, text, flags=re.MULTILINE)


# --- everything ------------------------------------------------------------------------------------------------------


def fill(text, block, content):
    """Replace what stands between the two comments of a block."""
    begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content.strip()}\n{end}{rest.split(end)[1]}"


def for_readme(text):
    """Turn a page of book/ into a part of README.md, which GitHub shows: other links, and no headline."""
    text = re.sub(r"\]\((?!https?:)(?!\.\./)", "](book/", text).replace("](../", "](")
    return re.sub(r"\A# .*\n+", "", text)


def generated():
    """Return everything that is generated: dict from path to text."""
    book, repository = ROOT / "book", repository_name()
    copies = {name: nbformat.writes(student_copy(read(SOLUTIONS / f"{name}.ipynb"))) for name in chapter_names()}
    results = result_tables.recorded(METHODS)
    findings = (book / "findings.md").read_text()
    teaching = fill((book / "teaching.md").read_text(), "links", link_table(repository))
    readme = fill((ROOT / "README.md").read_text(), "findings", for_readme(findings))
    readme = fill(readme, "install", for_readme((book / "install.md").read_text()))
    return {
        **{COPIES / f"{name}.ipynb": text + "\n" for name, text in copies.items()},
        ROOT / "_toc.yml": make_contents((ROOT / "_toc.yml").read_text()),
        ROOT / "README.md": fill(readme, "chapters", chapter_table(repository)),
        book / "intro.md": fill((book / "intro.md").read_text(), "cards", chapter_cards()),
        book / "draw.md": fill((book / "draw.md").read_text(), "classifiers", classifier_table()),
        book / "figures" / "curve.svg": result_tables.curve(results),
        book / "full_code.md": make_program(),
        book / "api.md": make_api(),
        book / "exercises.md": make_catalogue(),
        book / "results.md": result_tables.make_page(results),
        book / "teaching.md": fill(teaching, "times", time_table()),
    }


def rename_repository(new):
    """Write the repository's name into every tracked text file that holds the present one."""
    old = repository_name()
    pages = {name: "{}.github.io/{}".format(*name.split("/")) for name in (old, new)}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in (ROOT / name for name in listed.split("\0") if name):
        if path.suffix in RENAMED and path.is_file():
            text = path.read_text()
            renamed = text.replace(pages[old], pages[new]).replace(old, new)
            if renamed != text:
                path.write_text(renamed)
                print(path.relative_to(ROOT))


def main():
    """Write what is not up to date, or name it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if something is stale")
    parser.add_argument("--repository", metavar="OWNER/NAME", help="the repository's new home")
    options = parser.parse_args()
    if options.repository is not None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", options.repository):
            sys.exit(f"The repository must be given as owner/name. Got {options.repository!r} instead.")
        rename_repository(options.repository)
    wanted = generated()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    left = [path for path in sorted(COPIES.glob("*.ipynb")) if path not in wanted]
    if options.check:
        if stale or left:
            sys.exit("Not up to date, run `make pages`: " + ", ".join(str(p.relative_to(ROOT)) for p in stale + left))
        return
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path])
        print(path.relative_to(ROOT))
    for path in left:
        print(f"{path.relative_to(ROOT)} belongs to no chapter of _toc.yml; remove it.")


if __name__ == "__main__":
    main()
