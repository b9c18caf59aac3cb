"""How much time is left."""

from __future__ import annotations

import math
import time


class OutOfTime(Exception):
    """The time is over before the next thing could begin; what was done is kept."""


class Deadline:
    """The end of the time that a run has; what it did before it was stopped counts.

    Args:
        minutes: that it has; None for no end.
    """

    def __init__(self, minutes: float | None) -> None:
        self._allowed_s = math.inf if minutes is None else 60 * minutes
        self._started_s, self._earlier_s = time.monotonic(), 0.0

    def add(self, seconds: float) -> None:
        """Count what was spent before this process."""
        self._earlier_s += seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left, 0 or more."""
        return max(0.0, self._allowed_s - self._earlier_s - (time.monotonic() - self._started_s))

    @property
    def over(self) -> bool:
        return self.left_s <= 0

    def check(self) -> None:
        """Say that nothing more begins.

        Raises:
            OutOfTime: the time is over.
        """
        if self.over:
            raise OutOfTime
