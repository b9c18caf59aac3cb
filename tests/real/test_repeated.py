"""Messages that are like the one before: read as rclpy reads them, and refused where it refuses them."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from real.ros.chunks import trajectory_message
from real.ros.messages import header_of, image_message, joint_state_message, pose_message
from real.ros.reading import Refusal
from real.ros.wire.repeated import Unpacker
from real.ros.wire.unpacking import unpacked

pytestmark = pytest.mark.together

Message = JointState | PoseStamped | JointTrajectory | Image | CompressedImage
FRAMES = st.text("abcdefghij/|0123 é", max_size=9)
STAMPS = st.integers(0, 2**31 * 10**9 - 1)
SEEDS = st.integers(0, 2**32 - 1)


def message_of(kind: type, seed: int, stamp_ns: int, frame: str) -> Message:
    """A message of a kind: its size, names and numbers follow from the seed."""
    draw = np.random.default_rng(seed)
    rows, dim = int(draw.integers(1, 4)), int(draw.integers(1, 9))
    names = [f"joint{'x' * int(draw.integers(0, 4))}_{index}" for index in range(dim)]
    if kind is JointState:
        more = {name: draw.normal(size=dim) for name in ("velocity", "effort") if draw.random() < 0.5}
        return joint_state_message(names, draw.normal(size=dim), stamp_ns, frame_id=frame, **more)
    if kind is PoseStamped:
        return pose_message(draw.normal(size=3), draw.normal(size=4), stamp_ns, frame)
    if kind is JointTrajectory:
        speeds = draw.normal(size=(rows, dim)) if draw.random() < 0.3 else None
        return trajectory_message(draw.normal(size=(rows, dim)), names, stamp_ns, 50_000_000, frame, speeds)
    if kind is Image:
        return image_message(draw.integers(0, 255, (rows, dim, 3), dtype=np.uint8), stamp_ns, frame)
    data = array("B", draw.integers(0, 255, dim, dtype=np.uint8).tobytes())
    return CompressedImage(header=header_of(stamp_ns, frame), format="jpeg"[:rows], data=data)


KINDS = pytest.mark.parametrize("kind", [JointState, PoseStamped, JointTrajectory, Image, CompressedImage])


@KINDS
@given(st.lists(st.tuples(st.sampled_from(range(3)), STAMPS, FRAMES), min_size=1, max_size=6))
def test_every_message_is_read_as_by_rclpy(kind: type, messages: list[tuple[int, int, str]]) -> None:
    read = Unpacker(kind)
    for seed, stamp_ns, frame in messages:
        message = message_of(kind, seed, stamp_ns, frame)
        assert read(serialize_message(message)) == message


@KINDS
@given(SEEDS, st.data())
def test_damaged_bytes_are_read_as_before_or_refused(kind: type, seed: int, data: st.DataObject) -> None:
    read = Unpacker(kind)
    sound = serialize_message(message_of(kind, seed, 5, "base"))
    read(sound)
    damaged = bytearray(sound[: data.draw(st.integers(0, len(sound)))])
    for place in data.draw(st.lists(st.integers(0, max(len(damaged) - 1, 0)), max_size=4)):
        if damaged:
            damaged[place] = data.draw(st.integers(0, 255))
    found, expected = read(bytes(damaged)), unpacked(bytes(damaged), kind)
    assert isinstance(found, Refusal) == isinstance(expected, Refusal)
    if not isinstance(expected, Refusal):
        assert serialize_message(found) == serialize_message(expected)
    assert read(sound) == unpacked(sound, kind)


def test_a_message_is_read_into_the_object_of_the_one_before() -> None:
    read = Unpacker(JointState)
    first, second = (read(serialize_message(message_of(JointState, 1, stamp, "base"))) for stamp in (1, 2))
    assert first is second and second.header.stamp.nanosec == 2
