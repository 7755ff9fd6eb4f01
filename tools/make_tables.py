"""Write the result table, from results/runs.csv, into results/table.md and README.md.

`--check` writes nothing and fails if a table is not what it would write.
"""

import pathlib
import re
import sys

from sgan_helpers.experiments import load_results

ROOT = pathlib.Path(__file__).parents[1]
NAMES = {"supervised": "supervised network, matched", "sgan": "SGAN"}
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


def make_table(results):
    """Return the table in Markdown: a row for each method, number of labels, recipe and number of iterations."""
    lines = [
        "| method | labels | iterations | runs | test accuracy, mean ± standard deviation |",
        "|---|---|---|---|---|",
        "| the blog post of 2020, as reported | 1,000 | 10,000 | 1 | about 94.8 % |",
    ]
    groups = results[results["data_source"] == "full"].groupby(["labels", "method", "recipe", "iterations"])
    for (labels, method, _, iterations), runs in sorted(groups, key=lambda group: (group[0][0], group[0][1] == "sgan")):
        accuracy = 100 * runs["test_accuracy"]
        lines.append(
            f"| {NAMES[method]} | {labels:,} | {iterations:,} | {len(runs)} | "
            f"{accuracy.mean():.2f} ± {accuracy.std(ddof=1):.2f} % |"
        )
    return "\n".join(lines) + "\n"


def main():
    """Write both tables, or check them."""
    table = make_table(load_results(ROOT / "results" / "runs.csv"))
    readme = (ROOT / "README.md").read_text()
    pattern = re.compile(f"{BEGIN}.*{END}", re.DOTALL)
    written = {
        ROOT / "results" / "table.md": table,
        ROOT / "README.md": pattern.sub(f"{BEGIN}\n{table}{END}", readme),
    }
    for path, text in written.items():
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"The table in {path.relative_to(ROOT)} is stale: run `make pages`.")


if __name__ == "__main__":
    main()
