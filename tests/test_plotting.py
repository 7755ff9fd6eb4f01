"""Every figure has the parts that it should."""

import io

import matplotlib

matplotlib.use("Agg")

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from sgan_helpers import plotting
from sgan_helpers.methods import METHODS

SAMPLES = np.random.default_rng(0).integers(0, 256, (3, 20, 28, 28)).astype(np.uint8)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_digits_are_drawn_in_their_order_with_captions():
    images = np.linspace(-1, 1, 12 * 784, dtype=np.float32).reshape(12, 28, 28, 1)
    figure = plotting.plot_digits(images, [str(number) for number in range(12)], columns=5)
    assert len(figure.axes) == 15
    assert [axis.get_title() for axis in figure.axes[:12]] == [str(number) for number in range(12)]
    shown = figure.axes[11].images[0].get_array()
    assert shown.max() == 255 and len(figure.axes[12].images) == 0


def test_samples_have_a_row_for_each_evaluation():
    figure = plotting.plot_samples(SAMPLES, [1000, 2000, 3000], count=7)
    assert [axis.get_ylabel() for axis in figure.axes] == ["1,000", "2,000", "3,000"]
    assert figure.axes[0].images[0].get_array().shape == (28, 7 * 28)


def test_the_animation_has_a_frame_for_each_evaluation():
    movie = Image.open(io.BytesIO(plotting.animate_samples(SAMPLES, columns=5, zoom=2)))
    assert movie.n_frames == 3
    assert movie.size == (5 * 28 * 2, 4 * 28 * 2)


def test_curves_are_those_that_were_given():
    losses = {"iteration": np.arange(3), "class_loss": np.ones(3), "generator_loss": np.zeros(3)}
    losses |= {"one_of_a_new_method": np.ones(3), "another": np.ones(3)}
    axis = plotting.plot_losses(losses).axes[0]
    assert [line.get_label() for line in axis.lines] == [name.replace("_", " ") for name in losses][1:]
    assert len({line.get_color() for line in axis.lines}) == 4
    single = plotting.plot_losses({"iteration": [50], "class_loss": [1.0]}).axes[0].lines[0]
    assert single.get_marker() == "o", "a line of one point would not be seen"
    axis = plotting.plot_accuracy([1, 2], {"sgan": [0.5, 0.9], "supervised": [0.4, 0.8]}, reference=0.948).axes[0]
    assert axis.lines[0].get_ydata().tolist() == [50.0, 90.0]
    assert "94.8" in axis.lines[2].get_label()
    axis = plotting.plot_seeds({"supervised": [0.9, 0.92], "sgan": [0.93]}, reference=0.948).axes[0]
    assert axis.lines[0].get_xdata().tolist() == pytest.approx([90.0, 92.0])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["supervised, matched", "SGAN"]


def test_the_label_curve_has_ticks_between_the_round_numbers():
    axis = plotting.plot_label_curve({"sgan": {20: [3.6], 100: [3.1]}}).axes[0]
    assert len([tick for tick in axis.get_yticks() if 3.0 <= tick <= 3.7]) >= 3


def test_the_label_curve_goes_through_the_means_and_shows_every_run():
    errors = {"supervised": {100: [20.0, 10.0], 1000: [5.0]}, "sgan": {100: [10.0], 1000: [2.0]}}
    published = [("a paper", 100, 1.0), ("another", 100, 3.0), ("a third", 100, 2.0), ("a paper", 50, 4.0)]
    (axis,) = plotting.plot_label_curve(errors, published=published).axes
    lines = {line.get_label(): line.get_xydata() for line in axis.lines if not line.get_label().startswith("_")}
    np.testing.assert_allclose(lines["supervised, matched"], [[100, 15], [1000, 5]])
    np.testing.assert_allclose(lines["SGAN"], [[100, 10], [1000, 2]])
    np.testing.assert_allclose(lines["published"], [[100, 1], [100, 3], [100, 2], [50, 4]])
    named = sorted((text.get_text(), *map(float, text.xy)) for text in axis.texts)
    ends = [("SGAN", 1000, 2), ("supervised, matched", 1000, 5)]
    assert named == sorted([("a paper", 50, 4), ("a paper", 100, 1), ("another", 100, 3), *ends])
    drawn = np.concatenate([line.get_xydata() for line in axis.lines])
    for point in ([97, 20], [97, 10], [103, 10], [100, 3]):
        assert np.isclose(drawn, point, rtol=0.01).all(axis=1).any(), point
    assert [label.get_text() for label in axis.get_xticklabels()] == ["50", "100", "1,000"]
    assert axis.get_xscale() == axis.get_yscale() == "log"


def test_a_sweep_of_any_methods_can_be_drawn():
    (axis,) = plotting.plot_label_curve({method: {20: [1.0], 50: [2.0]} for method in METHODS}).axes
    curves = [line for line in axis.lines if not line.get_label().startswith("_")]
    assert len({(line.get_color(), line.get_marker()) for line in curves}) == len(METHODS)
    assert len({line.get_label() for line in curves}) == len(METHODS)
    boxes = [text.get_window_extent() for text in axis.texts]
    overlaps = [one for one, other in itertools.combinations(boxes, 2) if one.overlaps(other)]
    assert len(boxes) == len(METHODS) and not overlaps


