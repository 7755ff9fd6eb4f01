"""The benchmarks' arithmetic: counted operations, ratios, and that the printed table is that of the recorded times."""

import csv
import importlib
import sys

import pytest
from book_files import ROOT

from sgan_helpers.training import build_model


@pytest.fixture
def benchmarks(monkeypatch):
    """Import a module of `benchmarks/` by name."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module
    for name in ("operations", "compare_steps", "worker"):
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


def test_the_table_is_that_of_the_recorded_times(benchmarks):
    with open(ROOT / "benchmarks" / "steps.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    table = benchmarks("compare_steps").as_table(rows, sum(counted(benchmarks, int(rows[0]["batch_size"])).values()))
    assert table == (ROOT / "benchmarks" / "steps.md").read_text()


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
