"""The command line as its user meets it."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import keras
import pytest

from sgan_helpers import mnist, training
from sgan_helpers.__main__ import build_parser, main
from sgan_helpers.methods import METHODS
from sgan_helpers.methods.build import build_model


def test_help_answers_without_waiting_for_tensorflow():
    code = (
        "import sys; from sgan_helpers.__main__ import build_parser; build_parser(); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    text = build_parser().format_help()
    for word in ("train", "sweep", "evaluate", "data", "examples:", "labelled"):
        assert word in text


def test_the_command_line_knows_every_method_and_no_other(capsys):
    parser = build_parser()
    for method in METHODS:
        assert parser.parse_args(["train", "--method", method, "--output", "runs/x"]).method == method
        assert parser.parse_args(["sweep", "--methods", method]).methods == [method]
        assert METHODS[method].has_network == isinstance(build_model(method, 3, seed=0), keras.Model)
    for arguments in (["train", "--method", "bad-gan", "--output", "runs/x"], ["sweep", "--methods", "bad-gan"]):
        with pytest.raises(SystemExit):
            parser.parse_args(arguments)
        assert "'bad-gan'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "sweep", "evaluate", "data"])
def test_every_command_has_a_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "default" in text and "None" not in text


# `python -m sgan_helpers` with signals that act every 2 iterations instead of 50.
PROGRAM = """
import runpy, sys
from sgan_helpers import training
training.STEPS_PER_EXECUTION = 2
runpy.run_module("sgan_helpers", run_name="__main__")
"""
FINISHED = {"summary.json", "history.csv", "losses.csv", "class_discriminator.weights.h5", "accuracy.png", "losses.png"}


@pytest.fixture
def short_steps(monkeypatch):
    """What `PROGRAM` does, in this process."""
    monkeypatch.setattr(training, "STEPS_PER_EXECUTION", 2)


def test_ctrl_c_resume_and_evaluate(tmp_path, short_steps, capsys):
    folder = tmp_path / "run"
    train = ["train", "--data", "sample", "--evaluate-every", "4", "--output", str(folder)]
    program = [sys.executable, "-u", "-c", PROGRAM, *train, "--iterations", "100000"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "sample" in process.stdout.readline()
        assert "sgan on 1,000 labelled and 3,000 unlabelled images" in process.stdout.readline()
        assert process.stdout.readline().startswith("iteration      4  test accuracy")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors[-500:]
    assert "Traceback" not in errors
    assert "Stopped after iteration" in errors and "saved a checkpoint" in errors and "--resume" in errors
    assert "Stopping at the next multiple" in output
    assert main(["evaluate", str(folder), "--data", "sample"]) == 1
    assert "no finished run: finish it with train --resume" in capsys.readouterr().err

    iterations = int(max(folder.glob("checkpoint-*.npz")).stem.removeprefix("checkpoint-")) + 3
    assert main([*train, "--iterations", str(iterations)]) == 1
    assert "already holds a run" in capsys.readouterr().err
    assert main([*train, "--iterations", str(iterations), "--resume"]) == 0
    assert f"iteration {iterations:6,}  test accuracy" in capsys.readouterr().out
    names = {path.name for path in folder.iterdir()}
    assert FINISHED | {"samples.npz", "digits.png", "digits.gif", "generator.weights.h5"} <= names
    assert not [name for name in names if name.endswith(".tmp") or name.startswith("unfinished")]
    summary = json.loads((folder / "summary.json").read_text())
    promised = "method recipe labels_per_class labels seed split_seed iterations test_accuracy nll ece seconds"
    assert set(f"{promised} ms_per_iteration data_source versions".split()) <= set(summary)
    assert (summary["method"], summary["labels"], summary["labels_per_class"]) == ("sgan", 1000, 100)
    assert (summary["iterations"], summary["data_source"]) == (iterations, "sample")
    assert (summary["seed"], summary["split_seed"]) == (0, 0)

    assert main(["evaluate", str(folder), "--data", "sample"]) == 0
    printed = capsys.readouterr().out
    assert f"accuracy                    {100 * summary['test_accuracy']:.2f} %" in printed
    assert f"negative log-likelihood     {summary['nll']:.4f} nats" in printed
    assert f"expected calibration error  {summary['ece']:.4f}" in printed


def test_ctrl_c_before_training_points_to_no_run(monkeypatch, tmp_path, capsys):
    def pressed(source):
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist, "load_mnist", pressed)
    assert main(["train", "--output", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "Stopped.\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished supervised run of 2 iterations."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    arguments = ["--data", "sample", "--method", "supervised", "--labels-per-class", "5", "--seed", "2"]
    assert main(["train", *arguments, "--split-seed", "3", "--iterations", "2", "--output", str(folder)]) == 0
    return folder


def test_a_baseline_has_the_same_folder_without_a_generator(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == FINISHED | {"checkpoint-00000002.npz"}
    summary = json.loads((finished / "summary.json").read_text())
    assert (summary["method"], summary["labels"], summary["seed"], summary["split_seed"]) == ("supervised", 50, 2, 3)


def test_a_classifier_with_other_layers_is_tested_again_as_what_it_is(tmp_path, capsys):
    folder = tmp_path / "run"
    arguments = ["--data", "sample", "--method", "feature-matching", "--labels-per-class", "5"]
    assert main(["train", *arguments, "--iterations", "2", "--output", str(folder)]) == 0
    assert FINISHED | {"digits.png", "generator.weights.h5"} <= {path.name for path in folder.iterdir()}
    summary = json.loads((folder / "summary.json").read_text())
    capsys.readouterr()
    assert main(["evaluate", str(folder), "--data", "sample"]) == 0
    assert f"negative log-likelihood     {summary['nll']:.4f} nats" in capsys.readouterr().out
    (folder / "summary.json").write_text(json.dumps({**summary, "method": "gan"}))
    assert main(["evaluate", str(folder), "--data", "sample"]) == 1
    assert "summary.json' is no summary of a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("summary.json", None, "no finished run"),
        ("summary.json", b"{", "summary.json' is no summary of a run"),
        ("summary.json", b"{}", "summary.json' is no summary of a run"),
        ("summary.json", b"[]", "summary.json' is no summary of a run"),
        ("class_discriminator.weights.h5", None, "There is no file .*weights.h5'"),
        ("class_discriminator.weights.h5", b"", "weights.h5' does not hold the weights of this classifier"),
        ("class_discriminator.weights.h5", b"bit", "weights.h5' does not hold the weights .* as they were saved"),
        ("class_discriminator.weights.h5", b"cut", "weights.h5' does not hold the weights of this classifier"),
    ],
)
def test_a_spoiled_run_folder_gets_one_line(finished, tmp_path, capsys, name, content, message):
    folder = pathlib.Path(shutil.copytree(finished, tmp_path / "spoiled"))
    if content is None:
        (folder / name).unlink()
    elif content == b"bit":
        whole = bytearray((folder / name).read_bytes())
        whole[len(whole) // 2] ^= 64
        (folder / name).write_bytes(whole)
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:5000] if content == b"cut" else content)
    assert main(["evaluate", str(folder), "--data", "sample"]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and re.fullmatch(f"error: .*{message}.*", errors[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"data_source": "my digits"},
            "was trained on 'my digits', which is not MNIST. Test it in Python: build_model",
        ),
        ({"data_source": "full"}, "used 'full'. Leave out --data"),
        ({"test_fingerprint": "00000000"}, "tested on other images than those of 'sample'"),
    ],
)
def test_a_run_of_other_data_is_not_tested_on_mnist(finished, tmp_path, capsys, change, message):
    folder = pathlib.Path(shutil.copytree(finished, tmp_path / "other"))
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, **change}))
    assert main(["evaluate", str(folder), "--data", "sample"]) == 1
    assert re.search(message, capsys.readouterr().err)


def test_a_run_is_tested_on_the_data_that_it_used(finished, capsys, monkeypatch):
    monkeypatch.setattr(mnist, "_download", lambda: pytest.fail("nothing else was asked for"))
    assert main(["evaluate", str(finished)]) == 0
    assert "test images                 1,000" in capsys.readouterr().out


def test_a_run_goes_on_to_what_it_was_begun_with(finished, tmp_path, capsys):
    """A finished run of 2 iterations is not taken on to 10,000; one that is to go on says so."""
    folder = pathlib.Path(shutil.copytree(finished, tmp_path / "again"))
    train = ["train", "--data", "sample", "--method", "supervised", "--labels-per-class", "5", "--seed", "2"]
    train += ["--split-seed", "3", "--output", str(folder), "--resume"]
    for arguments, iterations in (([], 2), (["--iterations", "3"], 3), ([], 3)):
        assert main(train + arguments) == 0
        assert f" {iterations} iterations, into" in capsys.readouterr().out
        assert json.loads((folder / "summary.json").read_text())["iterations"] == iterations


def test_a_command_ends_well_when_its_reader_has_gone():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "sgan_helpers", "data", "--data", "sample"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_command_says_nothing_of_tensorflow(finished):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-m", "sgan_helpers", "evaluate", str(finished)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "") and "accuracy" in done.stdout


def test_an_import_that_fails_shows_what_was_logged():
    code = (
        "import os, sys, types\n"
        "class Failing:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'tensorflow':\n"
        "            os.write(2, b'the reason\\n')\n"
        "            raise ImportError('no tensorflow')\n"
        "sys.meta_path.insert(0, Failing())\n"
        "from sgan_helpers.console import import_tensorflow\n"
        "import_tensorflow()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "the reason" in done.stderr and "no tensorflow" in done.stderr


def test_data_says_what_there_is(capsys):
    assert main(["data", "--data", "sample"]) == 0
    printed = capsys.readouterr().out
    assert "source: sample" in printed
    assert "4,000 images" in printed and "1,000 images" in printed and "  400" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "nowhere.npz"], "There is no file or folder 'nowhere.npz'"),
        (["train", "--data", "sample", "--labels-per-class", "401"], "'per_class'.*[1, 400].*401"),
        (["train", "--data", "sample", "--seed", "-1"], "'seed'"),
        (["train", "--data", "sample", "--iterations", "0"], "'iterations'"),
        (["train", "--data", "sample", "--labels-per-class", "400"], "split.unlabeled_images.*N >= 1"),
        (["train", "--data", "sample", "--output", "EMPTY", "--resume"], "no checkpoint"),
        (["train", "--data", "sample", "--output", ""], "'output_dir' parameter of train must be a path. Got ''"),
        (["train", "--data", "sample", "--output", __file__], "must be a folder. Got the file .*test_cli.py"),
        (["train", "--data", "sample", "--output", "/proc/run"], "'/proc/run' cannot be written.*Make its folder writ"),
        (["train", "--data", "sample", "--output", 256 * "x"], "must be a path that can be opened .File name too long"),
        (["train", "--data", "sample", "--output", "GONE/run"], "must be a folder. Got the link to nothing .*gone"),
        (["sweep", "--data", "sample", "--output", "GONE/runs.csv"], "'path' parameter of sweep must lie in a folder"),
        (["sweep", "--data", "sample", "--runs", "GONE"], "'runs_dir' parameter of sweep must lie in a folder. Got "),
        (
            ["sweep", "--data", "sample", "--output", "LOOP/runs.csv"],
            "'path' parameter of sweep must be a path that",
        ),
        (["evaluate", 256 * "x"], "'RUN' parameter of evaluate must be a path that can be opened .File name too long"),
        (["evaluate", ""], "The 'RUN' parameter of evaluate must be a path. Got ''"),
        (["sweep", "--data", "sample", "--output", ""], "'path' parameter of sweep must be a path. Got ''"),
        (["sweep", "--data", "sample", "--output", "."], "'path' parameter of sweep must be writable. Got '.'"),
        (["evaluate", "no-such-run"], "There is no run folder 'no-such-run'"),
        (["evaluate", "EMPTY"], "no finished run"),
    ],
)
def test_mistakes_get_one_line_and_status_1(tmp_path, capsys, arguments, message):
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for word, place in (("EMPTY", tmp_path), ("GONE", tmp_path / "gone"), ("LOOP", tmp_path / "loop")):
        arguments = [argument.replace(word, str(place)) for argument in arguments]
    if "--output" not in arguments and arguments[0] == "train":
        arguments += ["--output", str(tmp_path / "run")]
    assert main(arguments) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and errors[0].startswith("error: ")
    assert re.search(message.replace("[1, 400]", r"\[1, 400\]"), errors[0])
    assert not (tmp_path / "run").exists()
