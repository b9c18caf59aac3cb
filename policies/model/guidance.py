"""Guidance by a prompt: how much a prompt decides, by one network that was trained with it and without."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from policies.objectives.objective import Network


@dataclass(frozen=True, eq=False)
class Guidance:
    """Classifier-free guidance (Ho and Salimans 2022), as BESO has it for goals (Reuss et al. 2023):

        F = F_without + weight (F_with - F_without)

    What the networks of all objectives predict is linear in the clean action, so that this is the same on each of them.

    Args:
        without: condition (B, C) without the prompt.
        weight: (B,), 1 is the network with its prompt.
    """

    without: Tensor
    weight: Tensor

    def of(self, network: Network) -> Network:
        """The guided network; both conditions go through it in one batch."""
        weight = self.weight[:, None, None]

        def guided(noisy: Tensor, level: Tensor, condition: Tensor) -> Tensor:
            both = torch.cat([condition, self.without])
            prompted, free = network(torch.cat([noisy, noisy]), torch.cat([level, level]), both).chunk(2)
            # Where the weight is 1 the prediction is the prompted one to the bit.
            return torch.where(weight == 1, prompted, free + weight * (prompted - free))

        return guided

    def repeated(self, samples: int) -> Guidance:
        """The same for several chunks per row."""
        return Guidance(*(value.repeat_interleave(samples, dim=0) for value in (self.without, self.weight)))
