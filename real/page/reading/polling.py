"""Topics that are looked at instead of listened to: the newest message of each, when something is shown.

A page shows fifteen pictures and poses per second of streams that come at up to two hundred. To be called back for each
of their messages took a third of a core; to take the newest, when it is needed, does not. How many came in between is
known from their numbers.
"""

from __future__ import annotations

import time
from typing import Any, Mapping, NamedTuple

from rclpy.node import Node
from rclpy.serialization import deserialize_message

from real.ros import qos
from real.ros.reading import Refusal
from real.ros.wire.cdr import unreadable
from real.ros.wire.unpacking import limits_of

SEQUENCE, RECEIVED = "publication_sequence_number", "received_timestamp"


class Taken(NamedTuple):
    """A message that was taken.

    Args:
        packed: its bytes.
        sequence: the publisher's number of it; None where the middleware has none.
        came_s: when it came, monotonic s.
    """

    packed: bytes
    sequence: int | None
    came_s: float


class Polled:
    """One topic.

    Args:
        node: that no executor spins: it would take the messages.
        kind: type of the messages.
        topic: its name.
    """

    def __init__(self, node: Node, kind: type, topic: str) -> None:
        self._node, self._kind, self.topic = node, kind, topic
        self._limits = limits_of(kind)
        self._subscription = node.create_subscription(kind, topic, lambda message: None, qos.IMAGE, raw=True)

    def close(self) -> None:
        """End the subscription."""
        self._node.destroy_subscription(self._subscription)

    def take(self) -> Taken | Refusal | None:
        """The newest message, as bytes that are one of its type; None where no other came since the last call."""
        with self._subscription.handle:
            taken: tuple[bytes, Mapping[str, Any]] | None = self._subscription.handle.take_message(self._kind, True)
        if taken is None:
            return None
        packed, facts = taken
        reason = unreadable(packed, self._kind, self._limits)
        if reason:
            return Refusal(reason)
        waited_s = (time.time_ns() - facts.get(RECEIVED, 0)) * 1e-9
        # A clock of the system that was set anew says nothing on it.
        came_s = time.monotonic() - (waited_s if 0 <= waited_s < 60 else 0.0)
        return Taken(packed, facts.get(SEQUENCE) or None, came_s)

    def unpacked(self, taken: Taken) -> Any | Refusal:
        """The message of the bytes."""
        try:
            return deserialize_message(taken.packed, self._kind)
        except Exception as error:
            return Refusal(f"{type(error).__name__}: {error}")
