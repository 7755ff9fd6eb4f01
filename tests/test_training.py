"""Training: exact repeats and resumes, Ctrl-C, non-finite losses, the run folder, and data that is not MNIST."""

import _thread
import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import io
import json
import os
import pathlib
import resource
import shutil
import signal
import sys
import threading
from types import SimpleNamespace

import filelock
import h5py
import numpy as np
import pytest
import tensorflow as tf
from fresh_process import run_in_fresh_process

from sgan_helpers import checkpoints, data, losses, run_folder, training
from sgan_helpers.methods import METHODS, sgan
from sgan_helpers.methods.build import build_model
from sgan_helpers.networks import build_discriminators, predict_logits


@pytest.fixture(autouse=True, scope="module")
def short_executions():
    """Signals and callbacks act every 2 steps instead of every 50."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EXECUTION", 2)
        yield


@pytest.fixture(scope="module")
def run_bars(bars, bar_split):
    """A function that trains on the bars: 8 iterations with a test every 4, batches of 6, unless told otherwise."""
    images, labels = bars

    def run(method="sgan", split=bar_split, **arguments):
        tests = {"test_images": images[240:], "test_labels": labels[240:]}
        arguments = {"iterations": 8, "evaluate_every": 4, "batch_size": 6, "seed": 0, **tests, **arguments}
        return training.train(method, split, **arguments)

    return run


@pytest.fixture(scope="module")
def trained_once(run_bars, tmp_path_factory):
    """A function from a method to the folder of its run of 12 iterations, trained once for all workers of pytest."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder_of(method):
        folder = base / f"whole-{method}"
        with filelock.FileLock(f"{folder}.lock"):
            if not (folder / "summary.json").exists():
                run_bars(method, iterations=12, output_dir=folder)
        return folder

    return folder_of


@pytest.fixture(scope="module")
def whole(trained_once):
    """The folder of the SGAN's run that was never stopped."""
    return trained_once("sgan")


@pytest.fixture(scope="module")
def whole_baseline(trained_once):
    """The same of the matched baseline, which compiles in a third of the time."""
    return trained_once("supervised")


@pytest.fixture
def begun(whole, tmp_path):
    """A copy of the SGAN's folder as it was after iteration 8, to go on with or to spoil."""
    folder = pathlib.Path(shutil.copytree(whole, tmp_path / "begun"))
    (folder / "checkpoint-00000012.npz").unlink()
    return folder


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
    assert (summary["batch_size"], summary["learning_rate"], summary["beta_1"]) == (6, 0.0005, 0.5)
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


def train_there(bars, folder, iterations):
    """Train the SGAN on the bars in `folder`, or go on with what is there."""
    training.STEPS_PER_EXECUTION = 2
    images, labels = bars
    split = data.split_labeled(images[:240], labels[:240], 10, seed=0)
    plan = {"iterations": iterations, "evaluate_every": 4, "batch_size": 6, "seed": 0}
    tests = {"test_images": images[240:], "test_labels": labels[240:]}
    training.train("sgan", split, **tests, **plan, output_dir=folder, resume="auto")


def test_a_fresh_process_gives_the_same_bits_and_another_one_goes_on_with_them(whole, tmp_path, bars):
    for iterations in (4, 12):
        run_in_fresh_process(train_there, bars, tmp_path, iterations)
        assert json.loads((tmp_path / "summary.json").read_text())["iterations"] == iterations
    assert state(tmp_path) == state(whole)


def test_the_seed_draws_the_initial_weights(run_bars):
    kernels = []
    for seed in (0, 0, 1):  # a learning rate that moves nothing
        run = run_bars("supervised", iterations=1, seed=seed, learning_rate=1e-30)
        kernels.append(run.class_discriminator.layers[-1].kernel.numpy())
    assert np.array_equal(kernels[0], kernels[1]) and not np.array_equal(kernels[0], kernels[2])


def same_classifier(network, folder):
    """Tell whether a network has the bits of the classifier that a run has left in its folder."""
    other = build_discriminators(3)[0]
    other.load_weights(folder / "class_discriminator.weights.h5")
    return all(map(np.array_equal, network.get_weights(), other.get_weights()))


