"""The registry: hyper-parameters, recipes, Keras's own settings, and a toy method that is a file and an entry."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from book_files import ROOT
from fresh_process import run_in_fresh_process

from sgan_helpers import checks, data, networks, training
from sgan_helpers.methods import METHODS
from sgan_helpers.methods.build import build_model, recipe_hash, recipe_of
from sgan_helpers.methods.sgan import SGAN


def another(value):
    """Return a value of a hyper-parameter that is not the one given."""
    if isinstance(value, dict):
        return {**value, "shear": value["shear"] / 2}
    return value + 1 if isinstance(value, int) else value / 2


@pytest.mark.parametrize("method", METHODS)
def test_the_recipe_changes_with_every_hyper_parameter(method):
    defaults = METHODS[method].defaults
    assert {"learning_rate", "beta_1"} <= set(defaults) or not METHODS[method].has_network
    assert "seed" not in defaults
    model = build_model(method, seed=0)
    recipes = [recipe_hash(method, model, 100), recipe_hash(method, model, 50)]
    for name, value in defaults.items():
        model.hyperparameters = {**defaults, name: another(value)}
        recipes.append(recipe_hash(method, model, 100))
    assert len(set(recipes)) == len(defaults) + 2
    first, value = next(iter(defaults.items()))
    assert recipe_of(method, **{first: another(value)}) == recipes[2]
    assert recipe_of(method, seed=7) == recipes[0]


def test_the_recipe_changes_with_method_networks_and_random_scheme(monkeypatch):
    assert len({recipe_of(method) for method in METHODS}) == len(METHODS)

    def with_another_generator(num_classes):
        return (*networks.build_discriminators(num_classes), networks.build_generator(50))

    before = recipe_of("sgan")
    assert recipe_of("sgan", networks=SGAN.build_networks) == before
    assert recipe_of("sgan", networks=with_another_generator) != before
    with monkeypatch.context() as patch:
        patch.setattr(data, "RANDOM_SCHEME", 99)
        assert recipe_of("sgan") != before
    assert recipe_of("sgan", learning_rate=np.float64(5e-4)) == before
    assert recipe_of("pseudo-labels", balance_limit=3) == recipe_of("pseudo-labels")


def test_precision_is_part_of_the_recipe():
    plain, half = (keras.layers.Dense(2, dtype=dtype) for dtype in ("float32", "mixed_float16"))
    assert networks.describe_layer(plain) != networks.describe_layer(half)


def test_a_model_has_what_it_was_given():
    given = {"average_decay": 0.5, "confidence": 0.8, "gan_weight": 0.2, "labeled_batch": 7, "learning_rate": 1e-4}
    model = build_model("pseudo-labels+gan", 3, seed=1, **given)
    assert model.hyperparameters == {**METHODS["pseudo-labels+gan"].defaults, **given}
    assert (model.average_decay, model.gan_weight, model.labeled_batch) == (0.5, 0.2, 7)
    assert model.labeling["confidence"] == 0.8
    assert [float(optimizer.learning_rate) for optimizer in model.optimizers] == [pytest.approx(1e-4)] * 2
    assert build_model("pseudo-labels+gan", 3, seed=1).gan_weight == 0.1


@pytest.mark.parametrize(
    ("method", "given", "error", "message"),
    [
        ("gan", {}, ValueError, "'method' parameter of build_model must be one of 'supervised'"),
        (["sgan"], {}, ValueError, "'method' parameter of build_model must be one of 'supervised'"),
        ("sgan", {"num_classes": 1}, ValueError, "'num_classes' parameter of build_model.*Got 1"),
        ("sgan", {"seed": -1}, ValueError, "'seed' parameter of build_model.*Got -1"),
        (
            "sgan",
            {"confidence": 0.9},
            TypeError,
            "'sgan' of build_model has the hyper-parameters learning_rate, beta_1",
        ),
        ("sgan", {"learning_rate": 0}, ValueError, r"'learning_rate' parameter of build_model.*\(0, inf\). Got 0"),
        ("sgan", {"beta_1": 1}, ValueError, r"'beta_1' parameter of build_model.*\[0, 1\). Got 1"),
        ("supervised-tuned", {"average_decay": 1.0}, ValueError, r"'average_decay'.*\[0, 1\). Got 1.0"),
        ("supervised-tuned", {"distortion": {"shift": 1}}, ValueError, "'distortion'.*the keys 'rotation', "),
        ("supervised-tuned", {"distortion": 2}, TypeError, "'distortion'.*Got 2"),
        ("pseudo-labels", {"balance_steps": 0}, ValueError, "'balance_steps'.*an int of at least 1. Got 0"),
        ("pseudo-labels", {"labeled_batch": 3.5}, TypeError, "'labeled_batch'.*Got 3.5"),
        ("pseudo-labels", {"balance_rate": -1.0}, ValueError, r"'balance_rate'.*\[0, inf\). Got -1.0"),
        ("pseudo-labels", {"confidence": "high"}, TypeError, "'confidence'.*Got 'high'"),
        ("feature-matching", {"gan_weight": float("nan")}, ValueError, "'gan_weight'.*Got nan"),
    ],
)
def test_bad_arguments_of_build_model_are_named(method, given, error, message):
    with pytest.raises(error, match=message):
        build_model(method, **{"seed": 0, **given})


CONFIG = {
    "image_data_format": "channels_first",
    "floatx": "float16",
    "dtype_policy": "mixed_float16",
    "epsilon": 1e-3,
}


@pytest.mark.parametrize("method", ["supervised", "pseudo-labels+gan"])  # the trunk; the other networks
def test_no_run_depends_on_a_configuration_of_keras(monkeypatch, bars, bar_split, method):
    """What a left-over keras.json or another program has set changes no bit, and is there again afterwards."""
    monkeypatch.setattr(training, "STEPS_PER_EXECUTION", 1)
    images, labels = bars

    def run():
        arguments = {"test_images": images[240:], "test_labels": labels[240:], "iterations": 2, "batch_size": 6}
        return training.train(method, bar_split, seed=0, **arguments)

    usual = run()
    before = {name: getattr(keras.config, name)() for name in CONFIG}
    try:
        for name, value in CONFIG.items():
            getattr(keras.config, f"set_{name}")(value)
        unusual = run()
        assert {name: getattr(keras.config, name)() for name in CONFIG if name != "dtype_policy"} == {
            name: value for name, value in CONFIG.items() if name != "dtype_policy"
        }
        assert keras.config.dtype_policy().name == "mixed_float16"
        assert networks.build_generator().layers[0].dtype_policy.name == "float32"
    finally:
        for name, value in before.items():
            getattr(keras.config, f"set_{name}")(value)
    assert unusual.summary["recipe"] == usual.summary["recipe"]
    assert unusual.summary["nll"] == usual.summary["nll"]
    for network in ("class_discriminator", "generator") if usual.generator else ("class_discriminator",):
        ours, theirs = (getattr(found, network).get_weights() for found in (usual, unusual))
        assert all(map(np.array_equal, ours, theirs)) and {weight.dtype for weight in theirs} == {np.dtype("float32")}


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gets_one_line_before_any_work(monkeypatch, tmp_path, backend):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(ImportError, match=f"needs Keras on TensorFlow, but .*KERAS_BACKEND says '{backend}'"):
        checks.check_backend()
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    checks.check_backend()
    (tmp_path / "keras.json").write_text(json.dumps({"backend": backend}))
    with pytest.raises(ImportError, match=f"keras.json says '{backend}'.*Set the environment variable KERAS_BACKEND=t"):
        checks.check_backend()
    (tmp_path / "keras.json").write_text("{")
    checks.check_backend()


def test_the_command_line_and_the_package_say_so_too():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    code = "import sys, sgan_helpers.__main__ as m; status = m.main(['data']); import sgan_helpers\n"
    code += "try: sgan_helpers.train\nexcept ImportError as error: print(status, error)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.startswith("error: sgan_helpers needs Keras on TensorFlow") and done.stderr.count("\n") == 1
    assert done.stdout.startswith("1 sgan_helpers needs Keras on TensorFlow")


def test_methods_look_different_and_a_training_step_is_short():
    looks = [(method.color, method.marker) for method in METHODS.values()]
    assert len(set(looks)) == len({method.title for method in METHODS.values()}) == len(METHODS)
    for method in METHODS.values():
        assert "\n" not in method.help and len(method.help) <= 90
        for ancestor in method.model_class.__mro__:
            if ancestor.__module__.startswith("sgan_helpers."):
                for name in {"train_step", "unlabeled_losses"} & set(vars(ancestor)):
                    assert len(inspect.getsource(vars(ancestor)[name]).splitlines()) < 25, (ancestor, name)


TOY = '''"""A toy: shared batches that also ask for small logits, a loss of its own."""

import tensorflow as tf

from sgan_helpers.methods.averaged import Averaged


class Toy(Averaged):
    loss_names = ("class_loss", "size_loss")

    def __init__(self, *networks, size_weight=0.5, learning_rate=1e-3, **settings):
        super().__init__(*networks, learning_rate=learning_rate, **settings)
        self.size_weight = size_weight

    def unlabeled_losses(self, step, unlabeled_logits, averaged_logits, averaged_features):
        return {"size_loss": tf.reduce_mean(tf.square(unlabeled_logits))}

    def discriminator_loss(self, losses):
        return losses["class_loss"] + self.size_weight * losses["size_loss"]
'''
ENTRY = '    "toy": Method("a toy", "#123456", "h", "toy:Toy", "a toy of the tests"),\n}\n'
USE = """
import contextlib, os, pathlib, sys
here = pathlib.Path({here!r})
sys.path.insert(0, str(here))
os.chdir(here)
from sgan_helpers import experiment, plotting, run_folder, sweep, training
from sgan_helpers.__main__ import main
sweep.run_in_own_process = experiment.run_experiment  # in this process, which has TensorFlow
run_folder.usable_cores = lambda: 1
training.STEPS_PER_EXECUTION = 1  # compiles in half the time
drawn = []
savefig = plotting.plt.Figure.savefig
def save(figure, *place, **form):
    drawn.extend((line.get_label(), line.get_color()) for a in figure.axes for line in a.lines)
    savefig(figure, *place, **form)
