"""Messages from their bytes: checked against their type and its limits, and only then unpacked."""

from __future__ import annotations

from typing import Any, Mapping

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from real.ros.reading import Refusal
from real.ros.wire.cdr import ReadingLimits, unreadable

SMALL = ReadingLimits(1 << 16, 512)
LIMITS: Mapping[type, ReadingLimits] = {
    Image: ReadingLimits(64 << 20, 64),
    CompressedImage: ReadingLimits(64 << 20, 64),
    JointState: ReadingLimits(1 << 20, 8192),
    JointTrajectory: ReadingLimits(4 << 20, 4096),
}


def limits_of(kind: type) -> ReadingLimits:
    """How large a message of a type may be."""
    return LIMITS.get(kind, SMALL)


def unpacked(packed: bytes, kind: type, limits: ReadingLimits | None = None) -> Any | Refusal:
    """A message from its bytes, or why there is none. Never raises.

    Args:
        packed: as they came.
        kind: the message's type.
        limits: None takes those of the type.
    """
    reason = unreadable(packed, kind, limits or limits_of(kind))
    if reason:
        return Refusal(reason)
    try:
        return deserialize_message(packed, kind)
    except Exception as error:  # the middleware's own opinion of the bytes
        return Refusal(f"{type(error).__name__}: {error}")
