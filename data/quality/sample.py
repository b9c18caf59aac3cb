"""The second pass over a store: what each episode is by itself, and rows of all of them to compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from data.quality.motion import dimensionless_jerk, idle_share
from data.quality.rows import Columns, read_episodes
from data.quality.survey import Survey
from data.store.dataset import Dataset

LEAST_ROWS = 4
"""Of an episode in the sample, however many episodes there are."""
PATH_NUMBERS = 1 << 24
"""Numbers of all paths together."""
PATH_POINTS = (4, 32)


@dataclass(frozen=True, eq=False)
class Sample:
    """Scaled rows of the episodes that are no copies, and figures of each episode by itself.

    Args:
        state: (n, D) of the rows.
        action: (n, A).
        moved: (n, D) what the state changes by until the next row; NaN at the end of an episode.
        episode: (n,) of each row.
        share: (n,) rows of the episode that each stands for.
        paths: (unique, points, D) float32, the episodes at equal steps of their progress, in the order of `unique`.
        starts: (unique, D).
        idle, jerk, limited: (episodes,).
        at_limit: (episodes, A, 2) rows in which an action is at its smallest and at its largest.
    """

    state: np.ndarray
    action: np.ndarray
    moved: np.ndarray
    episode: np.ndarray
    share: np.ndarray
    paths: np.ndarray
    starts: np.ndarray
    idle: np.ndarray
    jerk: np.ndarray
    limited: np.ndarray
    at_limit: np.ndarray


def draw(
    dataset: Dataset, columns: Columns, known: Survey, rows: int, on_episode: Callable[[], None] = lambda: None
) -> Sample:
    """Read a store a second time.

    The rows of an episode are taken at equal steps, so that the same episodes give the same sample in any order. All
    have as many rows, or all that they have: as many as fit `rows`, and `LEAST_ROWS` where these are more.

    Args:
        dataset, columns: to look at.
        known: of the first pass.
        rows: of all episodes in the sample.
        on_episode: called after each.
    """
    unique, count = known.unique, len(dataset)
    quota = _quota(known.lengths[unique], rows)
    dim = len(known.state.used)
    points = int(np.clip(PATH_NUMBERS // max(1, len(unique) * dim), *PATH_POINTS))
    state, action, moved, episode, share = [], [], [], [], []
    paths, starts = np.zeros((len(unique), points, dim), np.float32), np.zeros((len(unique), dim))
    idle, jerk, limited = np.zeros(count), np.full(count, np.nan), np.zeros(count)
    at_limit = np.zeros((count, columns.action.size, 2), np.int64)
    slot = {int(number): index for index, number in enumerate(unique)}
    for each in read_episodes(dataset, columns):
        number, scaled, acted = each.number, known.state(each.state), known.action(each.action)
        idle[number] = idle_share(scaled, acted, known)
        jerk[number] = dimensionless_jerk(acted)
        limited[number] = each.limited
        at_limit[number, :, 0] = (each.action == known.action_low).sum(axis=0)
        at_limit[number, :, 1] = (each.action == known.action_high).sum(axis=0)
        if number in slot:
            chosen = np.unique(np.linspace(0, len(each) - 1, min(len(each), quota)).round().astype(np.int64))
            state.append(scaled[chosen])
            action.append(acted[chosen])
            after = np.full(scaled.shape, np.nan)
            after[:-1] = np.diff(scaled, axis=0)
            moved.append(after[chosen])
            episode.append(np.full(len(chosen), number))
            share.append(np.full(len(chosen), len(each) / len(chosen)))
            paths[slot[number]] = resampled(scaled, points)
            starts[slot[number]] = scaled[0]
        on_episode()
    return Sample(
        np.concatenate(state), np.concatenate(action), np.concatenate(moved), np.concatenate(episode),
        np.concatenate(share), paths, starts, idle, jerk, limited, at_limit,
    )  # fmt: skip


def resampled(rows: np.ndarray, points: int) -> np.ndarray:
    """A path (T, D) at so many equal steps from its first row to its last, between rows on straight lines."""
    at = np.linspace(0, len(rows) - 1, points)
    before = np.minimum(at.astype(np.int64), max(len(rows) - 2, 0))
    after = np.minimum(before + 1, len(rows) - 1)
    weight = (at - before)[:, None]
    path: np.ndarray = rows[before] * (1 - weight) + rows[after] * weight
    return path


def _quota(lengths: np.ndarray, rows: int) -> int:
    """The most rows an episode for which all fit."""
    low, high = LEAST_ROWS, max(int(lengths.max(initial=1)), LEAST_ROWS)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(lengths, middle).sum() <= rows else (low, middle - 1)
    return low
