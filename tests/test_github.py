"""What GitHub reads: workflows with few rights, issue forms, and the citation. Nothing here asks the network."""

import contextlib
import io
import re
import shutil
import subprocess
import sysconfig

import check_jsonschema
import pytest
import yaml
from book_files import PAGES, REPOSITORY, ROOT
from click.testing import CliRunner

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {GITHUB / "ISSUE_TEMPLATE" / "config.yml"})
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}
WORKFLOW = """
name: a workflow
on: push
permissions:
  contents: read
jobs:
  one:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@v4
        with:
          persist-credentials: false
      - run: make book
"""


def steps(workflow):
    """Return all steps of a parsed workflow."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def writers(workflow):
    """Return the names of the jobs that may write. Such a job may only use actions: code of ours has no rights."""
    assert workflow["permissions"] == {"contents": "read"}, "a workflow reads; the one job that writes says so itself"
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step.get("with", {}).get("persist-credentials") is False, "a checkout keeps no credentials"
    found = {name: job for name, job in workflow["jobs"].items() if "write" in str(job.get("permissions"))}
    for name, job in found.items():
        assert not any("run" in step or "checkout" in step["uses"] for step in job["steps"]), f"{name} runs code"
    return set(found)


def check_schema(schema, paths):
    """Return the exit status and the output of check-jsonschema, which carries the schemas of GitHub and of CFF."""
    done = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", schema, *map(str, paths)])
    return done.exit_code, done.output


def check_security(folder):
    """Return the exit status and the output of zizmor for a folder like .github."""
    zizmor = shutil.which("zizmor", path=sysconfig.get_path("scripts")) or shutil.which("zizmor")
    command = [zizmor, "--offline", "--no-progress", "--config", str(GITHUB / "zizmor.yml"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_files_follow_their_schemas(schema):
    assert SCHEMAS[schema]
    status, output = check_schema(schema, SCHEMAS[schema])
    assert status == 0, output


@pytest.mark.parametrize(
    ("schema", "old", "new", "message"),
    [
        ("vendor.github-workflows", "runs-on", "run-on", "run-on"),
        ("custom.github-workflows-require-timeout", "timeout-minutes:", "# timeout-minutes:", "timeout-minutes"),
        ("vendor.github-issue-forms", "type: dropdown", "type: menu", "menu"),
        ("vendor.github-issue-config", "about:", "abuot:", "abuot"),
        ("vendor.citation-file-format", "date-released: ", "date-released: on ", "date-released"),
    ],
)
def test_a_file_that_breaks_its_schema_is_refused(tmp_path, schema, old, new, message):
    path = next(path for path in SCHEMAS[schema] if old in path.read_text())
    broken = tmp_path / path.name
    broken.write_text(path.read_text().replace(old, new))
    status, output = check_schema(schema, [broken])
    assert status == 1 and message in output, output


def test_the_workflows_are_safe():
    status, output = check_security(GITHUB)
    assert status == 0, output


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("persist-credentials: false", "fetch-depth: 1", "artipacked"),
        ("permissions:\n  contents: read\n", "", "excessive-permissions"),
        ("actions/checkout@v4", "someone/checkout@v4", "unpinned-uses"),
        ("make book", "echo ${{ github.event.head_commit.message }}", "template-injection"),
    ],
)
def test_an_unsafe_workflow_is_refused(tmp_path, old, new, finding):
    path = tmp_path / ".github" / "workflows" / "one.yml"
    path.parent.mkdir(parents=True)
    path.write_text(WORKFLOW)
    assert check_security(tmp_path / ".github")[0] == 0
    path.write_text(WORKFLOW.replace(old, new))
    status, output = check_security(tmp_path / ".github")
    assert status != 0 and finding in output, output


def test_only_the_deployment_of_the_pages_may_write():
    found = {path.stem: writers(yaml.safe_load(path.read_text())) for path in WORKFLOWS}
    assert {stem: names for stem, names in found.items() if names} == {"pages": {"deploy"}}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("permissions:\n  contents: read", "permissions: write-all", "a workflow reads"),
        ("contents: read", "contents: write", "a workflow reads"),
        ("persist-credentials: false", "persist-credentials: true", "a checkout keeps"),
        ("timeout-minutes: 5", "permissions: {pages: write}", "one runs code"),
    ],
)
def test_a_job_that_may_write_and_runs_our_code_is_refused(old, new, message):
    assert writers(yaml.safe_load(WORKFLOW)) == set()
    with pytest.raises(AssertionError, match=message):
        writers(yaml.safe_load(WORKFLOW.replace(old, new)))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_names_targets_and_paths_that_exist(path):
    workflow = yaml.safe_load(path.read_text())
    commands = "\n".join(step.get("run", "") for step in steps(workflow))
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in re.findall(r"^make (.*)$", commands, re.MULTILINE):
        assert set(line.split()) <= set(targets), line
    triggers = workflow[True]  # YAML 1.1 reads `on` as true
    push = triggers.get("push") if isinstance(triggers, dict) else None
    for pattern in (push or {}).get("paths", []):
        assert (ROOT / pattern.removesuffix("/**")).exists(), pattern


def test_the_newest_releases_are_those_of_all_that_is_pinned(tmp_path):
    """But of Jupyter Book and its theme, whose later versions are other programs or have a broken menu."""
    weekly = yaml.safe_load((GITHUB / "workflows" / "weekly.yml").read_text())
    command = next(line for line in weekly["jobs"]["unpinned"]["steps"][-1]["run"].splitlines() if "sed" in line)
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    newest = (tmp_path / "newest.txt").read_text()
    pinned = (tmp_path / "requirements.txt").read_text()
    assert re.findall(r"^([\w-]+)", newest, re.MULTILINE) == re.findall(r"^([\w-]+)", pinned, re.MULTILINE)
    assert re.findall(r"^([\w-]+)==", newest, re.MULTILINE) == ["jupyter-book", "sphinx-book-theme"]


@pytest.mark.parametrize(
    ("name", "title", "required", "optional"),
    [
        ("error", "I found an error", ["page", "says", "right"], ["source"]),
        ("does_not_run", "It does not run", ["chapter", "where", "output", "versions"], ["steps"]),
    ],
)
def test_an_issue_form_asks_for_what_is_needed(name, title, required, optional):
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    assert form["name"] == title and len(form["description"]) > 20
    needed = {field["id"]: field.get("validations", {}).get("required", False) for field in form["body"]}
    assert needed == dict.fromkeys(required, True) | dict.fromkeys(optional, False)


def test_the_form_asks_for_versions_by_a_program_that_prints_them():
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / "does_not_run.yml").read_text())
    description = next(field for field in form["body"] if field["id"] == "versions")["attributes"]["description"]
    program = re.search(r"```python\n(.*?)```", description, re.DOTALL).group(1)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(program, {})
    for name in ("Python", "sgan-helpers", "tensorflow", "keras", "numpy"):
        assert re.search(rf"\b{name} \d+\.\d+", printed.getvalue()), printed.getvalue()
    command = re.search(r"`python -m sgan_helpers (\w+)`", description).group(1)
    assert re.search(rf'add_parser\(\s*"{command}"', (ROOT / "sgan_helpers" / "__main__.py").read_text())


def test_the_forms_lead_to_a_page_of_the_book():
    config = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / "config.yml").read_text())
    site = "https://{}.github.io/{}/".format(*REPOSITORY.split("/"))
    for link in config["contact_links"]:
        page = link["url"].removeprefix(site).replace(".html", ".md")
        assert ROOT / page in PAGES, link["url"]
