"""A scripted expert: it knows the path and follows it with low stiffness, without force sensing."""

from __future__ import annotations

import numpy as np

from sim.maze.batch import MazeBatch, MazeStep
from sim.maze.geodesic import field_of
from sim.maze.layout import PIN_RADIUS_M

CLEARANCE_M = 0.004  # kept from walls on the planned path
AHEAD_M = 0.013  # how far ahead along the path the set-point is
STIFFNESS = 400.0  # N/m


class PinPath:
    """The shortest path of one pin to the goal, and how far along it the pin is.

    Args:
        layout: number of the maze.
        position, goal: (2,) m.
    """

    def __init__(self, layout: int, position: np.ndarray, goal: np.ndarray) -> None:
        self._points = np.concatenate([field_of(layout, PIN_RADIUS_M + CLEARANCE_M).path(position), goal[None]])
        self._at = 0

    def ahead(self, position: np.ndarray, ahead_m: float) -> np.ndarray:
        """The point (2,) m of the path that is `ahead_m` ahead of the pin at `position` (2,)."""
        # Search only forwards and nearby: a later part of the path may be nearer, but behind a wall.
        window = self._points[self._at : self._at + 12]
        self._at += int(np.hypot(*(window - position).T).argmin())
        lengths = np.cumsum(np.hypot(*np.diff(self._points[self._at :], axis=0).T))
        index = self._at + int(np.searchsorted(lengths, ahead_m))
        point: np.ndarray = self._points[min(index + 1, len(self._points) - 1)]
        return point


class Follower:
    """Follows the shortest paths through the mazes of a batch.

    Args:
        batch: whose rows it acts in.
        ahead_m: from the nearest point of the path to the set-point, along the path.
        stiffness: N/m.
    """

    def __init__(self, batch: MazeBatch, *, ahead_m: float = AHEAD_M, stiffness: float = STIFFNESS) -> None:
        self.ahead_m, self.stiffness = ahead_m, stiffness
        self._batch = batch
        self._paths: list[PinPath | None] = [None] * batch.count

    def act(self) -> np.ndarray:
        """Return actions (count, 4) for the pins' current positions."""
        position, goal = self._batch.position, self._batch.goal
        actions = np.full((self._batch.count, 4), self.stiffness)
        for row, layout in enumerate(self._batch.layout):
            path = self._paths[row]
            if path is None:
                path = self._paths[row] = PinPath(int(layout), position[row], goal[row])
            actions[row, :2] = path.ahead(position[row], self.ahead_m)
        return actions

    def note(self, step: MazeStep) -> None:
        """Plan again in rows whose episode has ended."""
        for row in np.flatnonzero(step.terminated | step.truncated):
            self._paths[row] = None
