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
from robot.description.observation import ObservationSpec


class StreamReader:
    """Reads one stream.

    Args:
        contract: checked against its description.
        name: of a stream; `joint_state` and `pose` are read here, the others carry no map.
        velocities, efforts: whether those of joints are read too.

    Attributes:
        names: values that every message must have; empty for streams that carry none, or, as `values`, any.
    """

    def __init__(self, contract: Contract, name: str, *, velocities: bool = False, efforts: bool = False) -> None:
        self.name, self.stream = name, contract.state[name]
        self.velocities, self.efforts = velocities, efforts
        self.names = stream_names(contract, name)
        self.map = JointMap(contract.maps[self.stream.map]) if self.stream.map else None

    def read(self, names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
        """Joints of a message by name, or of k messages, (k, n): our name -> (1,) or (k, 1) float64; joints that it
        lacks or has twice are left out.
        """
        assert self.map is not None, f"stream '{self.name}' has no joints"
        return self.map.read(names, values)

    def read_efforts(self, names: Sequence[str], efforts: np.ndarray) -> dict[str, np.ndarray]:
        """Efforts of a message by name: our joint's name with `.effort` -> (1,), in the driver's own unit and sign."""
        assert self.map is not None, f"stream '{self.name}' has no joints"
        return {effort_name(name): value for name, value in self.map.unscaled(names, efforts).items()}

    def read_motion(
        self, names: Sequence[str], velocities: np.ndarray, efforts: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Velocities and efforts of a message by name, where they are read and the message has them: our name -> (1,),
        rad/s or m/s, and N*m or what unit the driver has, turning our way.
        """
        assert self.map is not None, f"stream '{self.name}' has no joints"
        return (
            self.map.rates(names, velocities) if self.velocities and len(velocities) else {},
            self.map.signed(names, efforts) if self.efforts and len(efforts) else {},
        )

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
        values: of all its streams, or of several messages of one, as `StreamReader` gives them.

    Returns:
        `values`, and, where all of their joints are in it: `arm.joints` (n,) rad, and the tool's own field, such as
        `hand.joints` (n,) rad or `gripper.width` (1,) m.
    """
    result = dict(values)
    for vector in description.vectors:
        if (vector.of_arm or vector.field not in values) and all(joint in values for joint in vector.joints):
            joined = np.concatenate([values[joint] for joint in vector.joints], axis=-1)
            result[vector.field] = joined if vector.of_arm else vector.scale * joined + vector.offset
    return result


def motion(
    description: RobotDescription, velocities: Mapping[str, np.ndarray], efforts: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Velocities and efforts of joints as vectors of an observation.

    Args:
        description: of the robot.
        velocities, efforts: of one stream, as `StreamReader.read_motion` gives them.

    Returns:
        Where all of their joints are there: `arm.velocities` (n,) rad/s and `arm.efforts` (n,) N*m, and those of the
        tool under the name of its group, such as `gripper.velocities` (1,) m/s: its speed is that of its command.
    """
    result = {}
    for limb in description.limbs:
        joints = [limb.element(joint) for joint in limb.arm.joints]
        tool, command = [limb.element(joint) for joint in limb.tool.joints], limb.tool.command
        for word, values, scale in (("velocities", velocities, command.scale), ("efforts", efforts, 1.0)):
            if values and all(joint in values for joint in joints):
                result[limb.field(f"arm.{word}")] = np.concatenate([values[joint] for joint in joints])
            name = limb.field(f"{limb.tool.group}.{word}")
            if limb.field(command.name) in values:
                result[name] = values[limb.field(command.name)]
            elif values and all(joint in values for joint in tool):
                result[name] = scale * np.concatenate([values[joint] for joint in tool])
    return result


def stream_readers(contract: Contract, spec: ObservationSpec | None = None) -> dict[str, StreamReader]:
    """A reader per stream of a contract: stream -> reader.

    Args:
        contract: checked against its description.
        spec: velocities and efforts are read where it asks for them; None reads none.
    """
    names = spec.names if spec is not None else ()
    velocities, efforts = (any(name.endswith(f".{word}") for name in names) for word in ("velocities", "efforts"))
    return {name: StreamReader(contract, name, velocities=velocities, efforts=efforts) for name in contract.state}
