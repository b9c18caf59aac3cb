"""The one place where arrays become ROS messages and messages become arrays; standard packages only.

Nothing here is slow: sequences are filled through `array.array`, which rclpy takes as it is (an image in 0.05 ms, where
an ndarray costs 51 ms), and are read as views. A view shares its memory with the message. Stamps are integers in
nanoseconds; quaternions are xyzw, as everywhere in ROS; every number has its name.
"""

from __future__ import annotations

from array import array
from typing import Mapping, Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import PoseStamped, WrenchStamped
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64MultiArray, Header, MultiArrayDimension, MultiArrayLayout, String

from data.store.images.headers import encoded_header
from data.store.images.pixels import (
    decoded,
    decoded_depth,
    depth_png,
    is_compressed_depth,
    is_quantised,
    pixels,
)
from real.ros.reading import integer
from robot.control.observation.encoded import EncodedImage
from robot.errors import InputError

FIRST_NS, LAST_NS = -(2**31) * 1_000_000_000, 2**31 * 1_000_000_000 - 1  # seconds of a stamp are an int32


def stamp_of(time_ns: int) -> Time:
    """Nanoseconds as a stamp; beyond the range of a stamp, the nearest one."""
    seconds, rest = divmod(min(max(int(time_ns), FIRST_NS), LAST_NS), 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)


