"""The plan of the day: how many episodes were recorded, and how many per hour."""

from __future__ import annotations

from collections import deque

WINDOW_S = 3600.0
LEAST_S = 120.0  # a rate over less says nothing


class Pace:
    """Counts episodes over the last hour."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque(maxlen=4096)

    def add(self, episodes: int, now_s: float) -> None:
        """Note the number of episodes so far; a smaller one than before is another store, and starts anew."""
        if self._counts and episodes < self._counts[-1][1]:
            self._counts.clear()
        if not self._counts or episodes != self._counts[-1][1]:
            self._counts.append((now_s, episodes))
        while len(self._counts) > 1 and self._counts[1][0] < now_s - WINDOW_S:
            self._counts.popleft()

    def per_hour(self, now_s: float) -> float | None:
        """Episodes per hour; None while it is too early to say."""
        if not self._counts:
            return None
        (first_s, first), (_, last) = self._counts[0], self._counts[-1]
        span_s = min(now_s - first_s, WINDOW_S)
        return (last - first) * 3600.0 / span_s if span_s >= LEAST_S else None
