"""Shapes, sharing and order of layers."""

import numpy as np
import pytest
from keras import layers

from sgan_helpers.networks import build_discriminators, build_generator


def test_every_layer_of_the_discriminators_but_the_output_is_the_same_object():
    class_discriminator, binary_discriminator = build_discriminators()
    assert len(class_discriminator.layers) == len(binary_discriminator.layers) >= 3
    for ours, theirs in zip(class_discriminator.layers[:-1], binary_discriminator.layers[:-1], strict=True):
        assert ours is theirs
    assert class_discriminator.layers[-1] is not binary_discriminator.layers[-1]
    images = np.zeros((3, 28, 28, 1), np.float32)
    assert class_discriminator(images).shape == (3, 10) and binary_discriminator(images).shape == (3, 1)
    assert build_discriminators(4)[0](images).shape == (3, 4)


def test_numpy_integers_are_sizes_too():
    assert build_discriminators(np.int64(3))[0].output_shape == (None, 3)
    generator = build_generator(np.int32(4), hidden_units=[np.int64(5), 6])
    assert generator.input_shape == (None, 4)
    assert [layer.units for layer in generator.layers if isinstance(layer, layers.Dense)] == [5, 6, 784]


def test_outputs_are_logits():
    class_discriminator, binary_discriminator = build_discriminators()
    for network in (class_discriminator, binary_discriminator):
        assert network.layers[-1].activation.__name__ == "linear"


def test_the_generator_has_its_layers_in_the_order_of_the_recipe():
    generator = build_generator()
    dense = [layer.units for layer in generator.layers if isinstance(layer, layers.Dense)]
    assert dense == [512, 256, 128, 784]
    images = generator(np.random.default_rng(0).normal(size=(5, 100)).astype(np.float32)).numpy()
    assert images.shape == (5, 28, 28, 1)
    assert np.abs(images).max() <= 1.0 and images.std() > 0.01
    assert build_generator(7, [3, 2])(np.zeros((1, 7), np.float32)).shape == (1, 28, 28, 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: build_discriminators(1), ValueError, "'num_classes' parameter of build_discriminators.*Got 1"),
        (lambda: build_discriminators("10"), TypeError, "'num_classes'.*'10'"),
        (lambda: build_discriminators(True), TypeError, "'num_classes'.*Got True"),
        (lambda: build_discriminators(np.float64(3)), TypeError, "'num_classes'.*3.0"),
        (lambda: build_generator(100, (512, 1.5)), TypeError, "'hidden_units'.*Got 1.5"),
        (lambda: build_generator(0), ValueError, "'latent_dim' parameter of build_generator.*Got 0"),
        (lambda: build_generator(100, (512, -1)), ValueError, "'hidden_units'.*Got -1"),
        (lambda: build_generator(100, 512), TypeError, "'hidden_units'.*Got 512"),
    ],
)
def test_bad_sizes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
