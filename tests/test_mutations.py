"""Checked cells can fail: for each chapter, the function that it teaches is broken, and a checked cell turns red.

The mutation is made in a copy of the package and, where the text occurs, in the chapter's cells. What counts is a
checked cell whose output differs; a cell that raises would prove nothing. `make test` runs the chapters themselves with
nbval; here their cells run in one process, and a checked cell is compared as nbval compares it.
"""

import os
import shutil
import sys

import pytest
from book_files import ROOT, cells, tags
from fresh_process import run_in_fresh_process

MUTATIONS = [
    ("00_gan_primer", "losses.py", "softplus(-fake_logits)", "softplus(fake_logits)"),
    ("01_data_split", "data.py", "np.setdiff1d(np.arange(len(labels)), labeled_indices)", "np.arange(len(labels))"),
    ("02_discriminators", "networks.py", 'name="real_logits")(features)', 'name="real_logits")(build_trunk()(images))'),
    ("01_data_split", "data.py", "random_seed_pair(seed, stream, step)\n", "random_seed_pair(seed, stream, 0)\n"),
    (
        "02_discriminators",
        "losses.py",
        "with_logits(labels, class_logits)",
        "with_logits(labels, tf.nn.softmax(class_logits))",
    ),
    ("03_generator", "networks.py", 'activation="tanh"', 'activation="linear"'),
    ("04_training", "methods/sgan.py", "generator(noise, training=False)", "generator(noise, training=True)"),
    (
        "04_training",
        "methods/sgan.py",
        "fake_images = generator(noise, training=True)",
        "fake_images = generator(noise, training=False)",
    ),
    ("05_evaluation", "metrics.py", "confusion_matrix(labels, predicted,", "confusion_matrix(predicted, labels,"),
    ("06_fair_comparison", "results.py", "* values.sem()", "* values.std()"),
    (
        "07_why_old_code_fails",
        "methods/sgan.py",
        "variables = class_discriminator.trainable_variables",
        "variables = class_discriminator.trainable_variables[-2:]",
    ),
    ("08_feature_matching", "losses.py", "tf.reduce_logsumexp(class_logits,", "tf.reduce_max(class_logits,"),
    ("08_feature_matching", "losses.py", "wanted - tf.reduce_mean(fake_features, axis=0)", "wanted - fake_features"),
    (
        "10_pseudo_labels",
        "methods/pseudo_labels.py",
        "moved = class_bias - balance_rate",
        "moved = class_bias + balance_rate",
    ),
    ("08_feature_matching", "methods/feature_matching.py", "average.assign(value)", "value.numpy"),
    ("10_pseudo_labels", "methods/noisy_student.py", "2.0 * tf.cast(step", "1.0 * tf.cast(step"),
    ("09_bad_gan", "losses.py", "tf.nn.softplus(fake_logits)", "tf.nn.softplus(-fake_logits)"),
    ("06_fair_comparison", "distortions.py", "(5, tf.shape(images)[0]), pair", "(5, tf.shape(images)[0]), [1, 1]"),
]


def stored_text(cell):
    """Return what a checked cell printed, and the text of its result."""
    outputs = cell["outputs"]
    printed = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")
    return printed, ["".join(output["data"]["text/plain"]) for output in outputs if "data" in output]


def first_red_cell(folder, sources, checked):
    """Run the cells of a chapter with the package in `folder`, until a checked one differs.

    Args:
        folder: path of the folder that holds the package.
        sources: list of code cells.
        checked: dict from the number of a checked cell to what it should give, see `stored_text`.

    Returns:
        The source of the checked cell whose output differs, or None; or an exception as text, "raised: …".
    """
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    os.environ.update({"SGAN_FAST": "1", "MPLBACKEND": "agg"})
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    shell = InteractiveShell.instance()
    for number, source in enumerate(sources[: max(checked) + 1]):
        if "%pip" in source:
            continue
        with capture_output() as captured:
            result = shell.run_cell(source)
        if not result.success:
            return f"raised: {result.error_in_exec or result.error_before_exec!r} in {source}"
        shown = [output.data["text/plain"] for output in captured.outputs if "image/png" not in output.data]
        results = [] if result.result is None or source.rstrip().endswith(";") else shown
        if number in checked and (captured.stdout, results) != checked[number]:
            return source
    return None


def red_cell(folder, chapter, module, old, new):
    """Make the mutation in a copy of the package in `folder` and in the chapter, and run it."""
    shutil.copytree(ROOT / "sgan_helpers", folder / "sgan_helpers", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "results", folder / "results")
    source = (folder / "sgan_helpers" / module).read_text()
    assert source.count(old) == 1
    (folder / "sgan_helpers" / module).write_text(source.replace(old, new))
    code = cells(ROOT / "notebooks" / f"{chapter}.ipynb", "code")
    checked = {n: stored_text(cell) for n, cell in enumerate(code) if "nbval-check-output" in tags(cell)}
    return run_in_fresh_process(first_red_cell, folder, [cell["source"].replace(old, new) for cell in code], checked)


@pytest.mark.parametrize(
    ("chapter", "module", "old", "new"),
    MUTATIONS,
    ids=[f"{name}-{module}-{number}" for number, (name, module, *_) in enumerate(MUTATIONS)],
)
def test_breaking_what_a_chapter_teaches_turns_a_checked_cell_red(tmp_path, chapter, module, old, new):
    found = red_cell(tmp_path, chapter, module, old, new)
    assert found is not None, "no checked cell noticed it"
    assert not found.startswith("raised: "), found


def test_a_chapter_as_it_is_has_no_red_cell(tmp_path):
    assert red_cell(tmp_path, "02_discriminators", "checks.py", "import functools", "import functools") is None