def time_of(stamp: Time | Duration) -> int:
    """A stamp or a duration in nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def duration_of(duration_ns: int) -> Duration:
    """Nanoseconds as a duration; beyond the range of one, the nearest one."""
    seconds, rest = divmod(min(max(int(duration_ns), FIRST_NS), LAST_NS), 1_000_000_000)
    return Duration(sec=seconds, nanosec=rest)


def header_of(time_ns: int, frame_id: str = "") -> Header:
    return Header(stamp=stamp_of(time_ns), frame_id=frame_id)


def doubles(values: np.ndarray) -> array:
    """float64 for a message's sequence."""
    numbers = array("d")
    numbers.frombytes(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return numbers


def string_message(text: str) -> String:
    return String(data=text)


# Images


def image_message(image: np.ndarray, stamp_ns: int, frame_id: str = "") -> Image:
    """An image as a message.

    Args:
        image: (height, width, 3) uint8 RGB, (height, width) uint8 grey or (height, width) uint16 depth in mm.
        stamp_ns: when it was taken.
        frame_id: the camera's optical frame.
    """
    kinds = {("uint8", 3): "rgb8", ("uint8", 2): "mono8", ("uint16", 2): "16UC1"}
    encoding = kinds.get((image.dtype.name, image.ndim))
    if encoding is None or (image.ndim == 3 and image.shape[2] != 3):
        raise InputError(
            "image",
            expected="uint8 RGB (height, width, 3), uint8 grey or uint16 depth (height, width)",
            got=f"{image.dtype} {image.shape}",
        )
    data = array("B")
    data.frombytes(np.ascontiguousarray(image).tobytes())
    return Image(
        header=header_of(stamp_ns, frame_id),
        height=image.shape[0],
        width=image.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=image.strides[0] if image.flags.c_contiguous else image.itemsize * int(np.prod(image.shape[1:])),
        data=data,
    )


def image_array(message: Image) -> np.ndarray:
    """The pixels of a message, as `data.store.images.pixels.pixels` gives them: a view on it where that is possible.

    Raises:
        InputError: an encoding that is not known, or fewer bytes than the size says.
    """
    return pixels(
        message.data, message.encoding, message.height, message.width, int(message.step), bool(message.is_bigendian)
    )


def encoded_image(message: CompressedImage, kind: str) -> EncodedImage | None:
    """The JPEG or PNG of a message as it is, without the padding of its camera; nothing is decoded.

    Args:
        message: of the camera, or of the transport of depth.
        kind: `jpeg`, or `png`, which keeps what it gives exactly: colour of 8 bits, grey or depth in mm.

    Returns:
        None where it is of another kind, or has to be turned into what it means first.

    Raises:
        InputError: it is no image, is damaged, or has too many pixels.
    """
    data = bytes(message.data)
    if is_compressed_depth(message.format):
        if is_quantised(message.format):
            return None
        data = depth_png(data, message.format)
    header = encoded_header(data)
    if header.kind != kind or not header.plain:
        return None
    return EncodedImage(data[: header.end], header.shape, header.dtype)


def compressed_array(message: CompressedImage) -> np.ndarray:
    """The pixels of a JPEG, a PNG or a compressed depth, as `image_array` gives them.

    Raises:
        InputError: it is none, is damaged, or has too many pixels.
    """
    data = bytes(message.data)
    return decoded_depth(data, message.format) if is_compressed_depth(message.format) else decoded(data)


# Named numbers


def joint_state_message(
    names: Sequence[str],
    position: np.ndarray,
    stamp_ns: int,
    *,
    velocity: np.ndarray | None = None,
    effort: np.ndarray | None = None,
    frame_id: str = "",
) -> JointState:
    """Joints by name; rad and N*m, or m and N."""
    return JointState(
        header=header_of(stamp_ns, frame_id),
        name=list(names),
        position=doubles(position),
        velocity=doubles(velocity) if velocity is not None else array("d"),
        effort=doubles(effort) if effort is not None else array("d"),
    )


def joint_state_values(message: JointState) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Names, position, velocity and effort. What the sender left out, or gave in another number, is empty."""
    parts = [
        np.frombuffer(part, np.float64) if len(part) else np.empty(0)
        for part in (message.position, message.velocity, message.effort)
    ]
    count = len(message.name)
    position, velocity, effort = (part if len(part) == count else np.empty(0) for part in parts)
    return tuple(message.name), position, velocity, effort


def values_message(values: Mapping[str, np.ndarray], stamp_ns: int) -> JointState:
    """Named vectors as a `JointState`, which has what they need: a stamp, names and float64. `tcp.position` of three
    numbers becomes `tcp.position.0` to `.2`; numbers alone keep their name.
    """
    names: list[str] = []
    for name, value in values.items():
        size = np.size(value)
        names += [name] if size == 1 else [f"{name}.{index}" for index in range(size)]
    flat = np.concatenate([np.ravel(value) for value in values.values()]) if values else np.empty(0)
    return joint_state_message(names, flat, stamp_ns)


def values_of(message: JointState) -> dict[str, np.ndarray]:
    """The vectors of a `values_message`, float64 (k,), single numbers as (1,). Their elements are put in the order of
    their indices; a vector that lacks one is left out.
    """
    names, position, _, _ = joint_state_values(message)
    parts: dict[str, dict[int, float]] = {}
    for name, value in zip(names, position):
        stem, _, last = name.rpartition(".")
        slot = integer(last, low=0) if stem else None
        if slot is not None:
            parts.setdefault(stem, {})[slot] = value
        else:
            parts[name] = {0: value}
    return {
        name: np.array([part[index] for index in range(len(part))])
        for name, part in parts.items()
        if sorted(part) == list(range(len(part)))
    }


def epoch_frame(epoch: int) -> str:
    """`frame_id` of a twin's message without a frame: the number of the reset since which it holds."""
    return f"epoch {epoch}"


def epoch_of(frame_id: str) -> int | None:
    """The epoch in a `frame_id`; None where it has none, as on a robot."""
    word, _, number = frame_id.partition(" ")
    return integer(number, low=0) if word == "epoch" else None


def pose_message(position: np.ndarray, quat_xyzw: np.ndarray, stamp_ns: int, frame_id: str) -> PoseStamped:
    """A pose in m, of the tool in `frame_id`."""
    message = PoseStamped(header=header_of(stamp_ns, frame_id))
    write_pose(message, position, quat_xyzw)
    return message


def write_pose(message: PoseStamped, position: np.ndarray, quat_xyzw: np.ndarray) -> None:
    """Put a pose in m into a message that is there."""
    point, quaternion = message.pose.position, message.pose.orientation
    point.x, point.y, point.z = np.asarray(position, np.float64).tolist()
    quaternion.x, quaternion.y, quaternion.z, quaternion.w = np.asarray(quat_xyzw, np.float64).tolist()


def pose_values(message: PoseStamped) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) in m and quaternion (4,) xyzw."""
    point, quaternion = message.pose.position, message.pose.orientation
    return np.array([point.x, point.y, point.z]), np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w])


def wrench_values(message: WrenchStamped) -> np.ndarray:
    """Force (3) in N and torque (3) in N*m, (6,), in the frame of the message."""
    force, torque = message.wrench.force, message.wrench.torque
    return np.array([force.x, force.y, force.z, torque.x, torque.y, torque.z])


def wrench_message(wrench: np.ndarray, stamp_ns: int, frame_id: str) -> WrenchStamped:
    """Force (3) in N and torque (3) in N*m, in `frame_id`."""
    message = WrenchStamped(header=header_of(stamp_ns, frame_id))
    force, torque = message.wrench.force, message.wrench.torque
    force.x, force.y, force.z, torque.x, torque.y, torque.z = np.asarray(wrench, np.float64).tolist()
    return message


def vector_message(values: np.ndarray, stamp_ns: int | None = None, tag: str = "") -> Float64MultiArray:
    """Numbers in an agreed order. `Float64MultiArray` has no header, so a stamp and a tag are in the label of its one
    dimension, where controllers do not look; None leaves the layout empty, as most of them are used to.
    """
    message = Float64MultiArray(data=doubles(values))
    if stamp_ns is not None:
        label = f"{int(stamp_ns)} {tag}".rstrip()
        message.layout = MultiArrayLayout(dim=[MultiArrayDimension(label=label, size=len(values), stride=len(values))])
    return message


def vector_of(message: Float64MultiArray) -> tuple[np.ndarray, int | None, str]:
    """Numbers, their stamp in ns and their tag; None and empty where the sender gave none."""
    values = np.frombuffer(message.data, np.float64) if len(message.data) else np.empty(0)
    label = message.layout.dim[0].label if message.layout.dim else ""
    text, _, tag = label.partition(" ")
    stamp_ns = integer(text)
    return (values, stamp_ns, tag) if stamp_ns is not None else (values, None, "")
