"""Networks of the algorithms: scaled observations, an actor with squashed Gaussian actions."""

from __future__ import annotations

import math
from typing import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_STD_LOW, LOG_STD_HIGH = -5.0, 2.0
MEAN_MOST = 3.0
"""Bound of the Gaussian's mean; its tanh is 0.995. A mean that grows on where tanh has saturated leaves the actions
that it gave behind, and the ratio of their probabilities is not finite any more."""
_EDGE = 1 - 1e-6  # of an action that is to be unsquashed: float32 has no number between it and 1 to tell apart
_FAR = 10.0  # deviations, beyond which observations are clipped


class Scale(nn.Module):
    """Scales values to mean 0 and deviation 1, by all values seen so far.

    Chan, Golub & LeVeque, "Algorithms for Computing the Sample Variance" (1983), for a batch at a time.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("shift", torch.zeros(size))
        self.register_buffer("factor", torch.ones(size))

    @torch.no_grad()
    def see(self, values: Tensor) -> None:
        """Add values (batch, size) to the statistics."""
        values = values.double()
        count = len(values)
        mean = values.mean(0)
        total = self.count + count
        delta = mean - self.mean
        self.squares += (values - mean).square().sum(0) + delta.square() * (self.count * count / total)
        self.mean += delta * (count / total)
        self.count += count
        self.shift.copy_(self.mean)
        # A component that never changes is not amplified.
        self.factor.copy_((self.squares / self.count).sqrt().clamp_min(1e-3).reciprocal())

    def forward(self, values: Tensor) -> Tensor:
        return ((values - self.shift) * self.factor).clamp(-_FAR, _FAR)


def mlp(size: int, width: int, depth: int, out: int, gain: float = 1.0) -> nn.Sequential:
    """`depth` layers of rectified units, and a linear one whose weights are scaled by `gain`."""
    layers: list[nn.Module] = []
    for number in range(depth):
        layers += [nn.Linear(size if number == 0 else width, width), nn.ReLU()]
    last = nn.Linear(width if depth else size, out)
    with torch.no_grad():
        last.weight *= gain
        last.bias.zero_()
    return nn.Sequential(*layers, last)


def squashed_log_prob(before: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log p(u) (batch,) of u = tanh(x), x = `before` (batch, actions) Gaussian.

    Haarnoja et al., "Soft Actor-Critic Algorithms and Applications" (2018), appendix C; log(1 - tanh(x)^2) is written
    as 2 (log 2 - x - softplus(-2 x)), which stays finite where tanh has rounded to 1.
    """
    gaussian = -0.5 * ((before - mean) * torch.exp(-log_std)).square() - log_std - 0.5 * math.log(2 * math.pi)
    slope = 2 * (math.log(2) - before - F.softplus(-2 * before))
    return (gaussian - slope).sum(-1)


def squashed_entropy(deviation: float) -> float:
    """The entropy, in nats, of u = tanh(x), x Gaussian of mean 0 and that deviation: H(x) + E log(1 - tanh(x)^2)."""
    places, weights = np.polynomial.hermite_e.hermegauss(64)
    x = deviation * places
    slope = 2 * (math.log(2) - x - np.logaddexp(0, -2 * x))
    return 0.5 * math.log(2 * math.pi * math.e * deviation**2) + float(weights @ slope / weights.sum())


def unsquash(action: Tensor) -> Tensor:
    """The x of u = tanh(x)."""
    return torch.atanh(action.clamp(-_EDGE, _EDGE))


class Actor(nn.Module):
    """A squashed Gaussian whose mean, and deviation unless it is free of the state, are made from observations.

    Args:
        size, actions: of an observation and an action.
        free_deviation: one deviation for all states, as PPO has it.
        widest: bound of a deviation that depends on the state.
    """

    def __init__(
        self,
        size: int,
        actions: int,
        width: int,
        depth: int,
        *,
        free_deviation: bool = False,
        log_std: float = 0.0,
        widest: float | None = None,
    ) -> None:
        super().__init__()
        high = LOG_STD_HIGH if widest is None else math.log(widest)
        self._middle, self._half = (high + LOG_STD_LOW) / 2, (high - LOG_STD_LOW) / 2
        self._shift = math.atanh(self._middle / self._half) if widest is None else 0.0  # an output of 0 is deviation 1
        self.body = mlp(size, width, depth, actions if free_deviation else 2 * actions, gain=0.1)
        self.log_std = nn.Parameter(torch.full((actions,), log_std)) if free_deviation else None

    @torch.no_grad()
    def begin_at_zero(self, deviation: float) -> None:
        """Set the mean to exactly zero and the deviation, one that depends on the state, to a number, in all states.

        Args:
            deviation: above exp(`LOG_STD_LOW`), below the widest.
        """
        last = self.body[-1]
        assert isinstance(last, nn.Linear) and self.log_std is None
        last.weight.zero_()
        last.bias.zero_()
        share = (math.log(deviation) - self._middle) / self._half
        last.bias[len(last.bias) // 2 :] = math.atanh(share) + self._shift

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log deviation (batch, actions), before squashing."""
        out = self.body(observation)
        if self.log_std is not None:
            return _bounded(out), self.log_std.clamp(LOG_STD_LOW, LOG_STD_HIGH).expand_as(out)
        mean, log_std = out.chunk(2, dim=-1)
        # A smooth bound: a clamp has no gradient to return by.
        return _bounded(mean), self._middle + self._half * torch.tanh(log_std - self._shift)

    def sample(self, observation: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Actions (batch, actions) and their log probabilities (batch,), both with gradients to the actor."""
        mean, log_std = self(observation)
        before = mean + torch.exp(log_std) * torch.randn(mean.shape, generator=random)
        return torch.tanh(before), squashed_log_prob(before, mean, log_std)

    def log_prob(self, observation: Tensor, action: Tensor) -> Tensor:
        """Log probabilities (batch,) of actions that were taken."""
        mean, log_std = self(observation)
        return squashed_log_prob(unsquash(action), mean, log_std)


def _bounded(mean: Tensor) -> Tensor:
    return MEAN_MOST * torch.tanh(mean / MEAN_MOST)


def descend(
    optimiser: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], loss: Tensor, most: float | None = None
) -> None:
    """Take one optimiser step on a loss for these parameters alone; `most` bounds the gradient's norm."""
    weights = list(parameters)
    for parameter, gradient in zip(weights, torch.autograd.grad(loss, weights)):
        parameter.grad = gradient
    if most is not None:
        nn.utils.clip_grad_norm_(weights, most)
    optimiser.step()
