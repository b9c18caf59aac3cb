"""States that the twin publishes, each as its driver would, through the faults that were asked for."""

from __future__ import annotations

from typing import Callable

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage

from real.ros import qos
from real.ros.messages import header_of, image_message, joint_state_message, pose_message
from real.ros.signals import driver_message
from real.ros.streams import StateMessage, state_type
from robot.contract.contract import Contract, Stream
from sim.drivers import Command, Faults

JPEG_QUALITY = 90
FOREIGN = ("wrench", "vector")  # of sensors that a twin does not have


class TwinPublishers:
    """One publisher per stream of the contract that a twin can measure.

    Args:
        node: whose they are.
        contract: that names them.
        faults: those that hold now.
    """

    def __init__(self, node: Node, contract: Contract, faults: Callable[[], Faults]) -> None:
        self._contract, self._faults = contract, faults
        self.publishers: dict[str, Publisher] = {
            name: node.create_publisher(
                state_type(stream), stream.topic, qos.IMAGE if stream.is_camera else qos.STATE_OUT
            )
            for name, stream in contract.state.items()
            if stream.type not in FOREIGN
        }

    def say(self, name: str, command: Command, now_ns: int) -> None:
        """Publish a measurement of a stream; `now_ns` is the time of the faults."""
        for each in self._faults().passed(f"state/{name}", command, now_ns):
            self._send(name, each)

    def has_subscriber(self, name: str) -> bool:
        """Whether a stream has a subscriber."""
        return bool(self.publishers[name].get_subscription_count())

    def deliver(self, now_ns: int) -> None:
        """Send what was delayed until now."""
        for name in self.publishers:
            for each in self._faults().due(f"state/{name}", now_ns):
                self._send(name, each)

    def _send(self, name: str, command: Command) -> None:
        self.publishers[name].publish(_message(self._contract.state[name], command))


def _message(stream: Stream, command: Command) -> StateMessage:
    values, stamp_ns = command.values, command.stamp_ns
    if stream.is_camera:
        return (
            _jpeg(values, stamp_ns, command.frame)
            if stream.compressed
            else image_message(np.ascontiguousarray(values), stamp_ns, command.frame)
        )
    if stream.type == "driver_state":
        return driver_message(command.names[0] if command.names else "silent", stamp_ns, command.frame)
    if stream.type == "pose":
        return pose_message(values[:3], np.resize(values[3:], 4), stamp_ns, command.frame)
    return joint_state_message(
        command.names,
        values,
        stamp_ns,
        velocity=command.velocities if command.velocities.size else None,
        effort=command.efforts if command.efforts.size else None,
        frame_id=command.frame,
    )


def _jpeg(image: np.ndarray, stamp_ns: int, frame: str) -> CompressedImage:
    from array import array
    from io import BytesIO

    from PIL import Image

    packed = BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(packed, "JPEG", quality=JPEG_QUALITY)
    return CompressedImage(header=header_of(stamp_ns, frame), format="jpeg", data=array("B", packed.getvalue()))
