"""What the algorithms know of a task: rows of episodes that run side by side, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Step:
    """Result of one step of all rows. A row whose episode has ended has begun its next one.

    Args:
        observation: (rows, size) to act on next; the first of the next episode where one has ended.
        last_observation: (rows, size) that the step itself led to: what is bootstrapped from.
        reward: (rows,).
        cost: (rows,) spent in the step, as a share of what an episode may spend: 1 in all is the limit.
        terminated: (rows,) bool, the task has ended, and nothing can be earned after it.
        truncated: (rows,) bool, only the time is over.
        executed: (rows, actions) -1 to 1, the action that acted, which a filter may have changed.
        budget: (rows,) share of the budget that was left after the step; nothing or less where it was overdrawn.
        success: (rows,) bool.
    """

    observation: np.ndarray
    last_observation: np.ndarray
    reward: np.ndarray
    cost: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    executed: np.ndarray
    budget: np.ndarray
    success: np.ndarray

    @cached_property
    def done(self) -> np.ndarray:
        """(rows,) bool, an episode has ended."""
        return np.asarray(self.terminated | self.truncated)


class VectorEnvironment(Protocol):
    """Rows of one task.

    Attributes:
        rows: episodes side by side.
        observation_size, action_size: of a row.
    """

    rows: int
    observation_size: int
    action_size: int

    def reset(self) -> np.ndarray:
        """Begin an episode in every row; returns observations (rows, observation_size)."""
        ...

    def step(self, action: np.ndarray) -> Step:
        """Apply actions to all rows; one whose episode ends begins its next one.

        Args:
            action: (rows, action_size) -1 to 1.
        """
        ...
