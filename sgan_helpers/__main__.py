"""The command line, `python -m sgan_helpers train | sweep | evaluate | data`: it parses, calls, prints and draws."""

import argparse
import io
import itertools
import json
import os
import pathlib
import sys
from dataclasses import replace

from sgan_helpers.checkpoints import write_atomically
from sgan_helpers.checks import check_backend, check_path
from sgan_helpers.console import import_tensorflow, signals_handled, unbreakable_output
from sgan_helpers.methods import METHODS

EPILOG = """examples:
  python -m sgan_helpers data                                     which MNIST will be used, and what is in it
  python -m sgan_helpers train --output runs/first                the book's SGAN: 1,000 labels, 10,000 iterations
  python -m sgan_helpers train --output runs/first --resume       go on with it after Ctrl-C
  python -m sgan_helpers train --method supervised --output runs/baseline
  python -m sgan_helpers sweep --methods supervised sgan --labels-per-class 2 10 --seeds 0 1 2
                                                                  compare methods; stopped, the same command goes on
  python -m sgan_helpers evaluate runs/first                      test the saved classifier again
"""
DEFAULT_ITERATIONS = 10000
MARK = {"Source": "sgan_helpers"}  # in the pictures that a command may draw anew
DATA_HELP = "auto, full, sample, or the path of an mnist.npz"


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Options with their defaults, where there is one to name, and the list of methods as it is written."""

    def _get_help_string(self, action):
        return action.help if action.default is None else super()._get_help_string(action)


def main(arguments=None):
    """Run one command. Returns the exit status: 0 done, 1 an error that is explained, 130 stopped by a signal."""
    with unbreakable_output():
        options = build_parser().parse_args(arguments)
        try:
            with signals_handled(_stop):
                check_backend()
                options.command(options)
        except KeyboardInterrupt as stop:
            print(str(stop) or "Stopped.", file=sys.stderr)
            if "output" in options and any(pathlib.Path(options.output).glob("checkpoint-[0-9]*.npz")):
                print("Go on with the same command and --resume.", file=sys.stderr)
            return 130
        except (ValueError, TypeError, OSError, FloatingPointError, RuntimeError, ImportError, MemoryError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        return 0


def _stop(number, frame):
    raise KeyboardInterrupt


def build_parser():
    """Return the argument parser, with a help text for someone who has never seen the program."""
    parser = argparse.ArgumentParser(
        prog="python -m sgan_helpers",
        description="Train and test a semi-supervised GAN (SGAN) on MNIST: a classifier that learns from a few "
        "labelled digits and many unlabelled ones.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    method_help = "methods:\n" + "\n".join(f"  {name:18s} {method.help}" for name, method in METHODS.items())
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="train a classifier and keep everything in a run folder",
        description="Train a classifier, test it as it learns and keep everything in a run folder:\n"
        "summary.json, history.csv, losses.csv, the final weights, the generated digits and pictures of them.",
        epilog=method_help,
        formatter_class=HelpFormatter,
    )
    train.add_argument("--method", choices=METHODS, default="sgan", metavar="METHOD", help="one of those below")
    train.add_argument("--labels-per-class", type=int, default=100, metavar="N", help="labelled images of each digit")
    train.add_argument("--seed", type=int, default=0, help="of the initial weights, the batches and the noise")
    train.add_argument("--split-seed", type=int, default=None, help="which images are labelled (default: as --seed)")
    train.add_argument(
        "--iterations",
        type=int,
        default=None,
        metavar="N",
        help="training iterations in total (default: 10000; with --resume those that the run was begun with)",
    )
    train.add_argument(
        "--evaluate-every", type=int, default=1000, metavar="N", help="iterations between two tests, and checkpoints"
    )
    train.add_argument("--data", default="auto", metavar="SOURCE", help=DATA_HELP)
    train.add_argument("--output", default="runs/first", metavar="FOLDER", help="the run folder to make")
    train.add_argument("--resume", action="store_true", help="go on with the run in FOLDER from its last checkpoint")
    train.set_defaults(command=train_command)

    sweep = commands.add_parser(
        "sweep",
        help="run a grid of methods, numbers of labels and seeds, and record a row for each run",
        description="Run every combination of method, number of labels and seed that is not recorded yet. Each "
        "finished run becomes a row of the CSV. Stopped by Ctrl-C, or by a crash, the same command goes on where it "
        "was. With --scheduler the runs are spread over the workers of a Dask cluster.",
        epilog=method_help,
        formatter_class=HelpFormatter,
    )
    sweep.add_argument(
        "--methods",
        nargs="+",
        choices=METHODS,
        default=["supervised", "supervised-tuned", "sgan"],
        metavar="METHOD",
        help="methods to compare, of those below",
    )
    sweep.add_argument(
        "--labels-per-class", nargs="+", type=int, default=[10], metavar="N", help="labelled images of each digit"
    )
    sweep.add_argument(
        "--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="S", help="of the split and of the run, both"
    )
    sweep.add_argument("--iterations", type=int, default=10000, metavar="N", help="training iterations of each run")
    sweep.add_argument("--data", default="auto", metavar="SOURCE", help=DATA_HELP)
    sweep.add_argument("--output", default="runs/sweep.csv", metavar="CSV", help="the table that gets the rows")
    sweep.add_argument("--runs", default="runs/sweep", metavar="FOLDER", help="holds a run folder for each run")
    sweep.add_argument(
        "--processes",
        type=int,
        default=None,
        metavar="N",
        help="runs at a time, of 1.1 GB each (default: one a core)",
    )
    sweep.add_argument(
        "--scheduler", default=None, metavar="ADDRESS", help="a Dask scheduler, for instance tcp://10.0.0.1:8786"
    )
    sweep.set_defaults(command=sweep_command)

    evaluate = commands.add_parser(
        "evaluate",
        help="test the classifier of a finished run",
        description="Load the classifier of a finished run folder and test it on MNIST's test images.",
        formatter_class=HelpFormatter,
    )
    evaluate.add_argument("run", metavar="RUN", help="a run folder, for instance runs/first")
    evaluate.add_argument("--data", default=None, metavar="SOURCE", help=f"{DATA_HELP} (default: what the run used)")
    evaluate.set_defaults(command=evaluate_command)

    data = commands.add_parser(
        "data",
        help="say which MNIST will be used and what is in it",
        description="Load MNIST, verify it, and print how many images of each digit there are.",
        formatter_class=HelpFormatter,
    )
    data.add_argument("--data", default="auto", metavar="SOURCE", help=DATA_HELP)
    data.set_defaults(command=data_command)
    return parser


def train_command(options):
    """Train, and draw the run's pictures."""
    import_tensorflow()
    from sgan_helpers.data import split_labeled
    from sgan_helpers.mnist import load_mnist
    from sgan_helpers.run_folder import planned_iterations
    from sgan_helpers.training import train

    planned = planned_iterations(options.output) if options.resume and options.iterations is None else None
    iterations = options.iterations if options.iterations is not None else planned or DEFAULT_ITERATIONS
    split_seed = options.seed if options.split_seed is None else options.split_seed
    mnist = load_mnist(options.data)
    split = split_labeled(mnist.train_images, mnist.train_labels, options.labels_per_class, seed=split_seed)
    mnist = replace(mnist, train_images=None)  # the split holds them: one copy is enough while training
    print(
        f"{options.method} on {len(split.labeled_labels):,} labelled and {len(split.unlabeled_images):,} unlabelled "
        f"images, {iterations:,} iterations, into {options.output}"
    )
    run = train(
        options.method,
        split,
        test_images=mnist.test_images,
        test_labels=mnist.test_labels,
        iterations=iterations,
        evaluate_every=options.evaluate_every,
        seed=options.seed,
        split_seed=split_seed,
        output_dir=options.output,
        resume=options.resume,
        data_source=mnist.source,
    )
    draw_pictures(run)
    print(
        f"test accuracy after the last iteration: {100 * run.summary['test_accuracy']:.2f} %  "
        f"({run.summary['seconds']:.0f} s; everything is in {options.output})"
    )


