"""The results as tables and as a picture, for book/results.md and the front page, from the CSV files in results/."""

import io

import ablation
import matplotlib.pyplot as plt
import pandas as pd
from exercise_files import ROOT

from sgan_helpers import plotting
from sgan_helpers.methods import METHODS
from sgan_helpers.results import holm_intervals, load_results, paired_difference

GRID = {  # the methods of the recorded grid, and their iterations
    "supervised": 10000,
    "supervised-tuned": 10000,
    "label-spreading": 1000,  # at most; no training
    "sgan": 10000,
    "sgan-tuned": 10000,
    "pseudo-labels": 10000,
    "noisy-student": 30000,
}
BY_SPLIT = {"index": ["labels", "split_seed"], "columns": "row", "values": "test_accuracy"}  # to pair the ablation's
OPPONENTS = ("supervised", "supervised-tuned", "label-spreading")


def markdown(columns, rows):
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def mean_and_deviation(values, digits=2, scale=1):
    """Return "mean ± standard deviation (number)" of some values, times `scale`."""
    if len(values) < 2:
        return f"{scale * values.mean():.{digits}f} (1)" if len(values) else "–"
    return f"{scale * values.mean():.{digits}f} ± {scale * values.std(ddof=1):.{digits}f} ({len(values)})"


def recorded(methods):
    """Return the recorded runs of these methods on the whole database."""
    results = load_results(ROOT / "results" / "runs.csv")
    results = results[(results["data_source"] == "full") & results["method"].isin(methods)]
    return results.assign(hardware=results["hardware"].str.replace(", 1 cores", ", 1 core"))


def of_grid(results):
    """Return the runs of the grid: each method at its own length."""
    return results[results["method"].map(GRID) == results["iterations"]]


def accuracy_table(results):
    """Return the table of accuracies: a row for each number of labels, a column for each method; then the ceilings."""
    results = of_grid(results)
    names = {name: METHODS[name].title for name in GRID if name in set(results["method"])}
    rows = []
    for labels, runs in results.groupby("labels"):
        cells = [runs[runs["method"] == method]["test_accuracy"] for method in names]
        rows.append([f"{labels:,}", *(mean_and_deviation(accuracies, scale=100) for accuracies in cells)])
    path, remark = ROOT / "results" / "ceilings.csv", ""
    if path.exists():
        ceilings = pd.read_csv(path)
        cells = [ceilings[ceilings["ceiling_of"] == name]["test_accuracy"] for name in names]
        rows.append(["all 60,000", *(mean_and_deviation(accuracies, scale=100) for accuracies in cells)])
        remark = (
            "\nThe last row is the ceiling: each network trained with every label, as distorted and as long (–: not).\n"
        )
    return markdown(["labels", *names.values()], rows) + remark


def curve(results):
    """Return the picture of the front page as SVG: the error of each method against the number of labels."""
    errors, results = {}, of_grid(results)
    for name in GRID:
        runs = results[results["method"] == name]
        if len(runs):
            cells = runs.groupby("labels")["test_accuracy"]
            errors[name] = {labels: (100 * (1 - cell)).tolist() for labels, cell in cells}
    published = pd.read_csv(ROOT / "results" / "published.csv").query("checked == 'yes'")
    papers = list(published[["method", "labels", "error"]].itertuples(index=False, name=None))
    picture = io.StringIO()
    with plt.rc_context({"svg.hashsalt": "curve"}):  # the same file whenever the numbers are the same
        plotting.plot_label_curve(errors, "test error (%)", papers).savefig(
            picture, format="svg", metadata={"Date": None}
        )
    return picture.getvalue()


def difference_table(results):
    """Return the table of paired differences: a row for each number of labels and each opponent."""
    rows = []
    for opponent in (name for name in OPPONENTS if name in set(results["method"])):
        for labels, row in paired_difference(results.drop(columns="iterations"), "sgan", opponent).iterrows():
            interval = f"{100 * row['low']:+.2f} to {100 * row['high']:+.2f}" if row["pairs"] > 1 else "–"
            difference = f"{100 * row['mean']:+.2f}"
            rows.append([f"{labels:,}", METHODS[opponent].title, difference, interval, int(row["pairs"])])
    rows.sort(key=lambda row: int(row[0].replace(",", "")))
    return markdown(["labels", "opponent", "SGAN minus opponent, points", "95 % interval", "pairs"], rows)


