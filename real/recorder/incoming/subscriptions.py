"""A recorder's subscriptions: each with the quality of service that its publishers offer, found once they are there.

They are looked at instead of listened to. To be called back for each of 900 messages a second takes the executor more
time than to read them; to take what has come every 10 ms does not, and a queue holds more than comes in a second. What
comes fast is kept for a moment and handed over together: most of the reading is then done once for many.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping

from rclpy.node import Node
from rclpy.qos import QoSProfile

from real.recorder.incoming.arrivals import Arrivals
from real.ros import qos
from real.ros.guarded import Guarded

Callback = Callable[[Arrivals], Any]
MOST = 500  # messages of a topic that are taken at once: a flood does not keep others waiting
MOST_PUBLISHERS = 1000  # that are remembered
MOST_KEPT, MOST_BYTES = 1000, 4 << 20  # of a topic, before they are handed over


class RecorderSubscriptions:
    """Subscribes to topics when they have publishers, so that nothing of a best-effort publisher is missed and nothing
    of a reliable one is lost.

    Args:
        node: whose they are.
        now_ns: of the time of the stamps.

    Attributes:
        other_types: topic -> the type of its messages, where nobody publishes the one that is wanted.
    """

    def __init__(self, node: Guarded, now_ns: Callable[[], int]) -> None:
        self._node, self._now_ns = node, now_ns
        # Not spun: an executor would take the messages.
        self._unspun = Node(f"{node.get_name()}_reader", start_parameter_services=False, enable_rosout=False)
        self._wanted: dict[str, tuple[type, QoSProfile]] = {}
        self._called: dict[str, Callable[[Arrivals], None]] = {}
        self._kept: dict[str, Arrivals] = {}
        self._made: dict[str, tuple[Any, QoSProfile]] = {}
        self._numbers: dict[tuple[str, bytes], int] = {}  # topic and publisher -> of its newest message
        self.other_types: dict[str, str] = {}

    def want(self, kind: type, topic: str, callback: Callback, profile: QoSProfile, *, together: bool = False) -> None:
        """Subscribe to a topic; its messages come as bytes.

        Args:
            kind: of its messages.
            topic: relative to the node.
            callback: called with the messages that have come.
            profile: at most: reliable only where all publishers are.
            together: whether they are kept until `hand_over`.
        """
        self._wanted[topic] = kind, profile
        if together:
            self._kept[topic] = Arrivals()
        self._called[topic] = self._node.guarded(topic, callback)

    def look(self) -> None:
        """Subscribe to what has publishers now, anew where they offer something else than before."""
        for topic, (kind, profile) in self._wanted.items():
            publishers = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(topic))
            self._note_types(topic, kind, {each.topic_type for each in publishers})
            if not publishers or topic in self.other_types:
                continue
            adapted = qos.adapted(profile, publishers)
            made = self._made.get(topic)
            if made is not None and made[1] == adapted:
                continue
            if made is not None:
                self._unspun.destroy_subscription(made[0])
            self._numbers = {each: number for each, number in self._numbers.items() if each[0] != topic}
            subscription = self._unspun.create_subscription(kind, topic, lambda message: None, adapted, raw=True)
            self._made[topic] = subscription, adapted

    @property
    def complete(self) -> bool:
        """Whether all that is wanted has publishers, and is subscribed to."""
        return len(self._made) == len(self._wanted) and not self.other_types

    def poll(self) -> None:
        """Take all that has come, and call back for it, or keep it."""
        now_ns, now_s = self._now_ns(), time.monotonic()
        for topic, (subscription, _) in self._made.items():
            arrivals = self._kept.get(topic) or Arrivals()
            take, kind = subscription.handle.take_message, self._wanted[topic][0]
            with subscription.handle:
                for _ in range(MOST):
                    taken = take(kind, True)
                    if taken is None:
                        break
                    arrivals.add(taken[0], now_ns, now_s)
                    self._count_lost(topic, taken[1], arrivals)
            if topic not in self._kept:
                if arrivals:
                    self._called[topic](arrivals)
            elif len(arrivals) < MOST_KEPT and arrivals.size < MOST_BYTES:
                self._kept[topic] = arrivals
            else:
                self._kept[topic] = Arrivals()
                self._called[topic](arrivals)

    def hand_over(self) -> None:
        """Take what has come, and call back for all that was kept."""
        self.poll()
        for topic, arrivals in self._kept.items():
            if arrivals:
                self._kept[topic] = Arrivals()
                self._called[topic](arrivals)

    def close(self) -> None:
        """End the subscriptions."""
        self._unspun.destroy_node()

    def _count_lost(self, topic: str, info: Mapping[str, Any], arrivals: Arrivals) -> None:
        number, publisher = info["publication_sequence_number"], info["publisher_gid"]["data"]
        if number is not None:
            before = self._numbers.get((topic, publisher), number - 1)
            if len(self._numbers) > MOST_PUBLISHERS:
                self._numbers.clear()
            self._numbers[topic, publisher] = number
            arrivals.lost = (arrivals.lost or 0) + max(number - before - 1, 0)

    def _note_types(self, topic: str, kind: type, types: set[str]) -> None:
        """Middleware connects nobody whose types differ, and says nothing."""
        name = f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}"
        self.other_types.pop(topic, None)
        if types and name not in types:
            self.other_types[topic] = f"{', '.join(sorted(types))}, {name} is expected"
