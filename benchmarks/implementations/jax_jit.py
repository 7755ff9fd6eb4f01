"""The book's SGAN in JAX and Optax, written as a JAX user would: pure functions, one jitted iteration."""

import jax
import numpy as np
import optax
from jax import numpy as jnp


def leaky_relu(values):
    return jax.nn.leaky_relu(values, 0.2)


def dropout(values, rate, key):
    if rate == 0:
        return values
    kept = jax.random.bernoulli(key, 1 - rate, values.shape)
    return jnp.where(kept, values / (1 - rate), 0)


def convolve(images, kernel, bias):
    maps = jax.lax.conv_general_dilated(
        images, kernel, window_strides=(2, 2), padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return leaky_relu(maps + bias)


def trunk(parameters, images, rate, key):
    """Images (batch, 28, 28, 1) to features (batch, 1024)."""
    keys = jax.random.split(key)
    first, second, third = parameters
    maps = dropout(convolve(convolve(images, *first), *second), rate, keys[0])
    maps = convolve(maps, *third)
    return dropout(maps.reshape(len(maps), -1), rate, keys[1])


def generate(parameters, statistics, noise, training):
    """Noise (batch, 100) to images (batch, 28, 28, 1), and the moving statistics of batch normalisation."""
    values, moved = noise, []
    for (kernel, bias, scale, shift), (mean, variance) in zip(parameters["hidden"], statistics, strict=True):
        values = values @ kernel + bias
        if training:
            batch_mean, batch_variance = values.mean(axis=0), values.var(axis=0)
            moved.append((0.8 * mean + 0.2 * batch_mean, 0.8 * variance + 0.2 * batch_variance))
            mean, variance = batch_mean, batch_variance
        values = leaky_relu((values - mean) / jnp.sqrt(variance + 1e-3) * scale + shift)
    kernel, bias = parameters["pixels"]
    return jnp.tanh(values @ kernel + bias).reshape(-1, 28, 28, 1), moved


def class_part(parameters, images, labels, rate, key):
    kernel, bias = parameters["output"]
    logits = trunk(parameters["trunk"], images, rate, key) @ kernel + bias
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def real_logits(parameters, images, rate, key):
    kernel, bias = parameters["output"]
    return trunk(parameters["trunk"], images, rate, key) @ kernel + bias


def real_part(parameters, images, rate, key):
    return jax.nn.softplus(-real_logits(parameters, images, rate, key)).mean()


def fake_part(parameters, images, rate, key):
    return jax.nn.softplus(real_logits(parameters, images, rate, key)).mean()


def generator_part(parameters, statistics, binary, noise, rate, key):
    images, moved = generate(parameters, statistics, noise, training=True)
    return jax.nn.softplus(-real_logits(binary, images, rate, key)).mean(), moved


class Implementation:
    def __init__(self, weights, data, settings):
        self.settings = settings
        as_arrays = jax.tree.map(jnp.asarray, weights)
        class_output, real_output, *dense = as_arrays["dense"]
        widths = [bias.shape for _, bias in dense[:-1]]
        hidden = [(*layer, jnp.ones(width), jnp.zeros(width)) for layer, width in zip(dense[:-1], widths, strict=True)]
        optimizer = optax.adam(settings["learning_rate"], settings["beta_1"], eps=settings["epsilon"])
        parameters = {
            "trunk": as_arrays["convolutions"],
            "class": class_output,
            "real": real_output,
            "generator": {"hidden": hidden, "pixels": dense[-1]},
        }
        self.state = {
            **parameters,
            "statistics": [(jnp.zeros(width), jnp.ones(width)) for width in widths],
            "class_optimizer": optimizer.init({"trunk": parameters["trunk"], "output": class_output}),
            "binary_optimizer": optimizer.init({"trunk": parameters["trunk"], "output": real_output}),
            "generator_optimizer": optimizer.init(parameters["generator"]),
        }
        self.key = jax.random.key(0)
        self.labeled_images = jnp.asarray(data["labeled_images"])
        self.labels = jnp.asarray(data["labels"])
        self.unlabeled_images = jnp.asarray(data["unlabeled_images"])
        rate, batch_size = settings["dropout"], settings["batch_size"]

        def update(loss_of, state, parameters, name, *inputs):
            loss, gradients = jax.value_and_grad(loss_of)(parameters, *inputs)
            changes, state[name] = optimizer.update(gradients, state[name])
            return loss, optax.apply_updates(parameters, changes)

        def iteration(state, key, labeled_images, labels, real_images, fake_noise, generator_noise):
            state, keys = dict(state), jax.random.split(key, 4)
            fake_images, _ = generate(state["generator"], state["statistics"], fake_noise, training=False)

            head = {"trunk": state["trunk"], "output": state["class"]}
            inputs = (labeled_images, labels, rate, keys[0])
            first, head = update(class_part, state, head, "class_optimizer", *inputs)
            state["class"] = head["output"]

            head = {"trunk": head["trunk"], "output": state["real"]}
            second, head = update(real_part, state, head, "binary_optimizer", real_images, rate, keys[1])
            third, head = update(fake_part, state, head, "binary_optimizer", fake_images, rate, keys[2])
            state["trunk"], state["real"] = head["trunk"], head["output"]

            value_and_grad = jax.value_and_grad(generator_part, has_aux=True)
            inputs = (state["statistics"], head, generator_noise, rate, keys[3])
            (fourth, state["statistics"]), gradients = value_and_grad(state["generator"], *inputs)
            changes, state["generator_optimizer"] = optimizer.update(gradients, state["generator_optimizer"])
            state["generator"] = optax.apply_updates(state["generator"], changes)
            return state, jnp.stack([first, second, third, fourth])

        def iteration_on_drawn_batch(state, key, labeled_images, labels, unlabeled_images):
            keys = jax.random.split(key, 5)
            labeled_rows = jax.random.randint(keys[0], (batch_size,), 0, len(labels))
            unlabeled_rows = jax.random.randint(keys[1], (batch_size,), 0, len(unlabeled_images))
            batch = (labeled_images[labeled_rows], labels[labeled_rows], unlabeled_images[unlabeled_rows])
            noise = [jax.random.normal(key, (batch_size, 100)) for key in keys[2:4]]
            return iteration(state, keys[4], *batch, *noise)

        self.iteration = jax.jit(iteration, donate_argnums=0)
        self.iteration_on_drawn_batch = jax.jit(iteration_on_drawn_batch, donate_argnums=0)

    def losses(self, batches):
        """Run an iteration on each of the given batches of NumPy arrays. Return the losses, (batches, 4)."""
        found = []
        for batch in batches:
            self.key, key = jax.random.split(self.key)
            self.state, losses = self.iteration(self.state, key, *batch)
            found.append(np.asarray(losses))
        return np.array(found)

    def run(self, iterations):
        """Run iterations on batches drawn at random."""
        for _ in range(iterations):
            self.key, key = jax.random.split(self.key)
            data = (self.labeled_images, self.labels, self.unlabeled_images)
            self.state, losses = self.iteration_on_drawn_batch(self.state, key, *data)
        return np.asarray(losses).tolist()
