"""Poses of a hand of the twin: its tcp has z out of the hand and y along the opening of the fingers."""

from __future__ import annotations

import numpy as np

from robot.control.rotation import matrix_from_rotvec
from sim.experts.waypoints import UP, across, yaw_of

__all__ = ["CLOSED", "DOWN", "OPEN", "UP", "across", "hand_down", "nearest_turn", "yaw_of"]

DOWN = np.diag([1.0, -1.0, -1.0])  # the hand points down, its fingers open along y of the base
OPEN, CLOSED = 0.08, 0.0  # m, width of a Panda gripper


def hand_down(yaw: float) -> np.ndarray:
    """The tcp pointing down, turned by yaw (rad) about the vertical, (3, 3); at 0 the fingers open along y."""
    return matrix_from_rotvec(yaw * UP) @ DOWN


def nearest_turn(yaw: float, symmetry: float) -> float:
    """The smallest turn (rad) equal to `yaw` but for whole multiples of `symmetry` rad."""
    return float((yaw + symmetry / 2) % symmetry - symmetry / 2)
