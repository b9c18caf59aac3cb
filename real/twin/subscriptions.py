"""Commands that the twin subscribes to, each as its controller would."""

from __future__ import annotations

import time
from functools import partial
from typing import Callable

from rclpy.node import Node

from real.ros import qos
from real.ros.streams import COMMAND_TYPES, Message, read_command
from robot.contract.contract import Contract
from sim.drivers import Command

COUNTED_FOR_NS = 50_000_000  # the graph is asked for publishers no more often than this


class TwinSubscriptions:
    """One subscription per sink of the contract.

    Args:
        node: whose they are.
        contract: that names them.
        receive: is called with the sink's name and the command, its stamp in ROS's time.
    """

    def __init__(self, node: Node, contract: Contract, receive: Callable[[str, Command], None]) -> None:
        self._node, self._receive = node, receive
        self._counts: dict[str, tuple[int, int]] = {}
        self._topics = {name: sink.topic for name, sink in contract.sinks.items()}
        for name, sink in contract.sinks.items():
            node.create_subscription(COMMAND_TYPES[sink.via], sink.topic, partial(self._take, name), qos.COMMAND)

    def _take(self, name: str, message: Message) -> None:
        read = read_command(message)
        self._receive(
            name,
            Command(
                read.values,
                read.names,
                read.velocities,
                read.stamp_ns,
                read.times_ns,
                read.frame,
                self._publishers(name),
            ),
        )

    def _publishers(self, name: str) -> int:
        now_ns = time.monotonic_ns()
        counted_ns, count = self._counts.get(name, (0, 0))
        if now_ns - counted_ns > COUNTED_FOR_NS:
            count = self._node.count_publishers(self._node.resolve_topic_name(self._topics[name]))
            self._counts[name] = (now_ns, count)
        return count
