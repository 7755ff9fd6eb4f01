"""The GAN of Salimans et al. (2016) with feature matching as they published it for MNIST, networks and settings."""

import keras
import tensorflow as tf
from keras import layers

from sgan_helpers.data import random_seed_pair
from sgan_helpers.losses import class_loss, fake_loss, real_logits_of, real_loss
from sgan_helpers.methods.averaged import update_average
from sgan_helpers.methods.base import MethodModel

HIDDEN_UNITS = (1000, 500, 250, 250, 250)  # of the discriminator; each layer has noise before it
LATENT_DIM = 100


class WeightNormDense(layers.Layer):
    """A dense layer whose weights are `scale` times a direction for each unit: w = scale v / |v|.

    Args:
        units: int of at least 1.
        trains_scale: bool; without it, `scale` stays what `fit_scale` makes it.
        deviation: float above 0, the standard deviation of the initial v.

    Source: Salimans and Kingma (2016), "Weight Normalization".
    """

    def __init__(self, units, trains_scale=False, deviation=0.1, **settings):
        super().__init__(**settings)
        self.units, self.trains_scale, self.deviation = units, trains_scale, deviation

    def build(self, input_shape):
        """Make v, the scales and the biases."""
        initial = keras.initializers.RandomNormal(stddev=self.deviation)
        self.direction = self.add_weight((input_shape[-1], self.units), initial, name="direction")
        self.scale = self.add_weight((self.units,), "ones", trainable=self.trains_scale, name="scale")
        self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def call(self, inputs):
        """Return inputs (batch, n) times the weights plus the biases, (batch, units)."""
        norm = tf.sqrt(tf.reduce_sum(tf.square(self.direction), axis=0))
        return inputs @ (self.direction * (self.scale / norm)) + self.bias

    def fit_scale(self, inputs):
        """Choose scales and biases so that the outputs for these inputs have mean 0 and deviation 1. Return those."""
        self.scale.assign(tf.ones_like(self.scale))
        self.bias.assign(tf.zeros_like(self.bias))
        outputs = self(inputs)
        mean, variance = tf.nn.moments(outputs, axes=[0])
        self.scale.assign(tf.math.rsqrt(variance))
        self.bias.assign(-mean * tf.math.rsqrt(variance))
        return self(inputs)

    def get_config(self):
        """Return the layer's settings."""
        own = {"units": self.units, "trains_scale": self.trains_scale, "deviation": self.deviation}
        return {**super().get_config(), **own}


class UniformNoise(layers.Layer):
    """Turns standard normal noise into noise that is uniform in [0, 1], by the normal distribution function."""

    def call(self, noise):
        """Return uniform noise of the same shape."""
        return 0.5 * (1.0 + tf.math.erf(noise / tf.sqrt(2.0)))


class AdamUnderRoot(keras.optimizers.Adam):
    """Adam as Salimans et al. wrote it: weight <- weight - rate m / sqrt(v + epsilon), both moments without bias.

    Keras adds epsilon to the root. So their 1e-8 makes for smaller steps than Keras's 1e-7 where gradients are small:
    for a v of 0 the one divides by 1e-4, the other by 1e-7.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Update the moments of a variable, and the variable."""
        index, step = self._get_variable_index(variable), tf.cast(self.iterations + 1, variable.dtype)
        moments = []
        for moment, decay, value in (
            (self._momentums[index], self.beta_1, gradient),
            (self._velocities[index], self.beta_2, tf.square(gradient)),
        ):
            self.assign(moment, decay * moment + (1.0 - decay) * value)
            moments.append(moment / (1.0 - decay**step))
        self.assign_sub(variable, learning_rate * moments[0] / tf.sqrt(moments[1] + self.epsilon))


def build_dense_discriminator(num_classes):
    """Build a network from images (batch, 28, 28, 1) in [-1, 1] to class logits (batch, K) and features (batch, 250).

    Noise is added to the pixels, scaled to [0, 1], and to each hidden layer. The features are the last hidden layer,
    before its noise.
    """
    images = keras.Input((28, 28, 1))
    hidden = layers.Flatten()(layers.Rescaling(0.5, 0.5)(images))
    for number, units in enumerate(HIDDEN_UNITS):
        hidden = layers.GaussianNoise(0.5 if number else 0.3)(hidden)
        hidden = features = layers.ReLU()(WeightNormDense(units)(hidden))
    class_logits = WeightNormDense(num_classes, trains_scale=True)(layers.GaussianNoise(0.5)(hidden))
    return keras.Model(images, [class_logits, features])


def build_dense_generator():
    """Build a network from noise (batch, 100), standard normal, to images (batch, 28, 28, 1) in [-1, 1]."""
    noise = keras.Input((LATENT_DIM,))
    hidden = UniformNoise()(noise)
    for _ in range(2):
        hidden = layers.Dense(500, use_bias=False)(hidden)
        hidden = layers.Activation("softplus")(
            layers.BatchNormalization(momentum=0.9, epsilon=1e-6, scale=False)(hidden)
        )
    scaled = WeightNormDense(28 * 28, trains_scale=True, deviation=0.04)  # Glorot's deviation for 500 and 784 units
    pixels = layers.Activation("sigmoid")(scaled(hidden))
    return keras.Model(noise, layers.Reshape((28, 28, 1))(layers.Rescaling(2.0, -1.0)(pixels)))