plotting.plt.Figure.savefig = save
small = ["--iterations", "2", "--data", "sample", "--output"]
with open("printed", "w") as file, contextlib.redirect_stdout(file):
    assert main(["train", "--method", "toy", "--labels-per-class", "2", *small, "run"]) == 0
    assert main(["sweep", "--methods", "toy", "supervised", "--seeds", "0", "1", *small, "rows.csv"]) == 0
    for command in ("train", "sweep"):
        with contextlib.suppress(SystemExit):
            main([command, "--help"])
assert ("a toy", "#123456") in drawn and "size loss" in dict(drawn), drawn
"""


def test_a_new_method_is_one_file_and_one_entry(tmp_path):
    """In a copy of the package: trained, swept, drawn, in a table and in the help, with nothing else edited."""
    package = tmp_path / "sgan_helpers"
    shutil.copytree(ROOT / "sgan_helpers", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "methods" / "toy.py").write_text(TOY)
    registry = (package / "methods" / "__init__.py").read_text()
    assert registry.endswith("\n}\n"), "the entries stand last"
    (package / "methods" / "__init__.py").write_text(registry.removesuffix("}\n") + ENTRY)
    run_in_fresh_process(exec, USE.format(here=str(tmp_path)), {})
    printed = (tmp_path / "printed").read_text()
    assert "toy on 20 labelled" in printed and "toy minus supervised, paired by seed" in printed
    assert re.findall(r"labels  (\w\S+)", printed) == ["toy", "supervised"], "the order that was asked for"
    assert printed.count("toy                a toy of the tests") == 2
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["method"], summary["learning_rate"], summary["size_weight"]) == ("toy", 1e-3, 0.5)
    rows = [line.split(",")[0] for line in (tmp_path / "rows.csv").read_text().splitlines()]
    assert rows == ["method", "toy", "supervised", "toy", "supervised"]
