"""How far each component of rows goes within each episode."""

from __future__ import annotations

import numpy as np

from data.checks.rules.spans import Spans

LARGEST = 256  # components of a row that are looked at one by one
MOST = 1 << 24  # episodes times components: a few numbers of each are kept


class Extents:
    """Looks at the rows of an array of numbers; what is not finite is passed over.

    Args:
        spans: the episodes.
        components: numbers in a row.

    Attributes:
        low, high: (episodes, components) float64, NaN for episodes without rows.
    """

    def __init__(self, spans: Spans, components: int) -> None:
        self._spans = spans
        self.low, self.high = (np.full((len(spans), components), np.nan) for _ in range(2))

    def add(self, first: int, entries: np.ndarray | list[bytes]) -> None:
        """Look at the rows from `first` on."""
        assert isinstance(entries, np.ndarray)
        rows = entries.reshape(len(entries), -1).astype(np.float64)
        rows[~np.isfinite(rows)] = np.nan
        for at, start, end in self._spans.within(first, first + len(rows)):
            part = rows[start - first : end - first]
            self.low[at] = np.fmin(self.low[at], np.fmin.reduce(part))
            self.high[at] = np.fmax(self.high[at], np.fmax.reduce(part))

    def scale(self, least: np.ndarray) -> np.ndarray:
        """(components,) how far a component goes in the median episode: one spike in one episode does not count.

        Where it goes nowhere in most episodes, how far it goes in any; 0 where that is less than `least`, noise.
        """
        if not len(self.low):
            return np.zeros(len(least))
        ranges = np.nan_to_num(self.high - self.low)
        median, most = np.median(ranges, axis=0), ranges.max(axis=0)
        scale = np.where(median >= least, median, most)
        return np.where(scale >= least, scale, 0.0)

    @property
    def largest(self) -> np.ndarray:
        """(components,) the largest magnitude, 1 where it is less."""
        return np.fmax(np.fmax(np.abs(self.low), np.abs(self.high)).max(axis=0, initial=1.0), 1.0)
