"""What `train` asks of every method: networks, optimisers, and a tracker for each loss."""

import keras

from sgan_helpers.losses import LossTracker


class MethodModel(keras.Model):
    """A `keras.Model` with several networks and an optimiser for each that learns.

    A subclass names its networks and losses, builds the networks (`build_networks`), and says in `train_step` what one
    iteration is.

    Args:
        networks: `keras.Model`s, in the order of `network_names`; they become attributes of these names.
        seed: int in [0, 2**31 - 1], the seed of noise and distortions.
    """

    network_names = ("class_discriminator",)  # the first is the classifier
    loss_names = ("class_loss",)
    optimizer_class = keras.optimizers.Adam

    def __init__(self, *networks, seed):
        super().__init__()
        for name, network in zip(self.network_names, networks, strict=True):
            setattr(self, name, network)
        self.seed = seed
        self.optimizers = []
        self.loss_trackers = [LossTracker(name) for name in self.loss_names]
        self.built = True

    @property
    def networks(self):
        """The networks, in the order of `network_names`."""
        return [getattr(self, name) for name in self.network_names]

    def add_optimizer(self, name, network, learning_rate, beta_1, **settings):
        """Return an Adam optimiser of a network's variables, which checkpoints will hold."""
        optimizer = self.optimizer_class(float(learning_rate), beta_1, name=name, **settings)
        optimizer.build(network.trainable_variables)
        self.optimizers.append(optimizer)
        return optimizer

    def report(self, losses):
        """Hand the losses of one iteration, dict by name, to their trackers, and return them."""
        for tracker, name in zip(self.loss_trackers, self.loss_names, strict=True):
            tracker.update_state(losses[name])
        return losses
