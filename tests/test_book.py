"""The book as a book: anatomy of the chapters, stored outputs, links, badges, generated pages."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys

import exercise_files
import make_pages
import pytest
from book_files import CHAPTERS, COPIES, PAGES, REPOSITORY, ROOT, SOLUTIONS, cells, prose, tags

import sgan_helpers

INSTALL_CELL = """import sys

if "google.colab" in sys.modules:
    %pip install -q --no-deps git+https://github.com/{repository}@v{version}"""
PICTURES = ("image/png", "image/gif", "image/svg+xml", "image/jpeg")
# Words that add nothing, and phrases that readers had to read twice: carried over from another language, without a
# clear noun, or about a network as if it were a person.
FORBIDDEN = re.compile(
    r"\b(?:simply|just|easily|obviously|of course|needless to say|it goes without saying|basically|trivially"
    r"|old acquaintances?|pull\w* \w+ up by|by the hair|half a one|(?:go|goes|went|gone|going) on behind"
    r"|the better and the steadier|grow\w* sure of|little objects|got more of them)\b",
    re.IGNORECASE,
)
SHOWN_LATER = re.compile(r"\bas chapter (\d+) (?:shows|showed|shown|finds|found|explains|proves)\b", re.IGNORECASE)
chapters = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
NOTEBOOKS = CHAPTERS + SOLUTIONS + COPIES


def name_of(path):
    """Return a short name of a file for a test: solutions and student copies have the chapter's file name."""
    return path.stem if path.parent.name == "notebooks" else f"{path.parent.name}-{path.stem}"


executed = pytest.mark.parametrize("path", CHAPTERS + SOLUTIONS, ids=name_of)
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)


def without_code(markdown):
    """Drop fenced code from Markdown."""
    return re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)


def test_the_table_of_contents_lists_the_files_that_are_there():
    listed = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text())
    notebooks = [f"notebooks/{folder}{p.stem}" for p in CHAPTERS for folder in ("", "exercises/", "solutions/")]
    assert [name for name in listed if name.startswith("notebooks/")] == notebooks
    assert sorted(CHAPTERS) == CHAPTERS == sorted((ROOT / "notebooks").glob("*.ipynb"))
    for folder, paths in (("solutions", SOLUTIONS), ("exercises", COPIES)):
        assert sorted((ROOT / "notebooks" / folder).glob("*.ipynb")) == sorted(paths)
    for name in listed:
        assert (ROOT / f"{name}.md").exists() or (ROOT / f"{name}.ipynb").exists(), name


@executed
def test_stored_outputs_are_those_of_one_clean_run(path):
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["source"]
            assert output.get("name") != "stderr", cell["source"]
            data = output.get("data", {})
            text = json.dumps(output.get("text", "")) + json.dumps(data.get("text/plain", ""))
            assert not re.search(r"/(tmp|home|root|work|Users|usr)/|Warning", text), text
            assert "embedded sample" not in text
    assert sum(bool(cell["outputs"]) for cell in code) >= len(code) / 3, "the outputs are missing"


@notebooks
def test_every_picture_has_an_alternative_text_and_a_caption(path):
    for cell in cells(path, "code"):
        kinds = {kind for output in cell["outputs"] for kind in output.get("data", {})}
        if kinds & set(PICTURES):
            about = cell["metadata"].get("mystnb", {})
            assert len(about.get("image", {}).get("alt", "")) > 40, cell["source"]
            assert len(about.get("figure", {}).get("caption", "")) > 40, cell["source"]
    for alt in re.findall(r"!\[(.*?)\]\((?!https)", prose(path)):
        assert len(alt) > 40, alt


@notebooks
def test_a_notebook_shows_on_github_and_is_not_heavy(path):
    """GitHub's viewer fails on widgets without their state, and on large files; other metadata would be noise."""
    notebook = json.loads(path.read_text())
    assert path.stat().st_size < 2_000_000
    assert notebook["nbformat"] == 4 and notebook["nbformat_minor"] >= 5
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}, "no metadata of Colab, widgets or the machine"
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        allowed = {"tags", "mystnb", "nbgrader"} | (
            {"deletable", "editable", "cellView", "jupyter"} if path in COPIES else set()
        )
        assert set(cell["metadata"]) <= allowed, cell["metadata"]
        assert "attachments" not in cell
        for output in cell.get("outputs", []):
            assert not any("widget" in kind for kind in output.get("data", {})), "a progress bar was stored"
            assert len(json.dumps(output)) < 1_500_000


