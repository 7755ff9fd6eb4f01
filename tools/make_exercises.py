"""Generate the student copies in notebooks/exercises/ from notebooks/solutions/, with nbgrader's own preprocessors.

`--check` writes nothing, and fails if a copy is not what its source gives.
"""

import sys

import nbformat
from exercise_files import COPIES, ROOT, SOLUTIONS, exercise_names, read, student_copy


def main():
    """Write every copy, or check it."""
    wanted = {COPIES / f"{name}.ipynb": student_copy(read(SOLUTIONS / f"{name}.ipynb")) for name in exercise_names()}
    stale = [path for path in COPIES.glob("*.ipynb") if path not in wanted]
    for path, notebook in wanted.items():
        text = nbformat.writes(notebook) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path)
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            print(path.relative_to(ROOT))
    if stale and "--check" in sys.argv:
        sys.exit(f"Run `make exercises`: {', '.join(sorted(path.name for path in stale))} not up to date.")


if __name__ == "__main__":
    main()
