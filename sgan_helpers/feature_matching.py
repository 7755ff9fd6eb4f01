"""The book's strongest methods: pseudo-labels of distorted images, and a GAN that matches features, one or both.

This file is not about evaluation, checkpoints or pictures: `training.py` is.
"""

import keras
import tensorflow as tf

from sgan_helpers.checks import check_bool, check_int, check_number, check_type
from sgan_helpers.data import DISTORTION, MAX_SEED, distort_images
from sgan_helpers.losses import (
    LossTracker,
    class_loss,
    consistency_loss,
    fake_loss,
    feature_matching_loss,
    generator_loss,
    real_logits_of,
    real_loss,
)
from sgan_helpers.networks import without_features
from sgan_helpers.sgan import draw_noise
from sgan_helpers.supervised import AVERAGE_DECAY, update_average

# Chosen on validation images; of the last only 0.1 and 1 were compared, on one split.
LABELED_BATCH = 32  # labelled images in a step, of those in the batch: with few labels, more are only repetition
CONFIDENCE = 0.95  # a pseudo-label counts where its probability is above this
BALANCE_RATE = 0.05  # how fast the logits' bias follows an imbalance of the classes
BALANCE_STEPS = 3000  # the largest bias falls from BALANCE_LIMIT to 0 over these iterations
BALANCE_LIMIT = 3.0
GAN_WEIGHT = 0.1  # of the real and the fake loss, beside the class loss


def pseudo_labels(class_logits, class_bias, step):
    """Label images by the averaged network's logits, and say where it is sure.

    Early in training a network gives some classes too often, and whole styles of a digit would be learned as another.
    So a bias is added to the logits: it falls where a class has been given too often, and rises where too seldom.
    It only decides close cases, for it is bounded; the bound shrinks to 0, because no real data are balanced exactly.

    Args:
        class_logits: float32 tensor (batch, K), the averaged network's logits of images that are not distorted.
        class_bias: `keras.Variable` (K,), kept from step to step; it is moved.
        step: int64 scalar tensor, the iteration, from 0.

    Returns:
        labels: int64 tensor (batch,); sure: float32 tensor (batch,), 1 where the label counts and 0 elsewhere.

    Source: Sohn et al. (2020), "FixMatch", section 2; the balance follows the distribution alignment of Berthelot et
    al. (2020), "ReMixMatch", section 3.1, with a feedback on the bias for the division by frequencies.
    """
    probabilities = tf.nn.softmax(class_logits + class_bias)  # (batch, K)
    surplus = class_logits.shape[1] * tf.reduce_mean(probabilities, axis=0) - 1.0  # (K,), 0: a class has its share
    moved = class_bias - BALANCE_RATE * surplus
    limit = BALANCE_LIMIT * tf.maximum(0.0, 1.0 - tf.cast(step, tf.float32) / BALANCE_STEPS)
    class_bias.assign(tf.clip_by_value(moved - tf.reduce_mean(moved), -limit, limit))
    sure = tf.cast(tf.reduce_max(probabilities, axis=1) > CONFIDENCE, tf.float32)
    return tf.argmax(probabilities, axis=1), sure


def discriminate_fakes(feature_discriminator, fake_images):
    """Run generated images through the discriminator in training, without a trace in its moving averages.

    Batch normalisation then uses the fakes' own mean and variance. The moving averages, which the classifier is tested
    with, must be those of real images.

    Args:
        feature_discriminator: `keras.Model`, images to class logits (batch, K) and features (batch, F).
        fake_images: float32 tensor (batch, 28, 28, 1) in [-1, 1].

    Returns:
        Class logits (batch, K).
    """
    averages = [variable for variable in feature_discriminator.non_trainable_variables if "moving" in variable.path]
    before = [tf.identity(average) for average in averages]
    class_logits, _ = feature_discriminator(fake_images, training=True)
    for average, value in zip(averages, before, strict=True):
        average.assign(value)
    return class_logits


