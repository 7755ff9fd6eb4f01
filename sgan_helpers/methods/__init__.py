"""The registry of the methods: how each is called and drawn, and where its class is. A new one: a file and an entry.

It imports nothing that is slow, so that `--help` need not wait for TensorFlow; a method's own file is imported when it
is used.
"""

import importlib
import inspect
from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One method of the book, and everything that the command line, figures and tables say of it.

    Attributes:
        title: str, its name in figures and tables.
        color: str, of its curves; most are Okabe and Ito's, which readers with any kind of colour
            vision can tell apart.
        marker: str, matplotlib's, of its points.
        home: str, "module:Class", its class in this folder.
        help: str, one line for the command line.
    """

    title: str
    color: str
    marker: str
    home: str
    help: str

    @property
    def model_class(self):
        """The class of its untrained `keras.Model`, or what stands for it, imported on first use."""
        module, name = self.home.split(":")
        return getattr(importlib.import_module(f"{__name__}.{module}"), name)

    @property
    def has_network(self):
        """Whether it trains a network, whose weights a run keeps."""
        return bool(self.model_class.network_names)

    @property
    def defaults(self):
        """Its hyper-parameters: the keyword arguments of its constructor that have a default, dict from name to it."""
        found = {}
        for ancestor in reversed(self.model_class.__mro__):
            if ancestor.__module__.startswith(f"{__name__}.") and "__init__" in vars(ancestor):
                parameters = inspect.signature(ancestor.__init__).parameters.values()
                found |= {parameter.name: parameter.default for parameter in parameters}
        return {name: value for name, value in found.items() if value is not inspect.Parameter.empty and name != "seed"}


#: Each `Method` of the book by its name, in the order of tables and legends.
METHODS = {
    "supervised": Method(
        "supervised, matched",
        "#0072B2",
        "o",
        "supervised:Supervised",
        "the SGAN's class discriminator, trained on the labelled images alone",
    ),
    "supervised-tuned": Method(
        "supervised, tuned",
        "#56B4E9",
        "s",
        "supervised_tuned:TunedSupervised",
        "the same on distorted images, with averaged weights",
    ),
    "label-spreading": Method(
        "label spreading",
        "#332288",
        ">",
        "label_spreading:LabelSpreading",
        "no network: a graph of all images, along which the labels spread; needs a minute",
    ),
    "sgan": Method(
        "SGAN",
        "#E69F00",
        "D",
        "sgan:SGAN",
        "the book's semi-supervised GAN, two discriminators on one trunk and a generator",
    ),
    "sgan-tuned": Method(
        "SGAN, tuned",
        "#B8860B",
        "d",
        "sgan_tuned:TunedSGAN",
        "the same on distorted images, real and generated, with averaged weights",
    ),
    "pseudo-labels": Method(
        "pseudo-labels",
        "#000000",
        "^",
        "pseudo_labels:PseudoLabels",
        "learns from its own sure guesses",
    ),
    "noisy-student": Method(
        "noisy student",
        "#882255",
        "p",
        "noisy_student:NoisyStudent",
        "pseudo-labels on noisy images; made for 30,000 iterations",
    ),
    "pseudo-labels+gan": Method(
        "pseudo-labels + GAN",
        "#D55E00",
        "v",
        "pseudo_labels_gan:PseudoLabelsGan",
        "pseudo-labels, and a GAN that matches features",
    ),
    "improved-gan": Method(
        "Improved GAN",
        "#117733",
        "h",
        "improved_gan:ImprovedGan",
        "feature matching as Salimans et al. published it; made for 180,000 iterations",
    ),
    "distortions": Method(
        "distortions",
        "#999999",
        "P",
        "distorted:Distortions",
        "a control: the feature discriminator on distorted labelled images alone",
    ),
    "shared-batches": Method(
        "shared batches",
        "#555555",
        "*",
        "averaged:Averaged",
        "a control: distortions, and unlabelled images that only share the batches",
    ),
    "real-or-fake": Method(
        "real or fake",
        "#8C510A",
        "X",
        "real_or_fake:RealOrFake",
        "shared batches, and a GAN whose generator wants to pass for real",
    ),
    "feature-matching": Method(
        "feature matching",
        "#CC79A7",
        "<",
        "feature_matching:FeatureMatching",
        "shared batches, and a GAN whose generator matches features",
    ),
}