def test_a_resumed_run_ends_with_the_bits_of_one_that_was_never_stopped(run_bars, whole, tmp_path):
    for iterations in (4, 8):
        run_bars(output_dir=tmp_path, iterations=iterations, resume=iterations > 4)
    resumed = run_bars(output_dir=tmp_path, iterations=12, resume=True)
    assert state(tmp_path) == state(whole)
    assert (tmp_path / "losses.csv").read_text() == (whole / "losses.csv").read_text()
    assert same_classifier(resumed.class_discriminator, whole)
    again = run_bars(output_dir=tmp_path, iterations=12, resume=True)
    assert again.history == resumed.history and state(tmp_path) == state(whole)


def test_another_seed_gives_other_bits(run_bars, whole, tmp_path):
    run_bars(output_dir=tmp_path, iterations=12, seed=1)
    last = [checkpoints.load_latest_checkpoint(folder) for folder in (whole, tmp_path)]
    assert not np.array_equal(last[0]["variable/0000"], last[1]["variable/0000"])


WITH_ALL_PARTS = ("supervised", "supervised-tuned", "sgan", "pseudo-labels+gan")  # the others have some of the same


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in WITH_ALL_PARTS))
        for name, method in METHODS.items()
        if method.has_network
    ],
)
def test_a_method_learns_images_that_are_not_mnist_whether_it_is_stopped_or_not(
    run_bars, tmp_path, monkeypatch, method
):
    monkeypatch.setattr(training, "STEPS_PER_EXECUTION", 1)  # compiles in half the time
    plan = {"iterations": 40, "evaluate_every": 20, "batch_size": 20}
    whole = run_bars(method, output_dir=tmp_path / "whole", **plan)
    assert whole.class_discriminator.output_shape == (None, 3)
    assert whole.summary["test_accuracy"] > 0.9
    assert (whole.generator is not None) == ("generator" in METHODS[method].model_class.network_names)
    stopped = tmp_path / "stopped"
    stopped.mkdir()
    shutil.copy(tmp_path / "whole" / "checkpoint-00000020.npz", stopped)
    resumed = run_bars(method, output_dir=stopped, resume=True, **plan)
    assert state(stopped) == state(tmp_path / "whole")
    assert all(map(np.array_equal, resumed.class_discriminator.get_weights(), whole.class_discriminator.get_weights()))


def test_auto_resumes_what_is_there_and_starts_what_is_not(run_bars, whole_baseline, tmp_path, capsys):
    run_bars("supervised", output_dir=tmp_path, iterations=4, resume="auto")
    assert "resumed" not in capsys.readouterr().out
    run_bars("supervised", output_dir=tmp_path, iterations=12, resume="auto")
    assert "resumed after iteration 4\n" in capsys.readouterr().out
    assert state(tmp_path) == state(whole_baseline)
    assert run_bars("supervised", iterations=4, resume="auto").output_dir is None


@pytest.mark.parametrize(("method", "executions"), [("sgan", 3), ("supervised", 1), ("supervised", 4)])
def test_ctrl_c_loses_nothing(run_bars, trained_once, tmp_path, monkeypatch, method, executions):
    handler = signal.getsignal(signal.SIGINT)
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
            run_bars(method, output_dir=tmp_path, iterations=12)
    assert not (tmp_path / "summary.json").exists()
    assert signal.getsignal(signal.SIGINT) is handler
    run_bars(method, output_dir=tmp_path, iterations=12, resume=True)
    assert state(tmp_path) == state(trained_once(method))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_no_signal_and_no_closing_pipe_loses_what_was_trained(run_bars, whole_baseline, tmp_path, monkeypatch, name):
    """The signal comes with the second execution; by then nobody reads what is printed."""
    original = training._Watcher.on_train_batch_end
    reading, writing = os.pipe()
    os.close(reading)

    def signalled(self, batch, logs=None):
        if self.run.step == 2:
            signal.raise_signal(getattr(signal, name))
        original(self, batch, logs)

    with monkeypatch.context() as patch, contextlib.suppress(BrokenPipeError), open(writing, "w") as nobody:
        patch.setattr(training._Watcher, "on_train_batch_end", signalled)
        patch.setattr("sys.stdout", nobody)
        with pytest.raises(KeyboardInterrupt, match="after iteration 4 and saved"):
            run_bars("supervised", output_dir=tmp_path, iterations=12)
    run_bars("supervised", output_dir=tmp_path, iterations=12, resume=True)
    assert state(tmp_path) == state(whole_baseline)


