"""Proprioception of a limb of the twin."""

from __future__ import annotations

import numpy as np

from robot.control.rotation import rotation_6d_from_matrix
from robot.description.action import ActionSpec
from robot.description.limb import Limb
from sim.twin.model.scene import Scene


class Readings:
    """One limb's own state, as rows of an observation and as the target that would keep it there.

    Args:
        scene: with the limb in it; readings are of its present state.
        limb: whose.
        spec: fields of a target.
    """

    def __init__(self, scene: Scene, limb: Limb, spec: ActionSpec) -> None:
        data = scene.data
        site = scene.id("site", limb.tcp)
        self._position, self._matrix = data.site_xpos[site], data.site_xmat[site].reshape(3, 3)
        self._qpos = data.qpos
        addresses = [scene.model.jnt_qposadr[scene.id("joint", limb.element(name))] for name in limb.arm.joints]
        self._arm = np.array(addresses)
        tool = [scene.model.jnt_qposadr[scene.id("joint", limb.element(name))] for name in limb.tool.joints]
        self._tool, self._command = np.array(tool), limb.tool.command
        self._names = [limb.field(name) for name in ("tcp.position", "tcp.rotation", limb.tool.command.name)]
        parts = [spec.slices.get(limb.field(name)) for name in ("tcp.position", "tcp.rotation", "arm.joints")]
        self._position_part, self._rotation_part, self._joints_part = parts
        self.tool_part = spec.slices[limb.field(limb.tool.command.name)]

    def add_to(self, row: dict[str, np.ndarray]) -> None:
        """Add `tcp.position` (3) m, `tcp.rotation` (6) and the tool's own field, float32."""
        position, rotation, tool = self._names
        row[position] = self._position.astype(np.float32)
        row[rotation] = rotation_6d_from_matrix(self._matrix).astype(np.float32)
        row[tool] = self._tool_command().astype(np.float32)

    def write_arm(self, target: np.ndarray) -> None:
        """Write the arm's part of the target (dim,) that leaves it where it is."""
        if self._joints_part is not None:
            target[self._joints_part] = self._qpos[self._arm]
        else:
            target[self._position_part] = self._position
            target[self._rotation_part] = rotation_6d_from_matrix(self._matrix)

    def write_tool(self, target: np.ndarray) -> None:
        """Write the tool's part of it."""
        target[self.tool_part] = self._tool_command()

    def _tool_command(self) -> np.ndarray:
        """The command (n,) that would keep the tool as it is."""
        return self._qpos[self._tool] * self._command.scale + self._command.offset
