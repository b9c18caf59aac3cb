"""The expert of `maze/*`: it knows the path and follows it from the pin's position, softly, without force sensing."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from sim.maze.follower import AHEAD_M, STIFFNESS, PinPath
from sim.tasks import maze

AHEAD_SPREAD_M, STIFFNESS_SPREAD = 0.002, 0.2


def names() -> tuple[str, ...]:
    return maze.names()


def make(name: str) -> MazeExpert:
    maze.task_info(name)
    return MazeExpert(int(name))


class MazeExpert:
    """The expert of one maze. Its look-ahead and stiffness are drawn per episode.

    Args:
        number: of the maze.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._path: PinPath | None = None
        self._ahead_m, self._stiffness = AHEAD_M, STIFFNESS
        self.strategy: dict[str, Any] = {}

    def reset(self, observation: Mapping[str, np.ndarray], random: np.random.Generator) -> None:
        """Plan the path from the pin's position."""
        self._ahead_m = AHEAD_M + random.uniform(-AHEAD_SPREAD_M, AHEAD_SPREAD_M)
        self._stiffness = STIFFNESS * (1 + random.uniform(-STIFFNESS_SPREAD, STIFFNESS_SPREAD))
        self.strategy = {"ahead_m": round(self._ahead_m, 4), "stiffness": round(self._stiffness, 1)}
        position = np.asarray(observation["position"], dtype=np.float64)
        self._path = PinPath(self._number, position, position + np.asarray(observation["goal"], dtype=np.float64))

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """The action (4,): a set-point a little ahead on the path, and a stiffness."""
        assert self._path is not None, "reset comes first"
        position = np.asarray(observation["position"], dtype=np.float64)
        return np.append(self._path.ahead(position, self._ahead_m), [self._stiffness] * 2)
