"""The package behind the book on semi-supervised GANs: what its chapters teach, and the tools around it."""

import importlib

from sgan_helpers.checks import check_backend

__version__ = "0.1.0"

_HOME = {  # what the book shows to its readers; each of these functions checks its arguments
    "load_mnist": "mnist",
    "hold_out_validation": "mnist",
    "LabeledSplit": "data",
    "split_labeled": "data",
    "batch_stream": "data",
    "random_seed_pair": "data",
    "draw_rows": "data",
    "draw_noise": "data",
    "distort_images": "distortions",
    "like_mnist": "pictures",
    "build_trunk": "networks",
    "build_discriminators": "networks",
    "build_generator": "networks",
    "build_feature_discriminator": "networks",
    "without_features": "networks",
    "predict_logits": "networks",
    "class_loss": "losses",
    "real_loss": "losses",
    "fake_loss": "losses",
    "generator_loss": "losses",
    "real_logits_of": "losses",
    "feature_matching_loss": "losses",
    "consistency_loss": "losses",
    "SGAN": "methods.sgan",
    "update_class_discriminator": "methods.sgan",
    "update_binary_on_real": "methods.sgan",
    "update_binary_on_fake": "methods.sgan",
    "update_generator": "methods.sgan",
    "METHODS": "methods",
    "Supervised": "methods.supervised",
    "build_model": "methods.build",
    "train": "training",
    "evaluate_logits": "metrics",
    "load_results": "results",
    "load_history": "results",
    "results_path": "results",
    "paired_difference": "results",
    "holm_intervals": "results",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    """Import a public name from its module when it is first used, so that `--help` does not wait for TensorFlow."""
    if name in _HOME:
        check_backend()
        return getattr(importlib.import_module(f"sgan_helpers.{_HOME[name]}"), name)
    raise AttributeError(f"module 'sgan_helpers' has no attribute {name!r}")


def __dir__():
    return __all__ + ["__version__"]
