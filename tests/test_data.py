"""Loading, verifying and splitting MNIST, and the stream of batches."""

import gzip
import os
import pathlib

import numpy as np
import pytest

from sgan_helpers import data

MNIST_PATH = os.environ.get("SGAN_MNIST", "")
needs_mnist = pytest.mark.skipif(not MNIST_PATH, reason="SGAN_MNIST names no copy of the whole database")


@pytest.fixture
def no_mnist(monkeypatch, tmp_path):
    """No SGAN_MNIST, an empty cache, and a network that refuses."""
    monkeypatch.delenv("SGAN_MNIST", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr(data, "DOWNLOAD_URL", "http://127.0.0.1:9/mnist.npz")


def test_the_sample_is_balanced_scaled_and_announced_in_one_line(capsys):
    mnist = data.load_mnist("sample")
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert "sample" in printed and "4,000" in printed
    assert mnist.source == "sample"
    assert mnist.train_images.shape == (4000, 28, 28, 1) and mnist.test_images.shape == (1000, 28, 28, 1)
    assert np.bincount(mnist.train_labels).tolist() == [400] * 10
    assert np.bincount(mnist.test_labels).tolist() == [100] * 10
    assert mnist.train_images.dtype == np.float32
    assert mnist.train_images.min() == -1.0 and mnist.train_images.max() == 1.0


def test_auto_falls_back_to_the_sample_and_full_does_not(no_mnist, capsys):
    assert data.load_mnist().source == "sample"
    assert "no download" in capsys.readouterr().out
    with pytest.raises(ConnectionError, match="SGAN_MNIST"):
        data.load_mnist("full")


def test_auto_prefers_the_environment_variable_and_does_not_hide_its_mistakes(no_mnist, monkeypatch, tmp_path):
    monkeypatch.setenv("SGAN_MNIST", str(tmp_path / "absent.npz"))
    for source in ("auto", "full"):
        with pytest.raises(FileNotFoundError, match="absent.npz.*SGAN_MNIST"):
            data.load_mnist(source)


@needs_mnist
def test_path_and_environment_variable_give_the_whole_database():
    for mnist in (data.load_mnist(MNIST_PATH), data.load_mnist(pathlib.Path(MNIST_PATH)), data.load_mnist()):
        assert mnist.source == "full"
        assert mnist.train_images.shape == (60000, 28, 28, 1) and mnist.test_images.shape == (10000, 28, 28, 1)
        assert np.bincount(mnist.train_labels).min() == 5421
        assert mnist.train_images.min() == -1.0 and mnist.train_images.max() == 1.0


@needs_mnist
@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_idx_files_gives_the_same_arrays(tmp_path, packed):
    arrays = np.load(MNIST_PATH)
    for name, stem in data.IDX_FILES.items():
        array = arrays[name]
        header = np.array([2048 + array.ndim, *array.shape], ">i4").tobytes()
        content = header + array.tobytes()
        path = tmp_path / (stem + ".gz" if packed else stem)
        path.write_bytes(gzip.compress(content, 1) if packed else content)
    mnist = data.load_mnist(tmp_path)
    assert mnist.source == "full"
    assert np.array_equal(mnist.test_labels, arrays["y_test"])
    (tmp_path / (data.IDX_FILES["y_test"] + (".gz" if packed else ""))).write_bytes(b"short")
    with pytest.raises(ValueError, match="t10k-labels"):
        data.load_mnist(tmp_path)


@needs_mnist
def test_a_verified_copy_in_the_cache_is_used(no_mnist, monkeypatch, tmp_path):
    import pooch

    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "mnist.npz").write_bytes(pathlib.Path(MNIST_PATH).read_bytes())
    monkeypatch.setattr(data, "DOWNLOAD_HASH", "sha256:" + pooch.file_hash(MNIST_PATH))
    assert data.load_mnist().source == "full"


@needs_mnist
def test_a_download_is_verified_and_cached(no_mnist, monkeypatch, tmp_path):
    import functools
    import http.server
    import threading

    import pooch

    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=pathlib.Path(MNIST_PATH).parent)
    handler.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{pathlib.Path(MNIST_PATH).name}"
        monkeypatch.setattr(data, "DOWNLOAD_URL", address)
        with pytest.raises(ConnectionError):  # the file's hash is not that of the published archive
            data.load_mnist("full")
        assert not (tmp_path / "cache" / "mnist.npz").exists()
        monkeypatch.setattr(data, "DOWNLOAD_HASH", "sha256:" + pooch.file_hash(MNIST_PATH))
        assert data.load_mnist("full").source == "full"
        server.shutdown()
    assert data.load_mnist("full").source == "full"  # from the cache, with the server gone


def fake_arrays(**changes):
    """Arrays with MNIST's names, shapes and dtypes, but not its content."""
    arrays = {name: np.zeros(shape, np.uint8) for name, shape in data.ARRAY_SHAPES.items()}
    return {name: array for name, array in {**arrays, **changes}.items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (fake_arrays(), "'x_train'.*not its content.*split_labeled and train"),
        (fake_arrays(y_test=None), "must hold the arrays.*Got x_train, y_train, x_test"),
        (fake_arrays(x_train=np.zeros((10, 28, 28), np.uint8)), r"'x_train'.*must be uint8.*Got uint8 of shape \(10"),
        (fake_arrays(x_train=np.zeros((60000, 28, 28), np.float32)), "'x_train'.*must be uint8.*Got float32"),
        (fake_arrays(y_train=np.array([{}], object)), "not a readable .npz"),
    ],
    ids=["content", "missing", "shape", "dtype", "pickle"],
)
def test_a_wrong_archive_is_refused_by_name(tmp_path, arrays, message):
    path = tmp_path / "other.npz"
    np.savez_compressed(path, **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        data.load_mnist(path)
    assert "other.npz" in str(caught.value) and "'source'" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="broken.npz.*not a readable .npz"):
        data.load_mnist(path)


