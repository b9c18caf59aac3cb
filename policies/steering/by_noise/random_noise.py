"""Noise drawn at random of the kind that an actor gives: the control of every actor of noises and of every codebook."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from policies.recipe.actors import FULL, NoiseShape
from policies.steering.by_noise.noise import choice_numbers, drawn_noise, fixed_noises
from policies.steering.by_noise.noise_scale import NoiseScaled
from robot.description import Decision, Query, decide
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class RandomNoise(NoiseScaled):
    """A noise of the shape that an actor gives, for no reason: what such noises do before anything is learnt.

        w = noise_scale * B v,    v ~ N(0, I) of (m x D),    B of `NoiseShape`

    or any of the fixed noises of a codebook, each as likely. With shape `full` and no entries it is the policy under
    that scale of its noise, to the bit. Draws follow the seed of the row.

    Args:
        policy: what is steered.
        noise_scale: of the noise.
        shape: `full`, `repeated` over the horizon, or `knots`.
        knots: how many of these.
        entries: of the codebook that is drawn from, zero noise among them; 0 draws afresh.
        seed: of its entries.

    Raises:
        InputError: a number out of range, or a shape that does not exist; a policy that noise cannot steer.
    """

    shape: str = FULL
    knots: Annotated[int, Range(2, 10_000)] = 4
    entries: Annotated[int, Range(0, 4096)] = 0
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0

    name: ClassVar[str] = "random_noise"

    def __post_init__(self) -> None:
        super().__post_init__()
        NoiseShape(shape=self.shape, knots=self.knots)  # refuses what it cannot be

    @property
    def noise_shape(self) -> tuple[int, ...] | None:
        """None where it draws from a codebook: other noise does not change its chunk then."""
        return None if self.entries else super().noise_shape

    @property
    def deterministic(self) -> bool:
        """The seed decides which entry."""
        return not self.entries and super().deterministic

    @cached_property
    def noises(self) -> np.ndarray:
        """The entries (entries, *noise_shape) float32, the first of them zero."""
        assert self.policy.noise_shape is not None
        return fixed_noises(tuple(self.policy.noise_shape), self.entries, self.noise_scale, self.seed)

    def answer(self, query: Query) -> Decision:
        """Decide; the decision's noise is the one that its own was made of, as this policy takes it.

        Raises:
            InputError: noise is given, and it draws from a codebook.
        """
        if not self.entries:
            drawn = drawn_noise(self, query)
            basis = NoiseShape(shape=self.shape, knots=self.knots).basis(drawn.shape[2])
            noise = np.float32(self.noise_scale) * (basis @ drawn[:, :, : basis.shape[1]])
            return replace(decide(self.policy, replace(query, noise=noise)), noise=drawn)
        if query.noise is not None:
            raise InputError("noise for a codebook", expected="none: its own make every decision", got="some")
        noise = self.noises[(choice_numbers(query) * self.entries).astype(np.int64)]
        return replace(decide(self.policy, replace(query, noise=noise)), noise=None)