def calibration_table(results):
    """Return the table of likelihood and calibration."""
    rows = []
    for (labels, method), runs in results.groupby(["labels", "method"]):
        rows.append(
            [f"{labels:,}", METHODS[method].title, *(mean_and_deviation(runs[name], 3) for name in ("nll", "ece"))]
        )
    return markdown(["labels", "method", "negative log-likelihood, nats", "expected calibration error"], rows)


def ablation_table():
    """Return the table of the ablation: a row for each row of the rule, on the five splits of the questions."""
    runs = _ablation("all").query("split_seed < 5")
    rows = []
    for name in ablation.ROWS:
        cell = runs[runs["row"] == name]
        accuracies = [cell.loc[cell["labels"] == labels, "test_accuracy"] for labels in (20, 100)]
        settings = [f"{cell['iterations'].iloc[0]:,}", cell["learning_rate"].iloc[0]]
        rows.append([name, *settings, *(mean_and_deviation(each, scale=100) for each in accuracies)])
    return markdown(["row", "iterations", "learning rate", "20 labels, %", "100 labels, %"], rows)


def question_table():
    """Return the table of the ablation's questions, with both kinds of intervals, in percentage points."""
    runs = 100 * _ablation("all").query("split_seed < 5").pivot(**BY_SPLIT)
    differences = {
        (labels, f"{name} − {without}"): (runs[name] - runs[without]).loc[labels]
        for labels in (20, 100)
        for name, without in ablation.QUESTIONS
    }
    rows = [
        [labels, question, f"{row['mean']:+.2f}", *_intervals(row)]
        for (labels, question), row in holm_intervals(differences).iterrows()
    ]
    return markdown(["labels", "difference", "mean", "95 % interval", "adjusted by Holm"], rows)


def earlier_table(results):
    """Return the table of what earlier runs of three splits say beside the ablation, in percentage points."""
    cells = ["labels", "split_seed"]
    earlier = results[results["labels"].isin([20, 100]) & (results["split_seed"] < 3)]
    earlier = 100 * earlier.pivot(index=cells, columns="method", values="test_accuracy")
    later = 100 * _ablation("all").query("split_seed < 3").pivot(**BY_SPLIT)
    gan = "pseudo-labels+gan"
    differences = {
        "GAN that fools, plain fakes − distorted ones": earlier["real-or-fake"] - later["distortions, GAN that fools"],
        "GAN that matches, plain fakes − distorted ones": earlier["feature-matching"]
        - later["distortions, GAN that matches"],
        "GAN beside both, plain fakes − distorted ones": earlier[gan] - later["pseudo-labels, distortions, GAN"],
        "GAN beside both, plain fakes − no GAN": earlier[gan] - earlier["pseudo-labels"],
        "GAN that fools, plain fakes − distortions": earlier["real-or-fake"] - earlier["distortions"],
        "GAN that matches, plain fakes − distortions": earlier["feature-matching"] - earlier["distortions"],
        "shared batches − distortions": earlier["shared-batches"] - earlier["distortions"],
    }
    rows = []
    for labels in (20, 100):
        found = holm_intervals({name: gaps.loc[labels] for name, gaps in differences.items()})
        rows += [[labels, name, f"{row['mean']:+.2f}", _intervals(row)[0]] for name, row in found.iterrows()]
    return markdown(["labels", "difference", "mean", "95 % interval"], rows)


def guard_difference():
    """Return what the GAN adds on the fresh splits of the guard, in words."""
    runs = 100 * _ablation("all").query("split_seed >= 5").pivot(**BY_SPLIT)
    row = holm_intervals({"": runs[f"{ablation.YARDSTICK}, GAN"] - runs[ablation.YARDSTICK]}).loc[""]
    return f"{row['mean']:+.2f} points ({_intervals(row)[0]}, {row['pairs']:.0f} pairs)"


