"""A commanded pose that glides: bounded speed, bounded acceleration, never far ahead of the hand."""

from __future__ import annotations

import numpy as np

from robot.control.rotation import matrix_from_rotvec, rotvec_from_matrix

ACCELERATION = 1.5  # m/s^2, of an unhurried person
TURN_SPEED = 2.0  # rad/s
TURN_GAIN = 5.0  # 1/s: the turn slows down over its last part
LEAD = 0.07  # m: how far the command may run ahead of the hand


class Glide:
    """Moves a commanded pose towards goals, one control period at a time.

    Args:
        position: (3,) m, where the command starts.
        rotation: (3, 3).
        period_s: seconds between two calls of `towards`.
    """

    def __init__(self, position: np.ndarray, rotation: np.ndarray, period_s: float) -> None:
        self.position = np.array(position, dtype=np.float64)
        self.rotation = np.array(rotation, dtype=np.float64)
        self._velocity = np.zeros(3)
        self._period_s = period_s

    def towards(self, goal: np.ndarray, goal_rotation: np.ndarray, speed: float, hand: np.ndarray) -> None:
        """Advance by one period.

        Args:
            goal: (3,) m.
            goal_rotation: (3, 3).
            speed: m/s, at most.
            hand: (3,) m, where the hand is now.
        """
        displacement = goal - self.position
        distance = float(np.linalg.norm(displacement))
        braking = np.sqrt(2 * ACCELERATION * distance)
        velocity = displacement / max(distance, 1e-9) * min(speed, braking, distance / self._period_s)
        change = velocity - self._velocity
        limit = ACCELERATION * self._period_s
        self._velocity = self._velocity + change * min(1.0, limit / max(float(np.linalg.norm(change)), 1e-9))
        ahead = self.position + self._velocity * self._period_s - hand
        self.position = hand + ahead * min(1.0, LEAD / max(float(np.linalg.norm(ahead)), 1e-9))

        turn = rotvec_from_matrix(self.rotation.T @ goal_rotation)
        angle = float(np.linalg.norm(turn))
        step = self._period_s * min(TURN_SPEED, TURN_GAIN * angle)
        self.rotation = self.rotation @ matrix_from_rotvec(turn * (step / max(angle, 1e-9)))
