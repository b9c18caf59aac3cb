"""A noise for each state: bounded, of the shape of the policy's noise, made of fewer numbers where that is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from policies.actors.spec import ActorSpec
from policies.networks.sizes import Depth, Width
from policies.recipe.actors import NoiseShape
from policies.rl.networks import Actor
from robot.description.ranges import Range

WIDEST = 2.0


@dataclass(frozen=True)
class NoiseGaussian(NoiseShape):
    """A squashed Gaussian over noises, v = tanh(x), that begins at zero in all states.

    Args:
        bound, shape, knots: as of `NoiseShape`.
        deviation: of x, that it begins with.
        width, depth: of the hidden layers.
    """

    deviation: Annotated[float, Range(0.01, 7)] = 0.2
    width: Width = 128
    depth: Depth = 2

    def build(self, state: int, spec: ActorSpec) -> NoiseHead:
        """(batch, state) -> the noise (batch, horizon, D) of the mean."""
        horizon, dim = spec.noise
        basis = torch.from_numpy(self.basis(horizon))
        actor = beginning_actor(state, basis.shape[1] * dim, self.deviation, self.width, self.depth)
        return NoiseHead(self.bound, basis, dim, actor)


class NoiseHead(nn.Module):
    """Noises of a squashed Gaussian actor.

    Args:
        bound: of each component.
        basis: B (horizon, m).
        dim: D, components of a row.
        actor: of the numbers v.
    """

    basis: Tensor
    inverse: Tensor

    def __init__(self, bound: float, basis: Tensor, dim: int, actor: Actor) -> None:
        super().__init__()
        self.bound, self.dim, self.actor = bound, dim, actor
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("inverse", torch.linalg.pinv(basis.double()).float(), persistent=False)

    @property
    def numbers(self) -> int:
        """n = m D, numbers of a v."""
        return self.basis.shape[1] * self.dim

    def forward(self, state: Tensor) -> Tensor:
        mean, _ = self.actor(state)
        return self.noise(torch.tanh(mean))

    def noise(self, numbers: Tensor) -> Tensor:
        """w (batch, horizon, D) of v (batch, n)."""
        return noise_of(numbers, self.basis, self.bound)

    def within(self, noise: Tensor) -> Tensor:
        """v (batch, n) of w (batch, horizon, D): the nearest that are made so, cut off at the bound."""
        return (self.inverse @ noise / self.bound).clamp(-1, 1).flatten(-2)


def noise_of(numbers: Tensor, basis: Tensor, bound: float) -> Tensor:
    """w = bound * B v, (..., horizon, D), of v (..., m D)."""
    noise: Tensor = bound * (basis @ numbers.unflatten(-1, (basis.shape[1], -1)))
    return noise.clamp(-bound, bound)  # a sum of weights rounds


def beginning_actor(state: int, numbers: int, deviation: float, width: int, depth: int) -> Actor:
    """An actor that begins at zero with a deviation, and becomes at most `WIDEST` times as wide: where the critic tells
    nothing the entropy would spread it over all of the bound, and what is collected were worse than the rung below.
    """
    actor = Actor(state, numbers, width, depth, widest=WIDEST * deviation)
    actor.begin_at_zero(deviation)
    return actor