@chapters
def test_a_chapter_opens_and_closes_as_it_should(path):
    parts = cells(path)
    first = parts[0]["source"]
    assert first.startswith("# ")
    address = f"https://colab.research.google.com/github/{REPOSITORY}/blob/main/notebooks/{path.name}"
    assert f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})" in first
    pictures = f"https://raw.githubusercontent.com/{REPOSITORY}/main/book/figures/"  # a relative one vanishes in Colab
    (name,) = re.findall(rf"!\[[^\]]+\]\({re.escape(pictures)}(\w+\.svg)\)", first)
    assert (ROOT / "book" / "figures" / name).exists()
    assert "](../book/figures/" not in prose(path)
    for heading in ("**What you'll do**", "**What you'll learn**", "**What you'll need**"):
        assert heading in parts[1]["source"]
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE).group(1)
    assert parts[2]["source"] == INSTALL_CELL.format(repository=REPOSITORY, version=version)
    assert tags(parts[2]) == ["remove-cell"]
    assert 'FAST = os.environ.get("SGAN_FAST") == "1"\n' in parts[3]["source"]
    text = prose(path)
    sections = [text.index(f"\n## {title}\n") for title in ("Summary", "Exercises", "In practice", "Further reading")]
    assert sections == sorted(sections)
    for folder in ("exercises", "solutions"):
        assert f"]({folder}/{path.name})" in text[sections[1] : sections[2]]
    assert "<details>" not in text, "answers are in the solutions"
    assert "\nNext: " in text


@chapters
def test_the_summary_answers_what_you_will_learn_bullet_for_bullet(path):
    text = prose(path)
    learn = text[text.index("**What you'll learn**") : text.index("**What you'll need**")]
    summary = text[text.index("\n## Summary") : text.index("\n## Exercises")]
    assert len(re.findall(r"^- ", learn, re.MULTILINE)) == len(re.findall(r"^- ", summary, re.MULTILINE)) >= 3


@chapters
def test_a_chapter_is_a_lesson(path):
    code = cells(path, "code")
    lengths = sorted(len(cell["source"].splitlines()) for cell in code)
    assert lengths[-1] <= 30
    assert lengths[len(lengths) // 2] <= 10
    assert len(prose(path).split()) >= 4 * sum(lengths)
    assert sum("nbval-check-output" in tags(cell) for cell in code) >= 4


@executed
def test_fast_changes_counts_and_sizes_only(path):
    for number, cell in enumerate(cells(path, "code")):
        uses = re.findall(r".*\bFAST\b.*", cell["source"])
        assert number == 1 or not uses, uses
        assert not any(re.match(r"\s*(if|while|elif) .*FAST", use) for use in uses), uses


def faults(text, chapter=None):
    """Return the phrases of a Markdown text that are forbidden, among them what leans on a chapter yet to come."""
    text = re.sub(r"[\s*>]+", " ", without_code(text))
    found = [match.group() for match in FORBIDDEN.finditer(text)]
    if chapter is not None:
        found += [match.group() for match in SHOWN_LATER.finditer(text) if int(match.group(1)) > chapter]
    return found


@pytest.mark.parametrize("path", NOTEBOOKS + PAGES, ids=name_of)
def test_the_prose_keeps_the_house_rules(path):
    text = without_code(prose(path))
    assert not faults(text, int(path.stem[:2]) if path.suffix == ".ipynb" else None)
    if path.suffix == ".ipynb":
        assert not re.findall(r"^:::|\{[a-z:]+\}`", text, re.MULTILINE), "no directives: Colab does not render them"
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False)), levels


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is **just** so.", "just"),
        ("Obviously it learns.", "Obviously"),
        ("All of them are old\n> acquaintances.", "old acquaintances"),
        ("pulling oneself up by the hair", "pulling oneself up by"),
        ("the last checkpoint and goes on\nbehind it", "goes on behind"),
        ("So there is never half a one.", "half a one"),
        ("usually the better and the steadier of the two", "the better and the steadier"),
        ("calls a 4 a 9 and grows sure of it", "grows sure of"),
        ("A little helps, *as chapter 6 shows*.", "as chapter 6 shows"),
    ],
)
def test_a_forbidden_phrase_is_found(text, found):
    assert found in faults(text, 5)


