"""Flow matching along straight lines from noise to action (Lipman et al. 2023; Liu et al. 2023, rectified flow)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, ClassVar, Sequence

import torch
from torch import Tensor

from policies.objectives.objective import Edit, Network, Objective, same_level
from robot.errors import InputError, nearest

TIME_SAMPLING = ("uniform", "logit-normal", "beta")


@dataclass(frozen=True)
class FlowMatching(Objective):
    """Flow matching along straight lines from noise to action (Lipman et al. 2023; Liu et al. 2023, rectified flow).

        x_t = (1 - t) noise + t action,    dx/dt = action - noise

    The network predicts dx/dt; its level is t in [0, 1]. The samplers are `euler` and `heun`, in equal steps of t.

    Args:
        time_sampling: how t is drawn for training: `uniform`; `logit-normal`, which favours the middle (Esser et
            al. 2024); `beta`, 1 - 0.999 Beta(1.5, 1), which favours the noisy end (Black et al. 2024, pi0).

    Raises:
        InputError: no such `time_sampling`.
    """

    time_sampling: str = "uniform"

    samplers: ClassVar[tuple[str, ...]] = ("euler", "heun")
    default_sampler: ClassVar[str] = "euler"
    default_steps: ClassVar[int] = 10

    def __post_init__(self) -> None:
        if self.time_sampling not in TIME_SAMPLING:
            raise InputError(
                f"flow time_sampling '{self.time_sampling}'",
                expected=f"one of {', '.join(TIME_SAMPLING)}",
                way_out=nearest(self.time_sampling, TIME_SAMPLING),
            )

    def loss(
        self, network: Network, action: Tensor, condition: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        noise = torch.randn(action.shape, generator=generator, device=action.device, dtype=action.dtype)
        level = self._draw_level(action, generator)
        t = level[:, None, None]
        velocity = network((1 - t) * noise + t * action, level, condition)
        return (velocity - (action - noise)) ** 2

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
        name, count = self.choose(sampler, steps)

        def velocity(x: Tensor, t: float) -> Tensor:
            direct = network(x, same_level(t, x), condition)
            if edit is None:
                return direct
            return (edit(x + (1 - t) * direct, sigma_of(t)) - x) / (1 - t)

        return (euler if name == "euler" else heun)(velocity, noise, count)

    def _draw_level(self, action: Tensor, generator: torch.Generator | None) -> Tensor:
        if self.time_sampling == "logit-normal":
            return torch.randn(len(action), generator=generator, device=action.device, dtype=action.dtype).sigmoid()
        uniform = torch.rand(len(action), generator=generator, device=action.device, dtype=action.dtype)
        if self.time_sampling == "beta":
            return 1 - 0.999 * uniform ** (1 / 1.5)  # Beta(1.5, 1) has the distribution function u^1.5
        return uniform


def sigma_of(t: float) -> float:
    """The noise of x_t = (1 - t) noise + t action beside an action of size 1: infinite at t = 0."""
    return (1 - t) / t if t > 0 else math.inf


def euler(velocity: Callable[[Tensor, float], Tensor], x: Tensor, steps: int) -> Tensor:
    """Integrate dx/dt = velocity(x, t) from t = 0 to 1 in equal steps, first order."""
    for step in range(steps):
        x = x + velocity(x, step / steps) / steps
    return x


def heun(velocity: Callable[[Tensor, float], Tensor], x: Tensor, steps: int) -> Tensor:
    """The same to second order: two evaluations per step, but one in the last, as no noise is left at t = 1."""
    for step in range(steps):
        slope = velocity(x, step / steps)
        ahead = x + slope / steps
        if step + 1 < steps:
            ahead = x + (slope + velocity(ahead, (step + 1) / steps)) / (2 * steps)
        x = ahead
    return x
