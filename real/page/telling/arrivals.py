"""Rate and age of a stream of which only some messages are looked at."""

from __future__ import annotations

from collections import deque

from real.supervision.board import StreamTimes
from robot.contract.wiring import Ages

WINDOW = 20  # looks over which a rate is taken


class Arrivals:
    """What came of a stream. Its age is that at the last look: a look that is to come makes no stream late.

    Args:
        ages: from which age on it is late, holds the robot, is a fault.
    """

    def __init__(self, ages: Ages) -> None:
        self._times = StreamTimes(ages)
        self._looked_s = 0.0
        self._looks: deque[tuple[float, int]] = deque(maxlen=WINDOW)

    def looked(self, now_s: float) -> None:
        """Note a look, whether a message had come or not."""
        self._looked_s = now_s

    def came(self, came_s: float, sequence: int | None) -> None:
        """Note a message: when it came (monotonic s), and its publisher's number of it.

        Without numbers each message that is noted counts as one.
        """
        last = self._looks[-1][1] if self._looks else 0
        number = last + 1 if sequence is None else sequence
        if number < last:  # another publisher
            self._looks.clear()
        self._looks.append((came_s, number))
        self._times.times.append(came_s)

    def rate_hz(self) -> float:
        """Messages per second."""
        if len(self._looks) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._looks[0], self._looks[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0

    def age_s(self) -> float | None:
        """Age of the newest message; None where none came."""
        age_s = self._times.age_s(self._looked_s)
        return None if age_s is None else max(age_s, 0.0)

    def level(self) -> str:
        """How good its age is."""
        return self._times.level(self._looked_s)
