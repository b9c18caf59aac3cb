"""A small convolutional network for images: the default, quick enough to train on one core."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from policies.networks.linear import Linear
from policies.networks.sizes import Width


class SmallCNN(nn.Module):
    """Four convolutions, stride 16 in all, then the whole map to one vector: (N, 3, h, w) to (N, features).

    Most of the time is spent where the map is large: so the first convolution strides by four, is not normalised, and
    works on channels-last images as the augmentation makes them. The map is flattened, not pooled, to keep positions.

    Args:
        size: height and width of the images in pixels, at least 16.
        features: size of the vector.
    """

    def __init__(self, size: tuple[int, int], features: Width = 128):
        super().__init__()
        self.features = features
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, kernel_size=6, stride=4, padding=2),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3, stride=2, padding=1),
            nn.GroupNorm(8, 64),
            nn.ReLU(),
            nn.Conv2d(64, 128, kernel_size=3, stride=2, padding=1),
            nn.GroupNorm(8, 128),
            nn.ReLU(),
            nn.Conv2d(128, 128, kernel_size=3, padding=1),
            nn.GroupNorm(8, 128),
            nn.ReLU(),
        ).to(memory_format=torch.channels_last)
        cells = [-(-((side - 2) // 4 + 1) // 4) for side in size]
        self.last = nn.Sequential(Linear(128 * cells[0] * cells[1], features), nn.LayerNorm(features))

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, h, w) in [-1, 1] to (N, features)."""
        return self.last(self.layers(images).flatten(1))
