"""The result of a step of mazes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

import numpy as np


@dataclass(frozen=True, eq=False)
class MazeStep:
    """The result of a step of all rows.

    Args:
        observation: (count, d) float32; of the new episode in rows that ended.
        last_observation: (count, d) float32; of the ended episode in rows that ended.
        reward: (count,) -10 times the path length to the goal (m) - 0.1, and 10 at the goal.
        success, terminated, truncated: (count,) bool; success terminates, the time limit truncates.
        energy_j: (count,) the work done in this step, where it is positive: max(0, sum W).
        overdraft_j: (count,) energy by which the tank was overdrawn in this step.
        changed: (count,) share of inner ticks that the filters changed.
        peak_force_n: (count,) largest contact force.
        executed: (count, 4) mean of the applied forces as an action: the set-point whose spring would have given
            them, and the stiffness in force.
        disturbance_j: (count,) energy that a push from outside gave.
        episode: of rows that ended `return`, `success`, `steps`, `energy_j`, `overdrafts`, `overdraft_j`, `changed`,
            `peak_force_n` and `layout`, each (count,) float64; NaN in rows that go on.
    """

    observation: np.ndarray
    last_observation: np.ndarray
    reward: np.ndarray
    success: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    energy_j: np.ndarray
    overdraft_j: np.ndarray
    changed: np.ndarray
    peak_force_n: np.ndarray
    executed: np.ndarray
    disturbance_j: np.ndarray
    episode: Mapping[str, np.ndarray]
