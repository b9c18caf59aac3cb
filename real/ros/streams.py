"""Commands of sinks and streams of state as messages: which type each has, and how it is filled and read.

What the numbers mean was settled before: `robot.control.sinks` and `robot.control.observation` apply the contract's
maps.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from real.ros.chunks import trajectory_message
from real.ros.messages import (
    compressed_array,
    doubles,
    image_array,
    joint_state_message,
    joint_state_values,
    pose_message,
    pose_values,
    stamp_of,
    time_of,
    values_of,
    vector_message,
    vector_of,
    write_pose,
)
from robot.contract.contract import CAMERA_TYPES, Stream
from robot.control.observation.streams import StreamReader
from robot.control.sinks import SinkCommand

COMMAND_TYPES = {
    "twin": Float64MultiArray,
    "forward": Float64MultiArray,
    "gripper": Float64MultiArray,
    "crisp_stiffness": Float64MultiArray,
    "jtc": JointTrajectory,
    "crisp_pose": PoseStamped,
    "crisp_joint": JointState,
    "jointstate": JointState,
}
Message: TypeAlias = Float64MultiArray | JointTrajectory | PoseStamped | JointState
StateMessage: TypeAlias = JointState | PoseStamped | Image | CompressedImage | DiagnosticArray

_STATE_TYPES = {"joint_state": JointState, "values": JointState, "pose": PoseStamped, "driver_state": DiagnosticArray}


def command_message(command: SinkCommand, due_ns: int, tag: str = "", into: Message | None = None) -> Message:
    """A sink's command as its controller's message.

    Args:
        command: of `SinkEncoder.encode`.
        due_ns: the moment for which the target is, in the source's time. It is the stamp of stamped messages; unstamped
            ones mean "now". A trajectory whose moment is 0 means "now" too.
        tag: of the exact sink of a twin: which row of which chunk this is.
        into: the sink's last message, to be written anew: to make one takes as long as to send it.
    """
    if isinstance(into, PoseStamped):
        into.header.stamp = stamp_of(due_ns)
        write_pose(into, command.values[0, :3], command.values[0, 3:])
        return into
    if isinstance(into, JointTrajectory):  # a sink's points are as far apart every time
        assert command.velocities is not None
        into.header.stamp = stamp_of(due_ns)
        for point, row, rates in zip(into.points, command.values, command.velocities):
            point.positions, point.velocities = doubles(row), doubles(rates)
        return into
    if command.via == "twin":
        return vector_message(command.values[0], due_ns, tag)
    kind = COMMAND_TYPES[command.via]
    if kind is Float64MultiArray:
        return vector_message(command.values[0])
    if kind is PoseStamped:
        return pose_message(command.values[0, :3], command.values[0, 3:], due_ns, command.frame)
    if kind is JointState:
        return joint_state_message(command.names, command.values[0], due_ns, frame_id=command.frame)
    message = trajectory_message(command.values, command.names, due_ns, 0, command.frame, command.velocities)
    for point, time_s in zip(message.points, command.times_s):
        point.time_from_start.sec, point.time_from_start.nanosec = divmod(round(time_s * 1e9), 1_000_000_000)
    return message


@dataclass(frozen=True, eq=False)
class CommandReading:
    """A command message as a controller reads it; nothing is checked, because controllers differ in what they check.

    Args:
        values: (n,), or (points, n) of a trajectory, (0, 0) where its points have different lengths. Of a pose,
            position (3) m and quaternion (4) xyzw.
        names: of the joints, where the message has them.
        velocities: (points, n); empty where the message has none.
        stamp_ns: 0 where there is none.
        times_ns: (points,) after the stamp.
        frame: of the header.
        tag: of the exact sink of a twin.
    """

    values: np.ndarray
    names: tuple[str, ...] = ()
    velocities: np.ndarray = field(default_factory=lambda: np.empty(0))
    stamp_ns: int = 0
    times_ns: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    frame: str = ""
    tag: str = ""


def read_command(message: Message) -> CommandReading:
    """Read a command as its controller would; the twin does."""
    if isinstance(message, Float64MultiArray):
        values, stamp_ns, tag = vector_of(message)
        return CommandReading(values, stamp_ns=stamp_ns or 0, tag=tag)
    stamp_ns, frame = time_of(message.header.stamp), message.header.frame_id
    if isinstance(message, PoseStamped):
        return CommandReading(np.concatenate(pose_values(message)), stamp_ns=stamp_ns, frame=frame)
    if isinstance(message, JointState):
        position = np.frombuffer(message.position, np.float64) if len(message.position) else np.empty(0)
        return CommandReading(position, tuple(message.name), stamp_ns=stamp_ns, frame=frame)
    times = np.array([time_of(point.time_from_start) for point in message.points], dtype=np.int64)
    values = _rows([point.positions for point in message.points])
    velocities = _rows([point.velocities for point in message.points])
    if velocities.shape != values.shape:
        velocities = np.empty(0)
    return CommandReading(values, tuple(message.joint_names), velocities, stamp_ns, times, frame)


def state_type(stream: Stream) -> type:
    """The message type of a stream."""
    if stream.type in CAMERA_TYPES:
        return CompressedImage if stream.compressed else Image
    return _STATE_TYPES[stream.type]


def read_state(reader: StreamReader, message: JointState | PoseStamped) -> dict[str, np.ndarray]:
    """Measured values under our names, each (k,) float64; what the message lacks is left out.

    Args:
        reader: of a stream of joints, a pose or values.
        message: of its type.
    """
    if isinstance(message, PoseStamped):
        return reader.read_pose(*pose_values(message))
    if reader.stream.type == "values":
        return values_of(message)
    names, position, _, _ = joint_state_values(message)
    return reader.read(names, position) if len(position) else {}


def read_image(message: Image | CompressedImage) -> np.ndarray:
    """uint8 RGB (height, width, 3), or uint16 depth (height, width) in mm."""
    return compressed_array(message) if isinstance(message, CompressedImage) else image_array(message)


def stamp_ns_of(message: StateMessage, latency_s: float = 0.0) -> int:
    """When a message was measured: its stamp, less a latency that the stamp does not include."""
    return time_of(message.header.stamp) - round(latency_s * 1e9)


def _rows(rows: list[array]) -> np.ndarray:
    widths = {len(row) for row in rows}
    if len(widths) != 1 or widths == {0}:
        return np.empty((0, 0))
    return np.array([np.frombuffer(row, np.float64) for row in rows])
