"""A copy of a module that follows its weights slowly: a target network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Follower(nn.Module):
    """Weights w' <- w' + rate (w - w') of another module, as buffers: no optimiser moves them, a checkpoint has them.

    Lillicrap et al., "Continuous control with deep reinforcement learning" (2016), section 3.

    Args:
        module: that is followed; its present weights are the first ones.
        rate: of an update, Polyak's tau.
    """

    def __init__(self, module: nn.Module, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self._names = {name: name.replace(".", "/") for name, _ in module.named_parameters()}
        for name, weight in module.named_parameters():
            self.register_buffer(self._names[name], weight.detach().clone())

    @torch.no_grad()
    def follow(self, module: nn.Module) -> None:
        """Move towards the present weights of the module."""
        for name, weight in module.named_parameters():
            self.get_buffer(self._names[name]).lerp_(weight, self.rate)

    @torch.no_grad()
    def of(self, module: nn.Module, *inputs: Any) -> Tensor:
        """What the module returns for these inputs under the weights that follow it."""
        weights = {name: self.get_buffer(buffer) for name, buffer in self._names.items()}
        outputs: Tensor = functional_call(module, weights, inputs)
        return outputs
