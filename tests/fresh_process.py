"""Run a function in a process of its own that has TensorFlow loaded already, and nothing of ours.

A server process imports the libraries once, before any of them has computed anything, and is forked for each call: a
tenth of a second in place of five. What the function changes, in modules or in the environment, ends with it.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["tensorflow", "keras", "pandas", "sklearn.metrics", "scipy.stats", "matplotlib.pyplot", "mlxtend.data", "IPython"]
)


def run_in_fresh_process(function, *arguments):
    """Return what a module-level function returns, or raise what it raises."""
    with ProcessPoolExecutor(1, mp_context=CONTEXT) as pool:
        return pool.submit(function, *arguments).result()