def sweep_command(options):
    """Run a grid, print the mean of each cell and the paired differences, and draw the curve."""
    import_tensorflow()
    import matplotlib

    matplotlib.use("Agg")
    from sgan_helpers import plotting
    from sgan_helpers.results import paired_difference
    from sgan_helpers.sweep import sweep

    picture = pathlib.Path(os.path.splitext(options.output)[0] + ".png")
    if picture.exists() and not is_ours(picture):
        raise FileExistsError(
            f"The picture of the table would overwrite {str(picture)!r}, which no sweep has drawn, or an older one. "
            "Move it, or name another --output."
        )
    try:
        results = sweep(
            options.methods,
            options.labels_per_class,
            options.seeds,
            iterations=options.iterations,
            path=options.output,
            runs_dir=options.runs,
            source=options.data,
            processes=options.processes,
            scheduler=options.scheduler,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Stopped. The finished runs are recorded; the same command goes on.") from None
    print("\ntest accuracy in %, mean ± standard deviation (runs)")
    errors = {method: {} for method in options.methods}
    for labels, method in itertools.product(sorted(set(results["labels"])), options.methods):
        runs = results.query("labels == @labels and method == @method")["test_accuracy"]
        errors[method][labels] = 100 * (1 - runs.to_numpy())
        deviation = f" ± {100 * runs.std():.2f}" if len(runs) > 1 else ""
        print(f"{labels:6,} labels  {method:17s} {100 * runs.mean():6.2f}{deviation} ({len(runs)})")
    for method in options.methods:
        if method != "supervised" and "supervised" in options.methods and len(options.seeds) > 1:
            print(f"\n{method} minus supervised, paired by seed, in percentage points, 95 % interval")
            for labels, row in paired_difference(results, method, "supervised").iterrows():
                mean, low, high = 100 * row[["mean", "low", "high"]]
                print(f"{labels:6,} labels  {mean:+.2f}, {low:+.2f} to {high:+.2f}")
    save_picture(plotting.plot_label_curve(errors), picture)
    print(f"\nThe rows are in {options.output}, a picture of them in {picture}.")


def draw_pictures(run):
    """Save a run's accuracy, losses and generated digits as pictures in its folder."""
    import matplotlib

    matplotlib.use("Agg")
    from sgan_helpers import plotting

    iterations = [row["iteration"] for row in run.history]
    accuracies = {run.summary["method"]: [row["test_accuracy"] for row in run.history]}
    save_picture(plotting.plot_accuracy(iterations, accuracies), run.output_dir / "accuracy.png")
    if len(run.losses) > 1:
        save_picture(plotting.plot_losses(run.losses), run.output_dir / "losses.png")
    if run.samples is not None:
        save_picture(plotting.plot_samples(run.samples, iterations), run.output_dir / "digits.png")
        write_atomically(run.output_dir / "digits.gif", plotting.animate_samples(run.samples))


def save_picture(figure, path):
    """Write a figure as PNG, the whole of it or nothing, with a mark by which `is_ours` knows it again."""
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata=MARK)
    write_atomically(path, content.getvalue())


