"""A scripted expert: it knows the way and follows it, feels nothing, and is not stiff."""

from __future__ import annotations

import numpy as np

from sim.maze.batch import MazeBatch, MazeStep
from sim.maze.geodesic import field_of
from sim.maze.layout import PIN_RADIUS_M

CLEARANCE_M = 0.004  # kept from walls on the way that is planned
AHEAD_M = 0.013  # how far along the way the set-point is
STIFFNESS = 400.0  # N/m


class Way:
    """The shortest way of one pin to the goal, and how far along it the pin is.

    Args:
        layout: number of the maze.
        position, goal: (2,) m.
    """

    def __init__(self, layout: int, position: np.ndarray, goal: np.ndarray) -> None:
        self._points = np.concatenate([field_of(layout, PIN_RADIUS_M + CLEARANCE_M).way(position), goal[None]])
        self._at = 0

    def ahead(self, position: np.ndarray, ahead_m: float) -> np.ndarray:
        """The point (2,) of the way that lies so far ahead of the pin."""
        # Only onwards, and not past a wall to a part of the way that is near by chance.
        window = self._points[self._at : self._at + 12]
        self._at += int(np.hypot(*(window - position).T).argmin())
        lengths = np.cumsum(np.hypot(*np.diff(self._points[self._at :], axis=0).T))
        index = self._at + int(np.searchsorted(lengths, ahead_m))
        point: np.ndarray = self._points[min(index + 1, len(self._points) - 1)]
        return point


class Follower:
    """Follows the shortest ways through the mazes of a batch.

    Args:
        batch: whose rows it acts in.
        ahead_m: from the nearest point of the way to the set-point, along the way.
        stiffness: N/m.
    """

    def __init__(self, batch: MazeBatch, *, ahead_m: float = AHEAD_M, stiffness: float = STIFFNESS) -> None:
        self.ahead_m, self.stiffness = ahead_m, stiffness
        self._batch = batch
        self._ways: list[Way | None] = [None] * batch.count

    def act(self) -> np.ndarray:
        """Actions (count, 4) for where the pins are now."""
        position, goal = self._batch.position, self._batch.goal
        found = np.full((self._batch.count, 4), self.stiffness)
        for row, layout in enumerate(self._batch.layout):
            way = self._ways[row]
            if way is None:
                way = self._ways[row] = Way(int(layout), position[row], goal[row])
            found[row, :2] = way.ahead(position[row], self.ahead_m)
        return found

    def note(self, step: MazeStep) -> None:
        """Plan anew in rows that began anew."""
        for row in np.flatnonzero(step.terminated | step.truncated):
            self._ways[row] = None
