"""The first pass over a store: how its numbers are scaled, how long episodes are, and which are copies of others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Callable

import numpy as np

from data.learning.statistics import RunningStatistics
from data.quality.rows import Columns, read_episodes
from data.quality.scaling import Scaling
from data.store.dataset import Dataset
from data.store.names import GROUP, INSTRUCTION, has_fact

LEAST_OF_A_TASK = 3
"""Episodes of one instruction that are compared among themselves; those of rarer ones are compared together."""
IDLE_SHARE = 0.05
"""Of the root mean square speed: below it a row stands still."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What the first pass knows.

    Args:
        state, action: scalings.
        lengths: (episodes,) rows that are looked at.
        first: (episodes,) the first episode of the same content, itself where it is no copy.
        origin: (episodes,) a number that is the same for copies and for members of a group, which share rows.
        task: (episodes,) number of the task.
        tasks: their instructions; empty for episodes without one, or with a rare one.
        action_low, action_high: (A,) of the actions as they are stored.
        state_speed, action_speed: below which a row stands still, in scaled numbers a row.
    """

    state: Scaling
    action: Scaling
    lengths: np.ndarray
    first: np.ndarray
    origin: np.ndarray
    task: np.ndarray
    tasks: tuple[str, ...]
    action_low: np.ndarray
    action_high: np.ndarray
    state_speed: float
    action_speed: float

    @property
    def unique(self) -> np.ndarray:
        """(n,) episodes that are no copies of earlier ones."""
        return np.flatnonzero(self.first == np.arange(len(self.first)))

    @property
    def copies(self) -> np.ndarray:
        """(episodes,) how many have the same content, itself among them."""
        counts = np.bincount(self.first, minlength=len(self.first))
        copies: np.ndarray = counts[self.first]
        return copies


def survey(dataset: Dataset, columns: Columns, on_episode: Callable[[], None] = lambda: None) -> Survey:
    """Read a store once.

    Scales and speeds are those of episodes that differ, so that a copy changes nothing but its own weight.

    Args:
        dataset: to look at.
        columns: of it.
        on_episode: called after each.

    Raises:
        InputError, DamagedChunkError: as `read_episodes`.
    """
    count = len(dataset)
    task, tasks = _tasks(dataset)
    lengths, first = np.zeros(count, np.int64), np.arange(count)
    seen: dict[bytes, int] = {}
    state = RunningStatistics((sum(key.size for key in columns.observation),), "states")
    action = RunningStatistics((columns.action.size,), "actions")
    squares = [np.zeros(state.shape), np.zeros(action.shape)]
    steps = 0
    for rows in read_episodes(dataset, columns):
        lengths[rows.number] = len(rows)
        digest = hashlib.blake2b(rows.state.tobytes(), digest_size=16)
        digest.update(rows.action.tobytes() + task[rows.number].tobytes())
        first[rows.number] = seen.setdefault(digest.digest(), rows.number)
        if first[rows.number] == rows.number:
            state.update(rows.state)
            action.update(rows.action)
            for total, values in zip(squares, (rows.state, rows.action)):
                total += np.square(np.diff(values, axis=0)).sum(axis=0)
            steps += len(rows) - 1
        on_episode()
    scalings = Scaling.of(state.result(), columns.observation), Scaling.of(action.result(), (columns.action,))
    speeds = [_speed(total / max(steps, 1), scaling) for total, scaling in zip(squares, scalings)]
    return Survey(
        *scalings, lengths, first, _origins(dataset, first), task, tasks, action.min, action.max, speeds[0], speeds[1]
    )


def speed_of(rows: np.ndarray, scaling: Scaling) -> np.ndarray:
    """The speed (T-1,) of scaled rows (T, n), of what moves."""
    speeds: np.ndarray = np.sqrt(np.square(np.diff(rows[:, scaling.moves], axis=0)).sum(axis=1))
    return speeds


def _speed(mean_square: np.ndarray, scaling: Scaling) -> float:
    moved = mean_square[scaling.used] * np.square(scaling.gain)
    return IDLE_SHARE * float(np.sqrt(moved[scaling.moves].sum()))


def _tasks(dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number of each episode's task, and their instructions; rare ones are one task."""
    if not has_fact(dataset.schema, INSTRUCTION):
        return np.zeros(len(dataset), np.int64), ("",)
    names, of, counts = np.unique(
        np.asarray(dataset.meta(INSTRUCTION.name), str), return_inverse=True, return_counts=True
    )
    named = np.where(counts[of] >= LEAST_OF_A_TASK, names[of], "")
    tasks, task = np.unique(named, return_inverse=True)
    return task.astype(np.int64), tuple(str(name) for name in tasks)


def _origins(dataset: Dataset, first: np.ndarray) -> np.ndarray:
    if not has_fact(dataset.schema, GROUP):
        return first
    groups = np.asarray(dataset.meta(GROUP.name))[first]
    return np.unique(np.where(groups >= 0, groups, groups.max(initial=-1) + 1 + first), return_inverse=True)[1]
