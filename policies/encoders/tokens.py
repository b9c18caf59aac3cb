"""Each key of an observation as a token of its own."""

from __future__ import annotations

import math
from typing import Any, Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from policies.encoders.camera import is_image
from policies.encoders.cnn import SmallCNN
from policies.networks.linear import Linear
from policies.networks.sizes import Width


class TokenEncoder(nn.Module):
    """One token per key over its whole history, in one vector: for a network that attends to the keys that are there.

    Args:
        shapes: key -> (steps, 3, h, w) for images, (steps, ...) for the rest, in the order of the tokens.
        width: size of a token.
        images: names of the keys that are images; None for those with three axes per frame.
        backbone: (h, w) -> the network of one camera, (N, 3, h, w) to (N, features).

    Attributes:
        condition_dim: C, tokens times width.
        width: size of a token.
    """

    def __init__(
        self,
        shapes: Mapping[str, Sequence[int]],
        width: Width = 192,
        images: Collection[str] | None = None,
        backbone: Callable[[tuple[int, int]], Any] = SmallCNN,
    ) -> None:
        super().__init__()
        self.keys, self.width = tuple(shapes), width
        self.condition_dim = len(self.keys) * width
        self.networks = nn.ModuleDict()
        self.layers = nn.ModuleList()
        for name, shape in shapes.items():
            numbers = math.prod(shape)
            if is_image(name, shape, images):
                network = backbone((shape[2], shape[3]))
                self.networks[name.replace(".", "/")] = network
                numbers = shape[0] * network.features
            self.layers.append(Linear(numbers, width))

    def forward(self, observation: Mapping[str, Tensor], there: Mapping[str, Tensor] | None = None) -> Tensor:
        """Encode observations.

        Args:
            observation: key -> (B, steps, ...) normalised, images (B, steps, 3, h, w) in [-1, 1].
            there: key -> (B,) whether a row has it; None where all rows have all keys. The token of a key that a row
                lacks is zero, and learns nothing from it.

        Returns:
            (B, keys * width), token after token.
        """
        tokens = []
        for name, layer in zip(self.keys, self.layers):
            value = observation[name]
            camera = name.replace(".", "/")
            if camera in self.networks:
                value = self.networks[camera](value.flatten(0, 1)).view(len(value), -1)
            token = layer(value.flatten(1))
            tokens.append(token if there is None else token * there[name][:, None])
        return torch.cat(tokens, dim=1)
