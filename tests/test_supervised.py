"""The supervised baselines: the average against the formula, and what each step moves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgan_helpers import data
from sgan_helpers.distortions import DISTORTION, distort_images
from sgan_helpers.methods import METHODS, supervised_tuned
from sgan_helpers.methods.averaged import update_average
from sgan_helpers.methods.build import build_model
from sgan_helpers.methods.supervised import Supervised
from sgan_helpers.networks import build_discriminators


def test_the_average_is_the_formula_and_forgets_its_start():
    averaged, trained = (keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]) for _ in range(2))
    for step, expected in ((0, 0.9), (1, 2 / 11 * 0.9 + 9 / 11)):
        if step == 0:
            averaged.set_weights([np.zeros((1, 1)), np.zeros(1)])
            trained.set_weights([np.ones((1, 1)), np.ones(1)])
        update_average(averaged, trained, tf.constant(step, tf.int64))
        np.testing.assert_allclose(averaged.get_weights()[0], expected, rtol=1e-6)
    update_average(averaged, trained, tf.constant(10**6, tf.int64), average_decay=0.9)
    before = 1 - expected
    np.testing.assert_allclose(1 - averaged.get_weights()[0], 0.9 * before, rtol=1e-4)
    assert (trained.get_weights()[0] == 1).all()


def test_a_step_trains_one_network_on_distorted_images_and_averages_the_other(monkeypatch, bar_split):
    seen = {}

    def update(network, optimizer, images, labels):
        seen.update(network=network, images=images, labels=labels)
        return tf.constant(0.5)

    monkeypatch.setattr(supervised_tuned, "update_class_discriminator", update)
    monkeypatch.setattr(supervised_tuned, "update_average", lambda *arguments: seen.update(average=arguments))
    distortion = {**DISTORTION, "shift": 1.0}
    model = build_model("supervised-tuned", 3, seed=4, average_decay=0.9, distortion=distortion)
    (batch,) = data.batch_stream(bar_split, seed=4, start=9, stop=10, batch_size=5)
    assert model.train_step(batch) == {"class_loss": 0.5}
    assert seen["network"] is model.trained_discriminator and seen["labels"] is batch[2]
    assert np.array_equal(seen["images"], distort_images(batch[1], 4, 9, amounts=distortion))
    assert seen["average"][:2] == (model.class_discriminator, model.trained_discriminator)
    assert int(seen["average"][2]) == 9 and seen["average"][3] == 0.9


def test_the_average_starts_as_the_network_and_the_methods_start_alike():
    on_trunk = ("supervised", "supervised-tuned", "sgan", "sgan-tuned")
    own = ("improved-gan",)  # whose networks are those of a paper
    others = [name for name, method in METHODS.items() if method.has_network and name not in (*on_trunk, *own)]
    for alike in (on_trunk, others):
        start = {}
        for method in alike:
            keras.utils.set_random_seed(5)
            start[method] = build_model(method, seed=5).class_discriminator.get_weights()
        assert all(all(map(np.array_equal, start[method], start[alike[0]])) for method in alike)
    keras.utils.set_random_seed(5)
    trained = build_model("supervised-tuned", seed=5).trained_discriminator.get_weights()
    keras.utils.set_random_seed(5)
    assert all(map(np.array_equal, trained, build_model("sgan", seed=5).class_discriminator.get_weights()))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"class_discriminator": "network"},
            TypeError,
            "'class_discriminator' parameter of Supervised must be a Model",
        ),
        ({"learning_rate": -1}, ValueError, r"'learning_rate' parameter of Supervised.*\(0, inf\). Got -1"),
        ({"beta_1": 1}, ValueError, r"'beta_1' parameter of Supervised.*\[0, 1\). Got 1"),
    ],
)
def test_bad_arguments_of_the_matched_baseline_are_named(change, error, message):
    with pytest.raises(error, match=message):
        Supervised(**{"class_discriminator": build_discriminators(3)[0], **change})
