"""The moving average of the weights, which is what a checkpoint holds and what acts."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

from policies.recipe.recipe import EmaConfig

Module = TypeVar("Module", bound=nn.Module)


class MovingAverage(Generic[Module]):
    """average <- decay * average + (1 - decay) * weights, once per update.

    The decay grows as 1 - (1 + n)^-power up to its largest value (the warm-up of `diffusers.training_utils.EMAModel`
    with inv_gamma 1), so that early updates do not keep the memory of random weights.

    Args:
        model: what is trained; the average starts as a copy of it.
        config: largest decay and power.
        updates: how many updates the average has seen, when it is resumed.
    """

    def __init__(self, model: Module, config: EmaConfig, updates: int = 0):
        self.config, self.updates = config, updates
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._average = [*self.model.parameters()]
        self._weights = [parameter.detach() for parameter in model.parameters()]

    @property
    def decay(self) -> float:
        """The decay of the next update."""
        return min(self.config.decay, 1 - (1 + self.updates) ** -self.config.power)

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the present weights."""
        torch._foreach_lerp_(self._average, self._weights, 1 - self.decay)
        self.updates += 1
