"""Loading, verifying and splitting MNIST, and the stream of batches."""

import dataclasses
import functools
import gzip
import hashlib
import http.server
import os
import pathlib
import threading

import numpy as np
import pooch
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
    with np.load(MNIST_PATH) as archive:
        arrays = dict(archive)
    for name, stem in data.IDX_FILES.items():
        content = idx_content(arrays[name])
        path = tmp_path / (stem + ".gz" if packed else stem)
        path.write_bytes(gzip.compress(content, 1) if packed else content)
    mnist = data.load_mnist(tmp_path)
    assert mnist.source == "full"
    assert np.array_equal(mnist.test_labels, arrays["y_test"])


def idx_content(array):
    """Return an array in the IDX format: magic number, big-endian sizes, bytes."""
    return np.array([2048 + array.ndim, *array.shape], ">i4").tobytes() + array.tobytes()


@pytest.fixture
def tiny_mnist(monkeypatch):
    """Six training and two test images that pass for the whole database."""
    generator = np.random.default_rng(0)
    shapes = {"x_train": (6, 28, 28), "y_train": (6,), "x_test": (2, 28, 28), "y_test": (2,)}
    arrays = {name: generator.integers(0, 10, shape).astype(np.uint8) for name, shape in shapes.items()}
    monkeypatch.setattr(data, "ARRAY_SHAPES", shapes)
    monkeypatch.setattr(
        data, "ARRAY_HASHES", {name: hashlib.sha256(array).hexdigest() for name, array in arrays.items()}
    )
    return arrays


@pytest.fixture
def server(tmp_path):
    """A web server: the folder that it serves, its address, and the paths that were asked for."""
    (tmp_path / "served").mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield tmp_path / "served", f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def test_the_sources_come_in_their_order(tiny_mnist, server, no_mnist, monkeypatch, tmp_path, capsys):
    folder, address, asked = server
    np.savez(folder / "mnist.npz", **tiny_mnist)
    np.savez(tmp_path / "mine.npz", **tiny_mnist)
    read = []
    original = data._read_path
    monkeypatch.setattr(data, "_read_path", lambda path, where: read.append(where) or original(path, where))
    assert data.load_mnist().source == "sample"  # nothing is there and nothing can be had
    assert (read, asked) == ([], [])
    monkeypatch.setattr(data, "DOWNLOAD_URL", address + "/mnist.npz")
    assert data.load_mnist("auto").source == "sample"  # what the server has is not the published archive
    assert not (tmp_path / "cache" / "mnist.npz").exists()
    monkeypatch.setattr(data, "DOWNLOAD_HASH", "sha256:" + pooch.file_hash(folder / "mnist.npz"))
    asked.clear()
    assert data.load_mnist().source == "full"  # downloaded
    assert data.load_mnist("full").source == "full"  # from the cache
    assert len(asked) == 1 and read == ["the cache of load_mnist"] * 2
    (tmp_path / "cache" / "mnist.npz").write_bytes(b"damaged in the cache")
    assert data.load_mnist().source == "full"  # downloaded again
    assert len(asked) == 2
    monkeypatch.setenv("SGAN_MNIST", str(tmp_path / "mine.npz"))
    assert data.load_mnist().source == data.load_mnist("full").source == "full"
    assert read[-2:] == ["the environment variable SGAN_MNIST"] * 2
    assert data.load_mnist(str(folder / "mnist.npz")).source == "full"
    assert read[-1] == "the 'source' parameter of load_mnist" and len(asked) == 2
    capsys.readouterr()
    assert data.load_mnist("sample").source == "sample"
    assert capsys.readouterr().out.count("sample") >= 1


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_tiny_idx_files_are_read_and_damage_in_them_is_named(tiny_mnist, tmp_path, ending):
    pack = gzip.compress if ending else bytes
    for name, stem in data.IDX_FILES.items():
        (tmp_path / (stem + ending)).write_bytes(pack(idx_content(tiny_mnist[name])))
    mnist = data.load_mnist(tmp_path)
    assert mnist.source == "full" and mnist.train_labels.tolist() == tiny_mnist["y_train"].tolist()
    np.testing.assert_allclose(mnist.test_images[..., 0], tiny_mnist["x_test"] / 127.5 - 1.0, atol=1e-6)
    path = tmp_path / (data.IDX_FILES["x_test"] + ending)
    refused = 0
    for damaged in damages(path.read_bytes()):
        path.write_bytes(damaged)
        try:
            data.load_mnist(tmp_path)
        except ValueError as error:
            refused += 1
            assert str(tmp_path) in str(error) and ("t10k-images" in str(error) or "'x_test'" in str(error))
    assert refused > 30
    path.unlink()
    with pytest.raises(FileNotFoundError, match="lacks t10k-images"):
        data.load_mnist(tmp_path)


