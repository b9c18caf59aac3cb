"""Where a hand of the twin goes: its tcp has z out of the hand and y along the opening of the fingers."""

from __future__ import annotations

import numpy as np

from robot.control.rotation import matrix_from_rotvec

DOWN = np.diag([1.0, -1.0, -1.0])  # the hand points down, its fingers open along y of the base
OPEN, CLOSED = 0.08, 0.0  # m, width of a Panda gripper
UP = np.array([0.0, 0.0, 1.0])


def hand_down(yaw: float) -> np.ndarray:
    """The tcp pointing down, turned by yaw (rad) about the vertical, (3, 3); at 0 the fingers open along y."""
    return matrix_from_rotvec(yaw * UP) @ DOWN


def across(yaw: float) -> np.ndarray:
    """The horizontal direction (3,) along which a hand of this yaw can slide over an object between its fingers."""
    return np.array([np.cos(yaw), np.sin(yaw), 0.0])


def yaw_of(rotation_6d: np.ndarray) -> float:
    """Turn about the vertical (rad) of an upright object."""
    return float(np.arctan2(rotation_6d[1], rotation_6d[0]))


def nearest_turn(yaw: float, symmetry: float) -> float:
    """The smallest turn (rad) equal to `yaw` but for whole multiples of `symmetry` rad."""
    return float((yaw + symmetry / 2) % symmetry - symmetry / 2)
