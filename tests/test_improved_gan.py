"""The published GAN: its layers, its losses, and what each of its two updates moves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgan_helpers import data, losses
from sgan_helpers.methods.build import build_model
from sgan_helpers.methods.improved_gan import (
    HIDDEN_UNITS,
    AdamUnderRoot,
    UniformNoise,
    WeightNormDense,
    build_dense_discriminator,
    build_dense_generator,
    fit_scales,
)


@pytest.fixture
def batch(bar_split):
    (batch,) = data.batch_stream(bar_split, seed=3, start=0, stop=1, batch_size=40)
    return batch


def silence(network):
    """Switch the noise of a network off."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.GaussianNoise):
            layer.stddev = 0.0


def test_the_networks_are_those_of_the_paper():
    discriminator, generator = build_dense_discriminator(10), build_dense_generator()
    widths = [layer.units for layer in discriminator.layers if isinstance(layer, WeightNormDense)]
    noises = [layer.stddev for layer in discriminator.layers if isinstance(layer, keras.layers.GaussianNoise)]
    assert widths == [*HIDDEN_UNITS, 10] == [1000, 500, 250, 250, 250, 10]
    assert noises == [0.3, 0.5, 0.5, 0.5, 0.5, 0.5]
    logits, features = discriminator(tf.zeros((2, 28, 28, 1)))
    assert (logits.shape, features.shape) == ((2, 10), (2, 250))
    images = generator(tf.random.stateless_normal((50, 100), (0, 0)), training=True).numpy()
    assert images.shape == (50, 28, 28, 1) and -1 <= images.min() < images.max() <= 1
    trained = {variable.name for variable in discriminator.layers[4].trainable_variables}
    assert trained == {"direction", "bias"}, "the scale of a hidden layer stays as it was fitted"


def test_the_weights_are_scaled_directions():
    layer = WeightNormDense(3)
    inputs = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    layer(inputs)
    direction, bias, scale = layer.direction.numpy(), np.float32([1, 2, 3]), np.float32([0.5, 2.0, 4.0])
    layer.scale.assign(scale)
    layer.bias.assign(bias)
    expected = inputs @ (direction / np.linalg.norm(direction, axis=0)) * scale + bias
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-5, atol=1e-6)


def test_fitting_gives_every_layer_mean_0_and_deviation_1(batch):
    _, images, _, _ = batch
    discriminator = build_dense_discriminator(3)
    silence(discriminator)
    fit_scales(discriminator, images)
    hidden, seen = images, 0
    for layer in discriminator.layers[1:]:
        hidden = layer(hidden)
        if isinstance(layer, WeightNormDense):
            np.testing.assert_allclose(tf.reduce_mean(hidden, axis=0), 0, atol=1e-3)
            np.testing.assert_allclose(tf.math.reduce_std(hidden, axis=0), 1, atol=1e-3)
            seen += 1
    assert seen == len(HIDDEN_UNITS) + 1


def test_normal_noise_becomes_uniform():
    noise = np.sort(UniformNoise()(np.random.default_rng(0).normal(size=10_000).astype(np.float32)))
    np.testing.assert_allclose(noise, (np.arange(10_000) + 0.5) / 10_000, atol=0.02)


def test_each_update_follows_its_losses_and_moves_its_own_network(batch, monkeypatch):
    keras.utils.set_random_seed(3)
    model = build_model("improved-gan", 3, seed=3)
    silence(model.trained_discriminator)
    step, labeled_images, labels, unlabeled_images = batch
    fit_scales(model.trained_discriminator, unlabeled_images)
    noise = {
        stream: tf.random.stateless_normal((40, 100), data.random_seed_pair(3, stream, step))
        for stream in ("fake_noise", "generator_noise")
    }
    with tf.GradientTape() as tape:
        parts = (labeled_images, unlabeled_images, model.generator(noise["fake_noise"], training=True))
        labeled, real, fake = (model.trained_discriminator(part)[0] for part in parts)
        real_or_fake = losses.real_loss(losses.real_logits_of(real)) + losses.fake_loss(losses.real_logits_of(fake))
        total = losses.class_loss(labels, labeled) + 0.5 * real_or_fake
    expected = {"class_optimizer": tape.gradient(total, model.trained_discriminator.trainable_variables)}
    with tf.GradientTape() as tape:
        fakes = model.generator(noise["generator_noise"], training=True)
        means = [tf.reduce_mean(model.trained_discriminator(part)[1], axis=0) for part in (unlabeled_images, fakes)]
        loss = tf.reduce_mean((means[0] - means[1]) ** 2)
    expected["generator_optimizer"] = tape.gradient(loss, model.generator.trainable_variables)

    found = {}
    for optimizer in model.optimizers:
        monkeypatch.setattr(
            optimizer, "apply", lambda gradients, variables, name=optimizer.name: found.update({name: gradients})
        )
    reported = model.train_step(batch)
    assert float(reported["generator_loss"]) == pytest.approx(float(loss), rel=1e-3)
    assert found.keys() == expected.keys()
    for name, gradients in expected.items():
        for ours, theirs in zip(found[name], gradients, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_a_step_trains_both_networks_and_moves_the_average(batch):
    keras.utils.set_random_seed(3)
    model = build_model("improved-gan", 3, seed=3)
    networks = (model.class_discriminator, model.trained_discriminator, model.generator)
    before = [network.get_weights() for network in networks]
    model.train_step(batch)
    for network, weights in zip(networks, before, strict=True):
        assert any((old != new).any() for old, new in zip(weights, network.get_weights(), strict=True))


def test_epsilon_is_under_the_root_of_adam():
    weight, gradients = tf.Variable([5.0, 5.0]), [[1e-5, 3.0], [-2e-5, 1.0]]
    optimizer = AdamUnderRoot(0.1, 0.5, epsilon=1e-8)
    expected, first, second = np.array([5.0, 5.0]), 0.0, 0.0
    for step, gradient in enumerate(np.array(gradients), start=1):
        optimizer.apply([tf.constant(gradient, tf.float32)], [weight])
        first, second = 0.5 * first + 0.5 * gradient, 0.999 * second + 0.001 * gradient**2
        expected -= 0.1 * first / (1 - 0.5**step) / np.sqrt(second / (1 - 0.999**step) + 1e-8)
        np.testing.assert_allclose(weight, expected, rtol=1e-5)
    assert 5.0 - weight[0] < 0.01 < 0.1 < 5.0 - weight[1]


def test_epsilon_is_a_setting_above_zero():
    model = build_model("improved-gan", seed=0, epsilon=1e-6)
    assert [(type(each), each.epsilon) for each in model.optimizers] == 2 * [(AdamUnderRoot, 1e-6)]
    with pytest.raises(ValueError, match="'epsilon' parameter of build_model"):
        build_model("improved-gan", seed=0, epsilon=0.0)
