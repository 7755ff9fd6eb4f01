"""Each update moves exactly its own variables: every one is hashed, under the `fit` path of a full run and eagerly."""

import hashlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgan_helpers import data, training
from sgan_helpers.methods import sgan
from sgan_helpers.methods.build import build_model
from sgan_helpers.methods.supervised import Supervised
from sgan_helpers.networks import build_discriminators, build_generator, predict_logits

# What each update may move. All four draw dropout masks, and so move the seed states of dropout.
UPDATES = {
    "update_class_discriminator": {"trunk", "class output", "class optimizer", "dropout seeds"},
    "update_binary_on_real": {"trunk", "binary output", "binary optimizer", "dropout seeds"},
    "update_binary_on_fake": {"trunk", "binary output", "binary optimizer", "dropout seeds"},
    "update_generator": {"generator", "moving statistics", "generator optimizer", "dropout seeds"},
}


def parts(model):
    """Return every variable of the three networks and of the three optimisers as (part, variable)."""
    owned = [("trunk", variable) for variable in model.class_discriminator.get_layer("trunk").weights]
    owned += [("class output", variable) for variable in model.class_discriminator.layers[-1].weights]
    owned += [("binary output", variable) for variable in model.binary_discriminator.layers[-1].weights]
    owned += [("generator", variable) for variable in model.generator.trainable_variables]
    owned += [("moving statistics", variable) for variable in model.generator.non_trainable_variables]
    dropouts = [layer for layer in model.class_discriminator.get_layer("trunk").layers if "dropout" in layer.name]
    owned += [("dropout seeds", layer.seed_generator.state) for layer in dropouts]
    networks = (model.class_discriminator, model.binary_discriminator, model.generator)
    everything = {id(variable) for network in networks for variable in network.variables}
    assert everything == {id(variable) for _, variable in owned}
    for optimizer in model.optimizers:
        moving = [variable for variable in optimizer.variables if "learning_rate" not in variable.path]
        assert len(moving) == len(optimizer.variables) - 1
        owned += [(optimizer.name.replace("_", " "), variable) for variable in moving]
    assert len({id(variable) for _, variable in owned}) == len(owned)
    return owned


def hashes(owned):
    return [hashlib.sha256(variable.numpy().tobytes()).hexdigest() for _, variable in owned]


@pytest.mark.parametrize("kept", UPDATES)
def test_each_update_moves_its_own_variables_and_no_other(monkeypatch, bar_split, kept):
    for name in UPDATES:
        if name != kept:
            monkeypatch.setattr(sgan, name, lambda *arguments: tf.constant(0.0))
    model = build_model("sgan", 3, seed=0)
    model.compile(optimizer=None, steps_per_execution=training.STEPS_PER_EXECUTION, jit_compile=False)
    owned = parts(model)
    before = hashes(owned)
    stream = data.batch_stream(bar_split, seed=0, start=0, stop=training.STEPS_PER_EXECUTION + 3, batch_size=4)
    model.fit(stream, verbose=0, shuffle=False)
    for (part, variable), old, new in zip(owned, before, hashes(owned), strict=True):
        assert (old != new) == (part in UPDATES[kept]), f"{part}: {variable.path}"


@pytest.mark.parametrize("called", UPDATES)
def test_each_update_called_by_itself_moves_the_same_variables(bar_split, called):
    model = build_model("sgan", 3, seed=0)
    owned = parts(model)
    before = hashes(owned)
    images, labels = bar_split.labeled_images[:8], bar_split.labeled_labels[:8]
    noise = data.draw_noise(0, "fake_noise", 0, 8, 100)
    arguments = {
        "update_class_discriminator": (model.class_discriminator, model.class_optimizer, images, labels),
        "update_binary_on_real": (model.binary_discriminator, model.binary_optimizer, images),
        "update_binary_on_fake": (model.binary_discriminator, model.binary_optimizer, model.generator, noise),
        "update_generator": (model.generator, model.generator_optimizer, model.binary_discriminator, noise),
    }
    loss = getattr(sgan, called)(*arguments[called])
    assert np.isfinite(loss) and loss > 0
    for (part, variable), old, new in zip(owned, before, hashes(owned), strict=True):
        assert (old != new) == (part in UPDATES[called]), f"{part}: {variable.path}"


