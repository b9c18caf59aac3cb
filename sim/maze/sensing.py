"""The observation of a maze, without vision: its components, and noise that drifts."""

from __future__ import annotations

import numpy as np

from sim.maze.options import PERIOD_S

OBSERVED = (
    "wrench.x",
    "wrench.y",
    "position.x",
    "position.y",
    "goal.x",
    "goal.y",
    "energy.tank",
    "energy.power",
    "action.x",
    "action.y",
    "action.stiffness.x",
    "action.stiffness.y",
)
SCALE = np.array([10.0, 10.0, 0.3, 0.2, 0.1, 0.1, 1, 1, 1, 1, 1, 1])
"""N, m and shares by which an observation is divided, so that networks see numbers about 1."""


def drift(normal: np.ndarray, time_s: float) -> np.ndarray:
    """An Ornstein-Uhlenbeck path of deviation 1, one row per policy step, from independent normal rows."""
    kept, noise = float(np.exp(-PERIOD_S / time_s)), normal.copy()
    for k in range(1, len(normal)):
        noise[k] = kept * noise[k - 1] + np.sqrt(1 - kept**2) * normal[k]
    return noise
