"""Who publishes on the topics that the gate subscribes to: each must have one publisher."""

from __future__ import annotations

from rclpy.node import Node

from robot.contract.contract import Contract
from robot.safety.gate.inputs import ALIVE, CHUNKS, ENABLE_HELD, TARGETS

SHOWN = 4  # nodes that are named


class PublisherWatch:
    """Looks at the graph of ROS.

    Args:
        node: of the gate.
        contract: of the robot; the topics of its state that the gate and the policy depend on have one publisher each.
    """

    def __init__(self, node: Node, contract: Contract) -> None:
        topics = {name: stream.topic for name, stream in contract.policy_streams.items()}
        topics |= {topic: topic for topic in (CHUNKS, TARGETS, ALIVE, ENABLE_HELD)}
        self._node = node
        self._topics = [(name, node.resolve_topic_name(topic)) for name, topic in topics.items()]
        self._crowds: dict[str, str] = {}
        self._next = 0

    def __len__(self) -> int:
        """Number of looks that cover every topic."""
        return len(self._topics)

    def look(self) -> dict[str, str]:
        """Look at the next topic: all at once would delay a tick.

        Returns:
            `GateInputs.crowds`: topics with more than one publisher, with their nodes in words.
        """
        name, topic = self._topics[self._next]
        self._next = (self._next + 1) % len(self._topics)
        crowds = {other: nodes for other, nodes in self._crowds.items() if other != name}
        if self._node.count_publishers(topic) > 1:
            crowds[name] = f"'{topic}': {self._publishers(topic)}"
        self._crowds = crowds
        return crowds

    def _publishers(self, topic: str) -> str:
        publishers = self._node.get_publishers_info_by_topic(topic)
        names = [f"{each.node_namespace.rstrip('/')}/{each.node_name}" for each in publishers]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return ", ".join(sorted(names)[:SHOWN]) + more