def test_a_second_ctrl_c_says_what_is_left(run_bars, tmp_path, monkeypatch):
    def pressed(self, batch, logs=None):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training._Watcher, "on_train_batch_end", pressed)
    with pytest.raises(KeyboardInterrupt, match="Stopped at once. The run in .* holds no checkpoint yet"):
        run_bars("supervised", output_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_whoever_comes_second_is_told_also_where_the_file_system_knows_no_locks(run_bars, tmp_path, monkeypatch):
    flock = fcntl.flock

    def refused(descriptor, operation):
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(tmp_path)):
            raise OSError(errno.ENOLCK, "No locks available")
        return flock(descriptor, operation)

    for name in ("with", "without"):
        folder = tmp_path / name
        folder.mkdir()
        if name == "without":
            monkeypatch.setattr(fcntl, "flock", refused)
        held, free = threading.Event(), threading.Event()

        def hold(folder=folder, held=held, free=free):
            with checkpoints.locked(folder / run_folder.LOCK):
                held.set()
                free.wait(60)

        other = threading.Thread(target=hold)
        other.start()
        assert held.wait(60)
        try:
            for resume in (False, "auto"):
                with pytest.raises(FileExistsError, match="Somebody trains in the 'output_dir'.*already"):
                    run_bars("label-spreading", output_dir=folder, resume=resume)
        finally:
            free.set()
            other.join()
        assert {path.name for path in folder.iterdir()} <= {run_folder.LOCK}
        run_bars("label-spreading", output_dir=folder)
        assert not (folder / run_folder.LOCK).exists() and (folder / "summary.json").exists()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_the_bar_says_that_the_first_steps_are_compiled(run_bars, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", Terminal())
    run_bars("supervised")
    states = sys.stderr.getvalue().split("\r")
    compiling = ["compiling" in state for state in states if "/8" in state]
    assert compiling[0] and not compiling[-1] and compiling == sorted(compiling, reverse=True)
    assert "| 0/8 " in states[compiling.index(True) + 1] and "| 8/8 " in states[-1]


@pytest.mark.parametrize("name", ["history.csv", "digits.png", "generator.weights.h5"])
def test_no_file_of_somebody_else_is_overwritten(run_bars, tmp_path, name):
    (tmp_path / name).write_text("mine")
    for resume in (False, "auto"):
        with pytest.raises(FileExistsError, match=f"holds a run, or a file of that name: {name}. No checkpoint"):
            run_bars(output_dir=tmp_path, resume=resume)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    (tmp_path / name).replace(tmp_path / "elsewhere")
    for target in ("elsewhere", "nowhere"):
        (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / name).symlink_to(tmp_path / target)
        with pytest.raises(FileExistsError, match=f"already holds a run, or a file of that name: {name}"):
            run_bars(output_dir=tmp_path)


@pytest.mark.parametrize("where", ["full", "read-only"])
def test_a_folder_that_cannot_take_the_run_is_named_before_the_first_step(run_bars, tmp_path, monkeypatch, where):
    def no_space(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_space)
    monkeypatch.setattr(training, "batch_stream", lambda *_, **__: pytest.fail("a step was to be made"))
    folder = "/proc/run" if where == "read-only" else tmp_path
    remedy = "Make its folder writable" if where == "read-only" else "No space left on device. Free some space"
    with pytest.raises(OSError, match=f"'{folder}' cannot be written.*{remedy}"):
        run_bars(output_dir=folder)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_in_the_end_leaves_no_half_file(tmp_path):
    network = build_model("sgan", 3, seed=0).generator
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(OSError, match="generator.weights.h5' cannot be written"):
            run_folder._save_weights(network, tmp_path / "generator.weights.h5")
        with pytest.raises(OSError, match="checkpoint-00000001.npz' cannot be written.*Free some space"):
            checkpoints.save_checkpoint(tmp_path, 1, checkpoints.model_state(network_like(network)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def network_like(network):
    """What `model_state` asks of a model, without an optimiser."""
    return SimpleNamespace(variables=network.variables, optimizers=[])


def test_weights_are_loaded_as_they_were_saved_or_not_at_all(tmp_path):
    network = build_discriminators(3)[0]
    path = tmp_path / "class_discriminator.weights.h5"
    checksum = run_folder._save_weights(network, path)
    run_folder.load_weights(network, path, checksum)
    content = path.read_bytes()
    for place in np.linspace(0, len(content) - 1, 40).astype(int):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ValueError, match="does not hold the weights of this classifier as they were saved"):
            run_folder.load_weights(network, path, checksum)


def test_weights_that_claim_to_be_huge_are_refused_before_they_are_read(tmp_path, monkeypatch):
    network = build_discriminators(3)[0]
    path = tmp_path / "bomb.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", (10**9,), np.float32, chunks=(10**6,), compression="gzip")
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(network, "load_weights", lambda path: pytest.fail("they were to be read"))
    with pytest.raises(ValueError, match="does not hold the weights of this classifier"):
        run_folder.load_weights(network, path)


def test_a_loss_that_is_finite_but_beyond_all_bounds_stops_the_run():
    model = build_model("pseudo-labels", 3, seed=0)
    for tracker in model.loss_trackers:
        tracker.update_state(2.6e9)
    run = SimpleNamespace(step=4, loss_rows=[])
    watcher = training._Watcher(run, interrupt=None, bar=None)
    watcher.set_model(model)
    with pytest.raises(FloatingPointError, match=r"'class_loss' is 2.6e\+09 at iteration 5.*learning_rate"):
        watcher.on_train_batch_end(0)


def test_a_variable_that_is_not_finite_stops_the_run_before_it_is_saved():
    model = build_model("pseudo-labels", 3, seed=0)
    for tracker in model.loss_trackers:
        tracker.update_state(1.0)
    model.class_bias.assign([0.0, float("nan"), 0.0])
    watcher = training._Watcher(SimpleNamespace(step=4), interrupt=None, bar=None)
    watcher.set_model(model)
    with pytest.raises(FloatingPointError, match="class_bias' became NaN or infinite by iteration 5.*learning_rate"):
        watcher.on_train_batch_end(0)


def test_a_run_may_end_where_ctrl_c_stopped_it(run_bars, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        original = training._Watcher.on_train_batch_end
        patch.setattr(
            training._Watcher,
            "on_train_batch_end",
            lambda self, batch, logs=None: (self.interrupt.set(), original(self, batch, logs)),
        )
        with pytest.raises(KeyboardInterrupt, match="after iteration 2 "):
            run_bars("supervised", output_dir=tmp_path)
    run = run_bars("supervised", output_dir=tmp_path, iterations=2, resume=True)
    direct = run_bars("supervised", iterations=2)
    assert [row["iteration"] for row in run.history] == [2]
    assert run.summary["test_accuracy"] == direct.summary["test_accuracy"]
    assert run.summary["nll"] == direct.summary["nll"]


def test_a_run_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before(
    run_bars, whole_baseline, tmp_path, capsys
):
    folder = pathlib.Path(shutil.copytree(whole_baseline, tmp_path / "copy"))
    newest = folder / "checkpoint-00000012.npz"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    run_bars("supervised", output_dir=folder, iterations=12, resume=True)
    assert "checkpoint-00000012.npz is damaged" in capsys.readouterr().out
    assert state(folder) == state(whole_baseline)
    for path in folder.glob("checkpoint-*.npz"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="Every checkpoint"):
        run_bars("supervised", output_dir=folder, iterations=12, resume=True)


@pytest.mark.parametrize("number", range(4))
def test_the_loss_that_became_non_finite_first_is_named(number):
    """Of three steps after iteration 4, the second spoils a loss, and with it whatever is computed later."""
    names = sgan.SGAN.loss_names
    trackers = [losses.LossTracker(name) for name in names]
    spoilt = [1.0] * number + [float("inf")] + [float("nan")] * (3 - number)
    for row in ([1.0] * 4, spoilt, [float("nan")] * 4):
        for tracker, loss in zip(trackers, row, strict=True):
            tracker.update_state(loss)
    watcher = training._Watcher(SimpleNamespace(step=4), interrupt=None, bar=None)
    watcher.set_model(SimpleNamespace(loss_trackers=trackers, loss_names=names))
    with pytest.raises(FloatingPointError, match=f"'{names[number]}' became NaN or infinite by iteration 6"):
        watcher.on_train_batch_end(0)


def test_a_non_finite_loss_stops_the_run_which_can_go_on(run_bars, whole, begun, monkeypatch):
    before = state(begun)
    with monkeypatch.context() as patch:
        patch.setattr(sgan, "real_loss", lambda real_logits: losses.real_loss(real_logits) * float("nan"))
        with pytest.raises(FloatingPointError, match="'real_loss' became NaN or infinite by iteration 9"):
            run_bars(output_dir=begun, iterations=12, resume=True)
    assert state(begun) == before
    run_bars(output_dir=begun, iterations=12, resume=True)
    assert state(begun) == state(whole)


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
        ({"iterations": 3}, "'iterations' parameter of train must be at least 8.*Got 3"),
    ],
)
def test_a_run_is_only_resumed_as_itself(run_bars, begun, change, message):
    with pytest.raises(ValueError, match=message):
        run_bars(**{"output_dir": begun, "resume": True, **change})


