"""Commands of sinks and streams of state as messages: which type each has, and how it is filled and read.

What the numbers mean was settled before: `robot.control.sinks` and `robot.control.observation` apply the contract's
maps.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, TypeAlias

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, WrenchStamped
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from real.ros import qos
from real.ros.chunks import trajectory_message
from real.ros.guarded import Guarded
from real.ros.messages import (
    compressed_array,
    doubles,
    encoded_image,
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
    wrench_values,
    write_pose,
)
from real.ros.wire.cdr import ReadingLimits
from robot.contract.contract import Contract, Stream
from robot.control.observation.encoded import EncodedImage
from robot.control.observation.streams import StreamReader, gathered, motion
from robot.control.sinks import SinkCommand
from robot.description.loading import RobotDescription

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
StateMessage: TypeAlias = (
    JointState | PoseStamped | WrenchStamped | Float64MultiArray | Image | CompressedImage | DiagnosticArray
)

_STATE_TYPES = {
    "joint_state": JointState,
    "values": JointState,
    "pose": PoseStamped,
    "wrench": WrenchStamped,
    "vector": Float64MultiArray,
    "driver_state": DiagnosticArray,
}
# Fast sensors are no flood: the sizes of single messages are limited, not their sum.
_LIMITS = {"wrench": ReadingLimits(1 << 16, 64), "vector": ReadingLimits(1 << 20, 64)}


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
    if stream.is_camera:
        return CompressedImage if stream.compressed else Image
    return _STATE_TYPES[stream.type]


def subscribe(node: Guarded, stream: Stream, callback: Callable[[Any], Any], profile: QoSProfile | None = None) -> Any:
    """Subscribe to a stream.

    Args:
        node: whose subscription it is.
        stream: of a contract.
        callback: called with each message.
        profile: None takes the newest: `qos.IMAGE` of a camera, else `qos.STATE`.
    """
    if profile is None:
        profile = qos.IMAGE if stream.is_camera else qos.STATE
    return node.create_subscription(
        state_type(stream), stream.topic, callback, profile, limits=_LIMITS.get(stream.type)
    )


def read_stream(
    contract: Contract,
    description: RobotDescription,
    readers: Mapping[str, StreamReader],
    name: str,
    message: StateMessage,
    *,
    decode: bool = True,
    received_ns: int = 0,
) -> tuple[dict[str, Any], int]:
    """The keys of an observation in a message of a stream: the one way for policy, recorder and programs.

    Args:
        contract, description: of the robot.
        readers: of the contract, from `stream_readers`.
        name: of the stream.
        message: of its type.
        decode: whether images become pixels. Otherwise those that came encoded as the contract stores them
            (`Stream.stored_as`) stay so: a JPEG of a camera `as_it_came`, a PNG of one `png`.
        received_ns: of the node's clock; the moment of a vector, where its sender gives none.

    Returns:
        key -> array, or `EncodedImage`; what the message lacks is left out. And its stamp, ns, with the latency of
        the stream still in it.

    Raises:
        InputError: an image that cannot be read.
    """
    stream, reader = contract.state[name], readers[name]
    if isinstance(message, (Image, CompressedImage)):
        image = None if decode else _undecoded(stream, message)
        return {f"{name}.{stream.type}": read_image(message) if image is None else image}, stamp_ns_of(message)
    if isinstance(message, Float64MultiArray):
        values, stamp_ns, _ = vector_of(message)
        return {name: values}, received_ns if stamp_ns is None else stamp_ns
    if isinstance(message, WrenchStamped):
        return {f"{stream.field}.wrench": wrench_values(message)}, stamp_ns_of(message)
    found = gathered(description, read_state(reader, message))
    if stream.type == "joint_state" and (reader.velocities or reader.efforts):
        names, _, velocities, efforts = joint_state_values(message)
        found |= motion(description, *reader.read_motion(names, velocities, efforts))
    return found, stamp_ns_of(message)


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
    """When a message with a header was measured: its stamp, less a latency that the stamp does not include."""
    return time_of(message.header.stamp) - round(latency_s * 1e9)


def _undecoded(stream: Stream, message: Image | CompressedImage) -> EncodedImage | None:
    """An image that is stored as it came; None where it has to be decoded."""
    kind = {"as_it_came": "jpeg", "png": "png"}.get(stream.stored_as)
    return encoded_image(message, kind) if kind and isinstance(message, CompressedImage) else None


def _rows(rows: list[array]) -> np.ndarray:
    widths = {len(row) for row in rows}
    if len(widths) != 1 or widths == {0}:
        return np.empty((0, 0))
    return np.array([np.frombuffer(row, np.float64) for row in rows])
