"""Recorded rollouts, decided again: the policy's decisions of each episode from what it saw and its noise seeds.

A store keeps what was observed and executed, not what was planned. The policy is a function of both, so its chunks and
features come out again, to the rounding of another batch size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from data.learning.windows import Windows, WindowShape
from data.store.dataset import Dataset
from data.store.names import (
    GROUP,
    INSTRUCTION,
    NOISE_SEED,
    POLICY,
    SEED,
    SUCCESS,
    acting_policies,
    has_fact,
    require_schema,
)
from policies.loading.load import identity, load
from policies.steering.registry import steer
from policies.steering.steered import layers
from robot.control.runner import ChunkRunner, query_seed
from robot.description import Policy, Query, TaskPrompt, decide
from robot.errors import InputError
from robot.monitoring.moment import Moment

FACTS = (SUCCESS, SEED, POLICY, NOISE_SEED)


@dataclass(frozen=True, eq=False)
class Rollout:
    """An episode of a policy.

    Args:
        dataset, episode: which: the number of the dataset, and of the episode in it.
        success: whether it succeeded.
        moments: its decisions.
        rows: control steps.
    """

    dataset: int
    episode: int
    success: bool
    moments: Sequence[Moment]
    rows: int


def acting_policy(checkpoint: str, datasets: Sequence[Dataset], device: str = "cpu") -> tuple[Policy, str]:
    """The policy as it acted in some datasets, under their sampler and steering, and its hash as it acts.

    Args:
        checkpoint: of the policy.
        datasets: as `tiller collect source=checkpoint` records them.
        device: as in `choose_device`.

    Raises:
        InputError: no such checkpoint, or episodes that do not say who acted, or of another policy.
    """
    policy = load(checkpoint, device)
    acted = [_recorded(data) for data in datasets]
    for about in acted[0].get("steering", ())[len(layers(policy)) :]:  # a steered checkpoint has the first ones
        policy = steer(policy, about)
    if acted[0].get("sampler") is not None:
        policy = policy.with_sampler(str(acted[0]["sampler"]), int(acted[0]["steps"]))
    name = identity(checkpoint, policy)
    for data in datasets:
        _require_facts(data)
        others = sorted({str(each) for each in data.meta(POLICY.name)} - {name})
        if others:
            raise InputError(
                f"'{data.path}': policy that acted",
                expected=f"{name}, which is '{checkpoint}' under the sampler of the first dataset",
                got=others[0] or "an expert",
                way_out="Give the checkpoint that the episodes were collected with, and episodes of it alone",
            )
    return policy, name


def rollouts(policy: Policy, datasets: Sequence[Dataset]) -> Iterator[Rollout]:
    """The episodes of some datasets, one at a time, with the decisions that the policy makes in them.

    Args:
        policy: as it acted: from `acting_policy`, with features where they are needed.
        datasets: its episodes.

    Raises:
        InputError: a dataset lacks what the policy sees, or its episodes share rows.
    """
    for number, data in enumerate(datasets):
        yield from _of(policy, number, data)


def _of(policy: Policy, number: int, data: Dataset) -> Iterator[Rollout]:
    spec = policy.spec
    every, period_ns = ChunkRunner(spec).n_action_steps, spec.action.period_ns
    windows = Windows(data, WindowShape(spec.observation, 1))
    of, row = windows.episode_of, windows.row_of
    success, seeds = np.asarray(data.meta(SUCCESS.name), bool), np.asarray(data.meta(NOISE_SEED.name))
    words: Any = data.meta(INSTRUCTION.name) if has_fact(data.schema, INSTRUCTION) else [""] * len(data)
    starts = np.searchsorted(of, np.arange(len(data) + 1))
    for episode in range(len(data)):
        own = np.arange(starts[episode], starts[episode + 1])
        at = own[row[own] % every == 0]
        prompt = TaskPrompt(str(words[episode]))
        seen = windows.gather(at).observation
        decision = decide(
            policy, Query(seen, prompt, seeds=[query_seed(int(seeds[episode]), plan) for plan in range(len(at))])
        )
        moments = [
            Moment(
                int(row[window]) * period_ns,
                {name: values[plan] for name, values in seen.items()},
                decision.chunk[plan, 0],
                period_ns,
                prompt,
                None if decision.features is None else decision.features[plan, 0],
            )
            for plan, window in enumerate(at)
        ]
        yield Rollout(number, episode, bool(success[episode]), moments, len(own))


def _recorded(data: Dataset) -> Mapping[str, Any]:
    """Sampler, steps and steering that a dataset was collected with."""
    require_schema(data.path, data.schema)
    policies = acting_policies(data.attributes)
    if len(policies) != 1:
        raise InputError(
            f"'{data.path}': who acted",
            expected="episodes of one policy: tiller collect source=checkpoint",
            got=f"those of {len(policies)} policies" if policies else "episodes that do not say",
        )
    return policies[0]


def _require_facts(data: Dataset) -> None:
    """Refuse episodes that do not say how they went and what they began with, or that share rows."""
    for fact in FACTS:
        if not has_fact(data.schema, fact):
            raise InputError(
                f"'{data.path}': fact '{fact.name}'",
                expected="one of every episode",
                got=f"only {', '.join(data.meta_keys) or 'none'}",
                way_out="Record episodes with tiller collect source=checkpoint",
            )
    if has_fact(data.schema, GROUP) and (np.asarray(data.meta(GROUP.name)) >= 0).any():
        raise InputError(
            f"'{data.path}'",
            expected="episodes that begin at their own starts",
            got="groups, whose members share the rows before they part",
            way_out="Collect without groups=",
        )
