"""Checked cells can fail: for each chapter, a function that it teaches is broken, and a checked cell turns red.

The mutation is made in a copy of the package and, where the chapter shows the function, in its cells. Only the cells
that the checked one leans on are run, in one process, and its output is compared as nbval compares it: it must be the
stored one as long as nothing is broken, and another one then. A cell that raises would prove nothing. `make test` runs
the whole chapters with nbval.
"""

import os
import shutil
import symtable
import sys

import pytest
from book_files import ROOT, cells, tags
from fresh_process import run_in_fresh_process
from test_code_shown import functions

# chapter, module of the package, text in it, what takes its place, and text of the checked cell that notices
MUTATIONS = [
    ("00_gan_primer", "losses.py", "softplus(-fake_logits)", "softplus(fake_logits)", "def saturating_loss("),
    (
        "01_data_split",
        "data.py",
        "np.setdiff1d(np.arange(len(labels)), labeled_indices)",
        "np.arange(len(labels))",
        "split = split_labeled(",
    ),
    (
        "02_discriminators",
        "networks.py",
        'name="real_logits")(features)',
        'name="real_logits")(build_trunk()(images))',
        "for ours, theirs in zip(",
    ),
    (
        "01_data_split",
        "data.py",
        "random_seed_pair(seed, stream, step)\n",
        "random_seed_pair(seed, stream, 0)\n",
        'print("step 0: ',
    ),
    (
        "02_discriminators",
        "losses.py",
        "with_logits(labels, class_logits)",
        "with_logits(labels, tf.nn.softmax(class_logits))",
        "perfect = tf.one_hot(",
    ),
    ("03_generator", "networks.py", 'activation="tanh"', 'activation="linear"', "extreme = generator("),
    (
        "04_training",
        "methods/sgan.py",
        "generator(noise, training=False)",
        "generator(noise, training=True)",
        "lambda: update_binary_on_fake(",
    ),
    (
        "04_training",
        "methods/sgan.py",
        "fake_images = generator(noise, training=True)",
        "fake_images = generator(noise, training=False)",
        "lambda: update_generator(",
    ),
    (
        "05_evaluation",
        "metrics.py",
        "confusion_matrix(labels, predicted,",
        "confusion_matrix(predicted, labels,",
        "toy_logits = ",
    ),
    ("06_fair_comparison", "results.py", "* values.sem()", "* values.std()", "toy = pd.DataFrame("),
    (
        "07_why_old_code_fails",
        "methods/sgan.py",
        "variables = class_discriminator.trainable_variables",
        "variables = class_discriminator.trainable_variables[-2:]",
        "must_move = {",
    ),
    (
        "08_feature_matching",
        "losses.py",
        "tf.reduce_logsumexp(class_logits,",
        "tf.reduce_max(class_logits,",
        "partition = tf.",
    ),
    (
        "08_feature_matching",
        "losses.py",
        "wanted - tf.reduce_mean(fake_features, axis=0)",
        "wanted - fake_features",
        "real_features = tf.constant(",
    ),
    (
        "10_pseudo_labels",
        "methods/pseudo_labels.py",
        "moved = class_bias - balance_rate",
        "moved = class_bias + balance_rate",
        "class_bias = tf.Variable(",
    ),
    (
        "08_feature_matching",
        "methods/feature_matching.py",
        "average.assign(value)",
        "value.numpy",
        "def moving_averages(",
    ),
    (
        "10_pseudo_labels",
        "methods/noisy_student.py",
        "2.0 * tf.cast(step",
        "1.0 * tf.cast(step",
        "falling_confidence(tf.constant(",
    ),
    ("09_bad_gan", "losses.py", "tf.nn.softplus(fake_logits)", "tf.nn.softplus(-fake_logits)", 'print("both:"'),
    (
        "06_fair_comparison",
        "distortions.py",
        "(5, tf.shape(images)[0]), pair",
        "(5, tf.shape(images)[0]), [1, 1]",
        "again = np.asarray(distort_images(",
    ),
]


def stored_text(cell):
    """Return what a checked cell printed, and the text of its value, in a list."""
    printed = "".join("".join(output["text"]) for output in cell["outputs"] if output.get("name") == "stdout")
    values = [output["data"] for output in cell["outputs"] if output["output_type"] == "execute_result"]
    return printed, ["".join(value["text/plain"]) for value in values]


def names(table):
    """Return the names that a cell binds, and those that it or its functions take from other cells."""
    symbols, inner = table.get_symbols(), [names(child)[1] for child in table.get_children()]
    bound = {symbol.get_name() for symbol in symbols if symbol.is_local()}
    used = {symbol.get_name() for symbol in symbols if symbol.is_global() or symbol.is_referenced()}
    return bound, used.union(*inner) - bound


def needed(sources):
    """Return those of the code cells that the last one leans on, through the names that they bind, and itself."""
    found = [names(symtable.symtable("" if "%pip" in source else source, "cell", "exec")) for source in sources]
    kept, wanted = {len(sources) - 1}, found[-1][1]
    while more := {number for number, (bound, _) in enumerate(found) if bound & wanted} - kept:
        kept |= more
        wanted = wanted.union(*(found[number][1] for number in more))
    return [sources[number] for number in sorted(kept)]


def output_of(package, folder, sources):
    """Run cells in `folder` with the package in `package`. Return what the last one gives, see `stored_text`."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    os.environ.update({"SGAN_FAST": "1", "MPLBACKEND": "agg"})
    os.chdir(folder)
    sys.path.insert(0, str(package))
    shell = InteractiveShell.instance()
    for source in sources:
        with shell.display_trap, capture_output() as captured:  # within the trap, or values would be printed
            result = shell.run_cell(source)
        if not result.success:
            raise RuntimeError(f"{result.error_in_exec or result.error_before_exec!r} in {source}")
    return captured.stdout, [value.data["text/plain"] for value in captured.outputs]


@pytest.mark.parametrize(
    ("chapter", "module", "old", "new", "noticed_by"),
    MUTATIONS,
    ids=[f"{name}-{module}-{number}" for number, (name, module, *_) in enumerate(MUTATIONS)],
)
def test_breaking_what_a_chapter_teaches_turns_a_checked_cell_red(tmp_path, chapter, module, old, new, noticed_by):
    code = cells(ROOT / "notebooks" / f"{chapter}.ipynb", "code")
    (last,) = [n for n, cell in enumerate(code) if "nbval-check-output" in tags(cell) and noticed_by in cell["source"]]
    sources = needed([cell["source"] for cell in code[: last + 1]])
    assert run_in_fresh_process(output_of, ROOT, tmp_path, sources) == stored_text(code[last]), "red as it is"

    shutil.copytree(ROOT / "sgan_helpers", tmp_path / "sgan_helpers", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "results", tmp_path / "results")
    whole = (tmp_path / "sgan_helpers" / module).read_text()
    assert whole.count(old) == 1
    broken = whole.replace(old, new)
    (tmp_path / "sgan_helpers" / module).write_text(broken)
    ours, theirs = functions(whole), functions(broken)
    sources = [source.replace(old, new) for source in sources]
    for name, shown in (pair for source in sources for pair in functions(source).items()):
        assert ours.get(name) == theirs.get(name) or shown == theirs[name], f"{name} is wrapped: not broken in its cell"
    found = run_in_fresh_process(output_of, tmp_path, tmp_path, sources)
    assert found != stored_text(code[last]), "the checked cell did not notice it"
