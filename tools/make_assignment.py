"""Make a course folder for nbgrader with the exercises as assignments: `make_assignment.py --seed 2027`.

The folder holds nbgrader_config.py, source/ (with solutions, for the teacher), and release/ (for the students), made by
`nbgrader generate_assignment`. Another seed gives other data and constants. An existing folder is not touched.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import nbformat
from exercise_files import ROOT, SOLUTIONS, STUB, assignment_source, chapter_names, read

CONFIGURATION = """import os
import pathlib
import warnings

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "sgan"
c.ClearSolutions.code_stub = {stub!r}
c.ExecutePreprocessor.timeout = 180  # seconds that a cell may take; then it is interrupted, and the next one runs
os.environ.setdefault("SGAN_FAST", "1")  # the same code with smaller counts; marks do not depend on them

# nbgrader gives no mark to a check during which anything is written to stderr. TensorFlow writes there when it starts.
os.environ["IPYTHONDIR"] = str(pathlib.Path(__file__).with_name("ipython"))
os.environ["PYTHONWARNINGS"] = "ignore"
warnings.filterwarnings("ignore", message="Object of type <Submitted")  # nbgrader's own, of its database
"""
KERNEL_LIMITS = """
# A cell that eats memory ends with a MemoryError, and a notebook that takes no interrupt is ended: the others go on.
# What was eaten stays where it is, so the cells behind it get more; without it the kernel would die, and all marks go.
try:
    import resource
except ImportError:  # on Windows
    pass
else:
    resource.setrlimit(resource.RLIMIT_DATA, (8 << 30, 10 << 30))  # bytes
    more = "__import__('resource').setrlimit(__import__('resource').RLIMIT_DATA, 2 * (10 << 30,))"
    when = f"lambda cell: isinstance(cell.error_in_exec, MemoryError) and {more}"
    c.InteractiveShellApp.exec_lines.append(f"get_ipython().events.register('post_run_cell', {when})")
    resource.setrlimit(resource.RLIMIT_CPU, (3600, 3600))  # seconds of all cores
"""
KERNEL_CONFIGURATION = pathlib.Path("ipython", "profile_default", "ipython_kernel_config.py")


def make_course(folder, names, seed):
    """Write the course folder, and let nbgrader generate the release version of each assignment."""
    folder.mkdir(parents=True)
    (folder / ".gitignore").write_text("*\n")  # answers, hand-ins and marks are nobody else's
    (folder / "nbgrader_config.py").write_text(CONFIGURATION.format(stub={"python": STUB}))
    (folder / KERNEL_CONFIGURATION).parent.mkdir(parents=True)
    (folder / KERNEL_CONFIGURATION).write_text((ROOT / "tools" / KERNEL_CONFIGURATION).read_text() + KERNEL_LIMITS)
    for name in names:
        path = folder / "source" / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(assignment_source(read(SOLUTIONS / f"{name}.ipynb"), seed), path)
    # nbgrader calls its database tool by name: it must be found even where the environment is not activated.
    programs = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    for name in names:
        command = [sys.executable, "-m", "nbgrader", "generate_assignment", name, "--create", "--log-level=WARN"]
        subprocess.run(command, cwd=folder, env={**os.environ, "PATH": programs}, check=True)


def main():
    """Read the options and make the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="decides data and constants; 0 gives the book's")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "assignment", help="the course folder to make")
    parser.add_argument("names", nargs="*", metavar="CHAPTER", help="for instance 02_discriminators; all if none")
    arguments = parser.parse_args()
    if not 0 <= arguments.seed <= 99_999:
        parser.error(f"--seed must be an int in [0, 99999]. Got {arguments.seed} instead.")
    unknown = set(arguments.names) - set(chapter_names())
    if unknown:
        parser.error(f"there are no exercises {', '.join(sorted(unknown))}. There are: {', '.join(chapter_names())}.")
    if arguments.output.exists():
        parser.error(f"{arguments.output} exists already. Move it away, or name another folder: COURSE=… (--output).")
    with tempfile.TemporaryDirectory() as temporary:  # A folder that could not be finished is not left behind.
        made = pathlib.Path(temporary) / "course"
        make_course(made, arguments.names or chapter_names(), arguments.seed)
        shutil.copytree(made, arguments.output)
    print(f"The course is in {arguments.output}: give release/ to the students, keep source/ to yourself.")
    if arguments.seed == 0:
        print("Seed 0 gives the data and constants of the book, whose solutions are public. Another seed: SEED=2027.")


if __name__ == "__main__":
    main()
