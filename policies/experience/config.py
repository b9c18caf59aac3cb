"""How learners from experience learn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Mapping

from policies.actors.noise import REPEATED, Bound, NoiseShape
from policies.networks.sizes import Width
from policies.recipe.critic import DEVIATION, DIFFERENCE, PLANS
from robot.description.ranges import Range, Share
from robot.description.record import require_ranges
from robot.errors import InputError, nearest


@dataclass(frozen=True)
class LearnerConfig:
    """How a critic of chunks learns, and what learns on it.

    Args:
        members: of its ensemble, two or more of which judge.
        width, depth: of its hidden layers.
        network: `mlp`, or `dueling`: the value of the state apart from that of a chunk.
        plan: how it sees chunks beside the zero-noise plan: `difference`, `beside` or `deviation` (`CriticRecipe`).
        gamma: discount of a control step.
        target_rate: of the target network.
        learning_rate: of all.
        batch_size: decisions of an update.
        seed: of weights and batches.
    """

    members: Annotated[int, Range(2, 100)] = 2
    width: Width = 64
    depth: Annotated[int, Range(0, 100)] = 2
    network: str = "mlp"
    plan: str = DEVIATION
    gamma: Share = 0.99
    target_rate: Share = 0.01
    learning_rate: Annotated[float, Range(0, 1, above=True)] = 3e-4
    batch_size: Annotated[int, Range(1, 1_000_000)] = 256
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0

    def __post_init__(self) -> None:
        require_ranges(self, "learner")
        require_plan(self.plan, "learner")


Updates = Annotated[int, Range(0, 1_000_000_000)]
Alpha = Annotated[float, Range(0, 1e6, above=True)]


@dataclass(frozen=True)
class SoftOptions:
    """How an actor climbs a critic. Entropies and alpha are per number that the actor gives: values lie in [0, 1], and
    alpha times the sum of log densities of 160 numbers would drown them.

    Args:
        plan: how the critic sees chunks beside the plan, as of `LearnerConfig`: `deviation` does not tell directions.
        after: updates of the critic before the actor moves.
        entropy: target, in nats per number; None holds the one that the actor begins with.
        alpha: initial temperature.
        alpha_floor, alpha_cap: its bounds.

    Raises:
        InputError: a plan that does not exist, a number outside its range, or an alpha outside its bounds.
    """

    plan: str = DIFFERENCE
    after: Updates = 1000
    entropy: float | None = None
    alpha: Alpha = 0.1
    alpha_floor: Alpha = 0.05
    alpha_cap: Alpha = 0.3

    def __post_init__(self) -> None:
        require_ranges(self, "actor")
        require_plan(self.plan, "actor")
        if self.entropy is not None and not math.isfinite(self.entropy):
            raise InputError("actor: entropy", expected="a finite number, or null", got=str(self.entropy))
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
        plan, after, entropy, alpha, alpha_floor, alpha_cap: as of `SoftOptions`.
        bound, shape, knots: of the noises (`policies.actors.noise.NoiseShape`).
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
        plan, after, entropy, alpha, alpha_floor, alpha_cap: as of `SoftOptions`.
        delta: field of the action -> how far it may be moved, in its unit; others by their kinds and units
            (`policies.actors.edit.DELTAS`).
        deviation: of the actor before it is squashed, that it begins with.
        by_value: whether the critic chooses between the edited and the unedited chunk.
        tried: share of the decisions to edit that execute the edited chunk whatever the critic says.
    """

    delta: Mapping[str, float] = field(default_factory=dict)
    deviation: Annotated[float, Range(0.01, 7)] = 0.5
    by_value: bool = True
    tried: Share = 0.5


def require_plan(plan: str, thing: str) -> None:
    """Refuse a way to see chunks that does not exist.

    Raises:
        InputError: names those that do.
    """
    if plan not in PLANS[1:]:
        raise InputError(
            f"{thing}: plan", expected=f"one of {', '.join(PLANS[1:])}", got=plan,
            way_out=nearest(plan, (DIFFERENCE, DEVIATION)),
        )  # fmt: skip
