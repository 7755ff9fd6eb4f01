"""Every loss term of the book, one function each. All take logits: no softmax and no sigmoid comes before them."""

import contextlib

import numpy as np
import tensorflow as tf


def class_loss(labels, class_logits):
    """Cross-entropy of the true class: the mean of -log softmax(class_logits)[label].

    Args:
        labels: int tensor (batch,), classes 0 to K - 1.
        class_logits: float32 tensor (batch, K), any real numbers.

    Returns:
        float32 scalar, in nats, at least 0.

    Source: Odena (2016), "Semi-Supervised Learning with Generative Adversarial Networks", section 2.
    """
    check_loss_arguments("class_loss", class_logits=class_logits, labels=labels)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, class_logits)  # (batch,)
    return tf.reduce_mean(losses)


def real_loss(real_logits):
    """The binary discriminator's loss on real images: the mean of -log D(x) = softplus(-logit).

    Args:
        real_logits: float32 tensor (batch, 1), the logits of "this image is real" for real images.

    Returns:
        float32 scalar, in nats, at least 0.

    Source: Goodfellow et al. (2014), equation 1, first term, with D(x) = sigmoid(logit).
    """
    check_loss_arguments("real_loss", real_logits=real_logits)
    return tf.reduce_mean(tf.nn.softplus(-real_logits))


def fake_loss(fake_logits):
    """The binary discriminator's loss on generated images: the mean of -log(1 - D(G(z))) = softplus(logit).

    Args:
        fake_logits: float32 tensor (batch, 1), the logits of "this image is real" for generated images.

    Returns:
        float32 scalar, in nats, at least 0.

    Source: Goodfellow et al. (2014), equation 1, second term, with D(x) = sigmoid(logit).
    """
    check_loss_arguments("fake_loss", fake_logits=fake_logits)
    return tf.reduce_mean(tf.nn.softplus(fake_logits))


def generator_loss(fake_logits):
    """The generator's non-saturating loss: the mean of -log D(G(z)) = softplus(-logit).

    Args:
        fake_logits: float32 tensor (batch, 1), the logits of "this image is real" for generated images.

    Returns:
        float32 scalar, in nats, at least 0.

    Source: Goodfellow et al. (2014), section 3: "maximize log D(G(z))".
    """
    check_loss_arguments("generator_loss", fake_logits=fake_logits)
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def real_logits_of(class_logits):
    """The logit of "real" of a discriminator whose class logits are all its output: log Z, with Z = sum_k exp(logit_k).

    Its probability of "real" is D(x) = Z / (Z + 1) = sigmoid(log Z). Computed without a raw exp, which overflows.

    Args:
        class_logits: float32 tensor (batch, K), any real numbers.

    Returns:
        float32 tensor (batch, 1), for `real_loss` and `fake_loss`.

    Source: Salimans et al. (2016), "Improved Techniques for Training GANs", section 5, the logit of "fake" being 0.
    """
    check_loss_arguments("real_logits_of", class_logits=class_logits)
    return tf.reduce_logsumexp(class_logits, axis=1, keepdims=True)


def feature_matching_loss(real_features, fake_features):
    """The generator's feature matching loss: how far the mean features of its images are from those of real ones.

    Args:
        real_features: float32 tensor (batch, F), features of real images. They are taken as given: no gradient.
        fake_features: float32 tensor (any batch, F), features of generated images.

    Returns:
        float32 scalar, at least 0: the mean over features of the absolute difference of the two means.

    Source: Salimans et al. (2016), section 3.1, with the absolute value for the square.
    """
    check_loss_arguments("feature_matching_loss", real_features=real_features, fake_features=fake_features)
    wanted = tf.stop_gradient(tf.reduce_mean(real_features, axis=0))
    return tf.reduce_mean(tf.abs(wanted - tf.reduce_mean(fake_features, axis=0)))


def consistency_loss(pseudo_labels, sure, class_logits):
    """Cross-entropy between pseudo-labels of images and the logits of their distorted copies, where sure.

    Args:
        pseudo_labels: int tensor (batch,), classes 0 to K - 1.
        sure: float32 tensor (batch,), 1 where the pseudo-label counts and 0 where it does not.
        class_logits: float32 tensor (batch, K), of the distorted copies.

    Returns:
        float32 scalar, in nats, at least 0: the mean over the whole batch, unsure images counting 0.

    Source: Sohn et al. (2020), "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence",
    equation 4.
    """
    check_loss_arguments("consistency_loss", pseudo_labels=pseudo_labels, sure=sure, class_logits=class_logits)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(pseudo_labels, class_logits)  # (batch,)
    return tf.reduce_mean(sure * losses)


class LossTracker(tf.keras.metrics.Metric):
    """The mean of one loss since the last reset, and the number of steps at which it was finite."""

    def __init__(self, name):
        super().__init__(name=name)
        self.total = self.add_variable((), "zeros", name="total")
        self.steps = self.add_variable((), "zeros", name="steps")
        self.finite_steps = self.add_variable((), "zeros", name="finite_steps")

    def update_state(self, loss):
        self.total.assign_add(loss)
        self.steps.assign_add(1.0)
        self.finite_steps.assign_add(tf.cast(tf.math.is_finite(loss), tf.float32))

    def result(self):
        return tf.math.divide_no_nan(self.total.value, self.steps.value)


RANKS = {"labels": 1, "pseudo_labels": 1, "sure": 1, "class_logits": 2}  # of the others: any


def check_loss_arguments(function, **tensors):
    """Raise unless labels are tensors, arrays or lists of int32 or int64, the rest of floats of a kind, and shapes fit.

    A shape that is not known yet, and the values of a tensor, are not looked at.
    """
    lengths, kinds = set(), set()
    for name, value in tensors.items():
        wanted = "int32 or int64" if name.endswith("labels") else "floats"
        if isinstance(value, (list, tuple)):
            with contextlib.suppress(TypeError, ValueError):
                value = tf.convert_to_tensor(value)
        try:
            dtype, shape = tf.as_dtype(value.dtype), tf.TensorShape(value.shape)
            fits = not isinstance(value, np.ma.MaskedArray)  # whose mask TensorFlow drops
        except (AttributeError, TypeError):  # no tensor, or of a kind that TensorFlow does not have
            fits = False
        if fits:
            fits = dtype.is_floating if wanted == "floats" else dtype in (tf.int32, tf.int64)
            fits &= shape.rank in (None, RANKS.get(name, shape.rank)) and shape.num_elements() != 0
            kinds |= {dtype} if wanted == "floats" else set()
            lengths |= {shape[0]} if name in RANKS and shape.rank and shape[0] is not None else set()
        if not fits or len(lengths) > 1 or len(kinds) > 1:
            rank = f" of {RANKS[name]} dimensions" if name in RANKS else ""
            given = f"{value.dtype} of shape {value.shape}" if hasattr(value, "dtype") else type(value).__name__
            raise TypeError(
                f"The {name!r} parameter of {function} must be a tensor or an array of {wanted}{rank}, not empty, that "
                f"fits the others. Got {given} instead."
            )
