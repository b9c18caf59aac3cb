"""`gate/sent`: the requested and the commanded target of each tick, with the reason, for all who watch."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from real.ros import qos
from real.ros.chunks import trajectory_message
from real.ros.messages import doubles, stamp_of
from robot.description import ActionSpec
from robot.safety.gate.inputs import GateOutput


class SentPublisher:
    """Publishes each tick's target as a message of two points: requested, commanded.

    Args:
        node: that publishes.
        spec: of the targets.
    """

    def __init__(self, node: Node, spec: ActionSpec) -> None:
        self._publisher = node.create_publisher(JointTrajectory, "gate/sent", qos.STATUS)
        # One message for all ticks: to make it anew takes as long as to send it.
        self._message = trajectory_message(np.zeros((2, spec.dim)), spec.component_names, 0, 0)

    def publish(self, output: GateOutput, due_ns: int) -> None:
        """Publish a tick that has a target, in force from `due_ns` on."""
        assert output.target is not None
        facts = (output.reason.value, output.chunk_id, output.seed, output.value)
        message = self._message
        message.header.stamp = stamp_of(due_ns)
        message.header.frame_id = "|".join("" if fact is None else str(fact) for fact in facts)
        message.points[0].positions = doubles(output.target if output.requested is None else output.requested)
        message.points[1].positions = doubles(output.target)
        self._publisher.publish(message)