def fit_scales(network, images):
    """Fit the scale of each `WeightNormDense` of a chain of layers, first to last, to a batch of images."""
    hidden = images
    for layer in network.layers[1:]:
        if isinstance(layer, WeightNormDense):
            hidden = layer.fit_scale(hidden)
        else:
            hidden = layer(hidden, training=True) if isinstance(layer, layers.GaussianNoise) else layer(hidden)


class ImprovedGan(MethodModel):
    """The discriminator learns class loss + (real loss + fake loss) / 2, the generator matches mean features.

    An iteration is one update of each network; 180,000 of them were published, 300 epochs of 600 batches. Images are
    not distorted; the noise in the networks takes that place. The classifier is an average of the weights over time.

    Args:
        averaged_discriminator: `keras.Model`, images (batch, 28, 28, 1) to class logits (batch, K) and features.
        trained_discriminator: `keras.Model` of the same layers.
        generator: `keras.Model`, noise (batch, 100) to images.
        seed: int in [0, 2**31 - 1], the seed of the noise.
        learning_rate: float above 0, of both Adam optimisers.
        beta_1: float in [0, 1), Adam's decay rate of the first moment.
        epsilon: float above 0, see `AdamUnderRoot`.
        average_decay: float in [0, 1), see `update_average`.

    Source: Salimans et al. (2016), "Improved Techniques for Training GANs", sections 3.1 and 5; what the paper does not
    say is as in the code that the authors released. Here batches are drawn with replacement, one batch of unlabelled
    images serves both updates, the labelled images are not among them, the first scales are fitted to one batch, and
    the average starts at the first weights.
    """

    network_names = ("averaged_discriminator", "trained_discriminator", "generator")
    loss_names = ("class_loss", "real_loss", "fake_loss", "generator_loss")
    optimizer_class = AdamUnderRoot

    def __init__(self, *networks, seed, learning_rate=3e-3, beta_1=0.5, epsilon=1e-8, average_decay=0.9999):
        super().__init__(*networks, seed=seed)
        images = self.averaged_discriminator.input
        self.class_discriminator = keras.Model(images, self.averaged_discriminator.outputs[0])
        self.class_optimizer, self.generator_optimizer = (
            self.add_optimizer(name, network, learning_rate, beta_1, epsilon=epsilon)
            for name, network in (
                ("class_optimizer", self.trained_discriminator),
                ("generator_optimizer", self.generator),
            )
        )
        self.average_decay = average_decay

    @staticmethod
    def build_networks(num_classes):
        """Return the averaged and the trained discriminator, with the same initial weights, and a generator."""
        trained, averaged = (build_dense_discriminator(num_classes) for _ in range(2))
        averaged.set_weights(trained.get_weights())
        return averaged, trained, build_dense_generator()

    def train_step(self, data):
        """Run one iteration: one update of the discriminator, one of the generator, then move the average."""
        step, labeled_images, labels, unlabeled_images = data
        tf.cond(step == 0, lambda: fit_scales(self.trained_discriminator, unlabeled_images), lambda: None)
        losses = self.update_discriminator(step, labeled_images, labels, unlabeled_images)
        losses["generator_loss"] = self.update_generator(step, unlabeled_images)
        update_average(self.averaged_discriminator, self.trained_discriminator, step, self.average_decay)
        return self.report(losses)

    def draw_fakes(self, stream, step, batch_size):
        """Return generated images (batch, 28, 28, 1), whose batch normalisation is that of a training."""
        noise = tf.random.stateless_normal((batch_size, LATENT_DIM), random_seed_pair(self.seed, stream, step))
        return self.generator(noise, training=True)

    def update_discriminator(self, step, labeled_images, labels, unlabeled_images):
        """Train the discriminator once, and return its three losses by name."""
        variables, count = self.trained_discriminator.trainable_variables, tf.shape(unlabeled_images)[0]
        fake_images = self.draw_fakes("fake_noise", step, count)
        images = tf.concat([labeled_images, unlabeled_images, fake_images], axis=0)
        with tf.GradientTape() as tape:
            class_logits, _ = self.trained_discriminator(images, training=True)
            labeled, real, fake = tf.split(class_logits, [tf.shape(labels)[0], count, count])
            losses = {
                "class_loss": class_loss(labels, labeled),
                "real_loss": real_loss(real_logits_of(real)),
                "fake_loss": fake_loss(real_logits_of(fake)),
            }
            total = losses["class_loss"] + 0.5 * (losses["real_loss"] + losses["fake_loss"])
        self.class_optimizer.apply(tape.gradient(total, variables), variables)
        return losses

    def update_generator(self, step, unlabeled_images):
        """Train the generator once, and return its loss: the squared differences of the mean features."""
        variables = self.generator.trainable_variables
        _, real_features = self.trained_discriminator(unlabeled_images, training=True)
        with tf.GradientTape() as tape:
            fake_images = self.draw_fakes("generator_noise", step, tf.shape(unlabeled_images)[0])
            _, fake_features = self.trained_discriminator(fake_images, training=True)
            difference = tf.reduce_mean(real_features, axis=0) - tf.reduce_mean(fake_features, axis=0)
            loss = tf.reduce_mean(tf.square(difference))
        self.generator_optimizer.apply(tape.gradient(loss, variables), variables)
        return loss
