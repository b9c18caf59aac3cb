"""What a policy decided at one observation: the chunk, and all that it takes to see why and to repeat it."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Protocol, Sequence, runtime_checkable

import numpy as np

from robot.description.prompt import Task
from robot.description.protocols import Observation, Policy
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class Decision:
    """Decisions side by side. The same observation, prompt, prefix, noise and seeds in a batch of the same size give
    the same decision again, to the bit.

    Args:
        chunk: (batch, samples, horizon, dim) raw units, what `sample` returns.
        noise: (batch, samples, *noise_shape) that decided the chunk; None where noise does not.
        value: (batch, samples) that a critic gave the chunk; None without a critic.
        candidates: (batch, samples, K, horizon, dim) raw units that it was chosen from; None where nothing was chosen.
        index: (batch, samples) int64 of the chunk among the candidates; None where nothing was chosen.
        fell_back: (batch,) bool whether what steers gave the row up to the policy below it; None where it cannot.
        features: (batch, samples, F) float32 that the policy's network computed for the chunk, where `with_features`
            asked for them; else None.
    """

    chunk: np.ndarray
    noise: np.ndarray | None = None
    value: np.ndarray | None = None
    candidates: np.ndarray | None = None
    index: np.ndarray | None = None
    fell_back: np.ndarray | None = None
    features: np.ndarray | None = None

    def row(self, number: int) -> Decision:
        """The decision of one row, without the axis of the batch; of `fell_back` a scalar."""
        parts = {name: None if value is None else value[number] for name, value in vars(self).items()}
        return Decision(**parts)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Query:
    """What a policy decides on; the fields are the arguments of `Policy.sample`."""

    observation: Observation
    task: Task = None
    noise: np.ndarray | None = None
    samples: int = 1
    seeds: Sequence[int] | None = None
    prefix: np.ndarray | None = None
    prefix_weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        require_samples(self.samples)

    @property
    def rows(self) -> int:
        """The size of the batch."""
        return len(next(iter(self.observation.values())))

    @property
    def settings(self) -> dict[str, Any]:
        """All but the observation, by name."""
        return {name: value for name, value in vars(self).items() if name != "observation"}


@runtime_checkable
class DecidingPolicy(Policy, Protocol):
    """A policy that tells its decisions."""

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
        """Decide, and tell how; the arguments and errors of `sample`, which returns the chunk of this alone."""
        ...


def require_execution(policy: Policy, rows: int) -> None:
    """Refuse a number of rows, executed before the next plan, that a policy is not made for: one that scores the rows
    of its chunks says so by a method of this name.

    Raises:
        InputError: both numbers are shown.
    """
    refuses = getattr(policy, "require_execution", None)
    if refuses is not None:
        refuses(rows)


@runtime_checkable
class FeaturePolicy(Policy, Protocol):
    """A policy whose decisions can hold what its network computed."""

    def with_features(self, kind: str) -> FeaturePolicy:
        """The same policy with `Decision.features` in its decisions; this one is unchanged.

        Args:
            kind: `condition`, the encoded observation and prompt; `network`, what the last layer of the network read at
                the last step of the sampler; `both`, the two side by side.

        Raises:
            InputError: there is no such kind, or the policy's network does not tell.
        """
        ...


FEATURES = ("condition", "network", "both")
"""Kinds of features, as `FeaturePolicy.with_features` takes them."""


def with_features(policy: Policy, kind: str) -> FeaturePolicy:
    """A policy whose decisions hold features.

    Raises:
        InputError: there is no such kind, or the policy has none.
    """
    if not isinstance(policy, FeaturePolicy):
        raise InputError(
            "features of a policy",
            expected="a policy that tells what its network computes",
            got=f"a {type(policy).__name__}",
            way_out="Take a learnt policy, or a score that needs no features",
        )
    return policy.with_features(kind)


def require_samples(samples: int) -> None:
    """Refuse a number of chunks per row that is none.

    Raises:
        InputError: no whole number of at least 1.
    """
    if isinstance(samples, bool) or not isinstance(samples, Integral) or samples < 1:
        raise InputError("samples", expected="a whole number of at least 1", got=str(samples))


def decide(policy: Policy, query: Query) -> Decision:
    """The decision of any policy: of one that does not tell it, the chunk, and the noise where it was given."""
    decides = getattr(policy, "decide", None)
    if decides is not None:
        decision: Decision = decides(query.observation, **query.settings)
        return decision
    return Decision(np.asarray(policy.sample(query.observation, **query.settings)), query.noise)
