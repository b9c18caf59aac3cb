"""Statistics of keys as LeRobot keeps them: smallest, largest, mean and deviation, of an episode and of all."""

from __future__ import annotations

from typing import Any

import numpy as np


class Running:
    """Statistics of one key, of images over rows and pixels per channel in 0..1.

    Args:
        is_image: rows are (height, width, channels) of uint8.
    """

    def __init__(self, is_image: bool) -> None:
        self.is_image = is_image
        self._count = self._rows = 0
        self._sum: Any = 0.0
        self._squares: Any = 0.0
        self._least: Any = np.inf
        self._most: Any = -np.inf

    def add(self, rows: np.ndarray) -> None:
        """Rows (k, ...) of it."""
        self._rows += len(rows)
        if self.is_image:  # every fourth pixel: LeRobot draws a part of them too
            rows = rows[:, ::4, ::4].reshape(-1, rows.shape[-1]) / 255.0
        values = rows.reshape(len(rows), -1).astype(np.float64) if rows.ndim > 1 else rows.astype(np.float64)[:, None]
        self._count += len(values)
        self._sum = self._sum + values.sum(axis=0)
        self._squares = self._squares + np.square(values).sum(axis=0)
        self._least = np.minimum(self._least, values.min(axis=0))
        self._most = np.maximum(self._most, values.max(axis=0))

    def merge(self, other: Running) -> None:
        """Take the rows of another one too."""
        self._rows, self._count = self._rows + other._rows, self._count + other._count
        self._sum, self._squares = self._sum + other._sum, self._squares + other._squares
        self._least, self._most = np.minimum(self._least, other._least), np.maximum(self._most, other._most)

    def values(self) -> dict[str, Any]:
        """Plain lists; of images (channels, 1, 1)."""
        mean = self._sum / self._count
        deviation = np.sqrt(np.maximum(self._squares / self._count - np.square(mean), 0))
        listed = {"min": self._least, "max": self._most, "mean": mean, "std": deviation}
        shaped = {name: (each[:, None, None] if self.is_image else each).tolist() for name, each in listed.items()}
        return {**shaped, "count": [self._rows]}
