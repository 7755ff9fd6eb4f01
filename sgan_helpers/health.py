"""Signs that a training goes wrong although nothing fails: a collapse, a dead discriminator, losses out of bounds."""

import numpy as np

JUDGED_FROM = 500  # iterations; before, healthy networks have the same signs
SAME_IMAGE = 0.02  # of the distance between real images; healthy runs had 0.04 and more, collapsed ones up to 0.003
SAME_LOGIT = 1e-3  # standard deviation; healthy runs had 0.5 and more
NO_ERROR = 0.02  # nats, of both losses together; healthy runs had 0.5 and more
DIVERGED = 1e6  # nats: the probability of what is right would be e to the power of minus a million


def warnings_of(iteration, losses, num_classes, real_images, samples=None, real_logits=None):
    """Return what is wrong with a training, a list of sentences: what is seen, what it means, what to try.

    Args:
        iteration: int, the iterations so far.
        losses: dict from names of losses to their means since the last test.
        num_classes: int K.
        real_images: float array (N, 28, 28, 1) in [-1, 1], a hundred of them.
        samples: uint8 array (N, 28, 28), generated images; or None.
        real_logits: float array, the discriminator's logits of "real" for real and for generated images; or None.
    """
    if iteration < JUDGED_FROM:
        return []
    found = []
    if losses.get("class_loss", 0.0) > 3 * np.log(num_classes):
        found.append(
            f"the class loss is {losses['class_loss']:.3g}, and guessing would have {np.log(num_classes):.3g}: the "
            "updates are too large. Try a smaller learning_rate."
        )
    if samples is not None and spread(samples) < SAME_IMAGE * spread(real_images):
        found.append(
            "the generator draws nearly the same images from any noise: it has collapsed, and its images teach little. "
            "Try another seed, batch normalisation in the generator, or a smaller learning_rate."
        )
    if real_logits is not None and np.std(real_logits) < SAME_LOGIT:
        found.append(
            "the discriminator calls every image equally real: it is dead, and the generator learns nothing from it. "
            "Try another seed, or a smaller learning_rate."
        )
    if real_logits is not None and losses.get("real_loss", 1.0) + losses.get("fake_loss", 1.0) < NO_ERROR:
        found.append(
            "the discriminator tells real from generated images without an error: the generator no longer learns. "
            "Try another seed, a smaller learning_rate, or a larger generator."
        )
    return found


def spread(images):
    """Return how far an image is from the one that is most like it: the median of the mean square distances, or NaN."""
    if len(images) < 2:
        return float("nan")  # which is not below anything
    pixels = np.asarray(images).reshape(len(images), -1)
    pixels = pixels / 127.5 - 1.0 if pixels.dtype == np.uint8 else pixels.astype(np.float64)
    squares = np.square(pixels).sum(axis=1)
    distances = np.maximum(squares[:, np.newaxis] + squares - 2 * pixels @ pixels.T, 0.0)
    np.fill_diagonal(distances, np.inf)
    return float(np.median(distances.min(axis=1))) / pixels.shape[1]
