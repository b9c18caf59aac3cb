"""Joints with which an arm holds its tool at a pose, for drawing: of a redundant arm those near its rest posture."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_quat_wxyz, matrix_from_rotvec, rotvec_from_matrix
from robot.description.limb import Limb
from robot.errors import InputError
from robot.model.assets import load_model

STEPS = 30
CLOSE = 2e-4  # m and rad
_DAMPING = 1e-4
_LONGEST = 0.3  # rad, of a step, so that none leaps over a bend
_REST = 0.2  # of the way to the rest posture, per step, where the tool does not notice
_IDLE = 3e-3  # rad of such a step, that is no longer taken


class ArmReach:
    """The posture of an arm for poses of its tcp.

    Damped least squares with the rest posture in the null space, as Buss, "Introduction to Inverse Kinematics with
    Jacobian Transpose, Pseudoinverse and Damped Least Squares methods" (2009), has them.

    Args:
        limb: the arm with its tool.

    Raises:
        InputError: a file is missing, or lacks a joint or the flange that the description names.
        MissingExtraError: the files are robosuite's, which is not installed.
    """

    def __init__(self, limb: Limb) -> None:
        self._model = load_model(limb.arm.model).compile()
        self._data = mujoco.MjData(self._model)
        self._flange = self._number("body", limb.arm.flange, limb)
        joints = [self._number("joint", name, limb) for name in limb.arm.joints]
        self._slots = self._model.jnt_qposadr[joints]
        self._columns = self._model.jnt_dofadr[joints]
        self._low, self._high = np.array(limb.arm.position, dtype=float).T
        self._rest = np.array(limb.arm.rest, dtype=float)
        self._turn = matrix_from_rotvec(np.array([0.0, 0.0, limb.yaw]))
        self._base = np.array(limb.position, dtype=float)
        self._tool_turn = matrix_from_quat_wxyz(np.array(limb.tool.tcp_quat_wxyz))
        self._tool = np.array(limb.tool.tcp_position, dtype=float)

    def angles(self, position: np.ndarray, rotation: np.ndarray, near: np.ndarray | None = None) -> np.ndarray:
        """Angles (n,) of the joints, rad, that come as close to a pose of the tcp as the limits allow.

        Args:
            position: (3,) m, in the robot's base frame.
            rotation: (3, 3).
            near: (n,) angles from which to begin; None for the rest posture.
        """
        target, turn = self._turn.T @ (position - self._base), self._turn.T @ rotation
        angles = (self._rest if near is None else near).copy()
        identity = np.eye(len(angles))
        for _ in range(STEPS):
            error, jacobian = self._error(angles, target, turn)
            damped = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + _DAMPING * np.eye(6))
            idle = (identity - damped @ jacobian) @ (self._rest - angles) * _REST
            if np.abs(error).max() < CLOSE and np.abs(idle).max() < _IDLE:
                break
            step = damped @ error + idle
            angles = np.clip(angles + step * min(1.0, _LONGEST / max(np.abs(step).max(), 1e-9)), self._low, self._high)
        return angles

    def pose(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) m and rotation (3, 3) of the tcp at these angles, in the robot's base frame."""
        position, rotation = self._tcp(angles)
        return self._turn @ position + self._base, self._turn @ rotation

    def miss(self, angles: np.ndarray, position: np.ndarray, rotation: np.ndarray) -> tuple[float, float]:
        """How far from a pose the tcp is at these angles: m and rad."""
        error, _ = self._error(angles, self._turn.T @ (position - self._base), self._turn.T @ rotation)
        return float(np.linalg.norm(error[:3])), float(np.linalg.norm(error[3:]))

    def _error(self, angles: np.ndarray, target: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(6,) from the tcp to its target, m and rad, and the tcp's Jacobian (6, n)."""
        tcp, rotation = self._tcp(angles)
        jacobian = np.zeros((6, self._model.nv))
        mujoco.mj_jac(self._model, self._data, jacobian[:3], jacobian[3:], tcp, self._flange)
        return np.concatenate([target - tcp, rotvec_from_matrix(turn @ rotation.T)]), jacobian[:, self._columns]

    def _tcp(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The tcp's pose in the frame of the arm's base."""
        data = self._data
        data.qpos[self._slots] = angles
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        flange = data.xmat[self._flange].reshape(3, 3)
        return data.xpos[self._flange] + flange @ self._tool, flange @ self._tool_turn

    def _number(self, kind: str, name: str, limb: Limb) -> int:
        number = mujoco.mj_name2id(self._model, getattr(mujoco.mjtObj, f"mjOBJ_{kind.upper()}"), name)
        if number < 0:
            raise InputError(f"{kind} '{name}'", expected=f"a {kind} of {limb.arm.model}", got="none of that name")
        return int(number)
