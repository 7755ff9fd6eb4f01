"""Checkpoints: checksummed, two kept, the one before used when the newest is damaged."""

import zipfile

import numpy as np
import pytest

from sgan_helpers import checkpoints
from sgan_helpers.methods.build import build_model

ARRAYS = {"step": np.array(7), "weights": np.arange(6.0).reshape(2, 3)}


def test_a_checkpoint_comes_back_and_the_last_two_are_kept(tmp_path):
    for step in (100, 200, 300):
        checkpoints.save_checkpoint(tmp_path, step, {**ARRAYS, "step": np.array(step)})
    names = [path.name for path in tmp_path.iterdir()]
    assert sorted(names) == ["checkpoint-00000200.npz", "checkpoint-00000300.npz"]
    restored = checkpoints.load_latest_checkpoint(tmp_path)
    assert restored["step"] == 300 and np.array_equal(restored["weights"], ARRAYS["weights"])


def test_what_a_link_leads_to_stays_as_it_is(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for name in ("checkpoint-00000001.npz", "checkpoint-00000002.npz.tmp"):
        (tmp_path / name).symlink_to(mine)
    for step in (1, 2, 3):
        checkpoints.save_checkpoint(tmp_path, step, ARRAYS)
    assert mine.read_text() == "mine" and checkpoints.load_latest_checkpoint(tmp_path)["step"] == 7
    names = ["checkpoint-00000002.npz", "checkpoint-00000003.npz", "mine"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    mine.write_bytes((tmp_path / "checkpoint-00000003.npz").read_bytes())
    (tmp_path / "checkpoint-00000004.npz").symlink_to(mine)
    assert checkpoints.load_latest_checkpoint(tmp_path)["step"] == 7


@pytest.mark.parametrize("damage", ["cut", "flipped", "replaced"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, capsys, damage):
    for step in (1, 2):
        checkpoints.save_checkpoint(tmp_path, step, {**ARRAYS, "step": np.array(step)})
    newest = tmp_path / "checkpoint-00000002.npz"
    content = bytearray(newest.read_bytes())
    if damage == "cut":
        newest.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        place = content.index(np.arange(6.0).tobytes()) + 12
        content[place] ^= 1
        newest.write_bytes(content)
    else:
        np.savez(newest, checksum=np.array("0" * 64), **ARRAYS)
    assert checkpoints.load_latest_checkpoint(tmp_path)["step"] == 1
    assert "checkpoint-00000002.npz is damaged" in capsys.readouterr().out
    (tmp_path / "checkpoint-00000001.npz").write_bytes(b"")
    with pytest.raises(ValueError, match="Every checkpoint.*00000001.*00000002"):
        checkpoints.load_latest_checkpoint(tmp_path)


def test_damage_anywhere_is_noticed_or_harmless(tmp_path, capsys):
    checkpoints.save_checkpoint(tmp_path, 1, ARRAYS)
    path = tmp_path / "checkpoint-00000001.npz"
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 5):
        for change in (1, 8, 255):
            path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
            try:
                restored = checkpoints.load_latest_checkpoint(tmp_path)
            except ValueError as error:  # every other kind of error fails the test
                refused += 1
                assert "Every checkpoint" in str(error)
            else:  # the zip format has bytes that mean nothing
                assert set(restored) == set(ARRAYS)
                assert all(np.array_equal(restored[name], array) for name, array in ARRAYS.items())
    assert refused > len(content) / 5 * 2
    assert capsys.readouterr().out.count("is damaged") == refused


@pytest.mark.parametrize("what", ["single array", "folder", "text"])
def test_what_is_no_checkpoint_is_passed_over(tmp_path, capsys, what):
    checkpoints.save_checkpoint(tmp_path, 1, ARRAYS)
    path = tmp_path / "checkpoint-00000002.npz"
    if what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("not a checkpoint")
    else:
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    assert np.array_equal(checkpoints.load_latest_checkpoint(tmp_path)["weights"], ARRAYS["weights"])
    assert "checkpoint-00000002.npz is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["checkpoint-backup.npz", "checkpoint-00000009 (copy).npz", "checkpoint-1.npz"])
def test_files_of_other_names_are_not_taken_for_checkpoints(tmp_path, name):
    (tmp_path / name).write_text("mine")
    for step in (1, 2, 3):
        checkpoints.save_checkpoint(tmp_path, step, ARRAYS)
    assert [path.name[-5] for path in checkpoints.checkpoint_paths(tmp_path)] == ["2", "3"]
    assert (tmp_path / name).read_text() == "mine"


def test_the_hundred_millionth_iteration_comes_after_those_before(tmp_path):
    for step in (99_999_999, 100_000_000, 100_000_001):
        checkpoints.save_checkpoint(tmp_path, step, {**ARRAYS, "step": np.array(step)})
    assert checkpoints.load_latest_checkpoint(tmp_path)["step"] == 100_000_001


def test_a_checkpoint_that_is_not_finite_is_passed_over(tmp_path, capsys):
    checkpoints.save_checkpoint(tmp_path, 1, {"variable/0000": np.zeros(3)})
    checkpoints.save_checkpoint(tmp_path, 2, {"variable/0000": np.array([0.0, np.nan])})
    assert np.array_equal(checkpoints.load_latest_checkpoint(tmp_path)["variable/0000"], np.zeros(3))
    assert "checkpoint-00000002.npz is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["compressed", "header"])
def test_a_checkpoint_that_would_unpack_to_more_than_its_size_is_refused_unread(tmp_path, monkeypatch, kind):
    checkpoints.save_checkpoint(tmp_path, 1, ARRAYS)
    path = tmp_path / "checkpoint-00000002.npz"
    if kind == "compressed":
        np.savez_compressed(path, weights=np.zeros(10**7))
    else:
        with zipfile.ZipFile(path, "w") as archive, archive.open("weights.npy", "w") as member:
            header = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
            np.lib.format.write_array_header_1_0(member, header)
    read = []
    original = np.lib.npyio.NpzFile.__getitem__
    monkeypatch.setattr(
        np.lib.npyio.NpzFile, "__getitem__", lambda self, name: read.append(self.zip.filename) or original(self, name)
    )
    assert checkpoints.load_latest_checkpoint(tmp_path)["step"] == 7
    assert not any(name.endswith("2.npz") for name in map(str, read))


def test_a_folder_without_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        checkpoints.load_latest_checkpoint(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    checkpoints.write_atomically(path, b"old")
    with pytest.raises(TypeError):
        checkpoints.write_atomically(path, "no bytes")
    assert path.read_bytes() == b"old"
    checkpoints.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_state_of_a_model_holds_dropout_seeds_and_optimisers_and_fits_only_its_like():
    model = build_model("sgan", 3, seed=0)
    state = checkpoints.model_state(model)
    assert len(state) == len(model.variables) + sum(len(optimizer.variables) for optimizer in model.optimizers)
    assert len(model.variables) > len(model.weights), "dropout's seed states are missing"
    other = build_model("sgan", 3, seed=0)
    checkpoints.restore_model_state(other, state)
    for name, array in checkpoints.model_state(other).items():
        assert np.array_equal(array, state[name]), name
    with pytest.raises(ValueError, match="do not fit"):
        checkpoints.restore_model_state(build_model("sgan", 4, seed=0), state)
    with pytest.raises(ValueError, match="do not fit"):
        checkpoints.restore_model_state(build_model("supervised", 3, seed=0), state)