def test_another_split_is_not_resumed(run_bars, begun, bars):
    other = data.split_labeled(bars[0][:240], bars[1][:240], 10, seed=1)
    with pytest.raises(ValueError, match="its split_fingerprint"):
        run_bars(split=other, output_dir=begun, resume=True)
    with pytest.raises(ValueError, match="its split_seed is None, but this call's is 1"):
        run_bars(split=other, output_dir=begun, resume=True, split_seed=1)


def test_a_run_is_not_resumed_with_other_test_images(run_bars, begun, bars):
    images, labels = bars
    for change in ({"test_images": images[180:240]}, {"test_labels": labels[[*range(241, 300), 240]]}):
        with pytest.raises(ValueError, match="its test_fingerprint.*its test images, or their labels, are others"):
            run_bars(output_dir=begun, resume=True, **change)


def test_a_run_is_not_overwritten(run_bars, begun, tmp_path):
    with pytest.raises(FileExistsError, match="already holds a run.*--resume"):
        run_bars(output_dir=begun)
    for path in begun.glob("checkpoint-*.npz"):
        path.unlink()  # a finished run that somebody tidied up
    for resume in (False, "auto"):
        with pytest.raises(FileExistsError, match="already holds a run.*No checkpoint is left to continue"):
            run_bars(output_dir=begun, resume=resume)
    for folder in (begun, tmp_path / "empty"):
        with pytest.raises(FileNotFoundError, match="no checkpoint"):
            run_bars(output_dir=folder, resume=True)
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("notes", [None, "[]", '{"step": 1}'])
def test_a_checkpoint_of_another_version_is_named(run_bars, tmp_path, notes):
    arrays = {"a": np.zeros(3)} if notes is None else {"notes": np.array(notes)}
    checkpoints.save_checkpoint(tmp_path, 1, arrays)
    for resume in (
        lambda: run_bars(output_dir=tmp_path, resume="auto"),
        lambda: run_folder.planned_iterations(tmp_path),
    ):
        with pytest.raises(ValueError, match="cannot be resumed: another version of the package wrote its checkpoint"):
            resume()