@pytest.mark.parametrize("text", ["It is justified, by a hair.", "As chapter 5 shows, it learns.", "```\njust\n```"])
def test_a_phrase_that_is_allowed_is_not_found(text):
    assert not faults(text, 5)


@pytest.mark.parametrize("path", NOTEBOOKS + PAGES, ids=name_of)
def test_relative_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)", without_code(prose(path))):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_address_of_the_repository_agrees_with_the_configuration():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    name = REPOSITORY.split("/")[1]
    for path in (ROOT / line for line in tracked if line.endswith((".md", ".ipynb", ".yml", ".cff", ".toml"))):
        for found in re.findall(rf"[\w.-]+/{re.escape(name)}\b", path.read_text()):
            owner = REPOSITORY.split("/")[0]
            assert found in (REPOSITORY, f"{owner}.github.io/{name}"), f"{path.name}: {found}"


def test_renaming_the_repository_rewrites_badges_links_and_pages(tmp_path, monkeypatch):
    """In a copy of the repository's texts, as `make repository REPO=someone/other-book` does it."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.split():
        if (ROOT / name).suffix in {*make_pages.RENAMED, ".py", ".csv"} and (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    for module, name in [(exercise_files, "ROOT"), *((make_pages, name) for name in ("ROOT", "SOLUTIONS", "COPIES"))]:
        monkeypatch.setattr(module, name, tmp_path / getattr(module, name).relative_to(ROOT))
    monkeypatch.setattr(sys, "argv", ["make_pages.py", "--repository", "someone/other-book"])
    make_pages.main()

    old = re.compile("|".join(re.escape(name) for name in (REPOSITORY, REPOSITORY.replace("/", "%2F"))))
    texts = {path: path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".md", ".ipynb", ".yml", ".cff")}
    assert not [path for path, text in texts.items() if old.search(text)]
    assert "someone.github.io/other-book" in texts[tmp_path / "_config.yml"]
    assert "github.com/someone/other-book" in texts[tmp_path / "CITATION.cff"]
    for path, text in texts.items():
        if path.suffix == ".ipynb":
            assert "git+https://github.com/someone/other-book@v" in text
            folder = "notebooks/exercises" if path.parent.name != "notebooks" else "notebooks"
            assert f"/github/someone/other-book/blob/main/{folder}/{path.name}" in text


@pytest.mark.parametrize("name", ["", "no-slash", "two/many/slashes", "white space/book"])
def test_a_name_that_is_no_repository_is_refused(monkeypatch, name):
    monkeypatch.setattr(sys, "argv", ["make_pages.py", "--repository", name])
    with pytest.raises(SystemExit, match="must be given as owner/name. Got "):
        make_pages.main()


def test_binder_installs_what_the_book_needs():
    """What is locked, with its hashes, and then the package alone."""
    assert (ROOT / ".binder" / "requirements.txt").read_text() == "-r ../requirements.lock\n"
    assert (ROOT / ".binder" / "postBuild").read_text().endswith("pip install --no-deps --no-build-isolation .\n")
    assert os.access(ROOT / ".binder" / "postBuild", os.X_OK)
    assert re.fullmatch(r"python-3\.1[123]\n", (ROOT / ".binder" / "runtime.txt").read_text())


def imported_modules(source):
    """Return the modules of the package that a source text imports, anywhere: "data", "methods/sgan", "methods".

    A public name taken from the package itself counts as its module. Relative imports are refused: one way is enough.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: name the module in full, `from sgan_helpers.…`"
            names = [alias.name for alias in node.names]
            if node.module == "sgan_helpers":
                found |= {f"sgan_helpers.{sgan_helpers._HOME.get(name, name)}" for name in names}
            elif node.module.startswith("sgan_helpers."):
                found |= {f"{node.module}.{name}" for name in names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "sgan_helpers"}
    return {name.removeprefix("sgan_helpers.").replace(".", "/") for name in found if name != "sgan_helpers"}


