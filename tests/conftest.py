"""Fixtures that several tests share: the embedded sample, and tiny images that are not MNIST."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # each core has a process of tests already
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
import signal

import numpy as np
import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a shell begins by ignoring it

# The package is imported inside the fixtures: pytest-xdist's controller reads this file, too, and runs no test. Seven
# seconds of TensorFlow would be for nothing there, with both workers waiting.


@pytest.fixture(autouse=True)
def no_network_and_no_cache(monkeypatch, tmp_path):
    """Whatever a test does by mistake, it downloads nothing and leaves the user's cache alone."""
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr("sgan_helpers.mnist.DOWNLOAD_URL", "http://127.0.0.1:9/mnist.npz")
    monkeypatch.setattr("sgan_helpers.mnist.DOWNLOAD_PAUSES", (0.01, 0.01, 0.01))


@pytest.fixture(scope="session")
def sample():
    """The embedded sample of MNIST: 4,000 training and 1,000 test digits."""
    from sgan_helpers import mnist

    return mnist.load_mnist("sample")


@pytest.fixture(scope="session")
def bars():
    """Images that are not MNIST: a bright bar at one of three heights, with noise. Images and labels."""
    generator = np.random.default_rng(0)
    labels = np.arange(300) % 3
    images = generator.uniform(-1.0, -0.4, (300, 28, 28, 1)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[4 + 8 * label : 8 + 8 * label] = 0.9
    return images, labels


@pytest.fixture(scope="session")
def bar_split(bars):
    """A labelled split of the bars: 10 labels of each of three classes."""
    from sgan_helpers import data

    images, labels = bars
    return data.split_labeled(images[:240], labels[:240], 10, seed=0)


@pytest.fixture(autouse=True, scope="session")
def rare_collections():
    """What is imported by now lives until the end: the garbage collector need not search TensorFlow's modules."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
