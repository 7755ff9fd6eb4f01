"""Pseudo-labels against NumPy, batch statistics of fakes, and what a step of each variant trains."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgan_helpers import data, losses
from sgan_helpers.distortions import distort_images
from sgan_helpers.methods import METHODS
from sgan_helpers.methods.averaged import Averaged
from sgan_helpers.methods.build import build_model
from sgan_helpers.methods.feature_matching import discriminate_fakes
from sgan_helpers.methods.noisy_student import falling_confidence
from sgan_helpers.methods.pseudo_labels import pseudo_labels
from sgan_helpers.networks import build_feature_discriminator, without_features

AVERAGED = [name for name, method in METHODS.items() if issubclass(method.model_class, Averaged)]


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_pseudo_labels_are_the_formula():
    logits = np.array([[9.0, 0, 0], [2.9, 0, 0], [0.2, 0, 0], [3, 2.5, 0]], np.float32)
    bias = tf.Variable([-0.5, 0.1, 0.4])
    step = tf.constant(1500, tf.int64)
    guesses, sure = pseudo_labels(tf.constant(logits), bias, step)
    probabilities = softmax(logits + np.array([-0.5, 0.1, 0.4]))
    assert guesses.numpy().tolist() == probabilities.argmax(axis=1).tolist() == [0, 0, 2, 1]
    assert sure.numpy().tolist() == (probabilities.max(axis=1) > 0.95).astype(float).tolist() == [1, 0, 0, 0]
    moved = np.array([-0.5, 0.1, 0.4]) - 0.05 * (3 * probabilities.mean(axis=0) - 1)
    np.testing.assert_allclose(bias.numpy(), moved - moved.mean(), rtol=1e-5)


def test_the_confidence_falls_in_the_second_half():
    steps = (0, 14_999, 15_000, 22_500, 30_000, 90_000)
    wanted = [float(falling_confidence(tf.constant(step, tf.int64))) for step in steps]
    np.testing.assert_allclose(wanted, [0.95, 0.95, 0.95, 0.825, 0.7, 0.7], rtol=1e-6)


def test_a_noisy_student_learns_late_from_guesses_that_pseudo_labels_leave_out(bar_split):
    (batch,) = data.batch_stream(bar_split, seed=3, start=8, stop=9, batch_size=40)
    consistency = {}
    for last in (0.999, 0.0):
        keras.utils.set_random_seed(3)
        settings = {"confidence": 0.999, "last_confidence": last, "confidence_steps": 8}
        model = build_model("noisy-student", 3, seed=3, **settings)
        consistency[last] = float(model.train_step(batch)["consistency_loss"])
    assert consistency[0.999] == 0 < consistency[0.0]


def test_the_bias_helps_a_class_that_is_seldom_given_and_its_bound_shrinks_to_nothing():
    bias = tf.Variable([0.0, 0.0, 0.0])
    logits = tf.constant([[8.0, 0.0, 1.0]] * 4)
    for _ in range(200):
        pseudo_labels(logits, bias, tf.constant(0, tf.int64))
    assert bias.numpy()[0] < -2.9 and bias.numpy()[1] > 0, "the first class is given too often"
    for step, limit in ((1500, 1.5), (2700, 0.3), (3000, 0.0), (9000, 0.0)):
        pseudo_labels(logits, bias, tf.constant(step, tf.int64))
        np.testing.assert_allclose(np.abs(bias.numpy()).max(), limit, atol=1e-5)


def test_fakes_are_normalised_by_their_own_batch_and_leave_the_moving_averages_alone():
    network = build_feature_discriminator()
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    images = tf.random.stateless_uniform((8, 28, 28, 1), (1, 2), -1.0, 1.0)
    before = network.get_weights()
    logits = discriminate_fakes(network, images)
    assert all(map(np.array_equal, before, network.get_weights()))
    expected = network(images, training=True)
    np.testing.assert_array_equal(logits, expected[0])
    assert not np.allclose(logits, network(images, training=False)[0], atol=1e-3)


def test_the_class_discriminator_has_the_weights_of_the_feature_discriminator_in_the_same_order():
    network = build_feature_discriminator(3)
    classifier = without_features(network)
    assert [id(weight) for weight in classifier.weights] == [id(weight) for weight in network.weights]
    images = tf.random.stateless_uniform((2, 28, 28, 1), (1, 2), -1.0, 1.0)
    np.testing.assert_array_equal(classifier(images), network(images)[0])


@pytest.mark.parametrize("method", AVERAGED)
def test_gradients_of_a_step_are_those_of_the_losses(monkeypatch, bar_split, method):
    keras.utils.set_random_seed(3)
    with_gan = method in ("real-or-fake", "feature-matching", "pseudo-labels+gan")
    with_guesses = method in ("pseudo-labels", "noisy-student", "pseudo-labels+gan")
    settings = {"labeled_batch": 30}
    if with_gan:
        settings["gan_weight"] = 0.3
    if with_guesses:
        settings["confidence"] = 0.0  # an untrained network is sure of nothing else
    if method == "noisy-student":
        settings["last_confidence"] = 0.0
    model = build_model(method, 3, seed=3, **settings)
    for layer in model.trained_discriminator.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    (batch,) = data.batch_stream(bar_split, seed=3, start=5, stop=6, batch_size=40)
    step, labeled_images, labels, unlabeled_images = batch

    images = tf.concat([labeled_images[:30], unlabeled_images], axis=0)
    images = distort_images(images, 3, step, "unlabeled_batch", model.distortion)
    with tf.GradientTape(persistent=True) as tape:
        logits, _ = model.trained_discriminator(images, training=True)
        total = losses.class_loss(labels[:30], logits[:30])
        if with_guesses:
            average_logits = model.class_discriminator(unlabeled_images, training=False)
            guesses, sure = pseudo_labels(average_logits, tf.Variable(tf.zeros(3)), step, confidence=0.0)
            assert float(tf.reduce_mean(sure)) == 1, "the consistency loss would not be tested"
            total += losses.consistency_loss(guesses, sure, logits[30:])
        if with_gan:
            noise = tf.random.stateless_normal((40, 100), data.random_seed_pair(3, "fake_noise", step))
            fake_images = model.generator(noise, training=True)
            distorted = distort_images(fake_images, 3, step, "fake_noise", model.fake_distortion)
            fake_logits, _ = model.trained_discriminator(distorted, training=True)
            real = losses.real_loss(losses.real_logits_of(logits[30:]))
            fake = losses.fake_loss(losses.real_logits_of(fake_logits))
            total += 0.3 * (real + fake)
            wanted = losses.generator_loss(losses.real_logits_of(fake_logits))
            if method != "real-or-fake":
                features = [model.averaged_discriminator(images)[1] for images in (unlabeled_images, fake_images)]
                wanted = losses.feature_matching_loss(*features)
    expected = {"class_optimizer": tape.gradient(total, model.trained_discriminator.trainable_variables)}
    if with_gan:
        expected["generator_optimizer"] = tape.gradient(wanted, model.generator.trainable_variables)

    found = {}
    for optimizer in model.optimizers:
        monkeypatch.setattr(
            optimizer, "apply", lambda gradients, variables, name=optimizer.name: found.update({name: gradients})
        )
    model.train_step(batch)
    assert found.keys() == expected.keys()
    for name, gradients in expected.items():
        for ours, theirs in zip(found[name], gradients, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)


def test_a_step_trains_averages_and_reports_every_part(bar_split):
    keras.utils.set_random_seed(3)
    model = build_model("pseudo-labels+gan", 3, seed=3)
    networks = (model.class_discriminator, model.trained_discriminator, model.generator)
    before = [network.get_weights() for network in networks]
    (batch,) = data.batch_stream(bar_split, seed=3, start=5, stop=6, batch_size=40)
    found = model.train_step(batch)
    for network, values in zip(networks, before, strict=True):
        kernels = [new for new, weight in zip(network.get_weights(), network.weights, strict=True) if weight.trainable]
        old = [value for value, weight in zip(values, network.weights, strict=True) if weight.trainable]
        assert not any(map(np.array_equal, kernels[:1], old[:1])), network.name
    assert tuple(found) == model.loss_names
    assert all(np.isfinite(float(loss)) and float(loss) >= 0 for loss in found.values())
    assert model.loss_names == ("class_loss", "consistency_loss", "real_loss", "fake_loss", "generator_loss")


def test_the_feature_discriminator_has_the_shapes_it_says():
    network = build_feature_discriminator(7)
    assert network.output_shape == [(None, 7), (None, 1536)]
    with pytest.raises(ValueError, match="'num_classes' parameter of build_feature_discriminator must be an int in"):
        build_feature_discriminator(1)
