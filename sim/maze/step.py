"""What a step of mazes gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

import numpy as np


@dataclass(frozen=True, eq=False)
class MazeStep:
    """What a step of all rows gave.

    Args:
        observation: (count, d) float32; of the new episode in rows that ended.
        last_observation: (count, d) float32; of the ended episode in rows that ended.
        reward: (count,) -10 times the way to the goal (m) - 0.1, and 10 at the goal.
        success, terminated, truncated: (count,) bool; success terminates, the time limit truncates.
        energy_j: (count,) the work done in this step, where it is positive: max(0, sum W).
        overdraft_j: (count,) what the tank was overdrawn by in this step.
        changed: (count,) share of inner ticks that the filters changed.
        peak_force_n: (count,) largest contact force.
        executed: (count, 4) mean of what the forces came to, in the meaning of an action: the set-point whose spring
            would have given them, and the stiffness in force.
        disturbance_j: (count,) what a push from outside gave.
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
