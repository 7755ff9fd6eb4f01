"""The book's SGAN in PyTorch, written as a PyTorch user would: modules, optimisers, four backward passes.

`compiled=True` puts the same iteration through `torch.compile`.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def same_padding_conv(in_channels, out_channels, padding):
    """A 5 x 5 convolution of stride 2 that pads as TensorFlow's "same" does: (left, right, top, bottom) in zeros."""
    return nn.Sequential(nn.ZeroPad2d(padding), nn.Conv2d(in_channels, out_channels, 5, stride=2))


class Trunk(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.layers = nn.Sequential(
            same_padding_conv(1, 16, (1, 2, 1, 2)),
            nn.LeakyReLU(0.2),
            same_padding_conv(16, 32, (1, 2, 1, 2)),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            same_padding_conv(32, 64, (2, 2, 2, 2)),
            nn.LeakyReLU(0.2),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, images):
        maps = self.layers(images)  # (batch, 64, 4, 4)
        return self.dropout(maps.permute(0, 2, 3, 1).flatten(1))  # (batch, 1024), in TensorFlow's order


def build_generator(latent_dim=100, hidden_units=(512, 256, 128)):
    layers, width = [], latent_dim
    for units in hidden_units:
        layers += [nn.Linear(width, units), nn.BatchNorm1d(units, eps=1e-3, momentum=0.2), nn.LeakyReLU(0.2)]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, 28 * 28), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))


class Implementation:
    def __init__(self, weights, data, settings):
        torch.set_num_threads(settings["threads"])
        torch.manual_seed(0)
        self.settings = settings
        self.trunk = Trunk(settings["dropout"]).to(memory_format=torch.channels_last)
        self.class_output, self.real_output = nn.Linear(1024, 10), nn.Linear(1024, 1)
        self.generator = build_generator()
        self.load(weights)
        trunk = list(self.trunk.parameters())
        options = {"lr": settings["learning_rate"], "betas": (settings["beta_1"], 0.999), "eps": settings["epsilon"]}
        self.class_optimizer = torch.optim.Adam([*trunk, *self.class_output.parameters()], **options)
        self.binary_optimizer = torch.optim.Adam([*trunk, *self.real_output.parameters()], **options)
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), **options)
        self.labeled_images, self.unlabeled_images = (
            torch.from_numpy(data[name]).permute(0, 3, 1, 2) for name in ("labeled_images", "unlabeled_images")
        )
        self.labels = torch.from_numpy(data["labels"])
        if settings["compiled"]:
            self.class_part = torch.compile(self.class_part)
            self.real_part = torch.compile(self.real_part)
            self.fake_part = torch.compile(self.fake_part)
            self.generator_part = torch.compile(self.generator_part)

    def load(self, weights):
        """Take the weights of the Keras networks, whose layouts differ."""
        convolutions = [module for module in self.trunk.modules() if isinstance(module, nn.Conv2d)]
        dense = [self.class_output, self.real_output, *(m for m in self.generator if isinstance(m, nn.Linear))]
        with torch.no_grad():
            for module, (kernel, bias) in zip(convolutions, weights["convolutions"], strict=True):
                module.weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1)))
                module.bias.copy_(torch.from_numpy(bias))
            for module, (kernel, bias) in zip(dense, weights["dense"], strict=True):
                module.weight.copy_(torch.from_numpy(kernel.T))
                module.bias.copy_(torch.from_numpy(bias))

    def class_part(self, images, labels):
        return functional.cross_entropy(self.class_output(self.trunk(images)), labels)

    def real_part(self, images):
        return functional.softplus(-self.real_output(self.trunk(images))).mean()

    def fake_part(self, images):
        return functional.softplus(self.real_output(self.trunk(images))).mean()

    def generator_part(self, noise):
        return functional.softplus(-self.real_output(self.trunk(self.generator(noise)))).mean()

    def iteration(self, labeled_images, labels, real_images, fake_noise, generator_noise):
        """Run the recipe's four updates on one batch. Return the four losses."""
        self.generator.eval()
        with torch.no_grad():
            fake_images = self.generator(fake_noise)
        self.generator.train()
        updates = (
            (self.class_part, (labeled_images, labels), self.class_optimizer),
            (self.real_part, (real_images,), self.binary_optimizer),
            (self.fake_part, (fake_images,), self.binary_optimizer),
            (self.generator_part, (generator_noise,), self.generator_optimizer),
        )
        losses = []
        for part, inputs, optimizer in updates:
            loss = part(*inputs)
            optimizer.zero_grad(set_to_none=True)
            # The generator's update needs no gradients of the discriminator's weights.
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            loss.backward(inputs=weights)
            optimizer.step()
            losses.append(loss.detach())
        return losses

    def losses(self, batches):
        """Run an iteration on each of the given batches of NumPy arrays. Return the losses, (batches, 4)."""
        found = []
        for labeled_images, labels, real_images, fake_noise, generator_noise in batches:
            images = [torch.from_numpy(array).permute(0, 3, 1, 2) for array in (labeled_images, real_images)]
            noise = [torch.from_numpy(array) for array in (fake_noise, generator_noise)]
            found.append(
                [float(loss) for loss in self.iteration(images[0], torch.from_numpy(labels), images[1], *noise)]
            )
        return np.array(found)

    def run(self, iterations):
        """Run iterations on batches drawn at random."""
        batch_size = self.settings["batch_size"]
        for _ in range(iterations):
            labeled_rows = torch.randint(len(self.labels), (batch_size,))
            unlabeled_rows = torch.randint(len(self.unlabeled_images), (batch_size,))
            losses = self.iteration(
                self.labeled_images[labeled_rows],
                self.labels[labeled_rows],
                self.unlabeled_images[unlabeled_rows],
                torch.randn(batch_size, 100),
                torch.randn(batch_size, 100),
            )
        return [float(loss) for loss in losses]
