"""Messages that are read together: each says what it says by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from real.ros.chunks import trajectory_message
from real.ros.messages import joint_state_message, time_of
from real.ros.wire.alike import AlikeReader
from real.ros.wire.unpacking import unpacked
from tests.real.test_repeated import STAMPS, Message, message_of

pytestmark = pytest.mark.together

KINDS = pytest.mark.parametrize("kind", [JointState, JointTrajectory])
FRAMES = st.text("ab|/0", min_size=3, max_size=3)
NAMES = ("a", "joint_b", "c")


def message(kind: type, stamp_ns: int, frame: str, seed: int) -> Message:
    draw = np.random.default_rng(seed)
    if kind is JointState:
        return joint_state_message(NAMES, draw.normal(size=3), stamp_ns, velocity=draw.normal(size=3))
    return trajectory_message(draw.normal(size=(2, 3)), NAMES, stamp_ns, 0, frame)


def said(one: Message) -> tuple[int, list[float], str]:
    if isinstance(one, JointState):
        return time_of(one.header.stamp), list(one.position), ""
    return time_of(one.header.stamp), [n for point in one.points for n in point.positions], one.header.frame_id


@KINDS
@given(st.lists(st.tuples(STAMPS, FRAMES, st.integers(0, 99)), min_size=1, max_size=8))
def test_many_messages_say_together_what_each_says(kind: type, drawn: list[tuple[int, str, int]]) -> None:
    messages = [message(kind, *each) for each in drawn]
    read, packed = AlikeReader(kind), [serialize_message(each) for each in messages]
    assert read(packed) is None  # it has not learnt yet what they are like
    read.learn(packed[0], messages[0])
    found = read(packed)
    assert found is not None and found.names == NAMES
    frames = found.frames or [""] * len(messages)
    together = list(zip(found.stamps_ns.tolist(), found.numbers.tolist(), frames))
    assert together == [said(each) for each in messages]


@KINDS
@given(st.integers(0, 2**32 - 1), st.data())
def test_what_is_read_together_is_what_rclpy_reads_or_nothing(kind: type, seed: int, data: st.DataObject) -> None:
    sound = message_of(kind, seed, 5, "base")
    packed, read = serialize_message(sound), AlikeReader(kind)
    read.learn(packed, sound)
    damaged = bytearray(packed)
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(len(damaged) - 3, len(damaged)))])
    found = read([packed, cut, packed])
    if found is None:
        return
    expected = [said(unpacked(each, kind)) for each in (packed, cut, packed)]
    numbers = [np.array(values) for _, values, _ in expected]
    np.testing.assert_array_equal(found.numbers, np.stack(numbers))
    assert found.stamps_ns.tolist() == [stamp for stamp, _, _ in expected]
    assert list(found.frames) in ([], [frame for _, _, frame in expected])


@KINDS
@pytest.mark.parametrize("byte", [0x00, 0xA5])
def test_what_a_writer_leaves_between_numbers_makes_no_difference(kind: type, byte: int) -> None:
    first = message(kind, 5, "abc", 1)
    packed, read = serialize_message(first), AlikeReader(kind)
    read.learn(packed, first)
    gaps = 0
    for place in range(4, len(packed)):
        other = bytearray(packed)
        other[place] = byte if byte != packed[place] else byte ^ 0xFF
        if unpacked(bytes(other), kind) == first:
            gaps += 1
            alike = read([packed, bytes(other)])
            assert alike is not None and (alike.numbers[0] == alike.numbers[1]).all(), f"byte {place}"
    assert gaps, "names of such lengths leave some"


@KINDS
def test_a_message_of_other_names_or_another_size_is_not_alike(kind: type) -> None:
    first = message(kind, 5, "abc", 1)
    packed, read = serialize_message(first), AlikeReader(kind)
    read.learn(packed, first)
    renamed, longer = (message(kind, 5, "abc", 1) for _ in range(2))
    names = ["a", "joint_x", "c"]
    if isinstance(renamed, JointState) and isinstance(longer, JointState):
        renamed.name, longer.effort = names, [1.0] * 3
    else:
        renamed.joint_names, longer.points = names, [*longer.points, longer.points[0]]  # type: ignore[union-attr]
    for other in (renamed, longer):
        assert read([packed, serialize_message(other)]) is None
    assert read([packed]) is not None


def test_a_trajectory_with_velocities_is_read_by_itself() -> None:
    moving = trajectory_message(np.ones((2, 3)), NAMES, 5, 0, "abc", np.ones((2, 3)))
    read = AlikeReader(JointTrajectory)
    read.learn(serialize_message(moving), moving)
    assert read([serialize_message(moving)]) is None