def test_an_iteration_is_the_four_updates_in_order_each_with_its_own_images_and_noise(monkeypatch, bar_split):
    calls = []
    for number, name in enumerate(UPDATES):
        monkeypatch.setattr(
            sgan, name, lambda *arguments, n=name, loss=number: calls.append((n, arguments)) or tf.constant(float(loss))
        )
    model = build_model("sgan", 3, seed=4)
    (batch,) = data.batch_stream(bar_split, seed=4, start=9, stop=10, batch_size=5)
    losses = model.train_step(batch)
    assert [name for name, _ in calls] == list(UPDATES)
    assert [float(losses[name]) for name in sgan.SGAN.loss_names] == [0.0, 1.0, 2.0, 3.0]
    assert [float(tracker.result()) for tracker in model.loss_trackers] == [0.0, 1.0, 2.0, 3.0]
    (_, first), (_, second), (_, third), (_, fourth) = calls
    assert first[2] is batch[1] and first[3] is batch[2] and second[2] is batch[3]
    assert np.array_equal(third[3], data.draw_noise(4, "fake_noise", 9, 5, 100))
    assert np.array_equal(fourth[3], data.draw_noise(4, "generator_noise", 9, 5, 100))
    assert first[1] is model.class_optimizer and fourth[1] is model.generator_optimizer
    assert second[1] is third[1] is model.binary_optimizer


def test_the_supervised_step_moves_trunk_and_class_output(bar_split):
    class_discriminator, binary_discriminator = build_discriminators(3)
    model = Supervised(class_discriminator, learning_rate=1e-3, beta_1=0.5)
    model.compile(optimizer=None, steps_per_execution=5, jit_compile=False)
    before = [variable.numpy() for variable in class_discriminator.weights]
    output = [variable.numpy() for variable in binary_discriminator.layers[-1].weights]
    model.fit(data.batch_stream(bar_split, seed=0, start=0, stop=5, batch_size=8), verbose=0, shuffle=False)
    for old, variable in zip(before, class_discriminator.weights, strict=True):
        assert not np.array_equal(old, variable.numpy()), variable.path
    for old, variable in zip(output, binary_discriminator.layers[-1].weights, strict=True):
        assert np.array_equal(old, variable.numpy())


def test_the_class_loss_trains_the_trunk_and_not_a_readout_of_random_features(bar_split):
    keras.utils.set_random_seed(0)
    model = build_model("sgan", 3, seed=0)
    images, labels = bar_split.labeled_images, bar_split.labeled_labels
    start = [variable.numpy() for variable in model.class_discriminator.get_layer("trunk").trainable_variables]
    for _ in range(12):
        sgan.update_class_discriminator(model.class_discriminator, model.class_optimizer, images, labels)
    for old, variable in zip(start, model.class_discriminator.get_layer("trunk").trainable_variables, strict=True):
        assert np.abs(old - variable.numpy()).max() > 1e-3, variable.path
    predicted = predict_logits(model.class_discriminator, images).argmax(axis=1)
    assert (predicted == labels).mean() > 0.9


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"class_discriminator": None},
            TypeError,
            "'class_discriminator' parameter of SGAN must be a Model. Got 'NoneType'",
        ),
        ({"generator": "generator"}, TypeError, "'generator' parameter of SGAN must be a Model. Got 'str'"),
        ({"binary_discriminator": "stranger"}, ValueError, "share its trunk.*Got 0 shared variables"),
        ({"binary_discriminator": "class_discriminator"}, ValueError, r"one logit.*\(None, 3\)"),
        ({"seed": -1}, ValueError, r"'seed' parameter of SGAN must be an int in \[0, 2147483647\]. Got -1"),
        ({"seed": 0.5}, TypeError, "'seed'.*Got 0.5"),
        ({"learning_rate": 0}, ValueError, "'learning_rate'.*Got 0"),
        ({"beta_1": 2}, ValueError, r"'beta_1' parameter of SGAN must be a number in \[0, 1\). Got 2"),
    ],
)
def test_bad_arguments_of_the_sgan_are_named(change, error, message):
    class_discriminator, binary_discriminator = build_discriminators(3)
    arguments = {
        "class_discriminator": class_discriminator,
        "binary_discriminator": binary_discriminator,
        "generator": build_generator(5, (4,)),
        "seed": 0,
        "learning_rate": 1e-3,
        "beta_1": 0.5,
    }
    sgan.SGAN(**arguments)
    strangers = {"class_discriminator": class_discriminator, "stranger": build_discriminators(3)[1]}
    if "binary_discriminator" in change:
        change = {"binary_discriminator": strangers[change["binary_discriminator"]]}
    with pytest.raises(error, match=message):
        sgan.SGAN(**{**arguments, **change})
