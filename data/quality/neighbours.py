"""What the nearest rows of other episodes do: means over neighbourhoods, block by block, exact, without a tree."""

from __future__ import annotations

from typing import Iterator

import numpy as np

AT_ONCE = 1 << 22
"""Distances held in memory."""
_TIE = 1e-6
"""Of the mean square of the rows: distances in single precision that differ by less are equal."""


def square_distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (m, n) of rows (m, D) from others (n, D), float32."""
    rows, others = rows.astype(np.float32), others.astype(np.float32)
    square = rows @ (-2 * others.T)
    square += np.square(rows).sum(axis=1)[:, None]
    square += np.square(others).sum(axis=1)
    return np.maximum(square, 0, out=square)


def blocks(rows: int, others: int) -> Iterator[slice]:
    """Slices of rows whose distances from so many others fit in memory."""
    step = max(1, AT_ONCE // max(others, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def neighbourhood_means(
    rows: np.ndarray, origin: np.ndarray, others: np.ndarray, other_origin: np.ndarray, values: np.ndarray, k: int
) -> np.ndarray:
    """The mean of what the k nearest rows of other origins have, (m, V); NaN where no other origin has a row.

    All rows as near as the k-th count, so that equal distances leave nothing to the order of the rows.

    Args:
        rows: (m, D).
        origin: (m,) of each row.
        others: (n, D).
        other_origin: (n,).
        values: (n, V) of the others.
        k: neighbours; all there are where these are fewer.
    """
    means = np.full((len(rows), values.shape[1]), np.nan)
    scale = np.float32(_TIE * np.square(others).sum(axis=1).mean() if others.size else 0)
    light = values.astype(np.float32)
    for part in blocks(len(rows) if len(others) else 0, len(others)):
        square = square_distances(rows[part], others)
        square[origin[part, None] == other_origin[None]] = np.inf
        last = min(k, len(others)) - 1
        limit = np.partition(square, last, axis=1)[:, last]
        few = ~np.isfinite(limit)  # where less than k have another origin, all of them count
        limit[few] = np.where(np.isfinite(square[few]), square[few], -np.inf).max(axis=1)
        near = ((square <= (limit + scale)[:, None]) & np.isfinite(square)).astype(np.float32)
        counts = near.sum(axis=1)
        some = counts > 0
        means[part][some] = (near[some] @ light) / counts[some, None]
    return means


def counts_within(rows: np.ndarray, others: np.ndarray, weights: np.ndarray, radius: float) -> np.ndarray:
    """The weight (m,) of the others within a distance of each row.

    Args:
        rows: (m, D).
        others: (n, D).
        weights: (n,) of the others.
        radius: the distance.
    """
    counts = np.zeros(len(rows))
    for part in blocks(len(rows), len(others)):
        within = square_distances(rows[part], others) <= radius**2
        counts[part] = within.astype(np.float32) @ weights.astype(np.float32)
    return counts


def nearest(rows: np.ndarray, origin: np.ndarray, others: np.ndarray, other_origin: np.ndarray) -> np.ndarray:
    """The distance (m,) of each row from the nearest one of another origin; NaN where there is none."""
    distances = np.full(len(rows), np.nan)
    for part in blocks(len(rows) if len(others) else 0, len(others)):
        square = square_distances(rows[part], others)
        square[origin[part, None] == other_origin[None]] = np.inf
        closest = square.argmin(axis=1)
        # Once more without cancellation: equal rows are at exactly 0.
        exact = np.sqrt(np.square(rows[part] - others[closest]).sum(axis=1))
        distances[part] = np.where(np.isfinite(square.min(axis=1)), exact, np.nan)
    return distances
