"""The reach of a limb: a target beyond it is clamped, so that no spring pulls an arm that cannot follow."""

from __future__ import annotations

import numpy as np

from robot.description.action import ActionSpec
from robot.description.limb import Limb


class Reach:
    """Clamps targets of one limb to the sphere of its reach, or to its joint limits.

    The sphere contains every position that the arm can reach, and some that it cannot: there the spring settles at the
    nearest.

    Args:
        limb: placed in the robot's base frame.
        spec: fields of a target.

    Attributes:
        centre, radius: of the sphere, (3,) m in the robot's base frame, and m.
    """

    def __init__(self, limb: Limb, spec: ActionSpec) -> None:
        self._position = spec.slices.get(limb.field("tcp.position"))
        self._joints = spec.slices.get(limb.field("arm.joints"))
        self._low, self._high = np.array(limb.arm.position).T
        yaw = np.array([[np.cos(limb.yaw), -np.sin(limb.yaw), 0], [np.sin(limb.yaw), np.cos(limb.yaw), 0], [0, 0, 1]])
        self.centre = np.array(limb.position) + yaw @ np.array(limb.arm.shoulder)
        # The tcp is beyond the flange by at most its offset.
        self.radius = limb.arm.reach_m + float(np.linalg.norm(limb.tool.tcp_position))

    def clamp(self, target: np.ndarray) -> int:
        """Clamp `target` (dim,) in place; return 1 when it changed, else 0."""
        if self._position is not None:
            x, y, z = target[self._position] - self.centre
            distance = (x * x + y * y + z * z) ** 0.5
            if distance > self.radius:
                target[self._position] = self.centre + np.array([x, y, z]) * (self.radius / distance)
                return 1
        if self._joints is not None:
            inside = np.clip(target[self._joints], self._low, self._high)
            if (inside != target[self._joints]).any():
                target[self._joints] = inside
                return 1
        return 0