def stress_table():
    """Return the table of the stress test: each row with all unlabelled images, if that was run, and unbalanced."""
    rows = []
    for name in ablation.STRESSED:
        kinds = (_ablation(unlabeled).query("labels == 100 and split_seed < 5") for unlabeled in ("all", "unbalanced"))
        accuracies = [kind.loc[kind["row"] == name, "test_accuracy"] for kind in kinds]
        rows.append([name, *(mean_and_deviation(each, scale=100) for each in accuracies)])
    return markdown(["row", "all unlabelled images, %", "unbalanced, %"], rows)


def _ablation(unlabeled):
    return pd.read_csv(ROOT / "results" / "ablation.csv").query("unlabeled == @unlabeled")


def _intervals(row):
    """Return the plain and the adjusted interval of a row of `holm_intervals` as texts."""
    return [f"{row[f'{kind}low']:+.2f} to {row[f'{kind}high']:+.2f}" for kind in ("", "adjusted_")]


def run_table(results):
    """Return the table of single runs."""
    rows = []
    for run in results.sort_values(["labels", "method", "split_seed"]).itertuples():
        versions = f"{run.tensorflow} / {run.keras} / {run.numpy}"
        cells = [f"{run.labels:,}", run.method, run.recipe, run.split_seed, run.init_seed, f"{run.iterations:,}"]
        cells += [f"{100 * run.test_accuracy:.2f}", f"{run.seconds / 60:.1f}", run.hardware, versions, run.date]
        rows.append(cells)
    columns = [
        "labels",
        "method",
        "recipe",
        "split seed",
        "init seed",
        "iterations",
        "accuracy, %",
        "minutes",
        "hardware",
    ]
    return markdown([*columns, "TensorFlow / Keras / NumPy", "date"], rows)


def csv_table(name):
    """Return a CSV file of results/ as a table, accuracies in per cent."""
    table = pd.read_csv(ROOT / "results" / name, dtype=str).fillna("")
    for column in table.columns:
        if column.endswith("accuracy"):
            table[column] = [f"{100 * float(value):.2f}" for value in table[column]]
    return markdown([column.replace("_", " ") for column in table.columns], table.to_numpy().tolist())


def choice_table():
    """Return the later choices: a row for each method and its settings, over its splits."""
    choices = pd.read_csv(ROOT / "results" / "validation-choices.csv")
    rows = [
        [*cell[:2], *(f"{number:,}" for number in cell[2:]), mean_and_deviation(accuracies, scale=100)]
        for cell, accuracies in choices.groupby(["method", "settings", "labels", "iterations"], sort=False)[
            "validation_accuracy"
        ]
    ]
    return markdown(["method", "settings", "labels", "iterations", "validation accuracy, % (splits)"], rows)