def is_ours(picture):
    """Return whether a file is a picture that `save_picture` has written."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(picture) as image:
            return image.info.get("Source") == MARK["Source"]
    except (UnidentifiedImageError, OSError):
        return False


def evaluate_command(options):
    """Test a saved classifier and print its metrics."""
    import_tensorflow()
    from sgan_helpers.methods.build import build_model
    from sgan_helpers.metrics import evaluate_logits
    from sgan_helpers.mnist import load_mnist
    from sgan_helpers.networks import predict_logits
    from sgan_helpers.run_folder import WEIGHTS, data_fingerprint, load_weights

    check_path("evaluate", "RUN", options.run)
    folder = pathlib.Path(options.run)
    summary_path = folder / "summary.json"
    weights_path = folder / WEIGHTS["class_discriminator"]
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no run folder {str(folder)!r}.")
    if not summary_path.exists():
        raise FileNotFoundError(f"{str(folder)!r} holds no finished run: finish it with train --resume.")
    try:
        summary = json.loads(summary_path.read_text())
        headline = "{method}, {labels} labels, seed {seed}, {iterations:,} iterations".format(**summary)
        has_network, source = METHODS[summary["method"]].has_network, summary["data_source"]
        model = build_model(summary["method"], summary.get("num_classes", 10), seed=0)
        checksum = summary.get("weights", {}).get(weights_path.name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"The file {str(summary_path)!r} is no summary of a run.") from error
    if not has_network:
        raise ValueError(f"The method {summary['method']!r} keeps no network to test again. Train it again: see train.")
    if source not in ("full", "sample"):
        raise ValueError(
            f"The run in {str(folder)!r} was trained on {source!r}, which is not MNIST. Test it in Python: "
            f"build_model({summary['method']!r}, {summary.get('num_classes', 'K')}, seed=0).class_discriminator with "
            "load_weights, then predict_logits and evaluate_logits on your test images."
        )
    load_weights(model.class_discriminator, weights_path, checksum)
    mnist = load_mnist(source if options.data is None else options.data)
    tested = data_fingerprint(mnist.test_images, mnist.test_labels)
    if mnist.source != source or summary.get("test_fingerprint", tested) != tested:
        raise ValueError(
            f"The run in {str(folder)!r} was tested on other images than those of {mnist.source!r}: it used {source!r}"
            + (". Leave out --data." if mnist.source != source else ", and these are not the same. Test it in Python.")
        )
    metrics = evaluate_logits(predict_logits(model.class_discriminator, mnist.test_images), mnist.test_labels)
    print(headline)
    print(f"test images                 {len(mnist.test_labels):,}")
    print(f"accuracy                    {100 * metrics['accuracy']:.2f} %")
    print(f"negative log-likelihood     {metrics['nll']:.4f} nats")
    print(f"expected calibration error  {metrics['ece']:.4f}")
    print("confusion matrix (rows: true digit, columns: predicted digit)")
    print(metrics["confusion"])


def data_command(options):
    """Print what the chosen MNIST holds."""
    import numpy as np

    from sgan_helpers.mnist import load_mnist

    mnist = load_mnist(options.data)
    print(f"source: {mnist.source}, verified by SHA-256" if mnist.source == "full" else f"source: {mnist.source}")
    for name, labels in (("training", mnist.train_labels), ("test", mnist.test_labels)):
        counts = " ".join(f"{count:5d}" for count in np.bincount(labels, minlength=10))
        print(f"{name:8s} {len(labels):6,} images; of the digits 0 to 9: {counts}")


if __name__ == "__main__":
    sys.exit(main())
