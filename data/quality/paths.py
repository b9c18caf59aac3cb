"""How far an episode is from the others: along its path, and at its start."""

from __future__ import annotations

import numpy as np

from data.quality.neighbours import blocks, nearest, square_distances

NORMAL = 1.4826
"""Deviation of a normal variable in its median absolute deviation."""
LEAST_SPREAD = 0.05
"""Of the median distance: what paths differ by less makes none of them an outlier."""
REFERENCES = 256
"""Paths that each is compared with; drawn where there are more."""
STARTS = 10_000
"""Starts that each is compared with."""


def path_distances(paths: np.ndarray, origin: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The median distance (n,) of each path from those of other origins: root mean square over the points.

    Args:
        paths: (n, points, D) at equal steps of progress.
        origin: (n,).
        reference: (m,) paths that each is compared with.

    Returns:
        NaN where there is no other origin.
    """
    flat = paths.reshape(len(paths), -1).astype(np.float64) / np.sqrt(max(1, paths.shape[1]))
    distances = np.full(len(paths), np.nan)
    for part in blocks(len(flat), max(len(reference), flat.shape[1])):
        square = square_distances(flat[part], flat[reference])
        square[origin[part, None] == origin[reference][None]] = np.nan
        some = np.isfinite(square).any(axis=1)
        distances[part][some] = np.sqrt(np.nanmedian(square[some], axis=1))
    return distances


def robust_distances(distances: np.ndarray) -> np.ndarray:
    """(d - median d) / (1.4826 MAD), (n,): how many deviations farther off than usual a path is.

    Args:
        distances: (n,) of the episodes of one task; NaN where not known.
    """
    known = np.isfinite(distances)
    if not known.any():
        return distances
    median = float(np.median(distances[known]))
    spread = NORMAL * float(np.median(np.abs(distances[known] - median)))
    return (distances - median) / max(spread, LEAST_SPREAD * median, 1e-9)


def start_distances(starts: np.ndarray, origin: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The distance (n,) of each start from the nearest of another origin; 0 where all start alike.

    Args:
        starts: (n, D) scaled.
        origin: (n,).
        reference: (m,) starts that each is compared with.
    """
    return nearest(starts, origin, starts[reference], origin[reference])


def start_spread(starts: np.ndarray) -> float:
    """The root mean square distance of any two starts, in scaled numbers; of (n, D)."""
    moved = starts - starts[0]
    return float(np.sqrt(2 * np.square(moved - moved.mean(axis=0)).sum(axis=1).mean()))