def test_damage_anywhere_in_an_archive_is_named(tiny_mnist, tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez_compressed(path, **tiny_mnist)
    refused = 0
    for damaged in damages(path.read_bytes()):
        path.write_bytes(damaged)
        try:
            data.load_mnist(path)
        except ValueError as error:  # every other kind of error fails the test
            refused += 1
            assert str(path) in str(error) and "'source' parameter of load_mnist" in str(error)
    assert refused > 60


def damages(content):
    """Return copies of `content`, each cut off or with one byte changed somewhere."""
    places = np.unique(np.linspace(0, len(content) - 1, 60).astype(int))
    for place in places:
        yield content[:place]
        for change in (1, 8, 255):
            yield content[:place] + bytes([content[place] ^ change]) + content[place + 1 :]


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


def test_labelled_and_unlabelled_images_of_a_batch_come_from_streams_of_their_own():
    images = np.zeros((300, 28, 28, 1), np.float32)
    images[:, 0, 0, 0] = np.arange(300) / 300  # each image can be told by its first pixel
    split = data.split_labeled(images, np.arange(300) % 2, 75, seed=0)
    for step, ours, labels, unlabeled in data.batch_stream(split, seed=5, start=2, stop=4, batch_size=40):
        labeled_rows = data.draw_rows(5, "labeled_batch", step, 40, 150).numpy()
        unlabeled_rows = data.draw_rows(5, "unlabeled_batch", step, 40, 150).numpy()
        assert np.array_equal(ours, split.labeled_images[labeled_rows])
        assert np.array_equal(labels, split.labeled_labels[labeled_rows])
        assert np.array_equal(unlabeled, split.unlabeled_images[unlabeled_rows])
        assert not np.array_equal(labeled_rows, unlabeled_rows)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"split": None}, TypeError, "'split' parameter of batch_stream must be a LabeledSplit. Got 'NoneType'"),
        ({"seed": -1}, ValueError, "'seed' parameter of batch_stream.*Got -1"),
        ({"seed": 2**31}, ValueError, "'seed'.*2147483647.*Got 2147483648"),
        ({"seed": 0.5}, TypeError, "'seed'.*Got 0.5"),
        ({"start": -1}, ValueError, "'start'.*at least 0. Got -1"),
        ({"start": 3}, ValueError, "'stop'.*at least 3. Got 2"),
        ({"stop": 2.5}, TypeError, "'stop'.*Got 2.5"),
        ({"batch_size": 0}, ValueError, "'batch_size'.*at least 1. Got 0"),
        ({"batch_size": True}, TypeError, "'batch_size'.*Got True"),
    ],
)
def test_bad_arguments_of_the_stream_are_named(bar_split, change, error, message):
    with pytest.raises(error, match=message):
        data.batch_stream(**{"split": bar_split, "seed": 0, "start": 0, "stop": 2, **change})


def test_a_split_without_unlabelled_images_or_labels_has_no_stream(bar_split):
    for part, count in (("unlabeled_images", "0 unlabelled"), ("labeled_labels", "0 labels")):
        empty = dataclasses.replace(bar_split, **{part: getattr(bar_split, part)[:0]})
        with pytest.raises(ValueError, match=f"'split' parameter of batch_stream.*{count}"):
            data.batch_stream(empty, seed=0, start=0, stop=1)


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
    with pytest.raises(TypeError, match="'mnist' parameter of hold_out_validation must be a Mnist. Got 'tuple'"):
        data.hold_out_validation((sample.train_images, sample.train_labels), 10)


def test_numpy_integers_draw_the_same_numbers(bar_split):
    for seed in (200, 2**31 - 1):
        kinds = [np.int64, np.uint32, *([np.uint8] if seed == 200 else [])]
        for kind in kinds:
            for ours, theirs in zip(
                data.batch_stream(bar_split, seed=kind(seed), start=kind(0), stop=kind(1), batch_size=np.int64(4)),
                data.batch_stream(bar_split, seed=seed, start=0, stop=1, batch_size=4),
                strict=True,
            ):
                assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    images, labels = np.zeros((300, 28, 28, 1), np.float32), np.arange(300) % 2
    held = data.hold_out_validation(data.Mnist(images, labels, images, labels, "sample"), np.uint8(10))
    assert (len(held.train_images), len(held.test_images)) == (290, 10)
    ours = data.split_labeled(images, labels.astype(np.uint64), np.uint8(7), seed=np.uint8(3))
    assert np.array_equal(ours.labeled_indices, data.split_labeled(images, labels, 7, seed=3).labeled_indices)


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
        ({"labels": LABELS * 10**12}, ValueError, "'labels'.*every class from 0 to 1000000000000.*class 1, 2, 3"),
        ({"labels": LABELS.tolist()}, TypeError, "'labels'.*list"),
        ({"labels": LABELS == 1}, TypeError, "'labels'.*bool"),
    ],
)
def test_bad_arguments_of_split_labeled_are_named(change, error, message):
    arguments = {"images": GOOD, "labels": LABELS, "per_class": 1, "seed": 0}
    data.split_labeled(**{**arguments, "per_class": np.int64(1)})
    with pytest.raises(error, match=message):
        data.split_labeled(**{**arguments, **change})


def test_a_stream_that_is_used_up_keeps_nobody_waiting(bar_split):
    # The tuner of tf.data wakes up 5.1 s after its start, and a fit of 4 s used to end only then.
    options = data.batch_stream(bar_split, seed=0, start=0, stop=3).options()
    assert options.autotune.enabled is False
