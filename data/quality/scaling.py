"""Numbers of all units side by side: each component by its deviation, each key with the same say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from data.learning.statistics import LEAST_RANGE, LEAST_SHARE, FieldStatistics
from data.quality.rows import Key

SMALLEST = 1e-100
"""A deviation below it cannot be squared."""
_DIGITS = 6


@dataclass(frozen=True, eq=False)
class Scaling:
    """x -> (x - mean) * gain, for the components that vary.

    Args:
        used: (n,) indices of these components.
        mean, gain: (n,) of them.
        moves: (n,) bool, of a key that is a motion.
    """

    used: np.ndarray
    mean: np.ndarray
    gain: np.ndarray
    moves: np.ndarray

    @classmethod
    def of(cls, statistics: FieldStatistics, keys: Sequence[Key]) -> Scaling:
        """A component's gain is 1 / (deviation sqrt(m)), m the components of its key that vary: over all rows a key
        has a mean square of 1, be it a width or the six numbers of a rotation.

        A component that changes by less than what is noise (a tenth of a millimetre, a milliradian, else 1e-5 of its
        magnitude) is left out, so that noise is not blown up. But for that, any unit and any origin give the same
        numbers.

        Args:
            statistics: of all components, side by side.
            keys: whose components they are.
        """
        units = [unit for key in keys for unit in key.units]
        of = np.repeat(np.arange(len(keys)), [key.size for key in keys])
        largest = np.maximum(np.abs(statistics.min), np.abs(statistics.max))
        least = [LEAST_RANGE.get(unit, LEAST_SHARE * size) for unit, size in zip(units, largest)]
        used = np.flatnonzero((statistics.range > least) & (statistics.std > SMALLEST))
        counts = np.bincount(of[used], minlength=len(keys))
        gain = 1 / (statistics.std[used] * np.sqrt(counts[of[used]]))
        moves = np.array([key.moves for key in keys], bool)[of[used]]
        # Rounded, so that the order of the episodes, which decides the last bits of a sum, decides nothing.
        return cls(used, _rounded(statistics.mean[used], statistics.std[used]), _rounded(gain, gain), moves)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Rows (T, all components) -> (T, n)."""
        return (rows[:, self.used] - self.mean) * self.gain


def _rounded(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Values to so many digits of their sizes, above 0."""
    step = 10.0 ** (np.floor(np.log10(sizes)) - _DIGITS)
    rounded: np.ndarray = np.round(values / step) * step
    return rounded
