"""The names of the methods that can be trained. It imports nothing, so that `--help` need not wait for TensorFlow."""

FEATURE_METHODS = (  # on the feature discriminator; those before "pseudo-labels" take the last apart
    "distortions",
    "batch-statistics",
    "real-or-fake",
    "feature-matching-alone",
    "pseudo-labels",
    "feature-matching",
)
METHODS = ("supervised", "supervised-tuned", "sgan", *FEATURE_METHODS)
