"""The links of a robot for drawing: their shapes, and their poses from measured joints by MuJoCo's kinematics.

Arm and tool are compiled each by itself, as their files have them, and the tool is carried by the arm's flange. Nothing
here is dynamics, so drives and contacts of a twin are not needed.
"""

from __future__ import annotations

from typing import Any, Mapping

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_quat_wxyz
from robot.description.limb import Limb
from robot.description.loading import RobotDescription
from robot.errors import InputError, nearest
from robot.model.assets import load_model
from robot.model.shapes import Shape, shapes_by_body


class RobotLinks:
    """The bodies of a robot that can be seen.

    Args:
        description: of the robot.

    Attributes:
        names: (n,) one per body, in the order of `shapes` and of the poses.
        shapes: (n,) shapes of each.

    Raises:
        InputError: a file is missing or lacks a joint or flange that the description names.
        MissingExtraError: the files are robosuite's, which is not installed.
    """

    def __init__(self, description: RobotDescription) -> None:
        self._limbs = [_LimbLinks(limb) for limb in description.limbs]
        self.names = tuple(name for limb in self._limbs for name in limb.names)
        self.shapes: tuple[tuple[Shape, ...], ...] = tuple(each for limb in self._limbs for each in limb.shapes)

    def poses(self, measured: Mapping[str, np.ndarray]) -> np.ndarray:
        """Poses in the robot's base frame (n, 3, 4), float32: rotation matrix and position in m.

        Args:
            measured: our name -> (1,), as a stream's reader gives them. Joints that it lacks stay where they were,
                first at rest.
        """
        return np.concatenate([limb.poses(measured) for limb in self._limbs]).astype(np.float32)


class _LimbLinks:
    """One arm with its tool."""

    def __init__(self, limb: Limb) -> None:
        self._limb = limb
        self._arm, self._tool = _Part(limb.arm.model), _Part(limb.tool.model)
        self._flange = self._arm.number("body", limb.arm.flange)
        self._base = _frame(_turn_about_z(limb.yaw), limb.position)
        self._mount = _frame(matrix_from_quat_wxyz(np.array(limb.tool.mount_quat_wxyz)), limb.tool.mount_position)
        self._leaders = {name: self._tool.joint(name) for name in limb.tool.joints}
        self._followers = [(self._tool.joint(each.joint), each) for each in limb.tool.coupling]
        self._joints = {limb.element(name): self._arm.joint(name) for name in limb.arm.joints}
        for name, angle in zip(limb.arm.joints, limb.arm.rest):
            self._arm.data.qpos[self._arm.joint(name)] = angle
        for name, angle in zip(limb.tool.joints, limb.tool.rest):
            self._tool.data.qpos[self._leaders[name]] = angle
        self.names = tuple(limb.element(name) for part in (self._arm, self._tool) for name in part.names)
        self.shapes = (*self._arm.shapes, *self._tool.shapes)

    def poses(self, measured: Mapping[str, np.ndarray]) -> np.ndarray:
        for name, slot in self._joints.items():
            _put(self._arm.data.qpos, slot, measured.get(name))
        self._close(measured)
        self._arm.move()
        self._tool.move()
        carried = self._base @ self._arm.pose(self._flange) @ self._mount
        return np.concatenate([self._base @ self._arm.poses(), carried @ self._tool.poses()])[:, :3]

    def _close(self, measured: Mapping[str, np.ndarray]) -> None:
        """Set the tool's joints: by their own names, or from the tool's command, such as a width."""
        tool, command = self._limb.tool, self._limb.tool.command
        field = self._limb.field(command.name)
        for index, name in enumerate(tool.joints):
            value = measured.get(self._limb.element(name))
            if value is None:
                commanded = measured.get(field if len(tool.joints) == 1 else f"{field}.{index}")
                value = None if commanded is None else (commanded - command.offset) / command.scale
            _put(self._tool.data.qpos, self._leaders[name], value)
        for slot, each in self._followers:
            self._tool.data.qpos[slot] = each.ratio * self._tool.data.qpos[self._leaders[each.leader]] + each.offset


class _Part:
    """A compiled file: the bodies of it that can be seen, and their poses in its own frame."""

    def __init__(self, file: str) -> None:
        self._file = file
        try:
            self.model = load_model(file).compile()
        except ValueError as error:
            raise InputError(f"model file {file}", expected="one that MuJoCo compiles", got=str(error)) from error
        self.data = mujoco.MjData(self.model)
        found = shapes_by_body(self.model)
        self._bodies = np.array(sorted(found), dtype=np.intp)
        self.names = tuple(self.model.body(int(body)).name for body in self._bodies)
        self.shapes = tuple(found[int(body)] for body in self._bodies)

    def move(self) -> None:
        mujoco.mj_kinematics(self.model, self.data)

    def poses(self) -> np.ndarray:
        """(n, 4, 4) of the bodies with shapes."""
        poses = np.tile(np.eye(4), (len(self._bodies), 1, 1))
        poses[:, :3, :3] = self.data.xmat[self._bodies].reshape(-1, 3, 3)
        poses[:, :3, 3] = self.data.xpos[self._bodies]
        return poses

    def pose(self, body: int) -> np.ndarray:
        """(4, 4)."""
        return _frame(self.data.xmat[body].reshape(3, 3), self.data.xpos[body])

    def joint(self, name: str) -> int:
        """The place of a joint's position in `qpos`."""
        return int(self.model.jnt_qposadr[self.number("joint", name)])

    def number(self, kind: str, name: str) -> int:
        number = mujoco.mj_name2id(self.model, getattr(mujoco.mjtObj, f"mjOBJ_{kind.upper()}"), name)
        if number < 0:
            count = {"joint": self.model.njnt, "body": self.model.nbody}[kind]
            known = [getattr(self.model, kind)(each).name for each in range(count)]
            raise InputError(
                f"{kind} '{name}'",
                expected=f"a {kind} of {self._file}",
                got="none of that name",
                way_out=nearest(name, known),
            )
        return int(number)


def _put(qpos: np.ndarray, slot: int, value: Any) -> None:
    """Set a position where there is a measured one that is finite."""
    if value is not None and np.isfinite(value).all():
        qpos[slot] = float(np.ravel(value)[0])


def _frame(rotation: np.ndarray, position: Any) -> np.ndarray:
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = rotation, position
    return frame


def _turn_about_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
