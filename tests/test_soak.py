"""What takes many repetitions, `make soak`: kills, cuts, damage, bad networks, hostile files, each with its figure."""

import contextlib
import gzip
import hashlib
import http.server
import io
import itertools
import os
import pathlib
import resource
import shutil
import signal
import threading
import time

import h5py
import keras
import numpy as np
import pytest
from fresh_process import CONTEXT, run_in_fresh_process
from keras import layers
from test_training import state

from sgan_helpers import checkpoints, data, mnist, run_folder, training
from sgan_helpers.networks import build_discriminators, build_generator

pytestmark = pytest.mark.soak
SCALE = float(os.environ.get("SOAK_SCALE", 1))  # less than 1 tries the tests themselves
METHODS = ("sgan", "pseudo-labels")
ITERATIONS = 24
RANDOM = np.random.default_rng(0)


def many(number):
    """Return how many repetitions to make, of so many."""
    return max(2, round(number * SCALE))


def train_on(bars, method, folder, steps=2, slowly=False, cut=None):
    """Train on the bars in `folder`, or go on with what is there, and return the state at the end.

    `steps` is the length of an execution; `slowly` leaves the time for a kill inside a save; `cut` is the iteration at
    which Ctrl-C is pressed, and then there is no state to return.
    """
    training.STEPS_PER_EXECUTION = steps
    replace, watch = os.replace, training._Watcher.on_train_batch_end
    if slowly:
        os.replace = lambda *paths: (time.sleep(0.2), replace(*paths))
    if cut is not None:

        def pressed(self, batch, logs=None):
            if self.run.step + 1 == cut:
                signal.raise_signal(signal.SIGINT)
            watch(self, batch, logs)

        training._Watcher.on_train_batch_end = pressed
    images, labels = bars
    split = data.split_labeled(images[:240], labels[:240], 10, seed=0)
    plan = {"iterations": ITERATIONS, "evaluate_every": 4, "batch_size": 6, "seed": 0, "resume": "auto"}
    with contextlib.suppress(KeyboardInterrupt), contextlib.redirect_stdout(None):
        training.train(method, split, test_images=images[240:], test_labels=labels[240:], output_dir=folder, **plan)
        return state(folder)


@pytest.fixture(scope="module")
def whole(bars, tmp_path_factory):
    """The state at the end of a run that was never stopped, and its folder, by method."""
    folders = {method: tmp_path_factory.mktemp(method) for method in METHODS}
    states = {method: run_in_fresh_process(train_on, bars, method, folder) for method, folder in folders.items()}
    return {method: (states[method], folders[method]) for method in METHODS}


def test_fresh_processes_have_one_hash(bars, tmp_path, whole):
    hashes = {run_in_fresh_process(train_on, bars, "sgan", tmp_path / str(number)) for number in range(many(10))}
    print(f"\n{many(10)} processes, {len(hashes)} hash")
    assert hashes == {whole["sgan"][0]}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_is_cut_anywhere_ends_with_the_same_bits(bars, tmp_path, method):
    expected, same = run_in_fresh_process(train_on, bars, method, tmp_path / "whole", 1), 0
    for cut in np.linspace(1, ITERATIONS - 1, many(20)).astype(int):
        folder = tmp_path / str(cut)
        assert run_in_fresh_process(train_on, bars, method, folder, 1, False, cut) is None
        assert checkpoints.checkpoint_paths(folder)[-1].name == f"checkpoint-{cut:08d}.npz"
        same += run_in_fresh_process(train_on, bars, method, folder, 1) == expected
    print(f"\n{method}: {same} of {many(20)} cuts with the same bits")
    assert same == many(20)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_is_killed_anywhere_ends_with_the_same_bits(bars, tmp_path, whole, method):
    """A quarter of the kills comes while a file is being written."""
    survived = in_a_save = 0
    for number in range(many(20)):
        folder, wants_save = tmp_path / str(number), number % 4 == 0
        process = CONTEXT.Process(target=train_on, args=(bars, method, folder, 2, True))
        process.start()
        deadline = time.monotonic() + 120
        begun = RANDOM.uniform(0, 2)  # seconds after the first file of the run
        while process.is_alive() and time.monotonic() < deadline:
            files = [path.name for path in folder.glob("*")]
            if wants_save and any(name.endswith(".npz.tmp") for name in files):
                in_a_save += 1
                break
            if not wants_save and any(name.startswith("checkpoint") for name in files):
                time.sleep(begun)
                break
            time.sleep(0.01)
        process.kill()
        process.join()
        survived += run_in_fresh_process(train_on, bars, method, folder) == whole[method][0]
    print(f"\n{method}: {survived} of {many(20)} kills survived, {in_a_save} of them inside a save")
    assert survived == many(20) and in_a_save


