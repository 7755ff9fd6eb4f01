"""The recording of the grid ends well when nothing failed, and otherwise goes on to the end and names each failure."""

import sys

import pytest
import record_results


def record(monkeypatch, tmp_path, sweep):
    """Run the program with another `sweep`."""
    monkeypatch.setattr(record_results, "sweep", sweep)
    monkeypatch.setattr(sys, "argv", ["record_results.py", str(tmp_path / "runs.csv")])
    record_results.main()


def test_it_ends_without_an_error_when_every_run_succeeds(monkeypatch, tmp_path):
    asked = []
    record(monkeypatch, tmp_path, lambda methods, *cells, **settings: asked.append((*methods, settings["path"])))
    assert {path for _, path in asked} == {tmp_path / "runs.csv"}
    assert {method for method, _ in asked} >= {"supervised", "supervised-tuned", "sgan", *record_results.PARTS}


def test_it_goes_on_after_a_failure_and_names_each(monkeypatch, tmp_path):
    asked = []

    def sweep(methods, *cells, **settings):
        asked.append(methods[0])
        if methods[0] in ("sgan", "feature-matching"):
            raise RuntimeError(f"{methods[0]} failed")

    with pytest.raises(SystemExit) as stop:
        record(monkeypatch, tmp_path, sweep)
    assert set(stop.value.code.split("\n")) == {"sgan failed", "feature-matching failed"}
    assert asked[-1] == "noisy-student"
