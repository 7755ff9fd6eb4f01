"""Run every chapter and every exercise's solution as Colab would, in FAST mode: `test_colab.py [NAME …]`.

A notebook is copied alone into an empty folder. Its kernel has Colab's library versions, a stand-in for the module
`google.colab`, and no way to the repository: its first cell installs the package with the real `%pip install
git+https://…@tag`, which git redirects to a clone of this repository's last commit. Everything is kept in `.colab/`.
What is not Colab's: the Python, the processor, and the network around them.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from exercise_files import ROOT, chapter_names, repository_name

HOME = ROOT / ".colab"
PYTHON = HOME / "venv" / "bin" / "python"
REQUIREMENTS = ROOT / "tools" / "colab-requirements.txt"
STAND_IN = {
    "google/colab/__init__.py": "",
    "google/colab/drive.py": "def mount(path):\n    print('Mounted at', path)\n",
}
START_UP = "import google.colab\n"
IN_SITE_PACKAGES = "import sgan_helpers; assert 'site-packages' in sgan_helpers.__file__, sgan_helpers.__file__"


def make_environment():
    """Install Colab's library versions into an environment of their own, once."""
    ready = HOME / "ready"
    if ready.exists() and ready.read_text() == REQUIREMENTS.read_text():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", HOME / "venv"], check=True)
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]
    subprocess.run(command, check=True)
    ready.write_text(REQUIREMENTS.read_text())


def clone_repository():
    """Clone the last commit, and give it the tag that the install cells ask for. Return the clone's address."""
    clone = HOME / "repository.git"
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, clone], check=True)
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE).group(1)
    subprocess.run(["git", "-C", clone, "tag", "--force", f"v{version}"], check=True, capture_output=True)
    return f"file://{clone}"


def environment_of(clone):
    """Return the environment variables of a kernel."""
    stand_in, ipython = HOME / "stand-in", HOME / "ipython"
    start_up = ipython / "profile_default" / "startup" / "colab.py"
    for path, text in {**{stand_in / name: text for name, text in STAND_IN.items()}, start_up: START_UP}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    address = "https://github.com/" + repository_name()
    redirect = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{clone}.insteadOf", "GIT_CONFIG_VALUE_0": address}
    return {**os.environ, **redirect, "PYTHONPATH": str(stand_in), "IPYTHONDIR": str(ipython), "SGAN_FAST": "1"}


def run_notebook(text, name, environment, sittings=1):
    """Execute a notebook alone in an empty folder, so many times. Return the seconds, and the last error or None."""
    command = [PYTHON, "-m", "pip", "uninstall", "--quiet", "--yes", "sgan-helpers"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)  # It says so if there is none.
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        for _ in range(sittings):
            (pathlib.Path(folder) / f"{name}.ipynb").write_text(text.replace("FOLDER-ON-DRIVE", f"{folder}/drive/sgan"))
            command = [PYTHON.with_name("jupyter-execute"), "--inplace", f"{name}.ipynb"]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode:
                return time.perf_counter() - started, done.stderr[-2000:]
        outside = subprocess.run([PYTHON, "-c", IN_SITE_PACKAGES], cwd=folder, capture_output=True, text=True)
        if sittings > 1 and "resumed after iteration" not in pathlib.Path(folder, f"{name}.ipynb").read_text():
            return time.perf_counter() - started, "The second sitting did not take up the run of the first."
        return time.perf_counter() - started, outside.stderr[-500:] if outside.returncode else None


def read_from(clone, path):
    """Return the text of a notebook in the last commit."""
    return subprocess.run(
        ["git", "-C", clone.removeprefix("file://"), "show", f"HEAD:{path}"], check=True, capture_output=True, text=True
    ).stdout


def notebook_paths(listed):
    """Return the chapters and the solutions among some paths of the repository."""
    wanted = [f"notebooks/{folder}{name}.ipynb" for folder in ("", "solutions/") for name in chapter_names()]
    return [path for path in wanted if path in listed]


def main():
    """Run the notebooks that are named, or all, and count."""
    HOME.mkdir(exist_ok=True)
    make_environment()
    clone = clone_repository()
    environment = environment_of(clone)
    listed = subprocess.run(
        ["git", "-C", HOME / "repository.git", "ls-tree", "-r", "--name-only", "HEAD", "notebooks"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    paths = notebook_paths(listed)
    unknown = [name for name in sys.argv[1:] if not any(name in path for path in paths)]
    if unknown:
        sys.exit(f"No notebook of the last commit has {', '.join(unknown)} in its path. There are: {', '.join(paths)}.")
    paths = [path for path in paths if not sys.argv[1:] or any(name in path for name in sys.argv[1:])]
    tasks = [(path, read_from(clone, path), 1) for path in paths]
    for path, text, _ in list(tasks):
        if path == "notebooks/04_training.ipynb":
            on_drive = text.replace("RUN_FOLDER = None", "RUN_FOLDER = 'FOLDER-ON-DRIVE'")
            assert on_drive != text
            tasks.append((f"{path}, on Drive, in two sittings", on_drive, 2))
    shown = "".join(f", {name!r}, __import__({name!r}).__version__" for name in ("tensorflow", "keras", "numpy"))
    code = f"print('python', __import__('platform').python_version(){shown})"
    print(subprocess.check_output([PYTHON, "-c", code], stderr=subprocess.DEVNULL, text=True), flush=True)
    failed = 0
    for path, text, sittings in tasks:
        seconds, error = run_notebook(text, pathlib.Path(path.split(",")[0]).stem, environment, sittings)
        failed += error is not None
        print(f"{path:60s} {seconds:5.0f} s  {'ok' if error is None else error}", flush=True)
    print(f"{len(tasks) - failed} of {len(tasks)} ran as Colab would run them")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
