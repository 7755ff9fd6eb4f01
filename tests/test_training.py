"""Training: exact repeats and resumes, Ctrl-C, non-finite losses, the run folder, and data that is not MNIST."""

import _thread
import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from sgan_helpers import checkpoints, data, losses, sgan, training


@pytest.fixture(autouse=True)
def short_executions(monkeypatch):
    """Signals and callbacks act every 2 steps instead of every 50."""
    monkeypatch.setattr(training, "STEPS_PER_EXECUTION", 2)


@pytest.fixture
def run_bars(bars, bar_split, tmp_path):
    """A function that trains on the bars: 8 iterations with a test every 4, batches of 6, unless told otherwise."""
    images, labels = bars

    def run(method="sgan", split=bar_split, **arguments):
        arguments = {"iterations": 8, "evaluate_every": 4, "batch_size": 6, "seed": 0, **arguments}
        return training.train(method, split, test_images=images[240:], test_labels=labels[240:], **arguments)

    return run


def state(folder):
    """Return everything in a run's last checkpoint that must not depend on how the run came there."""
    arrays = checkpoints.load_latest_checkpoint(folder)
    notes = json.loads(str(arrays.pop("notes")))
    for row in notes["history"]:
        row.pop("seconds")
    kept = {name: notes[name] for name in ("settings", "step", "history", "loss_names")}
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


def test_a_run_folder_holds_what_was_promised(run_bars, tmp_path):
    folder = tmp_path / "run"
    run = run_bars(output_dir=folder, split_seed=5, data_source="bars")
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "summary.json",
        "history.csv",
        "losses.csv",
        "samples.npz",
        "class_discriminator.weights.h5",
        "generator.weights.h5",
        "checkpoint-00000004.npz",
        "checkpoint-00000008.npz",
    }
    summary = json.loads((folder / "summary.json").read_text())
    promised = "method recipe labels_per_class labels seed split_seed iterations test_accuracy nll ece seconds"
    assert set(f"{promised} ms_per_iteration data_source versions hardware date".split()) <= set(summary)
    assert summary == run.summary
    assert (summary["labels"], summary["labels_per_class"], summary["split_seed"]) == (30, 10, 5)
    assert summary["test_accuracy"] == run.history[-1]["test_accuracy"]
    assert [row["iteration"] for row in run.history] == [4, 8]
    assert run.losses["iteration"].tolist() == [2, 4, 6, 8]
    assert run.samples.shape == (2, 100, 28, 28)
    assert len((folder / "history.csv").read_text().splitlines()) == 3
    assert len((folder / "losses.csv").read_text().splitlines()) == 5
    assert np.array_equal(np.load(folder / "samples.npz")["images"], run.samples)
    mean = np.mean(run.losses["class_loss"][:2])
    assert run.history[0]["class_loss"] == pytest.approx(mean)


