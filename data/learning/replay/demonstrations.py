"""Recorded episodes as decisions: what a policy would have decided, row by row, had it executed what was recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Iterable, Mapping

import numpy as np

from data.learning.replay.replay import Replay
from data.learning.replay.schema import CANDIDATES, DEMONSTRATION
from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.names import INTERVENTION, REWARD, SUCCESS, TERMINATED, has_column, has_fact, require_schema
from robot.description import PolicySpec, require_match
from robot.errors import InputError

Draw = Callable[[Mapping[str, np.ndarray], np.ndarray], np.ndarray]
"""The chunks (n, K, horizon, dim) that a policy draws at windows, name -> (n, steps, ...), by seeds (n,)."""


_SEEDS_OF_AN_EPISODE = 2**32


def add_episodes(
    replay: Replay,
    dataset: Dataset,
    spec: PolicySpec,
    episodes: Iterable[int] | None = None,
    *,
    every: int = 1,
    draw: Draw | None = None,
    of_success: bool = False,
) -> int:
    """Add the decisions of recorded episodes: from each row on, the k rows that were executed.

    Decisions that follow each other by k rows are an episode of the replay, so that a recorded one gives up to k, each
    with the rows from its own first one on. Rewards are those recorded, else 1 in the last row of a success. What the
    last row of an episode that was cut off led to is not recorded: it ends a row earlier.

    Args:
        replay: of the schema `ReplaySchema.of(spec)`, rows executed apart.
        dataset: with the keys and actions of the policy.
        spec: of the policy.
        episodes: indices; None is all.
        every: rows between two decisions, a divisor of k.
        draw: the candidates of each decision, none of which was executed; None keeps none.
        of_success: take no recorded rewards, but 1 in the last row of a success.

    Returns:
        Decisions added.

    Raises:
        InputError: the dataset's keys, units, period or actions are not the policy's; it has neither rewards nor
            successes; an episode has rows that a person took back; `every` does not fit.
    """
    k = replay.schema.rows
    if every < 1 or k % every:
        raise InputError("demonstrations: every", expected=f"a divisor of {k}, the rows of a decision", got=str(every))
    schema = require_schema(dataset.path, dataset.schema)
    require_match(
        spec.observation,
        schema.observation,
        spec.action,
        schema.action,
        left="policy",
        right=f"dataset {dataset.path}",
        way_out="Add episodes that were recorded for this policy's robot",
    )
    rewards = has_column(dataset.schema, REWARD) and not of_success
    if not rewards and not has_fact(dataset.schema, SUCCESS):
        raise InputError(
            f"'{dataset.path}': rewards",
            expected=f"a column '{REWARD.name}', or a fact '{SUCCESS.name}' of each episode",
            got="neither",
        )
    columns = (*([REWARD] if rewards else []), TERMINATED, INTERVENTION)
    wanted = [column.name for column in columns if has_column(dataset.schema, column)]
    ends = np.asarray(dataset.episode_ends)
    success = np.asarray(dataset.meta(SUCCESS.name), bool) if has_fact(dataset.schema, SUCCESS) else np.zeros(len(ends))
    chosen = np.arange(len(ends)) if episodes is None else np.asarray(list(episodes), np.int64)
    added = 0
    for index in chosen.tolist():
        windows = Windows(dataset, replace(spec, horizon=k, n_action_steps=1), np.array([index]), wanted)
        if windows.has_rewound:
            raise InputError(
                f"'{dataset.path}': episode {index}",
                expected="no rows that a person took back",
                got="some",
            )
        added += _add_episode(replay, windows, bool(success[index]), every, draw)
    return added


def _add_episode(replay: Replay, windows: Windows, success: bool, every: int, draw: Draw | None) -> int:
    k = replay.schema.rows
    batch = windows.gather(np.arange(len(windows)))
    rows = len(windows)
    last = np.arange(rows) == rows - 1
    terminated = np.asarray(batch.columns.get(TERMINATED.name, np.zeros(rows)), bool) | (last & success)
    reward = np.asarray(batch.columns.get(REWARD.name, last & success), np.float32)
    person = np.asarray(batch.columns.get(INTERVENTION.name, np.zeros(rows)), bool)
    end = rows if terminated[-1] else rows - 1  # rows whose result is known
    start = np.arange(0, end, every)
    if not len(start):
        return 0
    length = np.minimum(k, end - start)
    after = np.minimum(start[:, None] + np.arange(k), rows - 1)
    inside = np.arange(k) < length[:, None]
    following = np.minimum(start + length, rows - 1)  # after a termination nothing is seen, and nothing counts
    done = terminated[start + length - 1]
    chains = replay.begin(min(len(np.unique(start % k)), len(start)))
    lane = np.unique(start % k, return_inverse=True)[1]
    window = {name: values[start] for name, values in batch.observation.items()}
    seeds = np.array([int(windows.episodes[0]) * _SEEDS_OF_AN_EPISODE + row for row in start.tolist()])
    more = {} if draw is None else {CANDIDATES: draw(window, seeds)}
    replay.add(
        window=window,
        executed=np.where(inside[..., None], batch.action[start], 0),
        length=length,
        reward=np.where(inside, reward[after], 0),
        terminated=done,
        truncated=~done & (start + length >= end),
        next_window={name: values[following] for name, values in batch.observation.items()},
        episode=chains[lane],
        intervention=(person[after] & inside).any(axis=1),
        version=DEMONSTRATION,
        **more,
    )
    return len(start)
