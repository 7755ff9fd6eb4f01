"""The benchmarks' arithmetic: counted operations, ratios, and that the printed table is that of the recorded times."""

import csv
import importlib
import sys

import keras
import pytest
from book_files import ROOT

from sgan_helpers import networks
from sgan_helpers.methods.build import build_model


@pytest.fixture
def benchmarks(monkeypatch):
    """Import a module of `benchmarks/` by name."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module
    for name in (
        "operations",
        "common",
        "compare_steps",
        "worker",
        "scale_step",
        "time_to_accuracy",
        "profile_step",
        "time_sweep",
    ):
        sys.modules.pop(name, None)


def counted(benchmarks, batch_size):
    model = build_model("sgan", seed=0)
    networks = (model.class_discriminator, model.binary_discriminator, model.generator)
    return benchmarks("operations").count_iteration(*networks, batch_size)


def test_operations_are_those_counted_by_hand(benchmarks):
    conv_1, conv_2, conv_3 = 14 * 14 * 25 * 1 * 16, 7 * 7 * 25 * 16 * 32, 4 * 4 * 25 * 32 * 64
    trunk = 2 * (conv_1 + conv_2 + conv_3)
    generator = 2 * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 784)
    found = counted(benchmarks, batch_size=1)
    assert found["class"] == 3 * (trunk + 2 * 10240) - 2 * conv_1  # the images need no gradient
    assert found["real"] == 3 * (trunk + 2 * 1024) - 2 * conv_1
    assert found["fake"] == found["real"] + generator
    assert found["generator"] == 3 * generator - 2 * 100 * 512 + 2 * (trunk + 2 * 1024)
    assert counted(benchmarks, batch_size=7)["fake"] == 7 * found["fake"]


@pytest.mark.parametrize("folder", [".", "second_run", "slower_machine"])
def test_the_table_is_that_of_the_recorded_times(benchmarks, folder):
    folder = ROOT / "benchmarks" / folder
    with open(folder / "steps.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    table = benchmarks("compare_steps").as_table(rows, sum(counted(benchmarks, int(rows[0]["batch_size"])).values()))
    assert table == (folder / "steps.md").read_text()


def test_the_picture_has_every_ratio_to_ours(benchmarks):
    module = benchmarks("compare_steps")
    with open(ROOT / "benchmarks" / "steps.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    (axis,) = module.draw(rows).axes
    rounds = len(rows) // (len(module.IMPLEMENTATIONS) + 1)
    assert [label.get_text() for label in axis.get_yticklabels()] == list(module.IMPLEMENTATIONS)
    assert [len(line.get_xdata()) for line in axis.lines] == [rounds] * len(module.IMPLEMENTATIONS)
    assert set(axis.lines[0].get_xdata()) == {1.0}
    assert axis.patches[2].get_width() == sorted(axis.lines[2].get_xdata())[rounds // 2]


@pytest.mark.parametrize(
    ("script", "name"), [("scale_step", "scale"), ("time_to_accuracy", "accuracy"), ("profile_step", "profile")]
)
def test_the_other_tables_are_those_of_their_recorded_times(benchmarks, script, name):
    with open(ROOT / "benchmarks" / f"{name}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert benchmarks(script).as_table(rows) == (ROOT / "benchmarks" / f"{name}.md").read_text()


def test_two_runs_of_the_comparison_agree_within_their_spread(benchmarks):
    module, ranges = benchmarks("compare_steps"), []
    for folder in (ROOT / "benchmarks", ROOT / "benchmarks" / "second_run"):
        with open(folder / "steps.csv", newline="") as file:
            times = {}
            for row in csv.DictReader(file):
                times.setdefault(row["implementation"], {})[row["round"]] = float(row["milliseconds"])
        ours = times["sgan_helpers"]
        ratios = {name: [found[number] / ours[number] for number in ours] for name, found in times.items()}
        ranges.append({name: (min(ratios[name]), max(ratios[name])) for name in module.IMPLEMENTATIONS})
    for name, (low, high) in ranges[0].items():
        again_low, again_high = ranges[1][name]
        assert low <= again_high and again_low <= high, name


def test_an_operation_is_known_with_and_without_the_prefix_of_one_dnn(benchmarks):
    kind_of = benchmarks("profile_step").kind_of
    assert kind_of("_MklNativeConv2DBackpropInput") == kind_of("Conv2DBackpropFilter") == "gradients of convolutions"
    assert kind_of("_MklNativeFusedConv2D") == kind_of("Conv2D") == "convolutions"
    assert kind_of("StatelessRandomNormalV2").startswith("random numbers")
    assert kind_of("Sqrt").startswith("everything else")


def test_ratios_are_taken_within_a_round(benchmarks):
    module = benchmarks("compare_steps")
    common = {
        "iterations": 100,
        "peak_memory_mb": 1,
        "batch_size": 100,
        "threads": 2,
        "hardware": "here",
        "date": "today",
    }
    rows = []
    for number, ours in enumerate((10.0, 20.0, 40.0)):
        for name in (*module.IMPLEMENTATIONS, module.PEAK):
            milliseconds = ours if name == "sgan_helpers" else 2 * ours
            rows.append({"round": number, "implementation": name, "milliseconds": milliseconds, **common})
    table = module.as_table(rows, operations=10**9)
    assert "| sgan_helpers | 20.0 | 1.00 (1.00 to 1.00) |" in table
    assert "| JAX, jit | 40.0 | 2.00 (2.00 to 2.00) |" in table


def test_the_wider_trunk_has_wider_layers_and_the_same_others(benchmarks):
    trunk = networks.build_trunk()
    wide = benchmarks("implementations.scaled").wider(trunk, 3)
    for layer, wider in zip(trunk.layers, wide.layers, strict=True):
        assert type(layer) is type(wider)
        if isinstance(layer, keras.layers.Conv2D):
            assert wider.filters == 3 * layer.filters
            assert wider.kernel.shape[3] == 3 * layer.kernel.shape[3]
    assert wide.output_shape == (None, 3 * trunk.output_shape[1])


def test_a_method_that_never_gets_there_has_no_seconds(benchmarks):
    module = benchmarks("time_to_accuracy")
    common = {"hardware": "here", "date": "today"}
    rows = [{"method": method, "seed": 0, "iteration": "", "seconds": "", **common} for method in module.ITERATIONS]
    rows += [{**rows[0], "seed": seed, "iteration": 100 * seed, "seconds": 10.0 * seed} for seed in (1, 2)]
    table = module.as_table(rows)
    assert "| sgan | 100 | 15 (10 to 20) | 2 of 3 |" in table
    assert "| pseudo-labels | – | – | 0 of 1 |" in table


def test_the_times_of_every_setting_are_in_the_table(benchmarks):
    module = benchmarks("scale_step")
    common = {"iterations": 50, "peak_memory_mb": 1, "hardware": "here", "date": "today"}
    rows = []
    for name, values in module.GRID.items():
        for value in values:
            times = (10.0, 20.0) if value == module.USUAL[name] else (30.0, 80.0)
            rows += [{"varied": name, "value": value, "milliseconds": time, **common} for time in times]
    table = module.as_table(rows)
    assert "| images in a batch | 100 | 15.0 (10.0 to 20.0) | 1.00 | 1 MB |" in table
    assert "| images in a batch | 400 | 55.0 (30.0 to 80.0) | 3.50 | 1 MB |" in table
    assert table.count("\n| ") == 1 + sum(len(values) for values in module.GRID.values())
    assert len(module.draw(rows).axes) == len(module.GRID) - 1


def test_the_table_of_the_sweep_is_that_of_its_recorded_times(benchmarks):
    with open(ROOT / "benchmarks" / "sweep.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert benchmarks("time_sweep").as_text(rows) == (ROOT / "benchmarks" / "sweep.md").read_text()
