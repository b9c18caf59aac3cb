"""What an arm's drives accept: a largest torque a joint, and a largest change of it a second."""

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
    """Limit `torque` in place.

    Gravity has its share of the drive: torque plus gravity stays within the effort. A change of the torque beyond
    `largest_change` is cut; the effort goes before it.

    Args:
        torque: (n,) N*m, without gravity; a value that is not a number counts as 0.
        gravity: (n,) N*m of gravity compensation.
        effort: (n,) N*m, largest magnitude.
        previous: (n,) N*m applied last.
        largest_change: (n,) N*m in one step.

    Returns:
        How many joints were limited.
    """
    limited = 0
    for i in range(len(torque)):
        wanted = torque[i] if np.isfinite(torque[i]) else 0.0
        value = min(max(wanted, previous[i] - largest_change[i]), previous[i] + largest_change[i])
        value = min(max(value, -effort[i] - gravity[i]), effort[i] - gravity[i])
        if value != torque[i]:
            limited += 1
        torque[i] = value
    return limited
