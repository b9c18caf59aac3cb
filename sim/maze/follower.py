"""A scripted expert: it knows the way and follows it, feels nothing, and is not stiff."""

from __future__ import annotations

import numpy as np

from sim.maze.batch import MazeBatch, MazeStep
from sim.maze.geodesic import field_of
from sim.maze.layout import PIN_RADIUS_M

CLEARANCE_M = 0.004  # kept from walls on the way that is planned
AHEAD_M = 0.013  # how far along the way the set-point is
STIFFNESS = 400.0  # N/m


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
        self._ways: list[np.ndarray | None] = [None] * batch.count
        self._at = np.zeros(batch.count, dtype=np.int64)

    def act(self) -> np.ndarray:
        """Actions (count, 4) for where the pins are now."""
        position, goal = self._batch.position, self._batch.goal
        found = np.full((self._batch.count, 4), self.stiffness)
        for row, layout in enumerate(self._batch.layout):
            way = self._ways[row]
            if way is None:
                found_way = field_of(int(layout), PIN_RADIUS_M + CLEARANCE_M).way(position[row])
                way = self._ways[row] = np.concatenate([found_way, goal[row : row + 1]])
                self._at[row] = 0
            # Only onwards, and not past a wall to a part of the way that is near by chance.
            window = way[self._at[row] : self._at[row] + 12]
            self._at[row] += int(np.hypot(*(window - position[row]).T).argmin())
            lengths = np.cumsum(np.hypot(*np.diff(way[self._at[row] :], axis=0).T))
            index = self._at[row] + int(np.searchsorted(lengths, self.ahead_m))
            found[row, :2] = way[min(index + 1, len(way) - 1)]
        return found

    def note(self, step: MazeStep) -> None:
        """Plan anew in rows that began anew."""
        for row in np.flatnonzero(step.terminated | step.truncated):
            self._ways[row] = None