def test_unequal_classes_have_no_labels_per_class():
    assert run_folder.labels_per_class(np.array([0, 1, 1])) is None
    assert run_folder.labels_per_class(np.array([1, 0])) == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"method": "gan"},
            ValueError,
            "'method' parameter of train must be one of 'supervised', .*'feature-matching'. Got 'gan'",
        ),
        ({"iterations": 0}, ValueError, "'iterations'.*Got 0"),
        ({"iterations": 10.0}, TypeError, "'iterations'.*Got 10.0"),
        ({"seed": -1}, ValueError, "'seed'.*Got -1"),
        ({"evaluate_every": 0}, ValueError, "'evaluate_every'.*Got 0"),
        ({"batch_size": False}, TypeError, "'batch_size'.*Got False"),
        ({"batch_size": 2**31 - 1}, ValueError, r"'batch_size'.*\[1, 10000\]. Got 2147483647"),
        ({"learning_rate": 0.0}, ValueError, "'learning_rate'.*Got 0.0"),
        ({"learning_rate": float("nan")}, ValueError, "'learning_rate'.*Got nan"),
        ({"beta_1": 1.0}, ValueError, r"'beta_1'.*\[0, 1\).*Got 1.0"),
        (
            {"gan_weight": 1.0},
            TypeError,
            "'sgan' of train has the hyper-parameters learning_rate, beta_1. Got 'gan_weigh",
        ),
        ({"networks": "trunk"}, TypeError, "'networks' parameter of train must be a function.*Got 'trunk'"),
        (
            {"networks": lambda num_classes: [1]},
            ValueError,
            "'networks'.*class_discriminator, binary_dis.*Got a int among them",
        ),
        ({"test_images": None}, TypeError, "'test_images'.*NoneType"),
        ({"test_images": np.zeros((60, 28, 28, 1))}, ValueError, "'test_images'.*float64"),
        ({"test_labels": np.full(60, 3)}, ValueError, "'test_labels'.*0 to 2.*Got 3"),
        ({"split": None}, TypeError, "'split' parameter of train must be a LabeledSplit.*NoneType"),
        (
            {"labels": lambda labels: labels * 2},
            ValueError,
            "'split.labeled_labels'.*every class from 0 to 4.*class 1, 3",
        ),
        ({"labels": lambda labels: labels * 10**12}, ValueError, "'split.labeled_labels'.*every class.*class 1, 2, 3"),
        ({"labels": lambda labels: labels * 0}, ValueError, "at least 2 classes"),
        ({"labels": lambda labels: labels[1:]}, ValueError, r"'split.labeled_labels'.*\(29,\)"),
        ({"labels": lambda labels: labels.astype(float)}, TypeError, "'split.labeled_labels'.*float64"),
        ({"split_seed": 1.7}, TypeError, "'split_seed'.*Got 1.7"),
        ({"split_seed": -1}, ValueError, "'split_seed'.*Got -1"),
        ({"data_source": None}, TypeError, "'data_source' parameter of train must be a str.*NoneType"),
        ({"output_dir": ""}, ValueError, "'output_dir' parameter of train must be a path. Got ''"),
        ({"output_dir": 5}, TypeError, "'output_dir' parameter of train must be a path. Got 5"),
        (
            {"output_dir": __file__},
            NotADirectoryError,
            "'output_dir' parameter of train must be a folder.*test_training",
        ),
        ({"resume": "no"}, ValueError, "'resume' parameter of train must be True, False or 'auto'. Got 'no'"),
        ({"resume": 1}, TypeError, "'resume' parameter of train must be True, False or 'auto'. Got 1"),
        ({"resume": True}, ValueError, "'resume'.*output_dir"),
    ],
)
def test_bad_arguments_of_train_are_named_before_any_work(bars, bar_split, tmp_path, change, error, message):
    images, labels = bars
    arguments = {"method": "sgan", "split": bar_split, "test_images": images[240:], "test_labels": labels[240:]}
    if "labels" in change:
        relabeled = change["labels"](bar_split.labeled_labels)
        change = {"split": dataclasses.replace(bar_split, labeled_labels=relabeled)}
    with pytest.raises(error, match=message):
        training.train(**{**arguments, "seed": 0, "iterations": 1, **change})


