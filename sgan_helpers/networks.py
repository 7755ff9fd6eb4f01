"""The networks: a trunk with two discriminators on it, a discriminator with features, a generator; and their logits."""

import contextlib

import keras
import numpy as np
from keras import layers

from sgan_helpers.checks import LARGEST_SIZE, check_images, check_int, check_type, plain_ints
from sgan_helpers.pictures import warn_of_foreign_images


@contextlib.contextmanager
def keras_defaults():
    """Run with the settings that Keras is shipped with, and put back those that a file or another program has made.

    A `~/.keras/keras.json` that somebody has left behind, or a global precision, would change every layer: the order of
    its axes, the type of its weights. As a decorator, for a function that builds networks or trains them.
    """
    config = keras.config
    found = config.image_data_format(), config.floatx(), config.dtype_policy(), config.epsilon()
    apply = config.set_image_data_format, config.set_floatx, config.set_dtype_policy, config.set_epsilon
    try:
        for setting, value in zip(apply, ("channels_last", "float32", "float32", 1e-7), strict=True):
            setting(value)
        yield
    finally:
        for setting, value in zip(apply, found, strict=True):
            setting(value)


@keras_defaults()
def build_trunk():
    """Build the layers that both discriminators share: images (batch, 28, 28, 1) to features (batch, 1024).

    Three convolutions halve the height and the width: 28, 14, 7, 4. The number of maps grows: 16, 32, 64.
    These layers are this book's choice, made on validation images.

    Returns:
        An uncompiled `keras.Sequential` named "trunk".
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, strides=2, padding="same", name="conv_1"),  # (batch, 14, 14, 16)
            layers.LeakyReLU(0.2, name="leaky_relu_1"),
            layers.Conv2D(32, 5, strides=2, padding="same", name="conv_2"),  # (batch, 7, 7, 32)
            layers.LeakyReLU(0.2, name="leaky_relu_2"),
            layers.Dropout(0.5, name="dropout_2"),
            layers.Conv2D(64, 5, strides=2, padding="same", name="conv_3"),  # (batch, 4, 4, 64)
            layers.LeakyReLU(0.2, name="leaky_relu_3"),
            layers.Flatten(name="flatten"),  # (batch, 1024)
            layers.Dropout(0.5, name="dropout_3"),
        ],
        name="trunk",
    )


@keras_defaults()
@plain_ints
def build_discriminators(num_classes=10):
    """Build the class discriminator and the binary discriminator. Every layer but the output is the same object.

    Args:
        num_classes: int in [2, 10000], the number of classes K.

    Returns:
        A pair of uncompiled `keras.Model`: `class_discriminator` maps float32 images (batch, 28, 28, 1) in [-1, 1]
        to class logits (batch, K); `binary_discriminator` maps them to the logit of "real" (batch, 1).

    Raises:
        TypeError, ValueError: when `num_classes` is not an int of at least 2.

    Source: Odena (2016); two outputs on one trunk.
    """
    check_int("build_discriminators", "num_classes", num_classes, 2, LARGEST_SIZE)
    images = keras.Input((28, 28, 1), name="images")
    features = build_trunk()(images)
    class_logits = layers.Dense(num_classes, name="class_logits")(features)
    real_logits = layers.Dense(1, name="real_logits")(features)
    class_discriminator = keras.Model(images, class_logits, name="class_discriminator")
    binary_discriminator = keras.Model(images, real_logits, name="binary_discriminator")
    return class_discriminator, binary_discriminator


@keras_defaults()
@plain_ints
def build_feature_discriminator(num_classes=10):
    """Build a class discriminator that also returns its last feature maps, flattened: the features.

    These layers are this book's choice, made on validation images. The dense layer behind them has 128 numbers; to
    match the means of so few, a generator need not draw anything like a digit.

    Args:
        num_classes: int in [2, 10000], the number of classes K.

    Returns:
        An uncompiled `keras.Model` from float32 images (batch, 28, 28, 1) in [-1, 1] to a list of class logits
        (batch, K) and features (batch, 1536).

    Raises:
        TypeError, ValueError: when `num_classes` is not an int of at least 2.

    Source: Salimans et al. (2016), section 3.1: the features are an intermediate layer of the discriminator.
    """
    check_int("build_feature_discriminator", "num_classes", num_classes, 2, LARGEST_SIZE)
    images = keras.Input((28, 28, 1), name="images")
    hidden = images
    for number, (maps, size) in enumerate(((24, 5), (48, 3), (96, 3)), start=1):  # 14 x 14, 7 x 7, 4 x 4
        hidden = layers.Conv2D(maps, size, strides=2, padding="same", name=f"conv_{number}")(hidden)
        hidden = layers.BatchNormalization(momentum=0.9, name=f"batch_normalization_{number}")(hidden)
        hidden = layers.LeakyReLU(0.1, name=f"leaky_relu_{number}")(hidden)
    features = layers.Flatten(name="features")(hidden)  # (batch, 1536)
    hidden = layers.Dropout(0.25, name="dropout_3")(features)
    hidden = layers.BatchNormalization(momentum=0.9, name="batch_normalization_4")(
        layers.Dense(128, name="dense_4")(hidden)
    )
    hidden = layers.LeakyReLU(0.1, name="leaky_relu_4")(hidden)
    class_logits = layers.Dense(num_classes, name="class_logits")(layers.Dropout(0.25, name="dropout_4")(hidden))
    return keras.Model(images, [class_logits, features], name="feature_discriminator")


def without_features(feature_discriminator):
    """Return the class discriminator inside a feature discriminator: the same layers, without the second output."""
    check_type("without_features", "feature_discriminator", feature_discriminator, keras.Model)
    return keras.Model(feature_discriminator.input, feature_discriminator.outputs[0], name="class_discriminator")


@keras_defaults()
@plain_ints
def build_generator(latent_dim=100, hidden_units=(512, 256, 128)):
    """Build the generator: noise (batch, latent_dim) to images (batch, 28, 28, 1) in [-1, 1].

    Each hidden layer is dense, batch normalisation, leaky ReLU. Without the normalisation the generator collapses.

    Args:
        latent_dim: int in [1, 10000], the length of a noise vector.
        hidden_units: sequence of ints in [1, 10000], the widths of the hidden dense layers, first to last.

    Returns:
        An uncompiled `keras.Sequential` named "generator". Its last activation is tanh.

    Raises:
        TypeError, ValueError: when a size is not an int of at least 1, or `hidden_units` is not a sequence of them.
    """
    check_generator_sizes(latent_dim, hidden_units)
    generator = keras.Sequential([keras.Input((latent_dim,))], name="generator")
    for number, units in enumerate(hidden_units, start=1):
        generator.add(layers.Dense(units, name=f"hidden_{number}"))
        generator.add(layers.BatchNormalization(momentum=0.8, name=f"batch_normalization_{number}"))
        generator.add(layers.LeakyReLU(0.2, name=f"leaky_relu_{number}"))
    generator.add(layers.Dense(28 * 28, activation="tanh", name="pixels"))
    generator.add(layers.Reshape((28, 28, 1), name="images"))
    return generator


def predict_logits(class_discriminator, images, batch_size=1000):
    """Compute class logits without dropout: float32 images (N, 28, 28, 1) in [-1, 1] to a float32 array (N, K).

    Warns of images that look as if they were scaled to [0, 1], or dark on white.
    """
    check_predict_arguments(class_discriminator, images, batch_size)
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    return np.concatenate([class_discriminator(batch, training=False).numpy() for batch in batches])


def describe_layer(layer):
    """Return the settings of a layer that shape what it computes, and those of the layers inside it."""
    kept = ("filters", "kernel_size", "strides", "padding", "data_format", "units", "rate", "negative_slope")
    kept += ("activation", "momentum", "epsilon", "stddev", "trains_scale", "deviation")
    config = layer.get_config()
    described = {"layer": type(layer).__name__, **{name: config[name] for name in kept if name in config}}
    described["precision"] = [layer.dtype_policy.compute_dtype, layer.dtype_policy.variable_dtype]
    if "kernel_initializer" in config:
        described["kernel_initializer"] = config["kernel_initializer"]["class_name"]
    if hasattr(layer, "layers"):
        described["layers"] = [describe_layer(inner) for inner in layer.layers]
    return described


def check_predict_arguments(class_discriminator, images, batch_size):
    """Raise unless the arguments of `predict_logits` are valid, and warn of images that look foreign."""
    check_type("predict_logits", "class_discriminator", class_discriminator, keras.Model)
    check_images("predict_logits", "images", images)
    check_int("predict_logits", "batch_size", batch_size, 1)
    warn_of_foreign_images("predict_logits", "images", images)


def check_generator_sizes(latent_dim, hidden_units):
    """Raise unless the generator's sizes are positive ints."""
    check_int("build_generator", "latent_dim", latent_dim, 1, LARGEST_SIZE)
    if not isinstance(hidden_units, (tuple, list)):
        raise TypeError(
            "The 'hidden_units' parameter of build_generator must be a tuple or list of ints of at least 1. "
            f"Got {hidden_units!r} instead."
        )
    for units in hidden_units:
        check_int("build_generator", "hidden_units", units, 1, LARGEST_SIZE)
