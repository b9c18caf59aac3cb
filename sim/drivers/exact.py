"""The sink that loses nothing: whole vectors of the action, each with the time at which it is due.

In lock-step the environment takes one step for each, and no driver is used; in real time the set-point moves to each
vector and reaches it when it is due, as between the rows of a chunk.
"""

from __future__ import annotations

from typing import Iterator

import numpy as np

from robot.control.rotation import span_rotations
from robot.control.trajectory import Trajectory
from robot.description.action import ActionSpec
from sim.drivers.driver import Command, Driver

AHEAD_NS = 500_000_000  # a stamp further in the future is one of another epoch
_REMEMBERED = 16  # knots of the path, at most


class Exact(Driver):
    """Follows whole vectors of the action, each of which it reaches when it is due.

    A message of another size, with a number that is not finite, with columns that span no rotation or with a stamp more
    than 0.5 s ahead is refused.

    Args:
        spec: of the action.
        period_s: between two commands: what a command without a stamp, or with one that has passed, takes.
    """

    def __init__(self, spec: ActionSpec, period_s: float) -> None:
        super().__init__(spec.dim)
        self._spec, self._period_ns = spec, round(period_s * 1e9)

    def _activate(self, measured: np.ndarray, now_ns: int) -> None:
        self._path = Trajectory.hold(self._spec, measured, now_ns)

    def _take(self, command: Command, now_ns: int) -> None:
        if command.values.shape != (self.size,):
            self.refused["wrong size"] += 1
        elif not np.isfinite(command.values).all():
            self.refused["not finite"] += 1
        elif not all(self._turns(command.values)):
            self.refused["no rotation"] += 1
        elif command.stamp_ns > now_ns + AHEAD_NS:
            self.refused["another epoch"] += 1
        else:
            due_ns = command.stamp_ns if command.stamp_ns > now_ns else now_ns + self._period_ns
            between = (self._path.times_ns > now_ns) & (self._path.times_ns < due_ns)
            times = np.concatenate([[now_ns], self._path.times_ns[between][: _REMEMBERED - 2], [due_ns]])
            targets = np.concatenate([self._path.at(times[:-1]), command.values[None]])
            self._path = Trajectory(self._spec, times.astype(np.int64), targets)

    def _advance(self, measured: np.ndarray, now_ns: int, step_s: float, speed_scale: float) -> np.ndarray:
        return np.asarray(self._path.at(now_ns + round(step_s * 1e9)))

    def _turns(self, values: np.ndarray) -> Iterator[bool]:
        """For each rotation, whether its two columns span one."""
        for field in self._spec.fields:
            if field.is_rotation:
                columns = values[self._spec.slices[field.name]]
                yield bool(span_rotations(columns))
