"""A twin that moves to targets on command, as a connected robot does, in virtual time."""

from __future__ import annotations

from types import TracebackType
from typing import Mapping

import numpy as np

from robot.control.moves import STILL, TOLERANCE, TURN_TOLERANCE, Move, changed_target, named_fields, remaining
from robot.description.chunk import ActionChunk
from robot.errors import TillerError
from sim.twin.robot import TwinRobot

SETTLE_S = 3.0  # after a move, to come to rest at the target
LOOK_S = 0.1  # between two checks of whether it is at rest


class ConnectedTwin(TwinRobot):
    """Implements `robot.description.ConnectedRobot` in this process. Its arguments are those of `TwinRobot`."""

    def reset(self) -> None:
        """Put the robot in its rest posture, at rest, and hold it there; the rest of the scene is left alone."""
        super().reset()
        self._rest = self.target

    def wait_until_ready(self, timeout: float = 0.0) -> ConnectedTwin:
        """A twin is ready at once."""
        return self

    def home(self, duration: float | None = None) -> None:
        """Go to the rest posture: in cartesian control to its tcp pose, along a straight line.

        Args:
            duration: s of virtual time; None takes a calm pace.

        Raises:
            InputError, TillerError: as `move_to`.
        """
        self._travel(self._rest, duration, TOLERANCE, TURN_TOLERANCE)

    def move_to(
        self,
        position: np.ndarray | None = None,
        rotation: np.ndarray | None = None,
        width: float | None = None,
        *,
        duration: float | None = None,
        fields: Mapping[str, np.ndarray] | None = None,
        tolerance: float = TOLERANCE,
        turn_tolerance: float = TURN_TOLERANCE,
    ) -> None:
        """Move to a target, and return when the twin is at rest there; see `robot.description.ConnectedRobot`.

        Raises:
            InputError: no such field, no numbers, out of reach, or a duration below a period.
            TillerError: the twin does not reach the target; the message has the distance.
        """
        values = named_fields(position, rotation, width, fields)
        goal = changed_target(self.action_spec, self.description, self.target, values)
        self._travel(goal, duration, tolerance, turn_tolerance)

    def close(self) -> None:
        """Nothing was started for it."""

    def __enter__(self) -> ConnectedTwin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _travel(self, goal: np.ndarray, duration: float | None, tolerance: float, turn_tolerance: float) -> None:
        """Follow a move to its end, and wait until the twin is at rest there."""
        spec, start_ns = self.action_spec, self.clock.now_ns()
        move = Move(spec, self.target, goal, duration)
        rows = np.arange(-(-move.duration_ns // spec.period_ns) + 1)
        self.execute(ActionChunk(move.at(rows * spec.period_ns), start_ns, spec.period_s, 0, spec))
        self.run_for(move.duration_ns)
        before: np.ndarray | None = None
        for _ in range(round(SETTLE_S / LOOK_S)):
            left = remaining(spec, self.description, goal, self._measured())
            rests = before is not None and np.abs(left.all - before).max() < STILL
            if rests and left.position <= tolerance and left.angle <= turn_tolerance:
                return
            before = left.all
            self.run_for(round(LOOK_S * 1e9))
        raise TillerError(
            f"the twin stands {left.position * 1e3:.1f} mm and {left.angle:.3f} rad from where it was told: in "
            "contact, at the end of its reach, or kept back by a budget"
        )

    def _measured(self) -> dict[str, np.ndarray]:
        """field of the action -> measured value."""
        hold_target = self.hold_target
        return {name: hold_target[part] for name, part in self.action_spec.slices.items()}
