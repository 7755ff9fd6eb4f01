"""What prose says of results is tied to the recorded runs by a comment behind it, which no reader sees.

A number: `95.1 %<!-- result: mean sgan 1000 -->`, with mean, std, min, max or runs of a method at a number of labels;
or `+1.4<!-- result: difference sgan supervised 1000 -->`, with difference, low or high of two methods, paired by seed.
A verdict in words: `is ahead<!-- verdict: sgan supervised 1000 ahead -->`, with ahead, behind or undecided: the whole
interval lies above zero, below zero, or neither.
"""

import functools
import re

import pandas as pd
import pytest
from book_files import CHAPTERS, PAGES, ROOT, prose

from sgan_helpers.results import load_results, paired_difference

TIED = re.compile(r"([+−-]?\d[\d,]*(?:\.\d+)?)(?: %| percentage points| points)?<!-- result: ([\w -]+?) -->")
VERDICT = re.compile(r"<!-- verdict: ([\w-]+) ([\w-]+) (\d+) (ahead|behind|undecided) -->")
OF_RUNS = {
    "mean": lambda runs: 100 * runs["test_accuracy"].mean(),
    "std": lambda runs: 100 * runs["test_accuracy"].std(ddof=1),
    "min": lambda runs: 100 * runs["test_accuracy"].min(),
    "max": lambda runs: 100 * runs["test_accuracy"].max(),
    "runs": len,
}
OF_PAIRS = {"difference": "mean", "low": "low", "high": "high"}


@functools.cache
def recorded():
    """Return the recorded runs that the book speaks of: those on the whole database."""
    return load_results(ROOT / "results" / "runs.csv").query("data_source == 'full'")


def value_of(expression, results):
    """Return the number that a comment stands for, or None if no recorded run gives it."""
    function, *methods, labels = expression.split()
    cell = results[results["labels"] == int(labels)]
    if not set(methods) <= set(cell["method"]):
        return None
    if function in OF_RUNS:
        return OF_RUNS[function](cell[cell["method"] == methods[0]])
    at_own_length = cell.drop(columns="iterations", errors="ignore")  # which is why a text must say how long each is
    return 100 * paired_difference(at_own_length, *methods).loc[int(labels), OF_PAIRS[function]]


def wrong_numbers(text, results):
    """Return the tied numbers and verdicts of a text that the results do not give, as pairs (written, expression)."""
    wrong = []
    for written, expression in TIED.findall(text):
        value = value_of(expression, results)
        sign = "+" if written[0] == "+" else ""
        decimals = len(written.partition(".")[2])
        if value is None or f"{value:{sign}.{decimals}f}" != written.replace(",", "").replace("−", "-"):
            wrong.append((written, expression))
    for method, baseline, labels, written in VERDICT.findall(text):
        pair = f"{method} {baseline} {labels}"
        low, high = (value_of(f"{end} {pair}", results) for end in ("low", "high"))
        verdict = "unknown" if low is None else "ahead" if low > 0 else "behind" if high < 0 else "undecided"
        if written != verdict:
            wrong.append((written, f"verdict {pair}"))
    return wrong


@pytest.mark.parametrize("path", CHAPTERS + PAGES, ids=lambda path: path.stem)
def test_numbers_in_prose_are_those_of_the_recorded_runs(path):
    text = prose(path)
    assert text.count("<!-- result:") == len(TIED.findall(text)), "a comment that ties no number"
    assert text.count("<!-- verdict:") == len(VERDICT.findall(text)), "a comment that ties no verdict"
    assert wrong_numbers(text, recorded()) == []


def unchanged(accuracies):
    """Return them as they are."""
    return accuracies


def halved(accuracies):
    """Return accuracies half as high."""
    return accuracies / 2


def nearly_perfect(accuracies):
    """Return accuracies with a hundredth of the errors."""
    return 1 - (1 - accuracies) / 100


def test_a_changed_result_is_noticed():
    """Each value that a comment of the book leans on is changed in a copy of the results; each change must be seen."""
    tied = [(path.name, prose(path)) for path in CHAPTERS + PAGES]
    tied = [(name, text) for name, text in tied if TIED.search(text) or VERDICT.search(text)]
    assert len(tied) >= 3, "the book ties hardly any number"
    for name, text in tied:
        expressions = [expression.split()[1:] for _, expression in TIED.findall(text)]
        expressions += [verdict[:3] for verdict in VERDICT.findall(text)]
        for method, labels in sorted({(method, labels) for *methods, labels in expressions for method in methods}):
            noticed = []
            # A verdict stands when a lead grows, and a standard deviation when all runs move: one must be noticed.
            for first, second in ((halved, halved), (nearly_perfect, nearly_perfect), (unchanged, halved)):
                changed = recorded().copy()
                cell = changed.index[(changed["method"] == method) & (changed["labels"] == int(labels))]
                for change, rows in ((first, cell[::2]), (second, cell[1::2])):
                    changed.loc[rows, "test_accuracy"] = change(changed.loc[rows, "test_accuracy"])
                noticed += [] if noticed else wrong_numbers(text, changed)
            assert noticed, f"{name} does not notice another result of {method} at {labels} labels"


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("90.0 %<!-- result: mean a 10 -->", False),
        ("90.1 %<!-- result: mean a 10 -->", True),
        ("90.0 %<!-- result: mean c 10 -->", True),
        ("+2.0 points<!-- result: difference a b-tuned 10 -->", False),
        ("−2.0 points<!-- result: difference b-tuned a 10 -->", False),
        ("+2.0 points<!-- result: difference b-tuned a 10 -->", True),
        ("ahead<!-- verdict: a b-tuned 10 ahead -->", False),
        ("behind<!-- verdict: b-tuned a 10 behind -->", False),
        ("level<!-- verdict: a b-tuned 10 undecided -->", True),
        ("ahead<!-- verdict: a c 10 ahead -->", True),
    ],
)
def test_a_tie_holds_only_what_the_runs_say(text, is_wrong):
    rows = [("a", seed, 0.9 + 0.001 * (seed - 1)) for seed in range(3)]
    rows += [("b-tuned", seed, 0.88 + 0.002 * (seed - 1)) for seed in range(3)]
    results = pd.DataFrame(rows, columns=["method", "init_seed", "test_accuracy"]).assign(labels=10)
    results["split_seed"] = results["init_seed"]
    assert bool(wrong_numbers(text, results)) == is_wrong


def test_results_have_the_promised_columns_and_one_recipe_a_method():
    results = load_results(ROOT / "results" / "runs.csv")
    promised = "method recipe labels split_seed init_seed iterations test_accuracy nll ece seconds ms_per_iteration"
    promised += " data_source hardware tensorflow keras numpy date"
    assert set(promised.split()) <= set(results.columns)
    assert results["test_accuracy"].between(0, 1).all()
    assert (results.groupby(["method", "labels"])["recipe"].nunique() == 1).all()
    assert (results.groupby("method")["iterations"].nunique() == 1).all()
    assert not results.duplicated(["method", "recipe", "labels", "split_seed", "init_seed", "iterations"]).any()
