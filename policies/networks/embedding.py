"""The level of noise as a vector that a network can use."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LevelEmbedding(nn.Module):
    """Sine and cosine features of a noise level, as positions are embedded in a transformer (Vaswani et al. 2017).

    Every objective hands over levels of the order of one (flow time, k / K, ln(sigma) / 4), so the angular
    frequencies run from 1, where the whole range is a fraction of a turn, to 100, where the hundredth part of the
    range is resolved.

    Args:
        dim: size of the embedding, even.
    """

    frequencies: Tensor

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim
        self.register_buffer("frequencies", torch.logspace(0, math.log10(100.0), dim // 2), persistent=False)

    def forward(self, level: Tensor) -> Tensor:
        """Levels (B,) to features (B, dim)."""
        angles = level[:, None] * self.frequencies
        return torch.cat((angles.sin(), angles.cos()), dim=-1)
