"""A recorder's subscriptions: each with the quality of service that its publishers offer, found once they are there."""

from __future__ import annotations

from typing import Any, Callable

from rclpy.qos import QoSProfile

from real.ros import qos
from real.ros.guarded import Guarded

Callback = Callable[[bytes], Any]


class RecorderSubscriptions:
    """Subscribes to topics when they have publishers, so that nothing of a best-effort publisher is missed and nothing
    of a reliable one is lost.

    Args:
        node: whose they are.

    Attributes:
        other_types: topic -> the type of its messages, where nobody publishes the one that is wanted.
    """

    def __init__(self, node: Guarded) -> None:
        self._node = node
        self._wanted: dict[str, tuple[type, Callback, QoSProfile]] = {}
        self._made: dict[str, tuple[Any, QoSProfile]] = {}
        self.other_types: dict[str, str] = {}

    def want(self, kind: type, topic: str, callback: Callback, profile: QoSProfile) -> None:
        """Subscribe to a topic; its messages come as bytes.

        Args:
            kind: of its messages.
            topic: relative to the node.
            callback: called with each message.
            profile: at most: reliable only where all publishers are.
        """
        self._wanted[topic] = kind, callback, profile

    def look(self) -> None:
        """Subscribe to what has publishers now, anew where they offer something else than before."""
        for topic, (kind, callback, profile) in self._wanted.items():
            publishers = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(topic))
            self._note_types(topic, kind, {each.topic_type for each in publishers})
            if not publishers or topic in self.other_types:
                continue
            adapted = qos.adapted(profile, publishers)
            made = self._made.get(topic)
            if made is not None and made[1] == adapted:
                continue
            if made is not None:
                self._node.destroy_subscription(made[0])
            subscription = self._node.create_subscription(kind, topic, callback, adapted, raw=True)
            self._made[topic] = subscription, adapted

    def _note_types(self, topic: str, kind: type, types: set[str]) -> None:
        """Middleware connects nobody whose types differ, and says nothing."""
        name = f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}"
        self.other_types.pop(topic, None)
        if types and name not in types:
            self.other_types[topic] = f"{', '.join(sorted(types))}, {name} is expected"
