"""Pace of the twin's time: real time by absolute deadlines, at a factor."""

from __future__ import annotations

LONGEST_CATCH_UP_NS = 100_000_000


class Pacer:
    """Whole steps of the physics that are due.

    A tick that came late gets more steps, so that no time is lost; what it is behind by more than a moment is lost and
    counted: to run faster than real time for long would be as wrong as to stand still.

    Args:
        step_ns: of the physics.
        factor: seconds of the twin per second.
        now_ns: monotonic.

    Attributes:
        lost_ns: monotonic time that was lost so far.
    """

    def __init__(self, step_ns: int, factor: float, now_ns: int) -> None:
        self._step_ns, self._factor = step_ns, factor
        self._until_ns = float(now_ns)
        self.lost_ns = 0

    def due(self, now_ns: int) -> int:
        """Return the number of steps to take now."""
        behind = now_ns - self._until_ns - LONGEST_CATCH_UP_NS
        if behind > 0:
            self.lost_ns += round(behind)
            self._until_ns += behind
        steps = int((now_ns - self._until_ns) * self._factor // self._step_ns)
        self._until_ns += steps * self._step_ns / self._factor
        return steps

    def restart(self, now_ns: int) -> None:
        """Continue from `now_ns`, monotonic: time that passed since the last tick counts neither as due nor as lost."""
        self._until_ns = float(now_ns)
