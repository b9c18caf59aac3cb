"""Two-step regression: the minimal iterative policy (MIP) of "Much Ado About Noising" (arXiv 2512.01809)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Sequence

import torch
from torch import Tensor

from policies.objectives.flow import sigma_of
from policies.objectives.objective import Edit, Network, same_level
from policies.objectives.regression import Regression, predict_from_nothing
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True)
class MIP(Regression):
    """The minimal iterative policy: a first guess from nothing, and one correction of it (arXiv 2512.01809).

    Trained on |network(0, 0) - action|^2 + |network(t action + (1 - t) noise, t) - action|^2, sampled as
    network(t guess, t) with guess = network(0, 0): the noise of training is gone when sampling.

    Args:
        level: t, between 0 and 1: how much of the guess the correction sees.

    Raises:
        InputError: a level that is not between 0 and 1.
    """

    level: Annotated[float, Range(0, 1, above=True, below=True)] = 0.9

    samplers: ClassVar[tuple[str, ...]] = ("mip",)
    default_sampler: ClassVar[str] = "mip"
    default_steps: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError("mip level", expected="between 0 and 1", got=str(self.level))

    def loss(
        self, network: Network, action: Tensor, condition: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        noise = torch.randn(action.shape, generator=generator, device=action.device, dtype=action.dtype)
        guess_loss = super().loss(network, action, condition)
        correction = self._correct(network, self.level * action + (1 - self.level) * noise, condition)
        return guess_loss + (correction - action) ** 2

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
        guess = predict_from_nothing(network, noise, condition)
        if edit is not None:
            guess = edit(guess, math.inf)
        action = self._correct(network, self.level * guess, condition)
        return action if edit is None else edit(action, sigma_of(self.level))

    def _correct(self, network: Network, x: Tensor, condition: Tensor) -> Tensor:
        return network(x, same_level(self.level, x), condition)
