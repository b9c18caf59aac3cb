"""Minimum, maximum, mean and standard deviation per component, in one pass over blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.errors import InputError

LEAST_RANGE = {"m": 1e-4, "rad": 1e-3}
"""Below it a component shows noise, not motion: a tenth of a millimetre, a milliradian."""
LEAST_SHARE = 1e-5
"""In other units: of the component's largest magnitude, or of 1 where that is more."""


@dataclass(frozen=True, eq=False)
class FieldStatistics:
    """What a normaliser needs to know of one key; every array has the shape of one row, float64.

    A component that never changes is reported as it is: `std` and `range` are exactly 0. Whoever divides by them
    decides what to do there.
    """

    count: int
    min: np.ndarray
    max: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    @property
    def range(self) -> np.ndarray:
        return self.max - self.min


class RunningStatistics:
    """Accumulates rows block by block and joins with others, so that shards may be measured apart.

    Blocks are merged with the pairwise update of Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
    for computing sample variances" (1979), eq. 2.1, in float64: no sum of squares, hence no cancellation for data far
    from zero.

    Args:
        shape: shape of one row.
        name: of what is measured, for messages.
    """

    def __init__(self, shape: tuple[int, ...], name: str = "rows to measure"):
        self.name = name
        self.shape = tuple(shape)
        self.count = 0
        self.min = np.full(self.shape, np.inf)
        self.max = np.full(self.shape, -np.inf)
        self.mean = np.zeros(self.shape)
        self._squares = np.zeros(self.shape)  # sum of squared deviations from the mean

    def update(self, rows: np.ndarray) -> RunningStatistics:
        """Add rows (n, *shape), n may be 0; returns itself.

        Raises:
            InputError: rows of another shape, or values that are not finite.
        """
        rows = np.asarray(rows)
        if rows.shape[1:] != self.shape or rows.ndim != len(self.shape) + 1:
            raise InputError(self.name, expected=f"shape (n, {', '.join(map(str, self.shape))})", got=str(rows.shape))
        if len(rows) == 0:
            return self
        values = rows.astype(np.float64)
        low, high = values.min(axis=0), values.max(axis=0)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise InputError(self.name, expected="finite values", got="NaN or infinity")
        # The mean of equal numbers may be off by a rounding; measured from the first row it is exact.
        mean = values[0] + (values - values[0]).mean(axis=0)
        self._merge(len(values), low, high, mean, np.square(values - mean).sum(axis=0))
        return self

    def merge(self, other: RunningStatistics) -> RunningStatistics:
        """Add all that another one has seen; returns itself. The order of merging does not matter but for rounding."""
        if other.shape != self.shape:
            raise InputError("statistics to merge", expected=f"rows of shape {self.shape}", got=str(other.shape))
        if other.count:
            self._merge(other.count, other.min, other.max, other.mean, other._squares)
        return self

    def _merge(self, count: int, low: np.ndarray, high: np.ndarray, mean: np.ndarray, squares: np.ndarray) -> None:
        total = self.count + count
        delta = mean - self.mean
        self._squares = self._squares + squares + np.square(delta) * (self.count * count / total)
        self.mean = self.mean + delta * (count / total)
        self.min = np.minimum(self.min, low)
        self.max = np.maximum(self.max, high)
        self.count = total

    def result(self) -> FieldStatistics:
        """The statistics of all rows so far; the standard deviation is the population's (divided by count).

        Raises:
            InputError: no rows were added.
        """
        if self.count == 0:
            raise InputError("statistics", expected="at least one row", got="none")
        std = np.sqrt(self._squares / self.count)
        return FieldStatistics(self.count, self.min.copy(), self.max.copy(), self.mean.copy(), std)


def statistics_of(rows: np.ndarray, block: int = 65536) -> FieldStatistics:
    """Statistics of an array (n, *shape), or of anything sliced like one, read `block` rows at a time."""
    running = RunningStatistics(tuple(rows.shape[1:]))
    for start in range(0, len(rows), block):
        running.update(np.asarray(rows[start : start + block]))
    return running.result()


def hardly_changing(statistics: FieldStatistics, unit: str) -> list[int]:
    """Components, counted through a row, that change by so little that it may be noise; constant ones are left out.

    Args:
        statistics: of a key.
        unit: of the key: one, or one per component ("m m rad").
    """
    units = unit.split()
    largest = np.maximum(1.0, np.maximum(abs(statistics.min), abs(statistics.max))).ravel()
    least = [
        LEAST_RANGE.get(units[index % len(units)] if units else "", LEAST_SHARE * size)
        for index, size in enumerate(largest)
    ]
    return [index for index, moved in enumerate(statistics.range.ravel()) if 0 < moved < least[index]]
