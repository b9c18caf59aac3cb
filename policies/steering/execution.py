"""How chunks are drawn and executed, as a part of the policy: sampler and steps, rows executed, temporal ensemble."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, ClassVar

from policies.steering.steered import Steered
from robot.description import Decision, PolicySpec, Query, decide
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class _Through(Steered):
    """Steers without a change to a decision."""

    def answer(self, query: Query) -> Decision:
        """The decision of the policy below."""
        return decide(self.policy, query)


@dataclass(frozen=True, eq=False)
class Resampled(_Through):
    """The policy under another sampler, or in another number of steps.

    Args:
        policy: what is steered.
        sampler: name of the sampler; None keeps the policy's.
        steps: that it takes; None keeps the policy's.

    Raises:
        InputError: the policy has no such sampler, or it cannot take so many steps.
    """

    sampler: str | None = None
    steps: Annotated[int, Range(1, 100_000)] | None = None

    name: ClassVar[str] = "sampler"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sampler is None and self.steps is None:
            raise InputError("steering sampler", expected="a sampler, or the number of its steps", got="neither")
        object.__setattr__(self, "policy", self.policy.with_sampler(self.sampler, self.steps))

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Resampled:
        if self.pinned:
            return super().with_sampler(name, steps)
        return replace(self, sampler=name or self.sampler, steps=steps or self.steps)


@dataclass(frozen=True, eq=False)
class Executed(_Through):
    """The policy with another number of executed rows, or with a temporal ensemble of its chunks.

    Args:
        policy: what is steered.
        n_action_steps: rows of a chunk that are executed before the next plan; None keeps the policy's.
        ensemble: rate of the temporal ensemble over overlapping chunks (`robot.control.ensembling`); None for none.

    Raises:
        InputError: more rows than a chunk has, rows beside an ensemble, which plans in every row, or neither; or rows
            that a layer below is not made for.
    """

    n_action_steps: Annotated[int, Range(1, 10_000)] | None = None
    ensemble: Annotated[float, Range(-10, 10)] | None = None

    name: ClassVar[str] = "execution"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_action_steps is not None and self.ensemble is not None:
            raise InputError(
                "steering execution",
                expected="rows executed or an ensemble, which plans in every row",
                got=f"n_action_steps {self.n_action_steps} and ensemble {self.ensemble:g}",
            )
        if self.n_action_steps is None and self.ensemble is None:
            raise InputError("steering execution", expected="n_action_steps or an ensemble", got="neither")
        spec = self.spec  # refuses more rows than a chunk has
        self.require_execution(spec.n_action_steps if spec.ensemble is None else 1)

    @cached_property
    def spec(self) -> PolicySpec:  # type: ignore[override]
        below = self.policy.spec
        rows = below.n_action_steps if self.n_action_steps is None else self.n_action_steps
        return replace(below, n_action_steps=rows, ensemble=self.ensemble)
