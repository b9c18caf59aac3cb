"""Low-dimensional observations to one vector."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Mapping, Sequence

import torch
from torch import Tensor, nn

from policies.networks.linear import Linear
from policies.networks.sizes import Width


class StateEncoder(nn.Module):
    """Histories of all keys, flattened and joined; through a small MLP when `hidden` is given.

    Args:
        shapes: key -> (steps, ...) of one normalised row, in the order in which they are joined.
        hidden: widths of the layers of an MLP; none joins only.

    Attributes:
        condition_dim: C, the last width of `hidden`, or all numbers of all keys.
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]], hidden: Sequence[Width] = ()):
        super().__init__()
        self.keys = tuple(shapes)
        joined = sum(math.prod(shape) for shape in shapes.values())
        widths = (joined, *hidden)
        layers = [part for pair in pairwise(widths) for part in (Linear(*pair), nn.SiLU())]
        self.layers = nn.Sequential(*layers[:-1])
        self.condition_dim = widths[-1]

    def forward(self, observation: Mapping[str, Tensor], there: Mapping[str, Tensor] | None = None) -> Tensor:
        """Key -> (B, steps, ...), normalised and zero for what a row lacks, to (B, C)."""
        return self.layers(torch.cat([observation[key].flatten(1) for key in self.keys], dim=-1))
