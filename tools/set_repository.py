"""Write the repository's name into every badge, link and install cell: `set_repository.py owner/name`.

The present name is read from _config.yml, which is rewritten with the rest.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
SUFFIXES = {".md", ".ipynb", ".yml", ".cff", ".toml"}


def current_name(config):
    """Return "owner/name" as it stands in the text of _config.yml."""
    return re.search(r"url: https://github\.com/([\w.-]+/[\w.-]+)", config).group(1)


def rename(text, old, new):
    """Replace the repository's name and the address of its pages in a text."""
    pages = {name: "{}.github.io/{}".format(*name.split("/")) for name in (old, new)}
    return text.replace(pages[old], pages[new]).replace(old, new)


def main():
    """Rewrite every tracked text file that holds the old name."""
    new = sys.argv[1] if len(sys.argv) == 2 else ""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", new):
        sys.exit(f"The repository must be given as owner/name. Got {new!r} instead.")
    old = current_name((ROOT / "_config.yml").read_text())
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for path in (ROOT / name for name in tracked):
        if path.suffix in SUFFIXES and path.is_file():
            text = path.read_text()
            if rename(text, old, new) != text:
                path.write_text(rename(text, old, new))
                print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
