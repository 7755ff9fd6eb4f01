"""Run a function in a process of its own that has TensorFlow loaded already, and nothing of ours.

A server process imports the libraries once, before any of them has computed anything, and is forked for each call: a
tenth of a second in place of five. What the function changes, in modules or in the environment, ends with it. Digits
are those of the embedded sample, which the server has parsed, too.
"""

import multiprocessing
import os
import pathlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver

import pytest

LIBRARIES = ["tensorflow", "keras", "pandas", "sklearn.metrics", "scipy.stats", "matplotlib.pyplot", "IPython"]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([*LIBRARIES, "preloaded_sample"])


def run_in_fresh_process(function, *arguments):
    """Return what a module-level function returns, or raise what it raises."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(pathlib.Path(__file__).parent), prepend=os.pathsep)  # for the server alone
        forkserver.ensure_running()
    with ProcessPoolExecutor(1, mp_context=CONTEXT) as pool:
        return pool.submit(_on_sample, function, *arguments).result()


def _on_sample(function, *arguments):
    os.environ["SGAN_MNIST"] = "sample"
    return function(*arguments)
