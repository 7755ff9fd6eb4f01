"""The command line as its user meets it."""

import json
import signal
import subprocess
import sys

import pytest

from sgan_helpers.__main__ import build_parser, main

PROGRAM = [sys.executable, "-u", "-m", "sgan_helpers"]


def test_help_answers_without_waiting_for_tensorflow():
    code = (
        "import sys; from sgan_helpers.__main__ import build_parser; build_parser(); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    text = build_parser().format_help()
    for word in ("train", "evaluate", "data", "examples:", "labelled"):
        assert word in text


@pytest.mark.parametrize("command", ["train", "evaluate", "data"])
def test_every_command_has_a_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "default" in capsys.readouterr().out


def test_ctrl_c_resume_and_evaluate_in_real_processes(tmp_path):
    folder = tmp_path / "run"
    train = [*PROGRAM, "train", "--data", "sample", "--iterations", "150", "--output", str(folder)]
    with subprocess.Popen(train, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "sample" in process.stdout.readline()
        assert "sgan on 1,000 labelled and 3,000 unlabelled images" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors[-500:]
    assert "Traceback" not in errors
    if list(folder.glob("checkpoint-*.npz")):  # stopped after training had begun
        assert "--resume" in errors
        train.append("--resume")
    done = subprocess.run(train, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    names = {path.name for path in folder.iterdir()}
    assert {"summary.json", "history.csv", "losses.csv", "samples.npz", "accuracy.png", "losses.png"} <= names
    assert {"digits.png", "digits.gif", "class_discriminator.weights.h5", "generator.weights.h5"} <= names
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["iterations"] == 150 and summary["data_source"] == "sample" and summary["split_seed"] == 0

    evaluated = subprocess.run([*PROGRAM, "evaluate", str(folder), "--data", "sample"], capture_output=True, text=True)
    assert evaluated.returncode == 0
    assert f"{100 * summary['test_accuracy']:.2f} %" in evaluated.stdout


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
        (["train", "--data", "sample", "--output", "EMPTY", "--resume"], "no checkpoint"),
        (["evaluate", "no-such-run"], "There is no run folder 'no-such-run'"),
        (["evaluate", "EMPTY"], "no finished run"),
    ],
)
def test_mistakes_get_one_line_and_status_1(tmp_path, capsys, arguments, message):
    arguments = [str(tmp_path) if argument == "EMPTY" else argument for argument in arguments]
    if "--output" not in arguments and arguments[0] == "train":
        arguments += ["--output", str(tmp_path / "run")]
    assert main(arguments) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and errors[0].startswith("error: ")
    import re

    assert re.search(message.replace("[1, 400]", r"\[1, 400\]"), errors[0])
    assert not (tmp_path / "run").exists()
