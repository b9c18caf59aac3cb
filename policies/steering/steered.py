"""The base of all that steers: a policy around another one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, Sequence

import numpy as np

from robot.description import Decision, Observation, Policy, PolicySpec, Query, Task, with_features
from robot.description.decision import require_execution
from robot.description.record import require_ranges
from robot.errors import InputError

if TYPE_CHECKING:
    from policies.model.guide import Guide


@dataclass(frozen=True, eq=False)
class Steered(ABC):
    """A policy that steers another one. Subclasses are frozen dataclasses of their settings, and fill in `answer`.

    Args:
        policy: what is steered.
        pinned: whether the sampler is part of what was measured, as in a checkpoint: another one is refused.

    Attributes:
        name: in configurations and checkpoints.
        scores_rows: whether it is made for the rows that are executed: how many is settled below it.

    Raises:
        InputError: what is steered is no policy, or an option is out of its range.
    """

    policy: Policy
    pinned: bool = field(default=False, kw_only=True)

    name: ClassVar[str]
    scores_rows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not isinstance(self.policy, Policy):
            raise InputError(
                f"what steering {self.name} is put around",
                expected="a policy, such as tiller.load gives",
                got=f"a {type(self.policy).__name__}",
            )
        require_ranges(self, "steering")

    @property
    def spec(self) -> PolicySpec:
        return self.policy.spec

    @property
    def noise_shape(self) -> tuple[int, ...] | None:
        return self.policy.noise_shape

    @property
    def deterministic(self) -> bool:
        """Whether its noise alone decides a chunk."""
        return is_deterministic(self.policy)

    @property
    def chooses(self) -> bool:
        """Whether it, or a policy below, chooses among chunks: noise is steered inside of that."""
        return chooses(self.policy)

    @property
    def semantic_hash(self) -> str | None:
        """Of the robot contract that the policy was trained for; None where it is not known."""
        return getattr(self.policy, "semantic_hash", None)

    @property
    def fingerprint(self) -> str | None:
        """Of the learnt policy at the bottom, the hash of its checkpoint; None where it is not known."""
        return getattr(self.policy, "fingerprint", None)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences for a person who is about to rely on it, none where there are none; of this layer alone."""
        return ()

    @property
    def settings(self) -> dict[str, Any]:
        """Its name and options as plain values."""
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("policy", "pinned")}
        return {"name": self.name, **own}

    def sample(
        self,
        observation: Observation,
        *,
        task: Task = None,
        noise: np.ndarray | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: np.ndarray | None = None,
        prefix_weight: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw chunks of actions; see `robot.description.Policy.sample`."""
        query = Query(observation, task, noise, samples, seeds, prefix, prefix_weight)
        return self.answer(query).chunk

    def decide(
        self,
        observation: Observation,
        *,
        task: Task = None,
        noise: np.ndarray | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: np.ndarray | None = None,
        prefix_weight: np.ndarray | None = None,
    ) -> Decision:
        """Decide, and tell how; see `robot.description.DecidingPolicy.decide`."""
        return self.answer(Query(observation, task, noise, samples, seeds, prefix, prefix_weight))

    @abstractmethod
    def answer(self, query: Query) -> Decision:
        """The decision of a query."""

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Self:
        """The same around the policy with another sampler.

        Raises:
            InputError: the policy has no such sampler, what steers cannot take it, or the present one is pinned.
        """
        if not self.pinned:
            return replace(self, policy=self.policy.with_sampler(name, steps))
        own = self.spec.sampler
        if (own.name if name is None else name, own.steps if steps is None else steps) != (own.name, own.steps):
            raise InputError(
                "sampler of a steered policy",
                expected=f"{own.name} in {own.steps} steps, which it was steered with",
                got=f"{own.name if name is None else name} in {own.steps if steps is None else steps} steps",
                way_out="Leave sampler and steps out, or steer the base anew with them",
            )
        return self

    def with_guide(self, guide: Guide) -> Self:
        """The same around the policy with its chunks pulled while they are drawn.

        Raises:
            InputError: the policy cannot be pulled.
        """
        return replace(self, policy=pulled(self.policy, guide))

    def require_execution(self, rows: int) -> None:
        """Refuse a number of rows, executed before the next plan, that this layer or one below is not made for.

        Raises:
            InputError: both numbers are shown.
        """
        require_execution(self.policy, rows)

    def with_features(self, kind: str) -> Self:
        """The same with the features of the policy below in its decisions; see `robot.description.FeaturePolicy`."""
        return replace(self, policy=with_features(self.policy, kind))

    def start(self) -> None:
        """Begin an episode, for policies below that keep count of it."""
        getattr(self.policy, "start", lambda: None)()


def layers(policy: Policy) -> list[Steered]:
    """What steers a policy, the outermost first; none where nothing does."""
    found = []
    while isinstance(policy, Steered):
        found.append(policy)
        policy = policy.policy
    return found


def innermost(policy: Policy) -> Policy:
    """The policy at the bottom, which nothing steers."""
    while isinstance(policy, Steered):
        policy = policy.policy
    return policy


def pulled(policy: Policy, guide: Guide) -> Policy:
    """A policy with its chunks pulled while they are drawn; see `policies.model.guide`.

    Raises:
        InputError: it cannot be pulled.
    """
    with_guide = getattr(policy, "with_guide", None)
    if with_guide is None:
        raise InputError(
            "guidance",
            expected="a learnt policy, whose chunks are pulled while they are drawn",
            got=f"a {type(policy).__name__}",
        )
    guided: Policy = with_guide(guide)
    return guided


def is_deterministic(policy: Policy) -> bool:
    """Whether a policy's noise alone decides a chunk; those that do not say so are taken to be."""
    return bool(getattr(policy, "deterministic", True))


def chooses(policy: Policy) -> bool:
    """Whether a policy, or one below it, chooses among chunks."""
    return bool(getattr(policy, "chooses", False))