def test_modules_import_only_from_floors_below_their_own():
    table = re.findall(r"^\| ([\d.]+) \| ([^|]+) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    named = {name: float(number) for number, names in table for name in re.findall(r"`([\w/]+)`", names)}
    package = ROOT / "sgan_helpers"
    paths = {str(path.relative_to(package).with_suffix("")): path for path in package.rglob("*.py")}
    paths["methods"] = paths.pop("methods/__init__")
    outermost = paths.pop("__init__")
    floor = {name: 4.35 for name in paths if name.startswith("methods/")} | named  # a new method need not be named
    assert set(floor) == set(paths)
    assert imported_modules(outermost.read_text()) & set(floor) == {"checks"}
    for name, path in paths.items():
        for other in imported_modules(path.read_text()) & set(floor):
            assert floor[other] < floor[name], f"{name} imports {other}"


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from sgan_helpers.methods.sgan import SGAN", "methods/sgan"),
        ("from sgan_helpers.methods import METHODS", "methods"),
        ("from sgan_helpers import training", "training"),
        ("from sgan_helpers import train", "training"),
        ("from sgan_helpers import SGAN", "methods/sgan"),
        ("import sgan_helpers.training as loop", "training"),
    ],
)
def test_an_import_of_a_higher_floor_is_seen(source, module):
    assert module in imported_modules(f"def late():\n    {source}\n")


@pytest.mark.parametrize("source", ["from . import training", "from .training import train", "from ..data import x"])
def test_a_relative_import_is_refused(source):
    with pytest.raises(AssertionError, match="line 1: name the module in full"):
        imported_modules(source)


def test_generated_files_are_up_to_date(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_pages.py", "--check"])
    make_pages.main()


def test_a_check_names_every_stale_file_and_every_copy_without_a_chapter_and_writes_nothing(monkeypatch, tmp_path):
    wanted = {tmp_path / name: "new\n" for name in ("stale.md", "missing.md", "fresh.md")}
    (tmp_path / "stale.md").write_text("old\n")
    (tmp_path / "fresh.md").write_text("new\n")
    (tmp_path / "left.ipynb").write_text("{}\n")
    monkeypatch.setattr(make_pages, "ROOT", tmp_path)
    monkeypatch.setattr(make_pages, "COPIES", tmp_path)
    monkeypatch.setattr(make_pages, "generated", lambda: wanted)
    monkeypatch.setattr(sys, "argv", ["make_pages.py", "--check"])
    with pytest.raises(SystemExit, match="run `make pages`: stale.md, missing.md, left.ipynb$"):
        make_pages.main()
    assert (tmp_path / "stale.md").read_text() == "old\n" and not (tmp_path / "missing.md").exists()

    monkeypatch.setattr(sys, "argv", ["make_pages.py"])
    make_pages.main()
    assert [path.read_text() for path in wanted] == ["new\n"] * 3


def test_an_eleventh_chapter_is_a_notebook_its_solutions_and_a_line_of_the_table_of_contents(tmp_path):
    """In a copy of the repository. Its exercises, their catalogue, links and contents are then made, and it is run."""
    copied = ["notebooks", "tools", "book", "tests/wrong_answers", "sgan_helpers", "results", "benchmarks"]
    pictures = shutil.ignore_patterns("_static", "*.svg", "*.png", "*.h5", "__pycache__")
    for name in copied:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=pictures)
    for name in ("README.md", "_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copy(CHAPTERS[6], tmp_path / "notebooks" / "10_again.ipynb")
    solutions = (
        SOLUTIONS[6].read_text().replace("# Solutions 6: ", "# Solutions 10: ").replace(SOLUTIONS[6].stem, "10_again")
    )
    (tmp_path / "notebooks" / "solutions" / "10_again.ipynb").write_text(solutions)
    contents = (tmp_path / "_toc.yml").read_text()
    (tmp_path / "_toc.yml").write_text(
        contents.replace(
            "      - file: book/results\n", "      - file: notebooks/10_again\n      - file: book/results\n"
        )
    )
    code = "import runpy, test_colab; runpy.run_path('make_pages.py', run_name='__main__');"
    code += "print(test_colab.notebook_paths(['notebooks/10_again.ipynb', 'notebooks/x.ipynb']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "tools", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.endswith("\n['notebooks/10_again.ipynb']\n")
    assert cells(tmp_path / "notebooks" / "exercises" / "10_again.ipynb")[0]["source"].startswith("# Exercises 10: ")
    assert "## Chapter 10: " in (tmp_path / "book" / "exercises.md").read_text()
    assert "| 10 | [open](" in (tmp_path / "book" / "teaching.md").read_text()
    assert "| [10. Compare fairly](notebooks/10_again.ipynb) |" in (tmp_path / "README.md").read_text()
    entry = "notebooks/exercises/10_again\n            title: Exercises 10\n"
    assert entry in (tmp_path / "_toc.yml").read_text()
