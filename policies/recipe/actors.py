"""How actors that steer a frozen policy are made, and how they learn from experience."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Mapping

import numpy as np

from policies.recipe.critic import DIFFERENCE
from policies.recipe.learner import require_plan
from robot.description.ranges import Finite, Range, Share
from robot.description.record import require_ranges
from robot.errors import InputError, nearest

NOISE_ACTOR = "noise_actor"
FULL, REPEATED, KNOTS = "full", "repeated", "knots"
SHAPES = (FULL, REPEATED, KNOTS)
Bound = Annotated[float, Range(0, 100, above=True)]


@dataclass(frozen=True)
class NoiseShape:
    """How far noises reach, and how many numbers they are made of.

        w = bound * B v,    v in [-1, 1]^(m x D),    B (horizon, m) with rows that are weights of sum 1

    so that every component of w lies within the bound. B is the identity (`full`), ones (`repeated`: one row over the
    horizon), or linear between m knots (`knots`).

    Args:
        bound: of each component.
        shape: `full`, `repeated` or `knots`.
        knots: m of `knots`, the horizon where that is less.

    Raises:
        InputError: a shape that does not exist, or a number outside its range.
    """

    bound: Bound = 1.5
    shape: str = REPEATED
    knots: Annotated[int, Range(2, 10_000)] = 4

    def __post_init__(self) -> None:
        require_ranges(self, NOISE_ACTOR)
        if self.shape not in SHAPES:
            raise InputError(
                f"{NOISE_ACTOR}: shape", expected=f"one of {', '.join(SHAPES)}", got=f"'{self.shape}'",
                way_out=nearest(self.shape, SHAPES),
            )  # fmt: skip

    def basis(self, horizon: int) -> np.ndarray:
        """B (horizon, m), float32."""
        if self.shape == FULL or (self.shape == KNOTS and self.knots >= horizon):
            return np.eye(horizon, dtype=np.float32)
        if self.shape == REPEATED:
            return np.ones((horizon, 1), np.float32)
        place, knots = np.linspace(0, 1, horizon), np.linspace(0, 1, self.knots)
        return np.stack([np.interp(place, knots, row) for row in np.eye(self.knots)], axis=1).astype(np.float32)


Updates = Annotated[int, Range(0, 1_000_000_000)]
Alpha = Annotated[float, Range(0, 1e6, above=True)]


@dataclass(frozen=True)
class SoftOptions:
    """How an actor climbs a critic. Entropies and alpha are per number that the actor gives: values lie in [0, 1], and
    alpha times the sum of log densities of 160 numbers would drown them.

    Args:
        plan: how the critic sees chunks beside the plan, as of `LearnerConfig`: `deviation` does not tell directions.
        after: updates of the critic before the actor moves, which it does from the second segment on.
        entropy: target, in nats per number; None holds the one that the actor begins with.
        alpha: initial temperature.
        alpha_floor, alpha_cap: its bounds.

    Raises:
        InputError: a plan that does not exist, a number outside its range, or an alpha outside its bounds.
    """

    plan: str = DIFFERENCE
    after: Updates = 1000
    entropy: Finite | None = None
    alpha: Alpha = 0.1
    alpha_floor: Alpha = 0.05
    alpha_cap: Alpha = 0.3

    def __post_init__(self) -> None:
        require_ranges(self, "actor")
        require_plan(self.plan, "actor")
        if not self.alpha_floor <= self.alpha <= self.alpha_cap:
            raise InputError(
                "actor: alpha",
                expected=f"{self.alpha_floor:g} to {self.alpha_cap:g}, its bounds",
                got=f"{self.alpha:g}",
            )


@dataclass(frozen=True)
class NoiseOptions(SoftOptions):
    """An actor that gives noises.

    Args:
        plan: how the critic sees chunks beside the plan: `difference`, `beside` or `deviation`, which does not tell
            directions.
        after: updates of the critic before the actor moves, which it does from the second segment on.
        entropy: target, in nats per number; null holds the one that the actor begins with.
        alpha: initial temperature.
        alpha_floor: its lower bound.
        alpha_cap: its upper bound.
        bound: of every component of every noise.
        shape: of the noises: `full`, `repeated` over the horizon, or straight lines between `knots`.
        knots: how many.
        jitter: deviation that is added to the actor's own noises, as shares of the bound, where the noise critic
            learns.
        backup_entropy: whether the entropy of what follows counts in the targets of the critic.
    """

    bound: Bound = 1.5
    shape: str = REPEATED
    knots: Annotated[int, Range(2, 10_000)] = 4
    jitter: Annotated[float, Range(0, 10)] = 0.1
    backup_entropy: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        NoiseShape(self.bound, self.shape, self.knots)  # refuses what it cannot be

    @property
    def noises(self) -> NoiseShape:
        return NoiseShape(self.bound, self.shape, self.knots)


@dataclass(frozen=True)
class ResidualOptions(SoftOptions):
    """An actor that gives offsets of what is executed.

    Args:
        plan: how the critic sees chunks beside the plan: `difference`, `beside` or `deviation`, which does not tell
            directions.
        after: updates of the critic before the actor moves, which it does from the second segment on.
        entropy: target, in nats per number; null holds the one that the actor begins with.
        alpha: initial temperature.
        alpha_floor: its lower bound.
        alpha_cap: its upper bound.
        delta: field of the action -> how far it may be moved, in its unit; others by their kinds and units
            (`policies.actors.edit.DELTAS`).
        deviation: of the actor before it is squashed, that it begins with.
        by_value: whether the critic chooses between the edited and the unedited chunk.
        tried: share of the decisions to edit that execute the edited chunk whatever the critic says.
    """

    delta: Mapping[str, Annotated[float, Range(0, 1000)]] = field(default_factory=dict)
    deviation: Annotated[float, Range(0.01, 7)] = 0.5
    by_value: bool = True
    tried: Share = 0.5
