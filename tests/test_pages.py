"""The code on the pages runs: the whole program on one page, and the example with one's own data."""

import re
import runpy
import shutil

import numpy as np
import pytest
from book_files import ROOT
from PIL import Image

from sgan_helpers.data import split_labeled
from sgan_helpers.methods.sgan import SGAN
from sgan_helpers.mnist import load_mnist
from sgan_helpers.training import train


@pytest.fixture(autouse=True)
def single_steps(monkeypatch):
    """Iterations are executed one by one, which compiles in half the time."""
    monkeypatch.setattr("sgan_helpers.training.STEPS_PER_EXECUTION", 1)


def code_block(page):
    """Return the first Python block of a page."""
    return re.search(r"```python\n(.*?)```", (ROOT / "book" / page).read_text(), re.DOTALL).group(1)


def test_the_one_page_program_has_the_losses_of_the_package(tmp_path, capsys):
    script = tmp_path / "sgan.py"
    script.write_text(code_block("full_code.md"))
    mnist = load_mnist("sample")
    images, labels = mnist.test_images[:50], mnist.test_labels[:50]
    program = runpy.run_path(str(script))
    theirs = program["run"](mnist.train_images, mnist.train_labels, images, labels, iterations=10, report_every=1)
    split = split_labeled(mnist.train_images, mnist.train_labels, 100, seed=0)
    ours = train("sgan", split, test_images=images, test_labels=labels, iterations=10, evaluate_every=1, seed=0)
    assert len(theirs) == len(ours.history) == 10
    for name in SGAN.loss_names:
        np.testing.assert_allclose(
            [row[name] for row in theirs], [row[name] for row in ours.history], rtol=0, atol=1e-5, err_msg=name
        )
    assert len({row["class_loss"] for row in theirs}) == 10


def test_the_example_with_own_data_runs_and_learns(capsys):
    code = code_block("your_own_data.md")
    assert "ITERATIONS = 1000\n" in code
    namespace = {}
    exec(compile(code.replace("ITERATIONS = 1000\n", "ITERATIONS = 40\n"), "your_own_data.md", "exec"), namespace)
    assert namespace["split"].labeled_images.shape == (100, 28, 28, 1)
    printed = re.findall(r"^([\w-]+) (0\.\d+)$", capsys.readouterr().out, re.MULTILINE)
    assert len(printed) == 4 and all(float(accuracy) > 0.6 for _, accuracy in printed), printed


def test_the_example_with_an_own_picture_reads_a_seven(tmp_path, monkeypatch, capsys):
    mnist = load_mnist("sample")
    seven = mnist.test_images[mnist.test_labels == 7][0, ..., 0]
    paper = np.kron(220.0 - 90.0 * (seven + 1.0), np.ones((9, 9))).astype(np.uint8)  # grey ink on greyish paper
    Image.fromarray(np.pad(paper, ((40, 90), (120, 30)), constant_values=220)).save(tmp_path / "seven.png")
    (tmp_path / "runs" / "first").mkdir(parents=True)
    weights = tmp_path / "runs" / "first" / "class_discriminator.weights.h5"
    shutil.copy(ROOT / "results" / "sgan-1000-0.weights.h5", weights)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(compile(code_block("draw.md"), "draw.md", "exec"), {})
    assert capsys.readouterr().out == "7\n"
