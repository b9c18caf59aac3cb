"""Distance from what was demonstrated: to the nearest one, in deviations of each component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_SHARE = 0.05
"""Of a component's deviation over whole episodes: what hardly varies at the start is not blown up beyond it."""
AT_ONCE = 2**22
"""Differences held in memory."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What was demonstrated, and how far is far.

    Args:
        shown: (n, D) demonstrated rows.
        scale: (D,) of each component.
        radius: distance beyond which a row lies outside.
    """

    shown: np.ndarray
    scale: np.ndarray
    radius: float

    @classmethod
    def of(cls, shown: np.ndarray, deviation: np.ndarray, quantile: float = 0.99) -> Coverage:
        """Scale and radius from the demonstrated rows themselves: a component's scale is its deviation among them, at
        least `LEAST_SHARE` of that over whole episodes; the radius a quantile of the distances that each has from the
        nearest other one.

        Args:
            shown: (n, D), n at least 2.
            deviation: (D,) over whole episodes.
            quantile: of the leave-one-out distances.
        """
        least = np.maximum(LEAST_SHARE * deviation, 1e-3 * np.abs(shown.mean(axis=0)))
        scale = np.maximum(np.maximum(shown.std(axis=0), least), 1e-6)
        apart = own_distances(shown / scale, np.arange(len(shown)))
        return cls(shown, scale, float(np.quantile(apart, quantile)))

    def distances(self, rows: np.ndarray) -> np.ndarray:
        """Of rows (m, D) the distances (m,) from the nearest demonstrated one."""
        return nearest_distances(rows / self.scale, self.shown / self.scale)


def nearest_distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance (m,) of rows (m, D) from the nearest of others (n, D)."""
    block = max(1, AT_ONCE // others.size)
    parts = [
        np.square(rows[start : start + block, None] - others).sum(axis=-1).min(axis=1)
        for start in range(0, len(rows), block)
    ]
    return np.sqrt(np.concatenate(parts))


def own_distances(rows: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Distance (n,) of each row (n, D) from the nearest one of another group, such as another episode.

    Args:
        rows: at least two groups of them.
        group: (n,) of each.
    """
    block = max(1, AT_ONCE // rows.size)
    parts = []
    for start in range(0, len(rows), block):
        part = slice(start, start + block)
        square = np.square(rows[part, None] - rows).sum(axis=-1)
        square[group[part, None] == group] = np.inf
        parts.append(square.min(axis=1))
    return np.sqrt(np.concatenate(parts))