class FeatureMatching(keras.Model):
    """A class discriminator trained with pseudo-labels, fakes or both; the average of its weights over time is tested.

    An iteration is one update of each network, where the recipe of `SGAN` has four. The discriminator's loss is the
    class loss + the consistency loss + GAN_WEIGHT (the real loss + the fake loss). Labelled and unlabelled images are
    distorted. A part that is left out costs no time.

    The generator matches features of the *averaged* discriminator, which uses its moving averages for real images and
    fakes alike. Those of the trained one would not do: its batch normalisation gives any batch the same mean.

    Args:
        averaged_discriminator: `keras.Model`, images (batch, 28, 28, 1) to class logits (batch, K) and features
            (batch, F). It holds the average; its `class_discriminator` is the classifier.
        trained_discriminator: `keras.Model` of the same layers.
        generator: `keras.Model`, noise (batch, latent_dim) to images, or None for no GAN.
        seed: int in [0, 2**31 - 1], the seed of distortions and noise.
        learning_rate: float above 0, of every Adam optimiser.
        beta_1: float in (0, 1), Adam's decay rate of the first moment.
        uses_pseudo_labels: bool, whether the consistency loss is part of the loss.
        matches_features: bool; False means that the generator wants its images to pass for real.

    Raises:
        TypeError, ValueError: an argument has the wrong type or range, or the discriminators differ in shape.

    Source: Salimans et al. (2016), "Improved Techniques for Training GANs", sections 3.1 and 5; Sohn et al. (2020).
    """

    def __init__(
        self,
        averaged_discriminator,
        trained_discriminator,
        generator=None,
        *,
        seed,
        learning_rate,
        beta_1,
        uses_pseudo_labels=True,
        matches_features=True,
    ):
        check_feature_matching_arguments(averaged_discriminator, trained_discriminator, generator)
        check_int("FeatureMatching", "seed", seed, 0, MAX_SEED)
        check_number("FeatureMatching", "learning_rate", learning_rate, 0, float("inf"))
        check_number("FeatureMatching", "beta_1", beta_1, 0, 1)
        check_bool("FeatureMatching", "uses_pseudo_labels", uses_pseudo_labels)
        check_bool("FeatureMatching", "matches_features", matches_features)
        super().__init__(name="feature_matching")
        self.averaged_discriminator = averaged_discriminator
        self.class_discriminator = without_features(averaged_discriminator)
        self.trained_discriminator = trained_discriminator
        self.seed = seed
        self.uses_pseudo_labels, self.has_gan, self.matches_features = (
            uses_pseudo_labels,
            generator is not None,
            matches_features,
        )
        self.class_optimizer = keras.optimizers.Adam(learning_rate, beta_1, name="class_optimizer")
        self.class_optimizer.build(trained_discriminator.trainable_variables)
        self.optimizers = [self.class_optimizer]
        self.loss_names = ("class_loss",)
        if uses_pseudo_labels:
            self.class_bias = self.add_weight((self.class_discriminator.output_shape[1],), "zeros", name="class_bias")
            self.loss_names += ("consistency_loss",)
        if self.has_gan:
            self.generator = generator
            self.generator_optimizer = keras.optimizers.Adam(learning_rate, beta_1, name="generator_optimizer")
            self.generator_optimizer.build(generator.trainable_variables)
            self.optimizers.append(self.generator_optimizer)
            self.loss_names += ("real_loss", "fake_loss", "generator_loss")
        self.loss_trackers = [LossTracker(name) for name in self.loss_names]
        self.built = True

    @property
    def recipe(self):
        """What this method has in its recipe beside networks and optimiser."""
        return {
            "distortion": DISTORTION,
            "average_decay": AVERAGE_DECAY,
            "labeled_batch": LABELED_BATCH,
            "pseudo_labels": [CONFIDENCE, BALANCE_RATE, BALANCE_STEPS, BALANCE_LIMIT]
            if self.uses_pseudo_labels
            else None,
            "gan": [GAN_WEIGHT, self.matches_features] if self.has_gan else None,
        }

    def train_step(self, data):
        """Run one iteration on one batch of `batch_stream`: one update of each network."""
        step, labeled_images, labels, unlabeled_images = data
        labeled_images, labels = labeled_images[:LABELED_BATCH], labels[:LABELED_BATCH]
        images = tf.concat([labeled_images, unlabeled_images], axis=0)
        images = distort_images(images, self.seed, step, "unlabeled_batch")
        average_logits, average_features = self.averaged_discriminator(unlabeled_images, training=False)
        if self.uses_pseudo_labels:
            guesses, sure = pseudo_labels(average_logits, self.class_bias, step)
        with tf.GradientTape(persistent=True) as tape:
            class_logits, _ = self.trained_discriminator(images, training=True)
            labeled_logits, unlabeled_logits = tf.split(class_logits, [tf.shape(labels)[0], -1])
            losses = [class_loss(labels, labeled_logits)]
            if self.uses_pseudo_labels:
                losses.append(consistency_loss(guesses, sure, unlabeled_logits))
            total = tf.add_n(losses)
            if self.has_gan:
                noise_shape = (tf.shape(unlabeled_images)[0], self.generator.input_shape[-1])
                fake_images = self.generator(draw_noise(self.seed, "fake_noise", step, *noise_shape), training=True)
                fake_logits = discriminate_fakes(self.trained_discriminator, fake_images)
                losses.append(real_loss(real_logits_of(unlabeled_logits)))
                losses.append(fake_loss(real_logits_of(fake_logits)))
                total += GAN_WEIGHT * (losses[-2] + losses[-1])
                if self.matches_features:
                    _, fake_features = self.averaged_discriminator(fake_images, training=False)
                    losses.append(feature_matching_loss(average_features, fake_features))
                else:
                    losses.append(generator_loss(real_logits_of(fake_logits)))
        variables = self.trained_discriminator.trainable_variables
        gradients = tape.gradient(total, variables)
        if self.has_gan:
            generator_gradients = tape.gradient(losses[-1], self.generator.trainable_variables)
            self.generator_optimizer.apply(generator_gradients, self.generator.trainable_variables)
        self.class_optimizer.apply(gradients, variables)
        update_average(self.class_discriminator, self.trained_discriminator, step)
        for tracker, loss in zip(self.loss_trackers, losses, strict=True):
            tracker.update_state(loss)
        return dict(zip(self.loss_names, losses, strict=True))


def check_feature_matching_arguments(averaged_discriminator, trained_discriminator, generator):
    """Raise unless the networks of `FeatureMatching` are two discriminators with features, and a generator or None."""
    discriminators = {"averaged_discriminator": averaged_discriminator, "trained_discriminator": trained_discriminator}
    for name, discriminator in discriminators.items():
        check_type("FeatureMatching", name, discriminator, keras.Model)
        shapes = [tuple(output.shape) for output in discriminator.outputs]
        if len(shapes) != 2 or any(len(shape) != 2 for shape in shapes):
            raise ValueError(
                f"The '{name}' parameter of FeatureMatching must give class logits (batch, K) and features (batch, F). "
                f"Got outputs of shape {', '.join(map(str, shapes))} instead."
            )
    if generator is not None:
        check_type("FeatureMatching", "generator", generator, keras.Model)
    same_network = trained_discriminator is averaged_discriminator
    shapes, wanted = ([weight.shape for weight in network.weights] for network in discriminators.values())
    if same_network or shapes != wanted:
        raise ValueError(
            "The 'trained_discriminator' parameter of FeatureMatching must be another network with the layers of the "
            f"averaged one. Got {'the same network' if same_network else 'weights of other shapes'} instead."
        )
