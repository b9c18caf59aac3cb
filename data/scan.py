"""Read an array from end to end, once, and note its damaged chunks, its range and its numbers that are none."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from data.contents import Contents
from data.reading import DamagedChunkError


@dataclass
class Scan:
    """What one pass over an array saw.

    Attributes:
        rows: rows that could be read.
        damaged: the chunks that could not.
        not_finite: NaN and infinite numbers.
        first_not_finite: row and component of the first one, None without.
        low, high: range a component of one row, flattened, or of all pixels together; None before the first row.
    """

    rows: int = 0
    damaged: list[DamagedChunkError] = field(default_factory=list)
    not_finite: int = 0
    first_not_finite: tuple[int, int] | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @property
    def constant(self) -> np.ndarray:
        """Indices of the components that never change."""
        return np.empty(0, np.int64) if self.low is None else np.flatnonzero(self.low == self.high)

    def add(self, start: int, values: np.ndarray) -> None:
        """Take in the rows from `start` on, (rows, components) of real numbers."""
        self.rows += len(values)
        if values.dtype.kind == "f":
            good = np.isfinite(values)
            bad = np.argwhere(~good)
            if len(bad) and self.first_not_finite is None:
                self.first_not_finite = (start + int(bad[0, 0]), int(bad[0, 1]))
            self.not_finite += len(bad)
            low, high = (np.where(good, values, limit) for limit in (np.inf, -np.inf))
        else:
            low = high = values
        low, high = low.min(axis=0), high.max(axis=0)
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether rows (rows, height, width, channels) look like images."""
    return len(shape) == 4 and shape[-1] in (1, 3, 4) and min(shape[1:3]) >= 16


def scan(contents: Contents, path: str) -> Scan:
    """Read every chunk of an array.

    Raises:
        InputError: there is no such array, or it needs a codec that is not installed.
    """
    array = contents.array(path)
    result = Scan()
    numbers = array.dtype.kind in "fiub"
    for start in range(0, array.shape[0], array.chunks[0]):
        stop = min(start + array.chunks[0], array.shape[0])
        try:
            values = contents.read(path, start, stop)
        except DamagedChunkError as error:
            result.damaged.append(error)
            continue
        if numbers:
            result.add(start, values.reshape(-1, 1) if is_image(array.shape) else values.reshape(len(values), -1))
    return result
