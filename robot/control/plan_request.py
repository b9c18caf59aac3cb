"""A request for a plan, and the one inference call that answers several of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np

from robot.description.decision import Decision, Query, decide
from robot.description.prompt import Task, TaskPrompt
from robot.description.protocols import Policy
from robot.errors import TillerError


@dataclass(frozen=True, eq=False)
class PlanRequest:
    """All inputs of a plan. `ChunkRunner.request` makes it and `ChunkRunner.take` takes the plans that answer it.

    Args:
        window: observation, name -> (steps, ...), raw units.
        stamp_ns: of the newest observation in it; row 0 of the plan acts at this moment.
        number: of the plan within its episode, from 0.
        seed: of its noise; None draws from the policy's own stream.
        prompt: what to do.
        samples: plans to draw.
        noise: (samples, *noise_shape) that decides the plans; None draws it.
        prefix: (horizon, dim) actions that are committed, raw units; None where plans arrive at once.
        prefix_weight: (horizon,) 1 where the prefix is fixed, 0 where it is free.
    """

    window: Mapping[str, np.ndarray]
    stamp_ns: int
    number: int = 0
    seed: int | None = None
    prompt: TaskPrompt | None = None
    samples: int = 1
    noise: np.ndarray | None = None
    prefix: np.ndarray | None = None
    prefix_weight: np.ndarray | None = None


def decide_plans(policy: Policy, requests: Sequence[PlanRequest | None]) -> Decision:
    """Answer all requests in one call of the policy.

    Args:
        policy: plans.
        requests: one per row. A row without a request repeats the first one, so that a batch has the same size, and
            with it every row the same numerics, however many wait. All draw as many samples, each under its own prompt.

    Returns:
        The decisions, `chunk` (len(requests), samples, horizon, dim) raw units; rows without a request are to be
        ignored.

    Raises:
        TillerError: the policy returned another number of plans than requested.
    """
    first = next(request for request in requests if request is not None)
    rows = [first if request is None else request for request in requests]
    if any(row.samples != first.samples for row in rows):
        raise ValueError("requests of one batch must draw as many samples")
    query = Query(
        {name: np.stack([row.window[name] for row in rows]) for name in first.window},
        task=_prompts(rows),
        noise=_stacked(rows, "noise"),
        samples=first.samples,
        seeds=_each(rows, "seed"),
        prefix=_stacked(rows, "prefix"),
        prefix_weight=_stacked(rows, "prefix_weight"),
    )
    decision = decide(policy, query)
    if decision.chunk.shape[:2] != (len(rows), first.samples):
        requested = f"{'one' if first.samples == 1 else first.samples} for {len(rows)} rows"
        raise TillerError(f"the policy gave plans of shape {decision.chunk.shape}, asked for {requested}")
    return decision


def sample_plans(policy: Policy, requests: Sequence[PlanRequest | None]) -> np.ndarray:
    """The plans (len(requests), samples, horizon, dim) alone of `decide_plans`."""
    return decide_plans(policy, requests).chunk


ROUGHNESS = 0.5
"""By how much rougher than the smoothest plan one of higher value may be, as a share of its cost: of 8 plans of a lift
policy, made 4 rows ahead, 5.7 are then to choose from."""


def best_continuation(
    plans: np.ndarray, request: PlanRequest, value: np.ndarray | None = None, roughness: float = ROUGHNESS
) -> int:
    """The number of the plan, of those that answer a request, that best continues the executed one.

    A prefix fixes rows but not the path: a plan whose noise leads around the other side of an obstacle turns sharply
    behind them. So the plan is taken that strays least from the prefix and is the least rough, in units of how much
    each component differs among the plans (after Liu et al., "Bidirectional Decoding", 2024, who choose among free
    samples by their distance from the plan before).

    Where a critic valued the plans, that choice alone would throw the critic's away: of the plans whose cost is at most
    1 + roughness times the smallest, the one of highest value is taken.

    Args:
        plans: (samples, horizon, dim).
        request: that they answer.
        value: (samples,) that a critic gave them; None without one. A value that is no number is the lowest of all.
        roughness: 0 or more.

    Returns:
        From 0; where nothing is committed the plan of highest value, the first one without values.
    """
    cost = _continuation_cost(plans, request)
    smoothest = int(np.argmin(cost))
    if value is None:
        return smoothest
    worth = np.where(np.isfinite(value), value, -np.inf)
    worth = np.where(cost - cost[smoothest] <= roughness * cost[smoothest], worth, -np.inf)
    best = np.flatnonzero(worth == worth.max())
    return int(best[np.argmin(cost[best])])  # the smoothest of those of one value


def _continuation_cost(plans: np.ndarray, request: PlanRequest) -> np.ndarray:
    """By how much each plan (samples,) strays from the prefix, and how rough it is; 0 where nothing is committed."""
    values, weight = request.prefix, request.prefix_weight
    if values is None or weight is None or len(plans) == 1 or not weight.any():
        return np.zeros(len(plans))
    spread = np.maximum(plans.std(axis=(0, 1)), 1e-9)
    strayed = (((plans - values) / spread) ** 2).sum(axis=2) @ weight
    rough = ((np.diff(plans, 2, axis=1) / spread) ** 2).sum(axis=(1, 2))
    cost: np.ndarray = strayed + rough
    return cost


def _prompts(rows: Sequence[PlanRequest]) -> Task:
    """The prompts of the rows; one for all of them where they share it."""
    first = rows[0].prompt
    if all(row.prompt is first for row in rows):
        return first
    return [row.prompt or TaskPrompt() for row in rows]


def _each(rows: Sequence[PlanRequest], name: str) -> list[Any] | None:
    """A field of every request; None where no request has it."""
    values = [value for row in rows if (value := getattr(row, name)) is not None]
    if values and len(values) < len(rows):
        raise ValueError(f"requests of one batch must all have a {name}, or none of them")
    return values or None


def _stacked(rows: Sequence[PlanRequest], name: str) -> np.ndarray | None:
    values = _each(rows, name)
    return None if values is None else np.stack(values)
