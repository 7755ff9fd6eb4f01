"""A sweep runs each cell of its grid once and records it once: here, interrupted, failing, and on a Dask cluster."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
from matplotlib.figure import Figure
from test_results import SUMMARY

from sgan_helpers import data, run_folder, training
from sgan_helpers import experiment as one_run
from sgan_helpers import sweep as sweeping
from sgan_helpers.__main__ import is_ours, main
from sgan_helpers.methods.build import recipe_of
from sgan_helpers.results import HISTORY_COLUMNS, append_result, history_path, load_history, load_results
from sgan_helpers.sweep import sweep

IN_OWN_PROCESS = one_run.run_in_own_process
GRID = {"methods": ["supervised"], "labels_per_class": [2], "iterations": 2, "source": "sample"}


@pytest.fixture(autouse=True)
def single_steps(monkeypatch):
    """Runs have no process of their own, and iterations are executed one by one, which compiles in half the time."""
    monkeypatch.setattr(training, "STEPS_PER_EXECUTION", 1)
    monkeypatch.setattr(sweeping, "run_in_own_process", one_run.run_experiment)
    monkeypatch.setattr(run_folder, "usable_cores", lambda: 1)


def folders(tmp_path):
    return {"path": tmp_path / "rows.csv", "runs_dir": tmp_path / "runs"}


@pytest.fixture
def trained(monkeypatch):
    """Count the trainings: a list of (method, labels, seed), in their order."""
    calls = []

    def counted(method, split, **arguments):
        calls.append((method, len(split.labeled_labels), arguments["seed"]))
        return train(method, split, **arguments)

    train = training.train
    monkeypatch.setattr(training, "train", counted)
    return calls


def test_every_cell_is_run_once_and_recorded_once(tmp_path, trained, capsys):
    grid = {**GRID, "methods": ["supervised", "label-spreading"], "labels_per_class": [1, 2]}
    first = sweep(**grid, seeds=[0], **folders(tmp_path))
    assert len(first) == len(trained) == len(set(trained)) == 4
    both = sweep(**grid, seeds=[0, 1], **folders(tmp_path))
    assert len(both) == len(trained) == len(set(trained)) == 8
    assert (both["split_seed"] == both["init_seed"]).all()
    assert sorted(set(both["labels"])) == [10, 20]
    assert len(load_results(tmp_path / "rows.csv")) == 8
    assert "8 runs, 4 of them recorded already" in capsys.readouterr().out
    again = sweep(**grid, seeds=[1], **folders(tmp_path))
    assert len(again) == 4 and set(again["init_seed"]) == {1} and len(trained) == 8


def test_the_tests_along_the_way_are_recorded_with_their_run(tmp_path):
    results = sweep(**GRID, seeds=[3], **folders(tmp_path))
    history = load_history(history_path(tmp_path / "rows.csv"))
    assert tuple(history.columns) == HISTORY_COLUMNS
    assert history[["method", "labels", "init_seed", "iteration"]].to_numpy().tolist() == [["supervised", 20, 3, 2]]
    assert history["test_accuracy"].tolist() == results["test_accuracy"].tolist()


def test_a_stopped_sweep_goes_on_where_it_was(tmp_path, trained, monkeypatch):
    grid = {**GRID, "seeds": [0, 1, 2], **folders(tmp_path)}
    counted = training.train

    def stopped(method, split, **arguments):
        if arguments["seed"] == 1:
            raise KeyboardInterrupt
        return counted(method, split, **arguments)

    monkeypatch.setattr(training, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        sweep(**grid)
    assert load_results(tmp_path / "rows.csv")["init_seed"].tolist() == [0]
    monkeypatch.setattr(training, "train", counted)
    assert sorted(sweep(**grid)["init_seed"]) == [0, 1, 2]
    assert sorted(seed for *_, seed in trained) == [0, 1, 2]


def test_a_run_that_was_finished_but_not_recorded_is_read_and_not_repeated(tmp_path, trained):
    grid = {**GRID, "seeds": [0], **folders(tmp_path)}
    accuracy = sweep(**grid)["test_accuracy"].tolist()
    (tmp_path / "rows.csv").unlink()
    assert sweep(**grid)["test_accuracy"].tolist() == accuracy
    assert len(trained) == 1


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("summary.json", lambda text: text.replace('"seed": 0', '"seed": 1'), "whose init_seed is 0. Got 1"),
        ("summary.json", lambda text: text.replace('"labels": 20', '"labels": 10'), "whose labels is 20. Got 10"),
        ("summary.json", lambda text: text[:40], "cannot be read"),
        ("history.csv", lambda text: text.splitlines()[0], "cannot be read"),
        ("history.csv", lambda text: text.replace("\n2,", "\n1,"), "tests of 2 iterations.*Got those after 1"),
    ],
)
def test_a_folder_with_another_run_or_half_a_run_is_no_result(tmp_path, finished_once, name, change, message):
    grid = {**GRID, "seeds": [0], "path": tmp_path / "rows.csv", "runs_dir": tmp_path / "runs"}
    shutil.copytree(finished_once, tmp_path / "runs")
    file = next((tmp_path / "runs").glob(f"*/{name}"))
    text = file.read_text()
    assert change(text) != text
    file.write_text(change(text))
    with pytest.raises(RuntimeError, match=message):
        sweep(**grid)
    assert not (tmp_path / "rows.csv").exists()


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory):
    """The folder of the runs of a sweep of one run."""
    folder = tmp_path_factory.mktemp("finished")
    experiment = one_run.Experiment("supervised", 2, 0, 2, recipe_of("supervised"), "sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EXECUTION", 1)
        one_run.run_experiment(experiment, folder, "sample")
    return folder


def test_a_sample_that_stood_in_for_the_database_is_not_kept(monkeypatch):
    found = iter(["sample", "full", "full"])
    monkeypatch.setattr("sgan_helpers.mnist.load_mnist", lambda source: SimpleNamespace(source=next(found)))
    one_run._cached_mnist.cache_clear()
    assert [one_run.load_once("auto").source for _ in range(4)] == ["sample", "full", "full", "full"]
    one_run._cached_mnist.cache_clear()


def test_the_picture_of_a_sweep_overwrites_nothing(tmp_path, capsys, trained):
    (tmp_path / "rows.png").write_text("mine")
    assert main(["sweep", "--data", "sample", "--output", str(tmp_path / "rows.csv")]) == 1
    assert "would overwrite" in capsys.readouterr().err and trained == []
    assert (tmp_path / "rows.png").read_text() == "mine"


def test_a_picture_beside_a_table_is_drawn_anew_only_if_it_is_ours(tmp_path, capsys, trained):
    command = ["sweep", "--data", "sample", "--methods", "supervised", "--labels-per-class", "1", "--seeds", "0"]
    command += ["--iterations", "2", "--output", str(tmp_path / "rows.csv"), "--runs", str(tmp_path / "runs")]
    sweep(**{**GRID, "labels_per_class": [1]}, seeds=[0], **folders(tmp_path))
    picture = tmp_path / "rows.png"
    Figure().savefig(picture)  # somebody's own
    before = picture.read_bytes()
    assert main(command) == 1 and "would overwrite" in capsys.readouterr().err
    assert picture.read_bytes() == before
    picture.unlink()
    assert main(command) == 0 and is_ours(picture)
    assert main(command) == 0 and len(trained) == 1
    assert sorted(each.name for each in tmp_path.glob("rows.*")) == ["rows.csv", "rows.csv.lock", "rows.png"]


def test_a_link_to_a_table_stays_one(tmp_path, trained):
    (tmp_path / "kept").mkdir()
    link = tmp_path / "rows.csv"
    link.symlink_to(tmp_path / "kept" / "table.csv")
    sweep(**GRID, seeds=[0], **folders(tmp_path))
    sweep(**GRID, seeds=[0, 1], **folders(tmp_path))
    assert link.is_symlink() and len(trained) == 2
    assert len(load_results(link)) == len(load_results(tmp_path / "kept" / "table.csv")) == 2
    assert sorted(each.name for each in (tmp_path / "kept").glob("*.csv")) == ["table-history.csv", "table.csv"]


def test_a_failed_run_is_named_and_the_others_go_on(tmp_path, trained, monkeypatch):
    grid = {**GRID, "seeds": [0, 1, 2], **folders(tmp_path)}
    counted = training.train

    def failing(method, split, **arguments):
        if arguments["seed"] == 1:
            raise FloatingPointError("the loss is NaN")
        return counted(method, split, **arguments)

    monkeypatch.setattr(training, "train", failing)
    with pytest.raises(RuntimeError, match="supervised, 20 labels, seed 1: FloatingPointError: the loss is NaN"):
        sweep(**grid)
    assert sorted(load_results(tmp_path / "rows.csv")["init_seed"]) == [0, 2]
    monkeypatch.setattr(training, "train", counted)
    assert len(sweep(**grid)) == 3


def test_another_recipe_is_another_run_with_a_folder_of_its_own(tmp_path, trained, monkeypatch):
    grid = {**GRID, "seeds": [0], **folders(tmp_path)}
    sweep(**grid)
    monkeypatch.setattr(data, "RANDOM_SCHEME", 99)
    assert len(sweep(**grid)) == 1 and len(trained) == 2
    assert load_results(tmp_path / "rows.csv")["recipe"].nunique() == 2
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.parametrize("change", [{"recipe": "another1"}, {"data_source": "full"}])
def test_where_package_or_data_are_others_nothing_is_trained(tmp_path, trained, change):
    (name, value), here = *change.items(), {"recipe": recipe_of("supervised"), "data_source": "sample"}
    experiment = one_run.Experiment("supervised", 2, 0, 2, **{**here, **change})
    with pytest.raises(ValueError, match=f"wants runs whose {name} is '{value}'.*it would be '{here[name]}'"):
        one_run.run_experiment(experiment, tmp_path, "sample")
    assert trained == []


def test_whoever_comes_second_waits_and_finds_the_run_finished(tmp_path, trained):
    grid = {**GRID, "seeds": [0, 1], "runs_dir": tmp_path / "runs"}
    threads = [
        threading.Thread(target=sweep, kwargs={**grid, "path": tmp_path / f"{name}.csv"}) for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trained) == len(set(trained)) == 2
    one, two = (load_results(tmp_path / f"{name}.csv") for name in ("one", "two"))
    assert sorted(one["nll"]) == sorted(two["nll"]) and len(one) == 2


def test_sweeps_into_one_table_lose_no_row(tmp_path):
    summaries = [{**SUMMARY, "seed": seed, "split_seed": seed} for seed in range(40)]
    threads = [
        threading.Thread(target=lambda part: [append_result(s, tmp_path / "rows.csv") for s in part], args=(part,))
        for part in (summaries[::2], summaries[1::2])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(load_results(tmp_path / "rows.csv")["init_seed"]) == list(range(40))


@pytest.mark.slow
@pytest.mark.parametrize("group", [True, False], ids=["terminal", "kill"])
def test_ctrl_c_saves_every_run_that_is_going_on(tmp_path, group):
    """Two runs, each in a process of its own: as Ctrl-C in a terminal, and as a signal to the sweep alone."""
    command = ["-m", "sgan_helpers", "sweep", "--methods", "supervised", "--labels-per-class", "2", "--seeds", "0", "1"]
    command += [
        "--processes",
        "2",
        "--iterations",
        "1000000",
        "--data",
        "sample",
        "--output",
        "rows.csv",
        "--runs",
        "runs",
    ]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
    start = {"cwd": tmp_path, "env": environment, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, *command], start_new_session=True, **start) as process:
        waiting = {"seed 0: iteration", "seed 1: iteration"}  # what each run prints once it has been tested
        while waiting:
            waiting -= set(re.findall(r"seed \d: iteration", process.stdout.readline()))
        (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
        printed = process.stderr.read()
    assert process.returncode == 130 and "the same command goes on" in printed, printed
    saved = {folder.name: list(folder.glob("checkpoint-*.npz")) for folder in (tmp_path / "runs").iterdir()}
    assert len(saved) == 2 and all(saved.values()), saved


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"methods": ["svm"]}, "'methods' parameter of sweep must be one of 'supervised'.*Got 'svm'"),
        ({"methods": "sgan"}, "'methods' parameter of sweep must be a tuple, list or range"),
        ({"methods": [["sgan"]]}, "'methods' parameter of sweep must be one of"),
        ({"methods": []}, "'methods' parameter of sweep must be a tuple, list or range with something in it"),
        ({"seeds": [0, 0]}, "'seeds' parameter of sweep must have nothing twice"),
        ({"seeds": range(2**31)}, "'seeds' parameters of sweep must make at most 100,000 runs. Got 2,147,483,648"),
        ({"seeds": [-1]}, "'seeds' parameter of sweep must be an int in"),
        ({"labels_per_class": [0]}, "'labels_per_class' parameter of sweep must be an int of at least 1"),
        ({"labels_per_class": [400]}, r"'labels_per_class' parameter of sweep must be an int in \[1, 399\]"),
        ({"iterations": 0}, "'iterations' parameter of sweep must be an int of at least 1"),
        ({"processes": 0}, "'processes' parameter of sweep must be an int of at least 1"),
        ({"scheduler": 8786}, "'scheduler' parameter of sweep must be a str"),
        ({"source": ["sample"]}, "'source' parameter of sweep must be a path"),
        ({"path": ""}, "'path' parameter of sweep must be a path"),
        ({"path": "/dev/null/rows.csv"}, "'path' parameter of sweep must lie in a folder"),
        ({"path": "/dev"}, "'path' parameter of sweep must be writable"),
        ({"path": "rows.png"}, "'path' parameter of sweep must end in .csv. Got 'rows.png'"),
        ({"path": "rows"}, "'path' parameter of sweep must end in .csv"),
        ({"path": "new/x.csv", "runs_dir": "new/x-history.csv"}, "'runs_dir' parameter of sweep must be another place"),
        ({"runs_dir": "/dev/null"}, "'runs_dir' parameter of sweep must lie in a folder"),
    ],
)
def test_bad_arguments_are_named_before_any_work(tmp_path, trained, wrong, message):
    with pytest.raises((TypeError, ValueError, OSError), match=message):
        sweep(**{**GRID, "seeds": [0], **folders(tmp_path), **wrong})
    assert trained == [] and list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_table_of_runs_is_left_alone(tmp_path, trained):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="no table of runs"):
        sweep(**GRID, seeds=[0], **folders(tmp_path))
    assert trained == [] and (tmp_path / "rows.csv").read_text() == "a,b\n1,2\n"


def test_no_scheduler_at_the_address_is_one_clear_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sweeping, "CONNECT_SECONDS", 1)
    arguments = ["--data", "sample", "--output", str(tmp_path / "rows.csv"), "--scheduler", "tcp://127.0.0.1:9"]
    assert main(["sweep", *arguments]) == 1
    message = capsys.readouterr().err
    assert "error: No Dask scheduler answers at 'tcp://127.0.0.1:9'" in message and "Traceback" not in message


def test_a_cluster_without_dask_is_one_clear_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    arguments = ["--data", "sample", "--output", str(tmp_path / "rows.csv"), "--scheduler", "tcp://127.0.0.1:9"]
    assert main(["sweep", *arguments]) == 1
    assert "needs dask.distributed: pip install distributed" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_in_its_own_process_reports_its_failure_and_its_result(tmp_path):
    recipe = recipe_of("supervised")
    experiment = one_run.Experiment("supervised", 2, 0, 2, recipe, "sample")
    with pytest.raises(RuntimeError, match="wants runs whose recipe is 'another1'"):
        IN_OWN_PROCESS(replace(experiment, recipe="another1"), tmp_path, "sample")
    summary, history = IN_OWN_PROCESS(experiment, tmp_path, "sample")
    here, _ = one_run.run_experiment(experiment, tmp_path / "here", "sample")
    assert summary["test_accuracy"] == here["test_accuracy"] and summary["nll"] == here["nll"]
    assert [row["iteration"] for row in history] == ["2"]
    again, _ = IN_OWN_PROCESS(experiment, tmp_path, "sample")
    assert again == summary and summary["hardware"].endswith(", 1 core")


@pytest.mark.slow
def test_a_run_in_its_own_process_ends_with_the_process_that_asked_for_it(tmp_path):
    experiment = one_run.Experiment("supervised", 2, 0, 10**6, recipe_of("supervised"), "sample")
    parent = (
        "from sgan_helpers.experiment import Experiment, run_in_own_process\n"
        f"run_in_own_process({experiment!r}, {str(tmp_path)!r}, 'sample')"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stderr=subprocess.DEVNULL)
    training_processes = []
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.1)
        training_processes = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
        assert len(training_processes) == 1
        training_processes[0].wait(timeout=20)
    finally:
        for left in [process, *training_processes]:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()


def test_the_command_prints_the_table_and_draws_the_curve(tmp_path, capsys):
    table = tmp_path / "rows.csv"
    arguments = ["--methods", "supervised", "supervised-tuned", "--labels-per-class", "2", "--seeds", "0", "1"]
    arguments += ["--iterations", "2", "--data", "sample", "--output", str(table), "--runs", str(tmp_path / "runs")]
    assert main(["sweep", *arguments]) == 0
    shown = capsys.readouterr().out
    assert "supervised-tuned minus supervised, paired by seed" in shown
    mean = 100 * load_results(table).query("method == 'supervised'")["test_accuracy"].mean()
    assert f"supervised {mean:.2f} ± " in " ".join(shown.split())
    assert table.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_on_a_cluster_records_what_finishes_and_names_what_fails(tmp_path, monkeypatch):
    """A scheduler and a worker in this process; the runs, which have a process of their own each, are made up."""
    from dask.distributed import Client

    def made_up(experiment, runs_dir, source):
        if experiment.seed == 1:
            raise RuntimeError("the worker's disk is full")
        seeds = {"seed": experiment.seed, "split_seed": experiment.seed}
        summary = {**SUMMARY, **seeds, "method": experiment.method, "labels": 20, "recipe": experiment.recipe}
        return {**summary, "iterations": experiment.iterations, "data_source": experiment.data_source}, []

    monkeypatch.setattr(sweeping, "run_in_own_process", made_up)
    with Client(processes=False, dashboard_address=None, n_workers=1, threads_per_worker=2) as client:
        address = client.scheduler.address
        with pytest.raises(
            RuntimeError, match="supervised, 20 labels, seed 1: RuntimeError: the worker's disk is full"
        ):
            sweep(**GRID, seeds=range(4), scheduler=address, **folders(tmp_path))
        assert sorted(load_results(tmp_path / "rows.csv")["init_seed"]) == [0, 2, 3]
        monkeypatch.setattr(sweeping, "run_in_own_process", lambda *run: made_up(replace(run[0], seed=1), *run[1:]))
        assert len(sweep(**GRID, seeds=[0, 2, 3], scheduler=address, **folders(tmp_path))) == 3


@pytest.mark.slow
def test_a_sweep_on_a_cluster_survives_a_killed_worker_and_equals_the_local_one(tmp_path):
    """A scheduler and two workers, each a process of its own; one worker is killed in the middle of a run."""
    scheduler_file = tmp_path / "scheduler.json"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    processes = []

    def start(*arguments):
        log = open(tmp_path / f"log-{len(processes)}.txt", "w")  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=log, stderr=log, cwd=tmp_path, env=environment
        )
        log.close()
        processes.append(process)
        return process

    def wait_until(condition, what):
        deadline = time.monotonic() + 240
        while not condition():
            logs = "\n".join(path.read_text()[-1500:] for path in sorted(tmp_path.glob("log-*.txt")))
            assert time.monotonic() < deadline, f"{what} never happened:\n{logs}"
            time.sleep(0.05)

    def started_runs():
        return [folder for folder in (tmp_path / "runs").glob("*") if not (folder / "summary.json").exists()]

    grid = ["--methods", "supervised", "--labels-per-class", "2", "--seeds", *"012", "--iterations", "200"]
    grid += ["--data", "sample", "--runs", str(tmp_path / "runs")]
    try:
        host = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        start("distributed.cli.dask_scheduler", *host, "--scheduler-file", str(scheduler_file))
        wait_until(scheduler_file.exists, "the start of the scheduler")
        worker = ["--scheduler-file", str(scheduler_file), "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        victim = start("distributed.cli.dask_worker", *worker)
        start("distributed.cli.dask_worker", *worker)
        for number in (1, 2):
            log = tmp_path / f"log-{number}.txt"
            wait_until(lambda log=log: "Registered to" in log.read_text(), f"the start of worker {number}")
        address = json.loads(scheduler_file.read_text())["address"]
        client = start("sgan_helpers", "sweep", *grid, "--output", str(tmp_path / "rows.csv"), "--scheduler", address)
        wait_until(lambda: len(started_runs()) == 2, "two runs at a time")
        lost = started_runs()
        victim.send_signal(signal.SIGKILL)
        rows_at_kill = len(load_results(tmp_path / "rows.csv")) if (tmp_path / "rows.csv").exists() else 0
        assert client.wait(timeout=240) == 0, (tmp_path / "log-3.txt").read_text()[-3000:]
        assert victim.wait(timeout=10) == -signal.SIGKILL
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert rows_at_kill < 3 and all((folder / "summary.json").exists() for folder in lost)
    columns = ["method", "recipe", "labels", "split_seed", "init_seed", "iterations", "test_accuracy", "nll", "ece"]
    on_cluster = load_results(tmp_path / "rows.csv")[columns].sort_values("init_seed", ignore_index=True)
    local = sweep(["supervised"], [2], range(3), iterations=200, source="sample", **folders(tmp_path / "local"))
    assert len(on_cluster) == 3
    assert on_cluster.equals(local[columns].sort_values("init_seed", ignore_index=True))
