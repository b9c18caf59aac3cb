"""Numbers read from bytes are those that rclpy reads, whatever the messages before them were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

import real.ros.wire.unpacking
from real.ros.messages import doubles, header_of, joint_state_message, pose_message
from real.ros.reading import Refusal
from real.ros.wire.packed import PackedJoints, PackedPose

pytestmark = pytest.mark.together

STAMPS = st.integers(0, 2**31 * 10**9 - 1)
NUMBERS = st.floats(allow_nan=True, width=64)
TEXTS = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF), max_size=9)
JOINTS = st.lists(st.tuples(TEXTS, NUMBERS, NUMBERS), max_size=6)
LEFT_OUT = st.sampled_from(["nothing", "position", "a position", "velocity", "effort", "an effort"])


@given(st.lists(st.tuples(STAMPS, TEXTS, JOINTS, LEFT_OUT), min_size=1, max_size=5))
def test_joints_are_read_as_rclpy_reads_them(said: list) -> None:
    reader = PackedJoints()
    for stamp_ns, frame, joints, left_out in [each for each in said for _ in range(2)]:
        names, places = [name for name, _, _ in joints], np.array([place for _, place, _ in joints])
        forces = np.array([force for _, _, force in joints])
        message = joint_state_message(
            names,
            places,
            stamp_ns,
            frame_id=frame,
            velocity=None if left_out == "velocity" else places,
            effort=None if left_out == "effort" else forces,
        )
        if "position" in left_out:
            message.position = doubles(places[1:] if left_out == "a position" else places[:0])
        if left_out == "an effort":
            message.effort = doubles(forces[1:])
        names_read, found, pressed, stamp_read = reader.read(serialize_message(message))
        assert (names_read, stamp_read) == (tuple(names), stamp_ns)
        assert found.tobytes() == (b"" if "position" in left_out else places.tobytes())
        assert pressed.tobytes() == (b"" if "effort" in left_out else forces.tobytes())


@given(st.lists(st.tuples(STAMPS, TEXTS, st.lists(NUMBERS, min_size=7, max_size=7)), min_size=1, max_size=5))
def test_poses_are_read_as_rclpy_reads_them(said: list) -> None:
    reader = PackedPose()
    for stamp_ns, frame, numbers in [each for each in said for _ in range(2)]:
        pose = np.array(numbers)
        position, quat, stamp_read = reader.read(serialize_message(pose_message(pose[:3], pose[3:], stamp_ns, frame)))
        assert stamp_read == stamp_ns
        assert position.tobytes() + quat.tobytes() == pose.tobytes()


def test_rclpy_is_asked_once_for_a_driver_that_keeps_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    deserialize = real.ros.wire.unpacking.deserialize_message
    monkeypatch.setattr(
        real.ros.wire.unpacking,
        "deserialize_message",
        lambda packed, kind: (asked.append(packed), deserialize(packed, kind))[1],
    )
    joints, pose = PackedJoints(), PackedPose()
    for turn in range(10):
        names, found, _, _ = joints.read(
            serialize_message(joint_state_message(["a", "elbow_joint"], np.array([1.0, turn]), turn))
        )
        assert names == ("a", "elbow_joint") and found.tolist() == [1.0, turn]
        place, _, _ = pose.read(serialize_message(pose_message(np.full(3, turn), np.ones(4), turn, "base")))
        assert place.tolist() == [turn] * 3
    assert len(asked) == 2


def test_what_a_sender_leaves_between_names_is_nothing_to_ask_rclpy_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    deserialize = real.ros.wire.unpacking.deserialize_message
    monkeypatch.setattr(
        real.ros.wire.unpacking,
        "deserialize_message",
        lambda packed, kind: (asked.append(packed), deserialize(packed, kind))[1],
    )
    reader = PackedJoints()
    for turn in range(10):
        packed = bytearray(serialize_message(joint_state_message(["ab", "c"], np.array([1.0, turn]), turn)))
        packed[31] = 77  # behind the first name, where nothing is meant
        names, found, _, _ = reader.read(bytes(packed))
        assert names == ("ab", "c") and found.tolist() == [1.0, turn]
    assert len(asked) == 1


def test_a_message_that_was_cut_off_is_no_message() -> None:
    reader = PackedJoints()
    whole = serialize_message(joint_state_message(["a", "b"], np.array([1.0, 2.0]), 5))
    reader.read(whole)
    empty = serialize_message(JointState(header=header_of(5), name=["a", "b"]))
    assert len(reader.read(empty)[1]) == 0
    ends = [end for end in range(len(whole)) if not isinstance(PackedJoints().read(whole[:end]), Refusal)]
    assert len(ends) <= 16  # bytes that rclpy leaves behind a message
    assert [end for end in range(len(whole)) if not isinstance(reader.read(whole[:end]), Refusal)] == ends
