"""The labelled split, the stream of batches, and the noise."""

import dataclasses

import numpy as np
import pytest

from sgan_helpers import data, mnist


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
        ({"batch_size": 0}, ValueError, r"'batch_size'.*\[1, 10000\]. Got 0"),
        ({"batch_size": True}, TypeError, "'batch_size'.*Got True"),
    ],
)
def test_bad_arguments_of_the_stream_are_named(bar_split, change, error, message):
    with pytest.raises(error, match=message):
        data.batch_stream(**{"split": bar_split, "seed": 0, "start": 0, "stop": 2, **change})


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("labeled_labels", lambda array: array.astype(object), "an array of ints. Got ndarray object"),
        ("labeled_labels", lambda array: array + 0.5, "an array of ints. Got ndarray float64"),
        ("labeled_labels", lambda array: np.ma.array(array, mask=array == 0), "an array of ints. Got MaskedArray"),
        ("labeled_images", lambda array: array.tolist(), "an array of floats. Got list"),
        ("unlabeled_images", lambda array: array.astype(str), "an array of floats. Got ndarray <U"),
    ],
)
def test_a_split_of_other_things_than_numbers_has_no_stream(bar_split, part, change, message):
    split = dataclasses.replace(bar_split, **{part: change(getattr(bar_split, part))})
    with pytest.raises(TypeError, match=f"'split.{part}' parameter of batch_stream must be {message}"):
        data.batch_stream(split, seed=0, start=0, stop=1)


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
    held = mnist.hold_out_validation(mnist.Mnist(images, labels, images, labels, "sample"), np.uint8(10))
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
        ({"labels": LABELS.astype(object)}, TypeError, "'labels'.*object array"),
        ({"labels": np.array([0, 0, 1, 2**63], np.uint64)}, ValueError, "'labels'.*from 0 to 9223372036854775808"),
        ({"labels": np.ma.array(LABELS, mask=LABELS == 0)}, TypeError, "'labels'.*MaskedArray"),
        ({"images": np.ma.array(GOOD, mask=GOOD == 0)}, TypeError, "'images'.*MaskedArray"),
        ({"images": GOOD.astype(object)}, ValueError, "'images'.*object"),
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


def test_noise_is_a_function_of_seed_stream_and_step():
    draws = [
        data.draw_noise(seed, stream, step, 3, 5).numpy()
        for seed in (0, 1)
        for stream in ("fake_noise", "generator_noise")
        for step in (0, 1)
    ]
    assert len({draw.tobytes() for draw in draws}) == 8
    assert np.array_equal(draws[0], data.draw_noise(0, "fake_noise", 0, 3, 5).numpy())
    assert draws[0].shape == (3, 5)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"stream": "noise"}, ValueError, "'stream' parameter of draw_noise.*one of 'labeled_batch'.*Got 'noise'"),
        ({"seed": -1}, ValueError, "'seed' parameter of draw_noise.*Got -1"),
        ({"batch_size": 0}, ValueError, "'batch_size' parameter of draw_noise.*Got 0"),
        ({"latent_dim": 2.5}, TypeError, "'latent_dim' parameter of draw_noise.*Got 2.5"),
    ],
)
def test_bad_arguments_of_draw_noise_are_named(change, error, message):
    arguments = {"seed": 0, "stream": "fake_noise", "step": 0, "batch_size": 3, "latent_dim": 5}
    with pytest.raises(error, match=message):
        data.draw_noise(**{**arguments, **change})


def test_bad_arguments_of_draw_rows_are_named():
    with pytest.raises(ValueError, match="'stream' parameter of draw_rows"):
        data.draw_rows(0, "rows", 0, 3, 5)
    with pytest.raises(ValueError, match="'count' parameter of draw_rows.*Got 0"):
        data.draw_rows(0, "labeled_batch", 0, 3, 0)


def test_a_batch_is_taken_from_the_arrays_themselves(bar_split):
    """A tensor of all unlabelled images would be a second copy of them."""
    step, *_, images = next(iter(data.batch_stream(bar_split, seed=1, start=3, stop=4, batch_size=5)))
    rows = data.draw_rows(1, "unlabeled_batch", 3, 5, len(bar_split.unlabeled_images)).numpy()
    assert np.array_equal(images, bar_split.unlabeled_images[rows])
    changed = dataclasses.replace(bar_split, unlabeled_images=bar_split.unlabeled_images.copy())
    stream = data.batch_stream(changed, seed=1, start=3, stop=4, batch_size=5)
    changed.unlabeled_images[:] = 0.25
    assert (next(iter(stream))[3].numpy() == 0.25).all()
