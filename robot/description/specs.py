"""The specifications of a policy and a critic."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Mapping

from robot.description.action import ActionSpec
from robot.description.embodiment import EmbodimentSpec, named_embodiment
from robot.description.observation import ObservationField, ObservationSpec
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
        embodiments: of which observation and action are the union; none for a policy of one robot and task.

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
    embodiments: tuple[EmbodimentSpec, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.n_action_steps <= self.horizon:
            raise InputError(
                "n_action_steps", expected=f"1 to the horizon {self.horizon}", got=str(self.n_action_steps)
            )

    def of_embodiment(self, name: str) -> PolicySpec:
        """The spec of the policy as one of its embodiments uses it, with the keys and fields of that one alone.

        Raises:
            InputError: there is no such embodiment.
        """
        own = named_embodiment(self.embodiments, name)
        return replace(
            self,
            observation=own.observation(self.observation),
            action=own.action(self.action),
            n_action_steps=own.n_action_steps,
            embodiments=(),
        )


@dataclass(frozen=True)
class CriticBase:
    """The policy whose chunks a critic was trained to tell apart.

    Args:
        hash: of its content: weights, spec, recipe.
        sampler: by which its zero-noise plan was drawn.
    """

    hash: str
    sampler: SamplerSpec


@dataclass(frozen=True)
class CriticSpec:
    """Everything that another room must know to use a critic.

    Args:
        observation: keys with their histories.
        action: fields and period of the actions scored.
        steps: k, the executed rows that are scored.
        gamma: discount per control step.
        reward: the reward convention, in words that the store records.
        prompt: what the critic does with an instruction.
        base: the policy whose zero-noise plan the chunks are seen beside; None for a critic that sees chunks alone.
    """

    observation: ObservationSpec
    action: ActionSpec
    steps: Annotated[int, Range(1, 10_000)]
    gamma: Annotated[float, Range(0, 1)]
    reward: str
    prompt: PromptSpec = PromptSpec()
    base: CriticBase | None = None

    @property
    def horizon(self) -> int:
        """Rows of the window that it learns from: k."""
        return self.steps

    def require_policy(self, policy: PolicySpec) -> None:
        """Refuse a policy whose chunks this critic cannot score at its decisions.

        Raises:
            InputError: the critic sees a key that the policy does not, or another history, unit or shape of one; other
                actions; or it scores another number of rows than are executed. Both sides are shown.
        """
        theirs = {key.name: key for key in policy.observation}
        for key in self.observation:
            if theirs.get(key.name) != key:
                raise InputError(
                    f"critic: observation '{key.name}'",
                    expected=f"what the policy sees: {_shown(theirs.get(key.name))}",
                    got=_shown(key),
                    way_out="Train the critic with the observation of the policy",
                )
        if self.action != policy.action:
            raise InputError(
                "critic: actions",
                expected=f"those of the policy: {_actions(policy.action)}",
                got=_actions(self.action),
                way_out="Train the critic on a dataset of the policy's robot",
            )
        if self.steps != policy.n_action_steps:
            raise InputError(
                "critic: rows",
                expected=f"{policy.n_action_steps}, which the policy executes per plan",
                got=str(self.steps),
                way_out=f"Train the critic with critic.steps={policy.n_action_steps}, or execute {self.steps} rows",
            )


def _actions(action: ActionSpec) -> str:
    fields = (f"{each.name} ({each.size}) {each.kind} in {each.unit}" for each in action.fields)
    return f"{', '.join(fields)}, each {action.period_s:g} s"


def _shown(key: ObservationField | None) -> str:
    if key is None:
        return "nothing of that name"
    stride = f", every {key.history.stride}" if key.history.stride > 1 else ""
    return f"{key.shape} {key.dtype} in {key.unit}, {key.history.steps} steps{stride}"