def test_damage_in_checkpoints_and_weights_is_noticed(whole, tmp_path, capsys):
    folder = pathlib.Path(shutil.copytree(whole["sgan"][1], tmp_path / "run"))
    newest, before = checkpoints.checkpoint_paths(folder)[-1], state(folder)
    network = build_discriminators(3)[0]
    weights = folder / "class_discriminator.weights.h5"
    checksum = hashlib.sha256(weights.read_bytes()).hexdigest()
    noticed = 0
    for path, number in itertools.product((newest, weights), range(many(50))):
        content = path.read_bytes()
        place, kind = RANDOM.integers(len(content)), number % 3
        damaged = [content[:place], content[:place] + b"?" * 64 + content[place + 64 :], b""][kind]
        path.write_bytes(damaged)
        if path == newest:
            noticed += state(folder) != before or damaged == content  # it goes on from the one before
        else:
            with contextlib.suppress(ValueError):
                run_folder.load_weights(network, path, checksum)
                noticed -= 1
            noticed += 1
        path.write_bytes(content)
    capsys.readouterr()
    with capsys.disabled():
        print(f"\n{noticed} of {2 * many(50)} damaged checkpoints and weight files noticed")
    assert noticed == 2 * many(50)


def collapsing(num_classes):
    """Return the networks of an SGAN with a generator without batch normalisation, which collapses."""
    kept = [layer for layer in build_generator().layers if not isinstance(layer, layers.BatchNormalization)]
    return (*build_discriminators(num_classes), keras.Sequential([keras.Input((100,)), *kept], name="generator"))


def dead(num_classes):
    """Return the networks of an SGAN with discriminators that are off for every image, and stay so."""
    images = keras.Input((28, 28, 1))
    off = layers.Dense(8, "relu", bias_initializer=keras.initializers.Constant(-1000))(layers.Flatten()(images))
    outputs = [keras.Model(images, layers.Dense(units)(off), name=f"of_{units}") for units in (num_classes, 1)]
    return (*outputs, build_generator())


def warnings_along_the_way(networks, sign, seed):
    """Train for 500 iterations, and return whether what it says has one warning with this sign, or none for None."""
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(None):
        whole = mnist.load_mnist("sample")
        split = data.split_labeled(whole.train_images, whole.train_labels, 10, seed=seed)
        tested = {"test_images": whole.test_images, "test_labels": whole.test_labels}
        training.train("sgan", split, **tested, networks=networks, iterations=500, evaluate_every=500, seed=seed)
    found = [line for line in said.getvalue().splitlines() if line.startswith("warning")]
    return found == [] if sign is None else len(found) == 1 and sign in found[0]


@pytest.mark.parametrize(
    ("networks", "sign", "runs"),
    [(collapsing, "it has collapsed", 5), (dead, "it is dead", 5), (None, None, 10)],
    ids=["collapsed", "dead", "healthy"],
)
def test_what_goes_wrong_is_told_and_of_health_nothing(networks, sign, runs):
    """Real trainings, as long as it takes until they are judged."""
    told = sum(run_in_fresh_process(warnings_along_the_way, networks, sign, seed) for seed in range(many(runs)))
    print(f"\n{told} of {many(runs)} runs are told {'nothing' if sign is None else repr(sign)}")
    assert told == many(runs)


TINY = {"x_train": (6, 28, 28), "y_train": (6,), "x_test": (2, 28, 28), "y_test": (2,)}


def tiny_arrays():
    """Return arrays that pass for MNIST once `use_tiny` was called."""
    generator = np.random.default_rng(0)
    return {name: generator.integers(0, 10, shape).astype(np.uint8) for name, shape in TINY.items()}


def use_tiny(cache, address, content_hash):
    """Let `load_mnist` take the tiny arrays for MNIST, in this process."""
    import pooch

    mnist.ARRAY_SHAPES = TINY
    mnist.ARRAY_HASHES = {name: hashlib.sha256(array).hexdigest() for name, array in tiny_arrays().items()}
    mnist.DOWNLOAD_URL, mnist.DOWNLOAD_HASH, mnist.DOWNLOAD_PAUSES = address, "sha256:" + content_hash, (0.2, 0.4, 0.8)
    pooch.os_cache = lambda name: cache
    os.environ.pop("SGAN_MNIST", None)


