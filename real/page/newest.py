"""The newest message of a topic, kept as bytes and unpacked when it is shown: most of two hundred a second are not."""

from __future__ import annotations

from typing import Any

from rclpy.serialization import deserialize_message

from real.ros.cdr import unreadable
from real.ros.guarded import LIMITS, SMALL
from real.ros.reading import Refusal


class Newest:
    """The newest message of one topic.

    Args:
        kind: type of its messages.
    """

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._limits = LIMITS.get(kind, SMALL)
        self._packed: bytes | None = None

    def put(self, packed: bytes) -> None:
        """Keep a message in the place of the one before."""
        self._packed = packed if len(packed) <= self._limits.size else None

    def take(self) -> Any | Refusal | None:
        """The message, once; a refusal where its bytes are none; None where no other came since the last call."""
        packed, self._packed = self._packed, None
        if packed is None:
            return None
        reason = unreadable(packed, self._kind, self._limits)
        if reason:
            return Refusal(reason)
        try:
            return deserialize_message(packed, self._kind)
        except Exception as error:
            return Refusal(f"{type(error).__name__}: {error}")
