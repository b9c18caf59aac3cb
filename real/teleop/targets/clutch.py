"""What holds while the clutch is closed: where a hand's pose counts from, and whether a leader arm may lead."""

from __future__ import annotations

import numpy as np

from real.teleop.device import HandPose
from real.teleop.targets.parts import JoggedPart
from robot.control.rotation import matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix
from robot.description.comparison import table

MATCH_RAD = 0.2  # by which a joint of a leader arm may differ from the robot's when the clutch closes


class PoseClutch:
    """Poses of a hand as poses of a tcp: p = p0 + s d, R = exp(w) R0, from the tcp's pose (p0, R0) at the close.

    Along the tcp's own axes p = p0 + s R0 d, R = R0 exp(w).

    Args:
        scale: s, metres of the tcp per metre of the hand.
        in_tool: along the axes that the tcp has when the clutch closes.
    """

    def __init__(self, scale: float, in_tool: bool) -> None:
        self._scale, self._in_tool = scale, in_tool
        self._origin: np.ndarray | None = None

    def open(self) -> None:
        """The next pose counts from where the tcp is then."""
        self._origin = None

    def goal(self, pose: HandPose, tcp: np.ndarray) -> np.ndarray:
        """The pose (9,) of the tcp for a hand's pose; `tcp` (9,) is the present target, where the clutch closes."""
        if self._origin is None:
            self._origin = tcp.copy()
        rotation, turn = matrix_from_6d(self._origin[3:]), matrix_from_rotvec(pose.rotation)
        displacement = self._scale * pose.position
        if self._in_tool:
            displacement, turned = rotation @ displacement, rotation @ turn
        else:
            turned = turn @ rotation
        return np.concatenate([self._origin[:3] + displacement, rotation_6d_from_matrix(turned)])


def joints_apart(parts: tuple[JoggedPart, ...], leader: np.ndarray, sent: np.ndarray, limit_rad: float) -> str:
    """A table of an arm's joints beside the leader's where any is further apart than a limit; else empty.

    Args:
        parts: of the arm, in the order of its joints.
        leader: (n,) rad.
        sent: (dim,) the last command of the gate.
        limit_rad: that still passes.
    """
    names = [name for part in parts for name in part.axes]
    robot = np.concatenate([sent[part.columns] for part in parts])
    apart = np.abs(leader - robot) > limit_rad
    if not apart.any():
        return ""
    rows = [
        (f"{name}{' *' if far else ''}", f"{angle:.2f} rad", f"{other:.2f} rad")
        for name, far, angle, other in zip(names, apart, robot, leader)
    ]
    heading = f"Joints (*) differ by more than {limit_rad:g} rad: bring the leader to the robot, then close the clutch"
    return f"{heading}\n{table(rows, 'robot', 'leader')}"
