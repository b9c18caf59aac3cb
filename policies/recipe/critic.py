"""What a critic is made of, as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping

from policies.recipe.recipe import NormalisationConfig, Rows
from robot.description import History
from robot.description.ranges import Range
from robot.description.record import require_ranges
from robot.errors import InputError, nearest

HIDDEN, DIFFERENCE, BESIDE, DEVIATION = "hidden", "difference", "beside", "deviation"
PLANS = (HIDDEN, DIFFERENCE, BESIDE, DEVIATION)


@dataclass(frozen=True)
class CriticRecipe:
    """A critic before it has seen data: transforms x encoder x network x objective.

    The parts given as mappings hold a `name` and the options of the part of that name.

    Args:
        network: for example {name: mlp, members: 2, width: 256}.
        objective: what its values mean and how they are learnt, for example {name: success}.
        encoder: for example {name: state}.
        prompt: what an instruction decides, as of a policy.
        augmentation: of images while training, or None.
        observation: keys that the critic sees, in order; empty for all keys offered.
        n_obs_steps: newest rows of every key that the critic sees.
        history: other histories for named keys.
        steps: k, the executed rows that are scored.
        gamma: discount per control step.
        plan: how a critic that is trained with a base sees the rows beside those of the base's zero-noise plan:
            `difference` sees how they differ from it, `beside` that and the plan, `deviation` how far and how rough the
            difference is, `hidden` the rows alone, without it.
        transforms: in the order in which they are applied to raw data.
        normalisation: scaling of what leaves the transforms.
    """

    network: Mapping[str, Any] = field(default_factory=lambda: {"name": "mlp"})
    objective: Mapping[str, Any] = field(default_factory=lambda: {"name": "success"})
    encoder: Mapping[str, Any] = field(default_factory=lambda: {"name": "state"})
    prompt: Mapping[str, Any] = field(default_factory=lambda: {"name": "ignored"})
    augmentation: Mapping[str, Any] | None = None
    observation: tuple[str, ...] = ()
    n_obs_steps: Rows = 1
    history: Mapping[str, History] = field(default_factory=dict)
    steps: Rows = 8
    gamma: Annotated[float, Range(0, 1)] = 0.99
    plan: str = DIFFERENCE
    transforms: tuple[Mapping[str, Any], ...] = ()
    normalisation: NormalisationConfig = NormalisationConfig()

    def __post_init__(self) -> None:
        require_ranges(self, "critic")
        if self.plan not in PLANS:
            raise InputError(
                "critic.plan",
                expected=f"one of {', '.join(PLANS)}",
                got=f"'{self.plan}'",
                way_out=nearest(self.plan, PLANS),
            )