def test_the_same_seed_gives_the_same_bits_in_a_fresh_process_and_another_seed_others(run_bars, tmp_path, bars):
    run_bars(output_dir=tmp_path / "here")
    run_bars(output_dir=tmp_path / "other", seed=1)
    np.savez(tmp_path / "bars.npz", images=bars[0], labels=bars[1])
    code = f"""
import numpy as np
from sgan_helpers import data, training
training.STEPS_PER_EXECUTION = 2
bars = np.load({str(tmp_path / "bars.npz")!r})
images, labels = bars["images"], bars["labels"]
split = data.split_labeled(images[:240], labels[:240], 10, seed=0)
for folder, iterations, resume in (("there", 8, False), ("cut", 4, False), ("cut", 8, True)):
    training.train("sgan", split, test_images=images[240:], test_labels=labels[240:], iterations=iterations,
                   evaluate_every=4, batch_size=6, seed=0, output_dir={str(tmp_path)!r} + "/" + folder, resume=resume)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert state(tmp_path / "here") == state(tmp_path / "there") == state(tmp_path / "cut")
    assert state(tmp_path / "here") != state(tmp_path / "other")


@pytest.mark.parametrize("method", training.METHODS)
def test_a_resumed_run_ends_with_the_bits_of_one_that_was_never_stopped(run_bars, tmp_path, method):
    whole = run_bars(method, output_dir=tmp_path / "whole", iterations=12)
    for cut in (4, 8):
        folder = tmp_path / f"cut-{cut}"
        run_bars(method, output_dir=folder, iterations=cut)
        resumed = run_bars(method, output_dir=folder, iterations=12, resume=True)
        assert state(folder) == state(tmp_path / "whole")
        assert resumed.losses["class_loss"].tolist() == whole.losses["class_loss"].tolist()
        for ours, theirs in zip(resumed.class_discriminator.weights, whole.class_discriminator.weights, strict=True):
            assert np.array_equal(ours.numpy(), theirs.numpy())
    again = run_bars(method, output_dir=tmp_path / "whole", iterations=12, resume=True)
    assert again.summary["test_accuracy"] == whole.summary["test_accuracy"]


@pytest.mark.parametrize("executions", [1, 3])
def test_ctrl_c_between_two_tests_loses_nothing(run_bars, tmp_path, monkeypatch, executions):
    run_bars(output_dir=tmp_path / "whole", iterations=12)
    seen = []
    original = training._Watcher.on_train_batch_end

    def press_ctrl_c(self, batch, logs=None):
        seen.append(batch)
        if len(seen) == executions:
            _thread.interrupt_main()
        original(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(training._Watcher, "on_train_batch_end", press_ctrl_c)
        with pytest.raises(KeyboardInterrupt, match=f"after iteration {2 * executions}.*saved a checkpoint"):
            run_bars(output_dir=tmp_path / "stopped", iterations=12)
    assert not (tmp_path / "stopped" / "summary.json").exists()
    run_bars(output_dir=tmp_path / "stopped", iterations=12, resume=True)
    assert state(tmp_path / "stopped") == state(tmp_path / "whole")


@pytest.mark.parametrize("name", sgan.SGAN.loss_names)
def test_a_non_finite_loss_stops_the_run_and_is_named(run_bars, tmp_path, monkeypatch, name):
    function = {"class_loss": "class_loss", "real_loss": "real_loss", "fake_loss": "fake_loss"}.get(name, name)
    original = getattr(losses, function)
    run_bars(output_dir=tmp_path, iterations=4)

    def infinite(*arguments):
        return original(*arguments) * float("inf")

    monkeypatch.setattr(sgan, function, infinite)
    with pytest.raises(FloatingPointError, match=f"'{name}' became NaN or infinite by iteration 5"):
        run_bars(output_dir=tmp_path, iterations=100, resume=True)
    assert json.loads(str(checkpoints.load_latest_checkpoint(tmp_path)["notes"]))["step"] == 4
    monkeypatch.setattr(sgan, function, original)
    assert run_bars(output_dir=tmp_path, resume=True).summary["iterations"] == 8


def test_a_run_that_diverges_by_itself_stops(run_bars):
    with pytest.raises(FloatingPointError, match="became NaN or infinite|not finite"):
        run_bars("supervised", learning_rate=1e30, iterations=50)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "its seed is 0, but this call's is 1"),
        ({"learning_rate": 0.1}, "its learning_rate is 0.0005, but this call's is 0.1"),
        ({"batch_size": 7}, "its batch_size is 6"),
        ({"evaluate_every": 2}, "its evaluate_every is 4"),
        ({"method": "supervised"}, "its method is 'sgan', but this call's is 'supervised'"),
        ({"data_source": "other"}, "its data_source"),
        ({"iterations": 3}, "'iterations' parameter of train must be at least 4.*Got 3"),
    ],
)
def test_a_run_is_only_resumed_as_itself(run_bars, tmp_path, change, message):
    run_bars(output_dir=tmp_path, iterations=4)
    with pytest.raises(ValueError, match=message):
        run_bars(**{"output_dir": tmp_path, "resume": True, **change})


def test_another_split_is_not_resumed_and_a_run_is_not_overwritten(run_bars, tmp_path, bars):
    run_bars(output_dir=tmp_path, iterations=4)
    other = data.split_labeled(bars[0][:240], bars[1][:240], 10, seed=1)
    with pytest.raises(ValueError, match="its split_fingerprint"):
        run_bars(split=other, output_dir=tmp_path, resume=True)
    with pytest.raises(FileExistsError, match="already holds a run.*--resume"):
        run_bars(output_dir=tmp_path)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        run_bars(output_dir=tmp_path / "empty", resume=True)


def test_the_recipe_changes_with_every_hyperparameter_and_with_nothing_else(monkeypatch):
    def recipe(method="sgan", batch_size=100, **arguments):
        settings = {**training.DEFAULTS, **arguments}
        model = training.build_model(method, seed=arguments.pop("seed", 0))
        return training.recipe_hash(method, model, batch_size, settings["learning_rate"], settings["beta_1"])

    recipes = {recipe(), recipe("supervised"), recipe(batch_size=50), recipe(learning_rate=1e-3), recipe(beta_1=0.9)}
    assert len(recipes) == 5
    assert recipe() == recipe()
    before = recipe()
    monkeypatch.setattr(training, "RANDOM_SCHEME", 2)
    assert recipe() != before


@pytest.mark.parametrize("method", training.METHODS)
def test_images_that_are_not_mnist_are_learned(run_bars, method):
    run = run_bars(method, iterations=40, evaluate_every=40, batch_size=20)
    assert run.class_discriminator.output_shape == (None, 3)
    assert run.summary["test_accuracy"] > 0.9
    assert run.output_dir is None
    assert (run.generator is None) == (method == "supervised")


def test_unequal_classes_have_no_labels_per_class():
    assert training.labels_per_class(np.array([0, 1, 1])) is None
    assert training.labels_per_class(np.array([1, 0])) == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "gan"}, ValueError, "'method' parameter of train must be one of 'supervised', 'sgan'. Got 'gan'"),
        ({"iterations": 0}, ValueError, "'iterations'.*Got 0"),
        ({"iterations": 10.0}, TypeError, "'iterations'.*Got 10.0"),
        ({"seed": -1}, ValueError, "'seed'.*Got -1"),
        ({"evaluate_every": 0}, ValueError, "'evaluate_every'.*Got 0"),
        ({"batch_size": False}, TypeError, "'batch_size'.*Got False"),
        ({"learning_rate": 0.0}, ValueError, "'learning_rate'.*Got 0.0"),
        ({"learning_rate": float("nan")}, ValueError, "'learning_rate'.*Got nan"),
        ({"beta_1": 1.0}, ValueError, r"'beta_1'.*\(0, 1\).*Got 1.0"),
        ({"test_images": None}, TypeError, "'test_images'.*NoneType"),
        ({"test_images": np.zeros((60, 28, 28, 1))}, ValueError, "'test_images'.*float64"),
        ({"test_labels": np.full(60, 3)}, ValueError, "'test_labels'.*0 to 2.*Got 3"),
        ({"split": None}, TypeError, "'split' parameter of train must be a LabeledSplit.*NoneType"),
        ({"resume": True}, ValueError, "'resume'.*output_dir"),
    ],
)
def test_bad_arguments_of_train_are_named_before_any_work(bars, bar_split, tmp_path, change, error, message):
    images, labels = bars
    arguments = {"method": "sgan", "split": bar_split, "test_images": images[240:], "test_labels": labels[240:]}
    with pytest.raises(error, match=message):
        training.train(**{**arguments, "seed": 0, "iterations": 1, **change})


def test_logits_do_not_depend_on_how_images_are_batched(bars):
    model = training.build_model("supervised", 3, seed=0)
    logits = training.predict_logits(model.class_discriminator, bars[0][:25], batch_size=10)
    assert logits.shape == (25, 3)
    np.testing.assert_allclose(logits, model.class_discriminator(tf.constant(bars[0][:25])), atol=1e-5)
