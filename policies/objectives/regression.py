"""Plain regression: behaviour cloning of the chunk. What every claim of a diffusion policy must beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Sequence

import torch
from torch import Tensor

from policies.objectives.objective import Edit, Network, Objective, same_level
from robot.errors import InputError


@dataclass(frozen=True)
class Regression(Objective):
    """Behaviour cloning of the chunk by its conditional mean, in one evaluation of the network.

        |network(0, 0) - action|^2

    The network predicts the chunk from a zero chunk at level 0, whatever the noise.
    """

    samplers: ClassVar[tuple[str, ...]] = ("regression",)
    default_sampler: ClassVar[str] = "regression"
    default_steps: ClassVar[int] = 1
    uses_noise: ClassVar[bool] = False

    def choose(self, sampler: str | None, steps: int | None) -> tuple[str, int]:
        """The only sampler, with the only number of steps that it takes.

        Raises:
            InputError: another sampler, or another number of steps.
        """
        name, count = super().choose(sampler, steps)
        if count != self.default_steps:
            raise InputError(f"steps of sampler '{name}'", expected=str(self.default_steps), got=str(count))
        return name, count

    def loss(
        self, network: Network, action: Tensor, condition: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        return (predict_from_nothing(network, action, condition) - action) ** 2

    def sample(
        self,
        network: Network,
        noise: Tensor,
        condition: Tensor,
        sampler: str | None = None,
        steps: int | None = None,
        generators: Sequence[torch.Generator] | None = None,
        edit: Edit | None = None,
    ) -> Tensor:
        self.choose(sampler, steps)
        action = predict_from_nothing(network, noise, condition)
        return action if edit is None else edit(action, math.inf)


def predict_from_nothing(network: Network, like: Tensor, condition: Tensor) -> Tensor:
    """The network's prediction from a zero chunk of the shape (B, H, D) of `like` at level 0."""
    return network(torch.zeros_like(like), same_level(0.0, like), condition)
