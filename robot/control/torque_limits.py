"""Limits of an arm's drives: the largest torque of each joint, and its largest change per second."""

from __future__ import annotations

import numpy as np

from robot.compiled import compiled


@compiled
def limit_torque(
    torque: np.ndarray,
    gravity: np.ndarray,
    effort: np.ndarray,
    previous: np.ndarray,
    largest_change: np.ndarray,
) -> int:
    """Limit `torque` in place; return how many joints were limited.

    Gravity uses part of the drive: torque plus gravity stays within the effort. A change of the torque beyond
    `largest_change` is cut; the effort limit takes precedence.

    Args:
        torque: (n,) N*m, without gravity; a value that is not a number counts as 0.
        gravity: (n,) N*m of gravity compensation.
        effort: (n,) N*m, largest magnitude.
        previous: (n,) N*m applied last.
        largest_change: (n,) N*m in one step.

    Returns:
        Number of joints that were limited.
    """
    limited = 0
    for i in range(len(torque)):
        requested = torque[i] if np.isfinite(torque[i]) else 0.0
        value = min(max(requested, previous[i] - largest_change[i]), previous[i] + largest_change[i])
        value = min(max(value, -effort[i] - gravity[i]), effort[i] - gravity[i])
        if value != torque[i]:
            limited += 1
        torque[i] = value
    return limited
