"""The lowest and highest target of a robot, from its description alone."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from robot.control.reach import Reach
from robot.description.action import ActionSpec
from robot.description.limb import Limb


def action_bounds(
    limbs: Sequence[Limb], spec: ActionSpec, within: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The box of all targets that mean something.

    A position is within the smallest box around the sphere of the arm's reach, and within the one that is given; a
    component of a rotation, which is one of a unit vector, within -1 and 1; a joint within its limits; a tool's command
    within what its joints' limits come to.

    Args:
        limbs: of the robot.
        spec: fields of a target. Those that no limb has are without bounds.
        within: lowest and highest position, (3,) m each, in the robot's base frame.

    Returns:
        The lowest and the highest target, each (dim,).
    """
    low, high = np.full(spec.dim, -np.inf), np.full(spec.dim, np.inf)
    for field in spec.fields:
        if field.is_rotation:
            low[spec.slices[field.name]], high[spec.slices[field.name]] = -1.0, 1.0
    for limb in limbs:
        position = spec.slices.get(limb.field("tcp.position"))
        if position is not None:
            reach = Reach(limb, spec)
            lowest, highest = within or (np.full(3, -np.inf), np.full(3, np.inf))
            low[position] = np.maximum(reach.centre - reach.radius, lowest)
            high[position] = np.minimum(reach.centre + reach.radius, highest)
        joints = spec.slices.get(limb.field("arm.joints"))
        if joints is not None:
            low[joints], high[joints] = np.array(limb.arm.position).T
        tool, command = spec.slices.get(limb.field(limb.tool.command.name)), limb.tool.command
        if tool is not None:
            ends = command.scale * np.array(limb.tool.position) + command.offset
            low[tool], high[tool] = ends.min(axis=1), ends.max(axis=1)
    return low, high
