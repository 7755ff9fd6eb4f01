"""A control: the tuned supervised baseline on the feature discriminator, so without unlabelled images of any kind."""

from sgan_helpers.methods.averaged import Averaged
from sgan_helpers.methods.supervised_tuned import TunedSupervised
from sgan_helpers.networks import without_features


class Distortions(TunedSupervised):
    """`TunedSupervised` with the networks and the learning rate of the averaged methods; the arguments are its."""

    def __init__(self, *networks, learning_rate=2e-3, **settings):
        super().__init__(*networks, learning_rate=learning_rate, **settings)

    @staticmethod
    def build_networks(num_classes):
        """Return the averaged and the trained class discriminator, with the same initial weights."""
        return [without_features(discriminator) for discriminator in Averaged.build_networks(num_classes)]