def load_and_compare(cache, address, content_hash, seconds, results):
    """Load MNIST in this process and put what came of it into a queue: its source, or "corrupt"."""
    use_tiny(cache, address, content_hash)
    mnist.DOWNLOAD_SECONDS = seconds
    loaded = mnist.load_mnist()
    right = loaded.source == "sample" or np.array_equal(loaded.train_labels, tiny_arrays()["y_train"])
    there = hashlib.sha256((cache / "mnist.npz").read_bytes()).hexdigest() == content_hash if right else False
    results.put(("kept the sample" if loaded.source == "sample" and there else loaded.source) if right else "corrupt")


@pytest.fixture
def flaky_server(tmp_path):
    """A server that answers each second request with a fault: its address, the hash of its file, and the cache."""
    np.savez(tmp_path / "mnist.npz", **tiny_arrays())
    content, faults = (tmp_path / "mnist.npz").read_bytes(), itertools.cycle([503, "good", "portal", "good", "cut"])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            fault = next(faults)
            self.send_response(503 if fault == 503 else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write({"portal": b"<html>".ljust(len(content)), "cut": content[:99]}.get(fault, content))

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{running.server_port}/mnist.npz"
        yield address, hashlib.sha256(content).hexdigest(), content
        running.shutdown()


def load_all(cache, address, content_hash, count):
    """Load MNIST in so many processes at once, and return what came of each."""
    results = CONTEXT.Queue()
    target = (cache, address, content_hash, 30, results)
    processes = [CONTEXT.Process(target=load_and_compare, args=target) for _ in range(count)]
    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    return found


def test_many_processes_on_a_bad_network_all_have_the_database(flaky_server, tmp_path):
    found = []
    for number in range(many(10)):
        found += load_all(tmp_path / f"cache-{number}", *flaky_server[:2], 16)
    counts = {each: found.count(each) for each in sorted(set(found))}
    print(f"\n16 processes x {many(10)} rounds on a bad network: {counts}")
    assert counts.keys() <= {"full", "sample"} and not counts.get("sample")


def test_a_damaged_cache_is_replaced(flaky_server, tmp_path):
    address, content_hash, content = flaky_server
    good = 0
    for number in range(many(50)):
        cache = tmp_path / str(number)
        cache.mkdir()
        place = RANDOM.integers(len(content))
        (cache / "mnist.npz").write_bytes([content[:place], b"", content[:place] + b"?" + content[place:]][number % 3])
        good += load_all(cache, address, content_hash, 1) == ["full"]
    print(f"\n{good} of {many(50)} damaged caches replaced")
    assert good == many(50)


def hostile_files(folder):
    """Write files that claim or unpack to gigabytes, and yield their paths."""
    for number in range(10):
        path = folder / f"{number}.npz"
        np.savez_compressed(path, **{list(TINY)[number % 4]: np.zeros((8, 2**26), np.uint8)})
        yield path
    member = gzip.compress(bytes(2**26))  # one after another they unpack one after another
    for number in range(10):
        path = folder / str(number)
        path.mkdir()
        for stem in mnist.IDX_FILES.values():
            (path / f"{stem}.gz").write_bytes(member * 10 * (1 + number))
        yield path
    for number in range(10):
        path = folder / f"{number}.weights.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset(f"layers/{number}/vars/0", (10**9,), np.float32, chunks=(10**6,), compression="gzip")
        yield path


def try_hostile(paths):
    """Read hostile files, and return how many are refused, and by how many bytes the memory grew."""
    network, refused = build_discriminators(3)[0], 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in paths:
        try:
            run_folder.load_weights(network, path) if path.suffix == ".h5" else mnist.load_mnist(path)
        except ValueError:
            refused += 1
    return refused, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def test_hostile_files_are_refused_without_memory(tmp_path):
    paths = list(itertools.islice(hostile_files(tmp_path), 30))
    refused, grown = run_in_fresh_process(try_hostile, paths)
    print(f"\n{refused} of {len(paths)} hostile files refused, memory grew by {grown / 2**20:.0f} MiB")
    assert refused == len(paths) and grown < 2**28
