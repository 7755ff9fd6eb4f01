"""Build the untrained model of a method, check its hyper-parameters, and name its recipe."""

import hashlib
import json

import keras

from sgan_helpers import data
from sgan_helpers.checks import LARGEST_SIZE, check_amounts, check_choice, check_int, check_number
from sgan_helpers.methods import METHODS
from sgan_helpers.networks import describe_layer, keras_defaults

ABOVE_ZERO = ("learning_rate", "epsilon")
BELOW_ONE = ("beta_1", "average_decay", "confidence", "last_confidence", "alpha")  # hyper-parameters that lie in [0, 1)


def build_model(method, num_classes=10, *, seed, networks=None, **hyperparameters):
    """Build the untrained `keras.Model` of a method. Initial weights follow Keras's global seed.

    Args:
        method: one of `METHODS`.
        num_classes: int in [2, 10000], the number of classes K.
        seed: int in [0, 2**31 - 1], the seed of noise and distortions.
        networks: function from K to the networks that the method's class takes, in its order; None means its own.
        hyperparameters: those of the method, by name; the others keep their defaults.

    Returns:
        A `keras.Model`. Its `hyperparameters` are all of the method's, as a dict.

    Raises:
        TypeError, ValueError: an argument has the wrong type or range, or the method has no such hyper-parameter.
    """
    check_model_arguments("build_model", method, num_classes, seed, networks, hyperparameters)
    model_class = METHODS[method].model_class
    defaults = METHODS[method].defaults
    hyperparameters = {name: _plain(hyperparameters.get(name, default), default) for name, default in defaults.items()}
    with keras_defaults():
        built = (networks or model_class.build_networks)(int(num_classes))
        check_networks("build_model", built, model_class.network_names)
        model = model_class(*built, seed=int(seed), **hyperparameters)
    model.hyperparameters = hyperparameters
    return model


def recipe_of(method, batch_size=100, **arguments):
    """Return eight hexadecimal digits that change with any setting of a method, and with the random scheme.

    Args:
        method: one of `METHODS`.
        batch_size: int in [1, 10000].
        arguments: as for `build_model`.
    """
    return recipe_hash(method, build_model(method, **{"seed": 0, **arguments}), batch_size)


def recipe_hash(method, model, batch_size):
    """Return the recipe of a model that `build_model` has made for `method`: it reads what the model was given."""
    recipe = {
        "method": method,
        "batch_size": batch_size,
        "hyperparameters": dict(model.hyperparameters),
        "networks": [[network.input_shape, *map(describe_layer, network.layers)] for network in model.networks],
        "random_scheme": [data.RANDOM_SCHEME, *data.STREAMS],
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:8]


def check_model_arguments(function, method, num_classes, seed, networks, hyperparameters):
    """Raise unless the arguments that decide which model is built are valid."""
    check_choice(function, "method", method, METHODS)
    check_int(function, "num_classes", num_classes, 2, LARGEST_SIZE)
    check_int(function, "seed", seed, 0, data.MAX_SEED)
    if networks is not None and not callable(networks):
        raise TypeError(
            f"The 'networks' parameter of {function} must be a function from the number of classes, or None. "
            f"Got {networks!r} instead."
        )
    defaults = METHODS[method].defaults
    for name, value in hyperparameters.items():
        if name not in defaults:
            raise TypeError(
                f"The method {method!r} of {function} has the hyper-parameters {', '.join(defaults)}. "
                f"Got {name!r} instead."
            )
        check_hyperparameter(function, name, value, defaults[name])


def check_networks(function, networks, names):
    """Raise unless what a builder has returned are networks, one for each name."""
    wrong = [network for network in networks if not isinstance(network, keras.Model)]
    if len(networks) != len(names) or wrong:
        wanted = ", ".join(names) or "its networks, and this method has none"
        given = f"a {type(wrong[0]).__name__} among them" if wrong else f"{len(networks)} of them"
        raise ValueError(
            f"The 'networks' parameter of {function} must return a keras.Model for each of {wanted}. "
            f"Got {given} instead."
        )


def check_hyperparameter(function, name, value, default):
    """Raise unless a hyper-parameter is of the kind of its default, and in the range of its kind."""
    if name in BELOW_ONE:
        check_number(function, name, value, 0, 1, includes_low=True)
    elif isinstance(default, dict):
        check_amounts(function, name, value, default)
    elif isinstance(default, int):
        check_int(function, name, value, 1, None if name.endswith("_steps") else LARGEST_SIZE)
    else:
        check_number(function, name, value, 0, float("inf"), includes_low=name not in ABOVE_ZERO)


def _plain(value, default):
    """Return a hyper-parameter in the type of its default: 1, 1.0 and NumPy's are one setting, and one recipe."""
    return {key: float(amount) for key, amount in value.items()} if isinstance(value, dict) else type(default)(value)
