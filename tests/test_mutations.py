"""Checked cells can fail: for each chapter, the function that it teaches is broken, and a checked cell turns red.

The mutation is made in a copy of the package and, where the text occurs, in a copy of the chapter. What counts is a
checked cell whose output differs; a cell that raises would prove nothing.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest
from book_files import ROOT, cells, tags

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
    ("04_training", "sgan.py", "generator(noise, training=False)", "generator(noise, training=True)"),
    (
        "04_training",
        "sgan.py",
        "fake_images = generator(noise, training=True)",
        "fake_images = generator(noise, training=False)",
    ),
    ("05_evaluation", "metrics.py", "confusion_matrix(labels, predicted,", "confusion_matrix(predicted, labels,"),
    ("06_fair_comparison", "experiments.py", "* values.sem()", "* values.std()"),
    (
        "07_why_old_code_fails",
        "sgan.py",
        "variables = class_discriminator.trainable_variables",
        "variables = class_discriminator.trainable_variables[-2:]",
    ),
    ("08_feature_matching", "losses.py", "tf.reduce_logsumexp(class_logits,", "tf.reduce_max(class_logits,"),
    ("08_feature_matching", "losses.py", "wanted - tf.reduce_mean(fake_features, axis=0)", "wanted - fake_features"),
    ("08_feature_matching", "feature_matching.py", "moved = class_bias - BALANCE", "moved = class_bias + BALANCE"),
    ("08_feature_matching", "feature_matching.py", "average.assign(value)", "value.numpy"),
    ("09_bad_gan", "losses.py", "tf.nn.softplus(fake_logits)", "tf.nn.softplus(-fake_logits)"),
    ("06_fair_comparison", "data.py", "(5, tf.shape(images)[0]), pair", "(5, tf.shape(images)[0]), [1, 1]"),
]


@pytest.mark.parametrize(
    ("chapter", "module", "old", "new"),
    MUTATIONS,
    ids=[f"{name}-{module}-{number}" for number, (name, module, *_) in enumerate(MUTATIONS)],
)
def test_breaking_what_a_chapter_teaches_turns_a_checked_cell_red(tmp_path, chapter, module, old, new):
    shutil.copytree(ROOT / "sgan_helpers", tmp_path / "sgan_helpers", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "results", tmp_path / "results")
    source = (tmp_path / "sgan_helpers" / module).read_text()
    assert source.count(old) == 1
    (tmp_path / "sgan_helpers" / module).write_text(source.replace(old, new))

    notebook = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text())
    parts = cells(ROOT / "notebooks" / f"{chapter}.ipynb")
    last = max(number for number, cell in enumerate(parts) if "nbval-check-output" in tags(cell))
    notebook["cells"] = notebook["cells"][: last + 1]
    for cell, part in zip(notebook["cells"], parts, strict=False):
        cell["source"] = part["source"].replace(old, new) if cell["cell_type"] == "code" else part["source"]
    (tmp_path / "mutated.ipynb").write_text(json.dumps(notebook))

    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "tools" / "nbval.ini"), "--rootdir", str(tmp_path)]
    command += ["-p", "no:cacheprovider", "-x", "--color=no", "mutated.ipynb"]
    environment = {**os.environ, "SGAN_FAST": "1", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout[-2000:]
    assert "Cell outputs differ" in done.stdout, done.stdout[-2000:]
    assert "Cell execution caused an exception" not in done.stdout