def test_a_run_without_errors_does_not_stop_the_label_curve():
    (axis,) = plotting.plot_label_curve({"sgan": {20: [0.0, 0.0], 50: [0.0]}}, ylabel="anything").axes
    assert axis.get_ylabel() == "anything"


def test_the_confusion_matrix_shows_its_counts():
    axis = plotting.plot_confusion(np.array([[5, 1], [0, 7]])).axes[0]
    assert [text.get_text() for text in axis.texts] == ["5", "1", "7"]
    assert "true" in axis.get_ylabel() and "predicted" in axis.get_xlabel()


DIGITS = SAMPLES[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plotting.plot_digits(DIGITS.astype(int)), "'images' parameter of plot_digits.*Got int64"),
        (
            lambda: plotting.plot_digits(DIGITS.astype(float)),
            r"floats in \[-1, 1\]. Got float64.*values from 0.0 to 255.0",
        ),
        (lambda: plotting.plot_digits(np.full((2, 28, 28), np.nan)), "values from nan to nan"),
        (lambda: plotting.plot_digits(DIGITS[:0]), r"N >= 1.*\(0, 28, 28\)"),
        (lambda: plotting.plot_digits(np.zeros((28, 56))), r"\(28, 56\)"),
        (lambda: plotting.plot_digits(None), "'images'.*object"),
        (lambda: plotting.plot_digits(DIGITS, ["one"]), "'captions' parameter of plot_digits.*20 images. Got 1"),
        (lambda: plotting.plot_digits(DIGITS, columns=0), "'columns'.*Got 0"),
        (
            lambda: plotting.plot_samples(SAMPLES / 255, [1, 2, 3]),
            "'samples' parameter of plot_samples.*uint8.*float64",
        ),
        (lambda: plotting.plot_samples(None, [1]), "'samples' parameter of plot_samples.*object"),
        (lambda: plotting.plot_samples(SAMPLES[:0], []), r"'samples'.*\(0, 20, 28, 28\)"),
        (
            lambda: plotting.plot_samples(SAMPLES, [1, 2]),
            "'iterations' parameter of plot_samples.*3 evaluations. Got 2",
        ),
        (lambda: plotting.plot_samples(SAMPLES, [1, 2, 3], count=21), r"'count'.*\[1, 20\]. Got 21"),
        (lambda: plotting.animate_samples(SAMPLES, columns=7), "'columns' parameter of animate_samples.*20.*Got 7"),
        (lambda: plotting.animate_samples(SAMPLES, zoom=0), "'zoom'.*Got 0"),
        (lambda: plotting.animate_samples(SAMPLES, zoom=33), r"'zoom'.*\[1, 32\]. Got 33"),
        (lambda: plotting.animate_samples(SAMPLES[0]), r"'samples' parameter of animate_samples.*\(20, 28, 28\)"),
        (lambda: plotting.plot_accuracy([1], {"gan": [0.5]}), "'accuracies' parameter of plot_accuracy.*Got 'gan'"),
        (lambda: plotting.plot_seeds({"gan": [0.5]}), "'accuracies' parameter of plot_seeds.*Got 'gan'"),
        (
            lambda: plotting.plot_label_curve({"gan": {100: [0.9]}}),
            "'values' parameter of plot_label_curve.*Got 'gan'",
        ),
        (
            lambda: plotting.plot_label_curve({"sgan": {100: [-9.0]}}),
            r"'values' parameter of plot_label_curve.*at least 0.*Got \[-9.\] for 100 labels of 'sgan'",
        ),
        (lambda: plotting.plot_label_curve({"sgan": {100: []}}), r"'values'.*Got \[\] for 100 labels"),
        (lambda: plotting.plot_confusion([[1, 0], [0, 1]]), "'confusion' parameter of plot_confusion.*Got list"),
        (lambda: plotting.plot_confusion(np.ones((2, 3), int)), r"\(K, K\). Got shape \(2, 3\)"),
    ],
)
def test_what_cannot_be_drawn_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_floats_and_bytes_give_the_same_picture():
    floats = (DIGITS.astype(np.float32) / 127.5 - 1.0)[..., np.newaxis]
    pictures = [plotting.plot_digits(images).axes[3].images[0].get_array() for images in (DIGITS, floats)]
    assert np.array_equal(*pictures) and np.array_equal(pictures[0], DIGITS[3])


def test_the_animation_shows_the_digits_row_by_row():
    movie = Image.open(io.BytesIO(plotting.animate_samples(SAMPLES, columns=5, zoom=1)))
    movie.seek(1)
    frame = np.asarray(movie.convert("L"))
    np.testing.assert_allclose(frame[28:56, :28], SAMPLES[1, 5], atol=3)
