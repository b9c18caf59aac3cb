"""From the values on a topic to measured values under our names, and back: arrays and names, no messages.

A twin writes (`write`, `write_pose`) in place of the driver; the same map serves both directions.
"""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from robot.contract.contract import Contract
from robot.contract.loading import stream_names
from robot.contract.names import effort_name
from robot.control.joint_map import JointMap
from robot.control.sinks import pose_from_parts, rotation_from_quat_xyzw
from robot.description.loading import RobotDescription


class StreamReader:
    """Reads one stream.

    Args:
        contract: checked against its description.
        name: of a stream; `joint_state` and `pose` are read here, the others carry no map.

    Attributes:
        names: values that every message must have; empty for streams that carry none, or, as `values`, any.
    """

    def __init__(self, contract: Contract, name: str) -> None:
        self.name, self.stream = name, contract.state[name]
        self.names = stream_names(contract, name)
        self.map = JointMap(contract.maps[self.stream.map]) if self.stream.map else None

    def read(self, names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
        """Joints of a message by name: our name -> (1,) float64; joints that it lacks or has twice are left out."""
        assert self.map is not None, f"stream '{self.name}' has no joints"
        return self.map.read(names, values)

    def read_efforts(self, names: Sequence[str], efforts: np.ndarray) -> dict[str, np.ndarray]:
        """Efforts of a message by name: our joint's name with `.effort` -> (1,), in the driver's own unit and sign."""
        assert self.map is not None, f"stream '{self.name}' has no joints"
        return {effort_name(name): value for name, value in self.map.unscaled(names, efforts).items()}

    def read_pose(self, position: np.ndarray, quat_xyzw: np.ndarray) -> dict[str, np.ndarray]:
        """A pose: position (3,) m and quaternion (4,), as `tcp.position` (3,) and `tcp.rotation` (6,)."""
        where, turn = self.names
        return {where: np.array(position, dtype=np.float64), turn: rotation_from_quat_xyzw(quat_xyzw)}

    def write(self, values: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], np.ndarray]:
        """Names and numbers of a joint_state for `values`, our name -> one number; mimics follow."""
        assert self.map is not None, f"stream '{self.name}' has no joints"
        return self.map.write(values)

    def write_pose(self, values: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) m and quaternion (4,) xyzw of a pose message for `values`."""
        where, turn = self.names
        pose = pose_from_parts(values[where], values[turn])
        return pose[:3], pose[3:]


def gathered(description: RobotDescription, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The measured values with joints joined to the vectors of observations and actions.

    Args:
        description: of the robot.
        values: of all its streams, as `StreamReader` gives them.

    Returns:
        `values`, and, where all of their joints are in it: `arm.joints` (n,) rad, and the tool's own field, such as
        `hand.joints` (n,) rad or `gripper.width` (1,) m.
    """
    result = dict(values)
    for limb in description.limbs:
        joints = [limb.element(joint) for joint in limb.arm.joints]
        if all(joint in values for joint in joints):
            result[limb.field("arm.joints")] = np.concatenate([values[joint] for joint in joints])
        command, name = limb.tool.command, limb.field(limb.tool.command.name)
        joints = [limb.element(joint) for joint in limb.tool.joints]
        if name not in values and all(joint in values for joint in joints):
            result[name] = command.scale * np.concatenate([values[joint] for joint in joints]) + command.offset
    return result
