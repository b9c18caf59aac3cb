"""Several networks of one value as one batched network."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MlpEnsemble(nn.Module):
    """Several perceptrons with layer norm, in one batch of matrix products.

    Args:
        members: how many.
        size: of their input.
        width, depth: of the hidden layers.
    """

    def __init__(self, members: int, size: int, width: int, depth: int) -> None:
        super().__init__()
        sizes = [size, *[width] * depth, 1]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for before, after in pairwise(sizes):
            bound = 1 / math.sqrt(before)
            self.weights.append(nn.Parameter(torch.empty(members, before, after).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(members, 1, after).uniform_(-bound, bound)))

    def forward(self, *parts: Tensor) -> Tensor:
        """Parts (batch, n) of an input, of `size` numbers together -> (members, batch)."""
        inputs = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        hidden = inputs.expand(len(self.weights[0]), *inputs.shape)
        last = len(self.weights) - 1
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            hidden = torch.baddbmm(bias, hidden, weight)
            if number < last:
                # Without a norm the values of actions that were never tried diverge (Ball et al. 2023, RLPD).
                hidden = F.relu(F.layer_norm(hidden, hidden.shape[-1:]))
        return hidden[..., 0]