def make_page(every):
    """Return book/results.md."""
    published = pd.read_csv(ROOT / "results" / "published.csv", dtype=str).fillna("").query("checked == 'yes'")
    errors = [
        [row.method, f"{int(row.labels):,}", row.error + (f" ± {row.deviation}" if row.deviation else ""), row.source]
        for row in published.itertuples()
    ]
    hardware = " or ".join(sorted(set(every["hardware"])))
    results = of_grid(every)
    return f"""# Look up every result

This page is made from the recorded runs by `make pages`; nothing on it is written by hand. A test fails when it is
stale. Every run is on the whole database and is tested at its last iteration. The hardware was: {hardware}.

`make results` runs what is missing of the grid: a run that is recorded is skipped, and a stopped one goes on. Two
processors of one name need not round alike, so a repeated run may differ by some tenths of a percentage point. To
repeat one row of the first table into a table of your own:

```bash
python -m sgan_helpers sweep --labels-per-class 10 --seeds 0 1 2 \\
    --methods supervised supervised-tuned sgan pseudo-labels
python -m sgan_helpers sweep --labels-per-class 10 --seeds 0 1 2 --methods noisy-student --iterations 30000
python -m sgan_helpers sweep --labels-per-class 10 --seeds 0 1 2 --methods label-spreading --iterations 1000
```

## Accuracy

Test accuracy in per cent, mean ± standard deviation (number of runs). Noisy student has 30,000 iterations, label
spreading no training, and all others 10,000. Two networks stand side by side: the first columns have the trunk of
chapter 2, pseudo-labels and noisy student the larger feature discriminator of chapter 8. What that one does with labels
alone, and with distortions, is in the first rows of the ablation below.

{accuracy_table(every)}
## The ablation

One network, the feature discriminator with averaged weights, trained in eight ways for equally long, each with the
better of two learning rates, on the splits 0 to 4. [Chapter 10](../notebooks/10_pseudo_labels.ipynb) tells it; the
rules are those of `tools/ablation.py`, which repeats it. Its *pseudo-labels, distortions* is the method *pseudo-labels*
of the table above, run again with one thread: rounding alone moves a run by some tenths of a point. Its GANs distort
fakes like real images. The earlier runs of `real-or-fake` (here the GAN that fools), `feature-matching` (the GAN that
matches) and `pseudo-labels+gan` in the list below did not, nor did those that chose the weight of the GAN. Of a row of
the ablation its seed is recorded, but neither versions nor time; `results/ablation-times.csv` has the times that made
the numbers of iterations.

{ablation_table()}
Percentage points, paired by split. Sixteen questions are one family: the adjusted intervals, by Holm's rule, are read
only for whether they exclude zero.

{question_table()}
### Earlier runs beside the ablation

What they say of fakes that are not distorted (*plain*), and of batches that unlabelled images share with labelled ones.
Three splits, another processor, each row at its default learning rate, 15,000 iterations of distortions, 12,000 of
shared batches, 10,000 of pseudo-labels and 5,000 with a GAN. So these intervals, which are not adjusted for their
number, give hints and no verdicts.

{earlier_table(every)}
### The guard and the stress test

The hypothesis that was announced for fresh splits, 5 to 9, with 100 labels: beside pseudo-labels and distortions, a GAN
guards styles that would be lost. At equal time, it changes the accuracy by {guard_difference()}.

The stress test, with 100 labels on the splits 0 to 4: nine of ten unlabelled 5s to 9s are taken away. The
unbalanced runs of the splits 0 to 3 were made on another processor than all others here, which moves them by some
tenths as well.

{stress_table()}
## Paired differences

The mean difference within pairs of runs with the same seeds, in percentage points, with Student's t interval.
[Chapter 6](../notebooks/06_fair_comparison.ipynb) explains it, and says what becomes of these intervals if one adjusts
for their number.

{difference_table(results)}
## Likelihood and calibration

{calibration_table(results)}
## Choices made on validation images

All on the last 10,000 training images, with split seeds that no reported run uses. Repeat with
`python tools/choose_settings.py` in a copy of the repository. Not recorded are the trials that gave the feature
discriminator its layers, and *noisy student* its noise, its milder distortions and its falling threshold.

The trunk and the learning rate, for the SGAN and for the matched network alike, with 1,000 labels:

{csv_table("validation.csv")}
The distortions of the tuned network, its learning rate and its average:

{csv_table("validation-tuned.csv")}
The balance of the pseudo-labels, the learning rate, and the weight of the GAN beside them:

{csv_table("validation-pseudo-labels.csv")}
Later choices, mean ± standard deviation over splits. Candidates with fewer than six splits are not finished:

{choice_table()}
## Published test errors

Per cent, mean ± standard deviation over splits where we have verified one.

{markdown(["method", "labels", "error, %", "source"], errors)}
## Every run

Minutes are wall time. Some runs shared their two cores with other work, and those recorded before 24 November 2026 also
waited for TensorFlow's input pipeline at the end of each 1,000 iterations, so compare minutes only roughly.

{run_table(every)}"""
