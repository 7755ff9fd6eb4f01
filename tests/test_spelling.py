"""The spelling of all that readers and contributors see: notebooks, pages, forms, docstrings and comments."""

import re
import subprocess
import sys

from book_files import CHAPTERS, COPIES, PAGES, ROOT, SOLUTIONS, cells


def misspellings(texts, folder):
    """Return what codespell finds in texts: "name, line: wrong ==> right, in: …". A known word is in pyproject.toml."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "codespell_lib", "--check-hidden", "--toml", str(ROOT / "pyproject.toml"), *texts]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    found = re.findall(r"^(.+?):(\d+): (.+ ==> .+)$", done.stdout, re.MULTILINE)
    assert done.returncode == (65 if found else 0), done.stdout + done.stderr
    return [f"{name}, {line}: {what}, in: {texts[name].splitlines()[int(line) - 1]}" for name, line, what in found]


def readable(path):
    """Return the text of a file; of a notebook the sources of its cells, each under its number."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    return "\n".join(f"[cell {number}]\n{cell['source']}" for number, cell in enumerate(cells(path)))


def test_the_words_are_spelled_right(tmp_path):
    paths = [*CHAPTERS, *SOLUTIONS, *COPIES, *PAGES, *ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md")]
    for pattern in ("sgan_helpers/**/*.py", "tools/*.py", "book/*.py", ".github/**/*.yml"):
        paths += ROOT.glob(pattern)
    texts = {path.relative_to(ROOT).as_posix(): readable(path) for path in paths}
    assert {"notebooks/00_gan_primer.ipynb", "sgan_helpers/methods/sgan.py", ".github/workflows/test.yml"} <= set(texts)
    assert not misspellings(texts, tmp_path)


def test_a_misspelling_is_found_in_a_notebook_a_docstring_and_a_comment(tmp_path):
    wrong = "rec" + "ieve"  # in two pieces, for whoever runs codespell over this file
    code = (ROOT / "sgan_helpers" / "losses.py").read_text()
    texts = {
        "notebooks/00_gan_primer.ipynb": f"{readable(CHAPTERS[0])}\nWe {wrong} noise.",
        "docstring.py": code.replace('"""', f'"""We {wrong} noise. ', 1),
        ".github/comment.yml": f"on: push  # We {wrong} a push.\n",
        "right.md": "We receive noise.",
    }
    found = misspellings(texts, tmp_path)
    assert len(found) == 3
    line = len(texts["notebooks/00_gan_primer.ipynb"].splitlines())
    expected = f"notebooks/00_gan_primer.ipynb, {line}: {wrong} ==> receive, in: We {wrong} noise."
    assert expected in found
    assert any(entry.startswith("docstring.py, 1: ") for entry in found)
    assert any(entry.startswith(".github/comment.yml, 1: ") for entry in found)
