"""Actions of the maze: a set-point and a stiffness, absolute, and in the units of a policy's output."""

from __future__ import annotations

import numpy as np

from sim.maze.options import STIFFNESS

ACTION_REACH_M = 0.015  # largest offset of a policy's set-point from the pin, each axis

_RATIO = STIFFNESS[1] / STIFFNESS[0]


def decode(unit: np.ndarray, position: np.ndarray) -> np.ndarray:
    """The absolute action of a policy's output.

    Args:
        unit: (n, 4) in [-1, 1]: offset of the set-point in units of 15 mm, and stiffness between 100 and 1500 N/m on a
            logarithmic scale.
        position: (n, 2) of the pin, m.

    Returns:
        (n, 4) set-point x and y, m, and stiffness, N/m.
    """
    unit = np.asarray(unit, dtype=np.float64)
    action: np.ndarray = np.concatenate(
        [
            np.asarray(position, dtype=np.float64) + ACTION_REACH_M * unit[..., :2],
            STIFFNESS[0] * _RATIO ** ((unit[..., 2:] + 1) / 2),
        ],
        axis=-1,
    )
    return action


def encode(action: np.ndarray, position: np.ndarray) -> np.ndarray:
    """The inverse of `decode`, clipped to [-1, 1].

    Args:
        action: (n, 4) set-point x and y, m, and stiffness, N/m.
        position: (n, 2) of the pin, m.

    Returns:
        (n, 4).
    """
    action = np.asarray(action, dtype=np.float64)
    unit = np.concatenate(
        [
            (action[..., :2] - position) / ACTION_REACH_M,
            2 * np.log(np.maximum(action[..., 2:], 1e-9) / STIFFNESS[0]) / np.log(_RATIO) - 1,
        ],
        axis=-1,
    )
    clipped: np.ndarray = np.clip(unit, -1.0, 1.0)
    return clipped
