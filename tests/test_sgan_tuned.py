"""The tuned SGAN: what each update sees, and that the average is what is tested."""

import numpy as np
import tensorflow as tf

from sgan_helpers import data
from sgan_helpers.distortions import DISTORTION, distort_images
from sgan_helpers.methods import sgan_tuned
from sgan_helpers.methods.build import build_model

UPDATES = ("update_class_discriminator", "update_binary_on_real", "update_binary_on_fake", "update_generator")
TURN = {**DISTORTION, "rotation": 45.0}


def test_every_update_sees_distorted_images_and_the_average_is_moved_last(monkeypatch, bar_split):
    calls = []
    for name in (*UPDATES, "update_average"):
        monkeypatch.setattr(sgan_tuned, name, lambda *a, n=name: calls.append((n, a)) or tf.constant(1.0))
    model = build_model("sgan-tuned", 3, seed=4, average_decay=0.9, distortion=TURN)
    (batch,) = data.batch_stream(bar_split, seed=4, start=9, stop=10, batch_size=5)
    model.train_step(batch)
    assert [name for name, _ in calls] == [*UPDATES, "update_average"]
    (_, first), (_, second), (_, third), (_, fourth), (_, last) = calls
    assert np.array_equal(first[2], distort_images(batch[1], 4, 9, "labeled_batch", TURN)) and first[3] is batch[2]
    assert np.array_equal(second[2], distort_images(batch[3], 4, 9, "unlabeled_batch", TURN))
    assert first[0] is model.trained_discriminator and second[0] is third[0] is model.binary_discriminator
    fakes = model.generator(third[3], training=False)
    assert np.array_equal(third[2](third[3], training=False), distort_images(fakes, 4, 9, "fake_noise", TURN))
    judged = model.binary_discriminator(distort_images(fakes, 4, 9, "generator_noise", TURN), training=False)
    assert np.array_equal(fourth[2](fakes, training=False), judged) and fourth[0] is model.generator
    assert last[:2] == (model.class_discriminator, model.trained_discriminator) and last[3] == 0.9
    assert not np.array_equal(third[3], fourth[3]), "noise of its own"


def test_an_iteration_moves_every_network(bar_split):
    model = build_model("sgan-tuned", 3, seed=0)
    before = [[variable.numpy() for variable in network.trainable_variables] for network in model.networks]
    (batch,) = data.batch_stream(bar_split, seed=0, start=0, stop=1, batch_size=8)
    losses = model.train_step(batch)
    assert list(losses) == ["class_loss", "real_loss", "fake_loss", "generator_loss"]
    for name, network, old in zip(model.network_names, model.networks, before, strict=True):
        for value, variable in zip(old, network.trainable_variables, strict=True):
            assert not np.array_equal(value, variable.numpy()), (name, variable.path)