def test_numpy_numbers_and_small_integer_labels_train_as_pythons_do(run_bars, bar_split):
    plain = run_bars("supervised", iterations=2, seed=3, batch_size=6, learning_rate=0.5, split_seed=7)
    labels = bar_split.labeled_labels.astype(np.uint8)
    other = run_bars(
        "supervised",
        split=dataclasses.replace(bar_split, labeled_labels=labels),
        iterations=np.int64(2),
        seed=np.uint8(3),
        batch_size=np.int8(6),
        evaluate_every=np.int16(4),
        learning_rate=np.float32(0.5),
        split_seed=np.int64(7),
    )
    ignored = ("seconds", "ms_per_iteration")
    assert {k: v for k, v in other.summary.items() if k not in ignored} == {
        k: v for k, v in plain.summary.items() if k not in ignored
    }
    assert json.loads(json.dumps(other.summary)) == other.summary


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda network, images: (None, images),
            TypeError,
            "'class_discriminator' parameter of predict_logits.*NoneType",
        ),
        (lambda network, images: (network, images[..., 0]), ValueError, r"'images'.*predict_logits.*\(300, 28, 28\)"),
        (lambda network, images: (network, images[:0]), ValueError, "'images'.*N >= 1"),
        (lambda network, images: (network, images.astype(np.uint8)), ValueError, "'images'.*uint8"),
        (lambda network, images: (network, images * 100), ValueError, r"'images'.*\[-1, 1\]"),
        (lambda network, images: (network, images, 0), ValueError, "'batch_size'.*Got 0"),
    ],
)
def test_bad_arguments_of_predict_logits_are_named(bars, call, error, message):
    network = build_model("supervised", 3, seed=0).class_discriminator
    with pytest.raises(error, match=message):
        predict_logits(*call(network, bars[0]))


def test_an_unknown_method_is_not_built_as_another():
    with pytest.raises(
        ValueError,
        match="'method' parameter of build_model must be one of 'supervised', .*'feature-matching'. Got 'gan'",
    ):
        build_model("gan", seed=0)


def test_logits_do_not_depend_on_how_images_are_batched(bars):
    model = build_model("supervised", 3, seed=0)
    logits = predict_logits(model.class_discriminator, bars[0][:25], batch_size=10)
    assert logits.shape == (25, 3)
    np.testing.assert_allclose(logits, model.class_discriminator(tf.constant(bars[0][:25])), atol=1e-5)
