"""Run a function in a process of its own that has TensorFlow loaded already, and nothing of ours.

A server process imports the libraries once, before any of them has computed anything, and is forked for each call: a
tenth of a second in place of five. What the function changes, in modules or in the environment, ends with it. Digits
are those of the embedded sample.
"""

import gc
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

LIBRARIES = ["tensorflow", "keras", "pandas", "sklearn.metrics", "scipy.stats", "matplotlib.pyplot", "IPython"]
LIBRARIES += ["tqdm", "nbformat", "yaml", "pytest"]  # what the tests themselves import, a second in each process
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(LIBRARIES)


def run_in_fresh_process(function, *arguments):
    """Return what a module-level function returns, or raise what it raises."""
    with ProcessPoolExecutor(1, mp_context=CONTEXT) as pool:
        return pool.submit(_on_sample, function, *arguments).result()


def _on_sample(function, *arguments):
    gc.freeze()  # what is loaded stays: no need to search it whenever thousands of Keras variables have been made
    gc.set_threshold(50_000, 20, 100)
    os.environ["SGAN_MNIST"] = "sample"
    return function(*arguments)
