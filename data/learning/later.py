"""What follows a window: the window some rows later, the reward in between, and whether the task ended there.

Of a window at row t whose k rows are executed, with the rewards r and the last row T of its episode, there are three:

    the task ends at row s <= t+k-1   R = sum_{j=0}^{s-t} gamma^j r_{t+j}, nothing follows
    row t+k is there                  R = sum_{j<k} gamma^j r_{t+j}, the window at t+k follows
    the episode is cut off before     R = sum_{j<T-t} gamma^j r_{t+j}, the window at T follows, T-t rows later

What row T of an episode that was cut off led to is not recorded: of the window at T nothing is known, nor of one from
which rows that a person took back lie on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from data.store.dataset import Dataset
from data.store.names import SUCCESS, TERMINATED, has_column, has_fact
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What came of each row.

    Args:
        reward: (rows,) for the action of the row.
        terminated: (rows,) bool, whether the task ended with it: what follows is worth nothing.
    """

    reward: np.ndarray
    terminated: np.ndarray


@dataclass(frozen=True, eq=False)
class Later:
    """What follows each window of a source.

    Args:
        window: (windows,) int64 number of the window that follows; its own where none does.
        rows: (windows,) int64 rows in between.
        reward: (windows,) float32 their rewards, each discounted from the window on.
        alive: (windows,) bool, whether anything follows that is worth something: False where the task ended.
        known: (windows,) bool, whether all of this is known.
        returned: (windows,) float32 discounted rewards up to the end of the episode, also where it was cut off.
    """

    window: np.ndarray
    rows: np.ndarray
    reward: np.ndarray
    alive: np.ndarray
    known: np.ndarray
    returned: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Later], starts: Sequence[int]) -> Later:
        """Those of several sources, whose windows are counted one after the other from these starts on."""
        window = np.concatenate([part.window + start for part, start in zip(parts, starts)])
        others = ("rows", "reward", "alive", "known", "returned")
        return cls(window, *(np.concatenate([getattr(part, name) for part in parts]) for name in others))


def success_outcomes(dataset: Dataset) -> Outcomes:
    """A reward of 1 in the last row of a success, else 0. A success ends the task, and so does a row that says so.

    Raises:
        InputError: the episodes do not say whether they succeeded.
    """
    if not has_fact(dataset.schema, SUCCESS):
        raise InputError(
            f"'{dataset.path}': fact '{SUCCESS.name}'",
            expected="one of every episode",
            got=f"only {', '.join(dataset.meta_keys) or 'none'}",
            way_out="Collect episodes with it, or train for something else",
        )
    last = np.asarray(dataset.episode_ends, np.int64) - 1
    done = np.zeros(dataset.rows, bool)
    done[last] = np.asarray(dataset.meta(SUCCESS.name), bool)
    terminated = done.copy()
    if has_column(dataset.schema, TERMINATED):
        terminated |= np.asarray(dataset.read(TERMINATED.name, 0, dataset.rows), bool)
    return Outcomes(done.astype(np.float32), terminated)


def later_rows(
    outcomes: Outcomes, last: np.ndarray, taken_back: np.ndarray | None, chosen: np.ndarray, rows: int, gamma: float
) -> Later:
    """What follows the windows at some rows; see the module.

    Args:
        outcomes: of all rows.
        last: (rows,) the last row of each row's episode.
        taken_back: (rows,) bool; None where none was.
        chosen: (windows,) the row of each window, ascending.
        rows: k, at least 1.
        gamma: discount of a row.
    """
    count = len(last)
    row = np.arange(count)
    ending = np.where(outcomes.terminated, row, count)
    ending = np.minimum.accumulate(ending[::-1])[::-1]  # from each row on; one behind the episode says nothing of it
    ends = ending[chosen] <= np.minimum(chosen + rows - 1, last[chosen])
    after = np.minimum(chosen + rows, last[chosen])
    length = np.where(ends, ending[chosen] - chosen + 1, after - chosen)
    known = length > 0
    if taken_back is not None:
        passed = np.concatenate([[0], np.cumsum(taken_back)])
        known &= passed[np.where(ends, chosen + length, after + 1)] == passed[chosen]
    reward, weight = np.zeros(len(chosen)), 1.0
    for step in range(min(rows, int(length.max(initial=0)))):
        reward += np.where(step < length, weight * outcomes.reward[np.minimum(chosen + step, count - 1)], 0.0)
        weight *= gamma
    # A row that was taken back has no window, but then nothing is known of the one before either.
    following = np.searchsorted(chosen, after)
    own = np.arange(len(chosen))
    window = np.where(known & ~ends, np.minimum(following, len(chosen) - 1), own)
    returned = _returns(outcomes, last, gamma)[chosen]
    return Later(window, length, reward.astype(np.float32), ~ends, known, returned.astype(np.float32))


def _returns(outcomes: Outcomes, last: np.ndarray, gamma: float) -> np.ndarray:
    """Discounted rewards from each row to the end of its episode, or of the task, (rows,) float64."""
    returned = outcomes.reward.astype(np.float64)
    goes_on = (np.arange(len(last)) < last) & ~outcomes.terminated
    for row in np.flatnonzero(goes_on)[::-1].tolist():
        returned[row] += gamma * returned[row + 1]
    return returned
