"""The specifications of a policy and a critic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping

from robot.description.action import ActionSpec
from robot.description.observation import ObservationSpec
from robot.description.prompt import PromptSpec
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True)
class SamplerSpec:
    """How a policy draws actions.

    Args:
        name: of the sampler, one that the policy has.
        steps: that the sampler takes, each with one evaluation of the network or two.

    Raises:
        InputError: fewer than one step.
    """

    name: str
    steps: Annotated[int, Range(1, 100_000)]

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError("sampler steps", expected="at least 1", got=str(self.steps))


@dataclass(frozen=True)
class PolicySpec:
    """Everything that another room must know to use a policy.

    Args:
        observation: keys with their histories.
        action: fields and period of the actions returned.
        horizon: rows in a chunk; row 0 belongs to the newest observation.
        n_action_steps: rows that are executed before the next plan.
        sampler: default sampler and steps.
        transforms: the policy's transforms as plain values, for the record.
        prompt: what the policy does with an instruction.
        ensemble: rate of a temporal ensemble over overlapping chunks, by which the policy is executed; None for none.

    Raises:
        InputError: `n_action_steps` is not between 1 and the horizon.
    """

    observation: ObservationSpec
    action: ActionSpec
    horizon: int
    n_action_steps: int
    sampler: SamplerSpec
    transforms: Mapping[str, Any] = field(default_factory=dict)
    prompt: PromptSpec = PromptSpec()
    ensemble: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.n_action_steps <= self.horizon:
            raise InputError(
                "n_action_steps", expected=f"1 to the horizon {self.horizon}", got=str(self.n_action_steps)
            )


@dataclass(frozen=True)
class CriticSpec:
    """Everything that another room must know to use a critic.

    Args:
        observation: keys with their histories.
        action: fields and period of the actions scored.
        steps: k, the executed rows that are scored.
        gamma: discount per control step.
        reward: the reward convention, in words that the store records.
    """

    observation: ObservationSpec
    action: ActionSpec
    steps: int
    gamma: float
    reward: str
