"""Soft actor-critic with a cost: one more critic estimates it, and a multiplier weighs it.

The actor maximises

    (min Q_r(s, u) - alpha log pi(u | s) - lambda Q_c(s, u)) / (1 + lambda)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np
import torch
from torch import Tensor

from policies.rl.actor_critic import StepBatch
from policies.rl.environment import Step
from policies.rl.sac import Sac, SacConfig
from policies.safe.multiplier import Gains, Multiplier


@dataclass(frozen=True)
class ConstrainedSacConfig(SacConfig):
    """How SAC learns under a cost.

    Args:
        gains: of the multiplier; None learns without a cost.
    """

    gains: Gains | None = None


class ConstrainedSac(Sac):
    """Soft actor-critic with a cost where there is a multiplier.

    Args:
        size, actions, config, seed: as of `Sac`.

    Attributes:
        multiplier: of the cost; None without one.
    """

    config: ConstrainedSacConfig

    def __init__(
        self, size: int, actions: int, config: ConstrainedSacConfig = ConstrainedSacConfig(), seed: int = 0
    ) -> None:
        super().__init__(size, actions, config, seed, more_critics=int(config.gains is not None), has_cost=True)
        self.multiplier = None if config.gains is None else Multiplier(config.gains)
        self.weight = 0.0

    def begin(self, segment: int) -> None:
        super().begin(segment)
        if self.multiplier is not None:
            self.multiplier.begin()

    def remember(self, observation: np.ndarray, step: Step) -> None:
        super().remember(observation, step)
        if self.multiplier is not None:
            self.multiplier.count(step.cost, step.done)

    def update(self, batch: StepBatch) -> dict[str, float]:
        """As of `ActorCritic`, with `multiplier`."""
        figures = super().update(batch)
        return {**figures, "multiplier": self.weight} if figures else {}

    def critic_step(self, observation: Tensor, action: Tensor, goals: Tensor) -> tuple[Tensor, Tensor]:
        result = super().critic_step(observation, action, goals)
        self.weight = 0.0 if self.multiplier is None else self.multiplier.update()
        return result

    @torch.no_grad()
    def goals(self, after: Tensor, batch: StepBatch) -> Tensor:
        """Targets of the critics: those of the reward, and last c + gamma^k alive Q_c'(s', u') where there is a
        multiplier.
        """
        if self.multiplier is None:
            return super().goals(after, batch)
        following, log_prob = self.following(after)
        reward = self.soft_goals(following, log_prob, batch)
        assert batch.cost is not None
        cost = batch.cost + batch.discount * batch.alive * following[-1]
        return torch.stack([*[reward] * self.config.ensemble, cost])

    def objective(self, values: Tensor, log_prob: Tensor) -> Tensor:
        soft = super().objective(values, log_prob)
        return (soft - self.weight * values[-1]) / (1 + self.weight) if self.weight else soft

    def numbers(self) -> dict[str, Any]:
        return {**super().numbers(), "multiplier": None if self.multiplier is None else self.multiplier.state()}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        super().restore(tensors, numbers)
        if self.multiplier is not None:
            self.multiplier.restore(numbers["multiplier"])
