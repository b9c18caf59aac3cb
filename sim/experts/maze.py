"""The expert of `maze/*`: it knows the way and follows it from where the pin is, softly, and feels nothing."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from sim.maze.follower import AHEAD_M, CLEARANCE_M, STIFFNESS
from sim.maze.geodesic import field_of
from sim.maze.layout import PIN_RADIUS_M
from sim.tasks import maze

AHEAD_SPREAD_M, STIFFNESS_SPREAD = 0.002, 0.2


def names() -> tuple[str, ...]:
    return maze.names()


def make(name: str) -> MazeExpert:
    maze.task_info(name)
    return MazeExpert(int(name))


class MazeExpert:
    """The expert of one maze. How far ahead it looks and how stiff it is are drawn a little differently each time.

    Args:
        number: of the maze.
    """

    def __init__(self, number: int) -> None:
        self._field = field_of(number, PIN_RADIUS_M + CLEARANCE_M)
        self._way, self._at = np.empty((0, 2)), 0
        self._ahead_m, self._stiffness = AHEAD_M, STIFFNESS
        self.strategy: dict[str, Any] = {}

    def reset(self, observation: Mapping[str, np.ndarray], random: np.random.Generator) -> None:
        """Plan the way from where the pin is."""
        self._ahead_m = AHEAD_M + random.uniform(-AHEAD_SPREAD_M, AHEAD_SPREAD_M)
        self._stiffness = STIFFNESS * (1 + random.uniform(-STIFFNESS_SPREAD, STIFFNESS_SPREAD))
        self.strategy = {"ahead_m": round(self._ahead_m, 4), "stiffness": round(self._stiffness, 1)}
        position = np.asarray(observation["position"], dtype=np.float64)
        goal = position + np.asarray(observation["goal"], dtype=np.float64)
        self._way, self._at = np.concatenate([self._field.way(position), goal[None]]), 0

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """A set-point a little ahead on the way, and a stiffness (4,)."""
        position = np.asarray(observation["position"], dtype=np.float64)
        # Only onwards, and not past a wall to a part of the way that is near by chance.
        window = self._way[self._at : self._at + 12]
        self._at += int(np.hypot(*(window - position).T).argmin())
        lengths = np.cumsum(np.hypot(*np.diff(self._way[self._at :], axis=0).T))
        ahead = self._at + int(np.searchsorted(lengths, self._ahead_m)) + 1
        return np.append(self._way[min(ahead, len(self._way) - 1)], [self._stiffness] * 2)