def test_a_single_array_is_no_archive(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ValueError, match="one.npy.*not a readable .npz"):
        data.load_mnist(tmp_path / "one.npy")


def test_missing_paths_and_wrong_types_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.npz"):
        data.load_mnist(tmp_path / "nowhere.npz")
    with pytest.raises(FileNotFoundError, match="lacks train-images"):
        data.load_mnist(tmp_path)
    for source in (None, 3, ""):
        with pytest.raises(TypeError, match="'source' parameter of load_mnist"):
            data.load_mnist(source)


def test_splits_of_100_seeds_are_exact_disjoint_complete_and_nested():
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(10), 60))
    images = np.zeros((600, 28, 28, 1), np.float32)
    images[:, 0, 0, 0] = np.arange(600) / 600
    seen = set()
    for seed in range(100):
        split = data.split_labeled(images, labels, 20, seed=seed)
        assert np.bincount(split.labeled_labels).tolist() == [20] * 10
        both = np.concatenate([split.labeled_indices, split.unlabeled_indices])
        assert np.array_equal(np.sort(both), np.arange(600))
        assert np.array_equal(split.labeled_images, images[split.labeled_indices])
        assert np.array_equal(split.labeled_labels, labels[split.labeled_indices])
        assert np.array_equal(split.unlabeled_images, images[split.unlabeled_indices])
        assert set(data.split_labeled(images, labels, 5, seed=seed).labeled_indices) <= set(split.labeled_indices)
        assert np.array_equal(data.split_labeled(images, labels, 20, seed=seed).labeled_indices, split.labeled_indices)
        seen.add(tuple(split.labeled_indices))
    assert len(seen) == 100


def test_a_batch_depends_on_seed_and_step_alone(bar_split):
    def batches(seed, start, stop):
        return [
            [part.numpy() for part in batch]
            for batch in data.batch_stream(bar_split, seed=seed, start=start, stop=stop)
        ]

    whole, tail, other = batches(0, 0, 6), batches(0, 4, 6), batches(1, 4, 6)
    assert [batch[0] for batch in whole] == list(range(6))
    for ours, theirs in zip(whole[4:], tail, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not np.array_equal(tail[0][1], other[0][1]) and not np.array_equal(tail[0][3], other[0][3])
    assert not np.array_equal(tail[0][1], tail[1][1])
    assert whole[0][1].shape == (100, 28, 28, 1) and whole[0][2].shape == (100,)


def test_rows_are_in_range_drawn_with_replacement_and_differ_between_streams():
    rows = np.concatenate([data.draw_rows(3, "labeled_batch", step, 100, 50).numpy() for step in range(20)])
    assert set(rows) == set(range(50))
    first = {stream: tuple(data.draw_rows(3, stream, 0, 100, 50).numpy()) for stream in data.STREAMS}
    assert len(set(first.values())) == len(data.STREAMS)


def test_validation_images_are_the_last_training_images(sample):
    held = data.hold_out_validation(sample, 500)
    assert np.array_equal(held.test_images, sample.train_images[-500:])
    assert np.array_equal(held.train_labels, sample.train_labels[:-500])
    with pytest.raises(ValueError, match="'count' parameter of hold_out_validation.*3999.*4000"):
        data.hold_out_validation(sample, 4000)


GOOD = np.zeros((4, 28, 28, 1), np.float32)
LABELS = np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"per_class": 3},
            ValueError,
            r"'per_class' parameter of split_labeled must be an int in \[1, 2\]. Got 3 inst",
        ),
        ({"per_class": 0}, ValueError, "'per_class'.*Got 0"),
        ({"per_class": True}, TypeError, "'per_class'.*Got True"),
        ({"per_class": 1.0}, TypeError, "'per_class'.*Got 1.0"),
        ({"seed": -1}, ValueError, "'seed'.*Got -1"),
        ({"seed": 2**31}, ValueError, "'seed'.*2147483647"),
        ({"seed": None}, TypeError, "'seed'.*Got None"),
        ({"images": GOOD[..., 0]}, ValueError, r"'images'.*\(N, 28, 28, 1\).*\(4, 28, 28\)"),
        ({"images": GOOD.astype(np.uint8)}, ValueError, "'images'.*float32.*uint8"),
        ({"images": GOOD[:0]}, ValueError, "'images'.*N >= 1"),
        ({"images": GOOD + np.float32(np.nan)}, ValueError, "'images'.*finite.*nan"),
        ({"images": GOOD + np.float32(255)}, ValueError, r"'images'.*\[-1, 1\].*255"),
        ({"images": GOOD.tolist()}, TypeError, "'images'.*list"),
        ({"labels": LABELS[:3]}, ValueError, r"'labels'.*4 ints.*\(3,\)"),
        ({"labels": LABELS.astype(float)}, TypeError, "'labels'.*float64"),
        ({"labels": LABELS - 1}, ValueError, "'labels'.*-1"),
        ({"labels": LABELS * 2}, ValueError, "'labels'.*every class from 0 to 2.*class 1"),
        ({"labels": LABELS.tolist()}, TypeError, "'labels'.*list"),
    ],
)
def test_bad_arguments_of_split_labeled_are_named(change, error, message):
    arguments = {"images": GOOD, "labels": LABELS, "per_class": 1, "seed": 0}
    data.split_labeled(**{**arguments, "per_class": np.int64(1)})
    with pytest.raises(error, match=message):
        data.split_labeled(**{**arguments, **change})
