"""The gate's commands to the drivers: one publisher per sink, which exists only while the gate is active."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher

from real.ros import qos
from real.ros.streams import COMMAND_TYPES, Message, command_message
from robot.contract.contract import Contract
from robot.control.goals import GoalTracker, goal_tracker
from robot.control.sinks import SinkCommand, SinkEncoder, publishes_in
from robot.description.loading import RobotDescription

GOALS_NS = 20_000_000  # between two looks at whether a goal is due, of which there are ten a second at most
EARLY = 0.4  # of a sink's period: how much before its moment a command may go, after a state that came late


class GatePublishers:
    """The sinks of a contract.

    Args:
        contract: of the robot.
        description: of the robot.
    """

    def __init__(self, contract: Contract, description: RobotDescription) -> None:
        self._contract, self._description = contract, description
        self._encoders = {name: SinkEncoder(contract, description, name) for name in contract.sinks}
        self._goals: dict[str, GoalTracker] = {}
        self._failed: dict[str, str] = {}
        self._publishers: dict[str, Publisher] = {}
        self._published: dict[str, SinkCommand] = {}
        self._due_ns: dict[str, int] = {}
        self._allowed: dict[str, bool] = {}
        self._messages: dict[str, Message] = {}

    def open(self, node: Node) -> None:
        """Become a publisher of the command topics; an idle one would block controllers that accept one publisher."""
        for name, sink in self._contract.sinks.items():
            self._publishers[name] = node.create_publisher(COMMAND_TYPES[sink.via], sink.topic, qos.COMMAND)
        self._published, self._due_ns, self._allowed = {}, {}, {}
        self._goals = {
            name: goal_tracker(self._contract, self._description, self._encoders[name])
            for name, sink in self._contract.sinks.items()
            if sink.takes_goals
        }

    def close(self, node: Node) -> None:
        """Leave the command topics."""
        for publisher in self._publishers.values():
            node.destroy_publisher(publisher)
        self._publishers, self._goals = {}, {}

    def others(self, node: Node) -> str:
        """A command topic that somebody else publishes on too; empty when there is none."""
        for name in self._publishers:
            topic = node.resolve_topic_name(self._contract.sinks[name].topic)
            if node.count_publishers(topic) > 1:
                return topic
        return ""

    def say(
        self,
        target: np.ndarray,
        velocity: np.ndarray,
        measured: np.ndarray,
        mode: str,
        moves: bool,
        monotonic_ns: int,
        due_ns: int,
        tag: str,
        every: bool = False,
    ) -> None:
        """Publish the target on each sink at the sink's rate; on a tool that takes goals, when a goal is due.

        Args:
            target: (dim,) of the contract's action.
            velocity: with which it is reached, one number per degree of freedom.
            measured: (dim,) newest, NaN where nothing is measured.
            mode: of the gate.
            moves: whether a tool may be set in motion.
            monotonic_ns: now.
            due_ns: the moment for which the target is, in the source's time.
            tag: row and chunk, for a twin.
            every: whether rates are ignored, as in lock-step.
        """
        for name, publisher in self._publishers.items():
            sink, encoder = self._contract.sinks[name], self._encoders[name]
            if not every and name in self._goals:
                allowed = moves and publishes_in(sink, mode)
                if monotonic_ns < self._due_ns.get(name, monotonic_ns) and allowed == self._allowed.get(name):
                    continue
                self._due_ns[name], self._allowed[name] = monotonic_ns + GOALS_NS, allowed
                if self._goals[name].step(encoder.part(target), encoder.part(measured), monotonic_ns, allowed):
                    self._publish(publisher, encoder.encode(target), due_ns, tag)
                continue
            if not publishes_in(sink, mode):
                continue
            period_ns = round(1e9 / sink.rate_hz)
            due = self._due_ns.get(name, monotonic_ns)
            if not every and monotonic_ns < due - EARLY * period_ns:
                continue
            self._due_ns[name] = max(due + period_ns, monotonic_ns)
            rates = velocity if len(velocity) == len(target) else None
            command = encoder.encode(target, rates)
            if encoder.differs(command, self._published.get(name)):
                self._publish(publisher, command, due_ns, tag)

    def goals(self) -> dict[str, str]:
        """The outcome of the newest goal of each tool that takes goals, for the status."""
        return {f"goal_{name}": tracker.line for name, tracker in self._goals.items() if tracker.line}

    def given_up(self) -> list[str]:
        """Goals that have failed and are not sent again, each once."""
        failed = {name: tracker.line for name, tracker in self._goals.items() if tracker.failed}
        news = [f"{name}: {line}" for name, line in failed.items() if name not in self._failed]
        self._failed = failed
        return news

    def _publish(self, publisher: Publisher, command: SinkCommand, due_ns: int, tag: str) -> None:
        name = command.sink
        self._published[name] = command
        self._messages[name] = command_message(command, due_ns, tag, self._messages.get(name))
        publisher.publish(self._messages[name])
