"""The package behind the book on semi-supervised GANs: what its chapters teach, and the tools around it."""

import importlib

__version__ = "0.1.0"

_HOME = {
    "Mnist": "data",
    "LabeledSplit": "data",
    "load_mnist": "data",
    "split_labeled": "data",
    "batch_stream": "data",
    "distort_images": "data",
    "hold_out_validation": "data",
    "build_trunk": "networks",
    "build_discriminators": "networks",
    "build_generator": "networks",
    "build_feature_discriminator": "networks",
    "without_features": "networks",
    "class_loss": "losses",
    "real_loss": "losses",
    "fake_loss": "losses",
    "generator_loss": "losses",
    "real_logits_of": "losses",
    "feature_matching_loss": "losses",
    "consistency_loss": "losses",
    "SGAN": "sgan",
    "draw_noise": "sgan",
    "update_class_discriminator": "sgan",
    "update_binary_on_real": "sgan",
    "update_binary_on_fake": "sgan",
    "update_generator": "sgan",
    "Supervised": "supervised",
    "TunedSupervised": "supervised",
    "update_average": "supervised",
    "FeatureMatching": "feature_matching",
    "pseudo_labels": "feature_matching",
    "discriminate_fakes": "feature_matching",
    "train": "training",
    "build_model": "training",
    "TrainingRun": "training",
    "predict_logits": "training",
    "evaluate_logits": "metrics",
    "load_results": "experiments",
    "load_history": "experiments",
    "paired_difference": "experiments",
    "sweep": "experiments",
    "results_path": "experiments",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    """Import a public name from its module when it is first used, so that `--help` does not wait for TensorFlow."""
    if name in _HOME:
        return getattr(importlib.import_module(f"sgan_helpers.{_HOME[name]}"), name)
    raise AttributeError(f"module 'sgan_helpers' has no attribute {name!r}")


def __dir__():
    return __all__ + ["__version__"]
