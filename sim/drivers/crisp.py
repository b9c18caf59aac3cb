"""The controllers of crisp_controllers: Cartesian and joint impedance on `target_pose`, `target_joint`.

Quirks of the real ones, kept: stamp and frame of a pose are ignored, a joint target is read by index whatever its
names are, nothing ever times out, a value that is not a number goes unnoticed, and while a topic has more than one
publisher every message on it is ignored. A target passes an exponential filter, and the error to it is clipped.
"""

from __future__ import annotations

import numpy as np

from robot.control.rotation import matrix_from_6d, matrix_from_quat_wxyz, rotation_6d_from_matrix
from robot.control.rotation_kernels import write_interpolated
from sim.drivers.driver import Command, Driver

CONTROLLER_HZ = 1000.0
TARGET_FILTER = 0.1  # per cycle of the controller
ERROR_CLIP_M = 0.1
ERROR_CLIP_RAD = 0.5

_CLIP_CHORD = 2 * np.sin(ERROR_CLIP_RAD / 2)
_POSE = 9  # position (3), rotation (6)
_ROTATIONS = np.array([3], dtype=np.int64)


def passed(step_s: float) -> float:
    """The fraction of the distance to a constant target that the filter covers in a step of the physics of `step_s`."""
    return float(1.0 - (1.0 - TARGET_FILTER) ** (step_s * CONTROLLER_HZ))


class Crisp(Driver):
    """The part that both controllers share."""

    follows_speed = False

    def _activate(self, measured: np.ndarray, now_ns: int) -> None:
        self._target = measured
        self._filtered = measured.copy()

    def _take(self, command: Command, now_ns: int) -> None:
        if command.publishers > 1:
            self.refused["several publishers"] += 1
            return
        target = self._read(command)
        if target is None:
            self.refused["wrong size"] += 1
        else:
            self._target = target

    def _read(self, command: Command) -> np.ndarray | None:
        raise NotImplementedError


class CrispPose(Crisp):
    """crisp's Cartesian impedance controller on `target_pose`: each target passes an exponential filter.

    The set-point is position (3) m and rotation (6); a message is position and quaternion xyzw. The filtered target is
    clipped to 0.1 m per axis and 0.5 rad from the measured pose. A message of another size, or while the topic has
    several publishers, is refused; a value that is not a number is taken, and is an error at the next step.
    """

    def __init__(self) -> None:
        super().__init__(_POSE)

    def _read(self, command: Command) -> np.ndarray | None:
        if command.values.shape != (7,):
            return None
        position, (x, y, z, w) = command.values[:3], command.values[3:]
        with np.errstate(invalid="ignore", divide="ignore"):
            matrix = matrix_from_quat_wxyz(np.array([w, x, y, z]))
        return np.concatenate([position, rotation_6d_from_matrix(matrix)])

    def _advance(self, measured: np.ndarray, now_ns: int, step_s: float, speed_scale: float) -> np.ndarray:
        if not np.isfinite(self._target).all():
            return self._target
        filtered = np.empty(_POSE)
        write_interpolated(self._filtered, self._target, passed(step_s), _ROTATIONS, filtered)
        self._filtered = filtered
        set_point = filtered.copy()
        low, high = measured[:3] - ERROR_CLIP_M, measured[:3] + ERROR_CLIP_M
        set_point[:3] = np.minimum(np.maximum(filtered[:3], low), high)
        # The chord of two columns is no less than 2 sin(angle / 2): most steps need not compute the angle.
        chord = filtered[3:] - measured[3:]
        if chord @ chord > _CLIP_CHORD**2:
            between = matrix_from_6d(measured[3:]).T @ matrix_from_6d(filtered[3:])
            angle = float(np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1)))
            near = np.empty(_POSE)
            write_interpolated(measured, filtered, min(1.0, ERROR_CLIP_RAD / max(angle, 1e-9)), _ROTATIONS, near)
            set_point[3:] = near[3:]
        return set_point


class CrispJoint(Crisp):
    """crisp's joint impedance controller on `target_joint`: each target passes an exponential filter.

    The set-point and a message are angles (n,) rad, in the order of the controller's joints. The filtered target is
    clipped to 0.5 rad from the measured angle; one that is not finite is not taken into the filter, and is an error.

    Args:
        size: number of joints, n.
    """

    def _read(self, command: Command) -> np.ndarray | None:
        return command.values if command.values.shape == (self.size,) else None

    def _advance(self, measured: np.ndarray, now_ns: int, step_s: float, speed_scale: float) -> np.ndarray:
        filtered: np.ndarray = self._filtered + passed(step_s) * (self._target - self._filtered)
        if np.isfinite(filtered).all():
            self._filtered = filtered
        return measured + np.clip(filtered - measured, -ERROR_CLIP_RAD, ERROR_CLIP_RAD)
