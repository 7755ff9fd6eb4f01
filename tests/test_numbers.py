"""A result in prose is tied to the recorded runs by a comment behind it: `95.1 %<!-- result: mean sgan 1000 -->`."""

import re

import pytest
from book_files import CHAPTERS, PAGES, ROOT, prose

from sgan_helpers.experiments import load_results

TIED = re.compile(r"([+-]?\d[\d,]*(?:\.\d+)?)(?: %| percentage points)?<!-- result: ([\w ]+?) -->")
FUNCTIONS = {
    "mean": lambda runs: 100 * runs["test_accuracy"].mean(),
    "std": lambda runs: 100 * runs["test_accuracy"].std(ddof=1),
    "min": lambda runs: 100 * runs["test_accuracy"].min(),
    "max": lambda runs: 100 * runs["test_accuracy"].max(),
    "runs": len,
    "minutes": lambda runs: runs["seconds"].mean() / 60,
}


def wrong_numbers(text, results):
    """Return the tied numbers of a text that the results do not give, as pairs (written, expression)."""
    wrong = []
    for written, expression in TIED.findall(text):
        function, method, labels = expression.split()
        runs = results.query(f"method == '{method}' and labels == {labels} and data_source == 'full'")
        decimals = len(written.partition(".")[2])
        if not len(runs) or f"{FUNCTIONS[function](runs):.{decimals}f}" != written.replace(",", ""):
            wrong.append((written, expression))
    return wrong


@pytest.mark.parametrize("path", CHAPTERS + PAGES, ids=lambda path: path.stem)
def test_numbers_in_prose_are_those_of_the_recorded_runs(path):
    text = prose(path)
    assert text.count("<!-- result:") == len(TIED.findall(text)), "a comment that ties no number"
    assert wrong_numbers(text, load_results(ROOT / "results" / "runs.csv")) == []


def test_a_changed_result_is_noticed():
    results = load_results(ROOT / "results" / "runs.csv")
    sgan = (results["method"] == "sgan") & (results["labels"] == 1000)
    text = f"{100 * results[sgan]['test_accuracy'].mean():.1f} %<!-- result: mean sgan 1000 -->"
    assert wrong_numbers(text, results) == []
    changed = results.copy()
    changed.loc[sgan, "test_accuracy"] -= 0.01
    assert wrong_numbers(text, changed) != []
    assert any("<!-- result:" in prose(path) for path in CHAPTERS + PAGES), "the book ties no number at all"


def test_results_have_the_promised_columns_and_one_recipe_a_method():
    results = load_results(ROOT / "results" / "runs.csv")
    promised = "method recipe labels split_seed init_seed iterations test_accuracy nll ece seconds ms_per_iteration"
    promised += " data_source hardware tensorflow keras numpy date"
    assert set(promised.split()) <= set(results.columns)
    assert results["test_accuracy"].between(0, 1).all()
    assert (results.groupby(["method", "labels"])["recipe"].nunique() == 1).all()
    assert not results.duplicated(["method", "recipe", "labels", "split_seed", "init_seed", "iterations"]).any()
