"""Numbers of states straight from their bytes: a driver's names and frames are the same in every message.

The first message of its kind is read by rclpy, and so is every one in which anything but stamp and numbers has changed;
of the others only the numbers are looked at. The layout is that of classic CDR (OMG DDS-RTPS 10.2): after four bytes
that name it, each number is at a multiple of its size, strings and lists begin with their length in four bytes.
Bytes that are no message are a `Refusal`, with its reason.
"""

from __future__ import annotations

import struct
from typing import Sequence

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState

from real.ros.messages import joint_state_values, pose_values, time_of
from real.ros.reading import Refusal
from real.ros.wire.cdr import BEGIN, Cursor, Malformed, ReadingLimits
from real.ros.wire.unpacking import unpacked

LITTLE_ENDIAN = b"\x00\x01"
FRAME = 12  # of the frame's length, behind the stamp
TEXT = 16  # of the frame itself
HEADER = struct.Struct("<iII")  # seconds, nanoseconds, bytes of the frame
STATE_LIMITS = ReadingLimits(1 << 16, 1024)
NANOSECONDS = 1_000_000_000
POSE = 7
NOTHING = np.empty(0)


class PackedJoints:
    """Reads the `JointState` messages of one topic."""

    def __init__(self) -> None:
        self._same = b""
        self._names: tuple[str, ...] = ()

    def read(self, packed: bytes) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, int] | Refusal:
        """Names, positions (n,), efforts (n,) and stamp in ns; lists of another length than the names are empty."""
        end = FRAME + len(self._same)
        if self._same and packed[FRAME:end] == self._same and packed[:2] == LITTLE_ENDIAN:
            lists = _lists(packed, end, 3)
            if lists:
                position, _, effort = (numbers if len(numbers) == len(self._names) else NOTHING for numbers in lists)
                return self._names, position, effort, _stamp_ns(packed)
        message = unpacked(packed, JointState, STATE_LIMITS)
        if isinstance(message, Refusal):
            return message
        names, position, _, effort = joint_state_values(message)
        self._learn(packed, names)
        return names, position, effort, time_of(message.header.stamp)

    def _learn(self, packed: bytes, names: Sequence[str]) -> None:
        """Keep the bytes from the frame to the last name, with the padding that the sender has left between them: a
        driver that fills one buffer again and again leaves the same.
        """
        cursor = Cursor(packed)
        cursor.skip(4, 2)
        cursor.string()
        for _ in range(cursor.length(4)):
            cursor.string()
        self._same = packed[FRAME : cursor.place] if names else b""
        self._names = tuple(names)


class PackedPose:
    """Reads the `PoseStamped` messages of one topic."""

    def __init__(self) -> None:
        self._same = b""

    def read(self, packed: bytes) -> tuple[np.ndarray, np.ndarray, int] | Refusal:
        """Position (3,) in m, quaternion (4,) xyzw and stamp in ns."""
        end = FRAME + len(self._same)
        first = _aligned(end, 8)
        if (
            self._same
            and packed[FRAME:end] == self._same
            and packed[:2] == LITTLE_ENDIAN
            and len(packed) >= first + 8 * POSE
        ):
            numbers = np.frombuffer(packed, np.float64, POSE, first).copy()
            return numbers[:3], numbers[3:], _stamp_ns(packed)
        message = unpacked(packed, PoseStamped, STATE_LIMITS)
        if isinstance(message, Refusal):
            return message
        cursor = Cursor(packed)
        cursor.skip(4, 2)
        cursor.string()
        self._same = packed[FRAME : cursor.place]
        return *pose_values(message), time_of(message.header.stamp)


def read_header(packed: bytes) -> tuple[int, str] | Refusal:
    """Stamp in ns and frame of a message that begins with a header, without a look at the rest."""
    if packed[:2] == LITTLE_ENDIAN and len(packed) >= TEXT:
        seconds, nanoseconds, size = HEADER.unpack_from(packed, BEGIN)
        if TEXT + size <= len(packed) - (packed[3] & 3):
            text = packed[TEXT : TEXT + size].rstrip(b"\x00")
            return seconds * NANOSECONDS + nanoseconds, text.decode(errors="replace")
    try:
        cursor = Cursor(packed)
        cursor.skip(4, 2)
        size = cursor.string()
    except Malformed as error:
        return Refusal(str(error))
    order = "<iI" if packed[:2] == LITTLE_ENDIAN else ">iI"
    seconds, nanoseconds = struct.unpack_from(order, packed, BEGIN)
    text = packed[cursor.place - size : cursor.place].rstrip(b"\x00")
    return seconds * NANOSECONDS + nanoseconds, text.decode(errors="replace")


def read_data(packed: bytes, compressed: bool) -> memoryview | Refusal:
    """The pixels of an `Image`, or the bytes of a `CompressedImage`. What is between the numbers of a message is
    anything: of two equal pictures the messages need not be equal.
    """
    try:
        cursor = Cursor(packed)
        cursor.skip(4, 2)
        cursor.string()
        if not compressed:
            cursor.skip(4, 2)
        cursor.string()
        if not compressed:
            cursor.skip(1)
            cursor.skip(4)
        size = cursor.length(1)
    except Malformed as error:
        return Refusal(str(error))
    return memoryview(packed)[cursor.place : cursor.place + size]


def _lists(packed: bytes, place: int, count: int) -> list[np.ndarray]:
    """Lists of float64 that follow one another from a position on; none where the message ends before."""
    lists = []
    for _ in range(count):
        place = _aligned(place, 4)
        size = int.from_bytes(packed[place : place + 4], "little")
        first = _aligned(place + 4, 8) if size else place + 4
        if len(packed) < first + 8 * size:
            return []
        lists.append(np.frombuffer(packed, np.float64, size, first) if size else NOTHING)
        place = first + 8 * size
    return lists


def _aligned(place: int, size: int) -> int:
    """The next position for a number of some bytes; the content begins behind the four that name the layout."""
    return place + -(place - BEGIN) % size


def _stamp_ns(packed: bytes) -> int:
    seconds, nanoseconds = struct.unpack_from("<iI", packed, BEGIN)
    return int(seconds) * NANOSECONDS + int(nanoseconds)
