"""Count the floating-point operations of one iteration of the SGAN, from the shapes of its layers."""

import keras

FORWARD, WEIGHT_GRADIENT, INPUT_GRADIENT = 1, 1, 1  # products of the same size, for a dense or convolutional layer


def count_products(network, first_input_gradient, weight_gradient=True):
    """Count the operations for one image: forward, gradients of the weights, gradients of the inputs.

    A multiplication and an addition are two operations. The gradient of a layer's inputs is not needed for the first
    layer, unless the inputs were made by another network that is trained.
    """
    total = 0
    for number, layer in enumerate(weighted_layers(network)):
        once = 2 * _multiplications(layer)
        total += FORWARD * once
        total += WEIGHT_GRADIENT * once * weight_gradient
        total += INPUT_GRADIENT * once * (number > 0 or first_input_gradient)
    return total


def count_iteration(class_discriminator, binary_discriminator, generator, batch_size):
    """Count the operations of the recipe's four updates on one batch."""
    forward = sum(2 * _multiplications(layer) for layer in weighted_layers(generator))
    per_image = {
        "class": count_products(class_discriminator, first_input_gradient=False),
        "real": count_products(binary_discriminator, first_input_gradient=False),
        "fake": forward + count_products(binary_discriminator, first_input_gradient=False),
        "generator": count_products(generator, first_input_gradient=False)
        + count_products(binary_discriminator, first_input_gradient=True, weight_gradient=False),
    }
    return {update: batch_size * count for update, count in per_image.items()}


def weighted_layers(*networks):
    """Return the dense and the convolutional layers of some networks in order, each once."""
    found = []
    for network in networks:
        for layer in network.layers:
            inside = weighted_layers(layer) if hasattr(layer, "layers") else [layer]
            found += [one for one in inside if isinstance(one, (keras.layers.Dense, keras.layers.Conv2D))]
    return list({id(layer): layer for layer in found}.values())


def _multiplications(layer):
    """Multiplications of one forward pass for one image. A convolution repeats its kernel at each output pixel."""
    kernel = layer.kernel.shape
    size = 1
    for length in kernel:
        size *= length
    if isinstance(layer, keras.layers.Conv2D):
        _, height, width, _ = layer.output.shape
        size *= height * width
    return size
