"""The topics that the page's node reads.

What comes seldom is listened to. Streams are looked at (`polling`), and only while a page is open: a twin draws nothing
that nobody subscribes to, and images are many bytes.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_msgs.msg import Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory

from real.page.reading.polling import Polled, Taken
from real.page.telling.view import PageView
from real.ros import qos
from real.ros.guarded import Guarded
from real.ros.reading import Refusal, shown
from real.ros.recorder_state import read_recorder
from real.ros.shapes import POSES_TOPIC, SCENE_TOPIC
from real.ros.signals import ERROR, OK, WARN, status_of
from real.ros.streams import read_state, state_type
from real.supervision.board import BAD, GOOD, POOR
from robot.contract.contract import CAMERA_TYPES, Contract
from robot.control.observation.streams import StreamReader

LEVELS = {OK: GOOD, WARN: POOR, ERROR: BAD}
JOINTS = "joint_state"
SENT, HELD = "gate/sent", "enable_held"


class PageSubscriptions:
    """Subscriptions of the page's node.

    Args:
        node: of the page; its executor calls back for what comes seldom.
        contract: of the robot.
        view: that shows what came.
        scene: called with the text of a twin's scene.
    """

    def __init__(
        self, node: Guarded, contract: Contract, view: PageView, scene: Callable[[str], Refusal | None]
    ) -> None:
        self._node, self._contract, self._view = node, contract, view
        self._unspun = Node("page_reader", start_parameter_services=False, enable_rosout=False)
        self._readers = {
            name: StreamReader(contract, name) for name, stream in contract.state.items() if stream.type == JOINTS
        }
        self._streams: dict[str, Polled] = {}
        self._signals: dict[str, Polled] = {}
        self._joints: dict[str, np.ndarray] = {}
        subscribe = node.create_subscription
        subscribe(DiagnosticArray, "status", self._status_came, qos.STATUS)
        subscribe(String, "gate/state", self._gate_came, qos.LATCHED)
        subscribe(String, "recorder/state", self._recorder_came, qos.LATCHED)
        subscribe(String, SCENE_TOPIC, lambda message: scene(message.data), qos.LATCHED)

    def close(self) -> None:
        """End the node that is not spun."""
        self.watch(False)
        self._unspun.destroy_node()

    def watch(self, on: bool) -> None:
        """Subscribe to the streams, or no longer."""
        if on and not self._signals:
            kinds = {SENT: JointTrajectory, HELD: Joy, POSES_TOPIC: Float64MultiArray}
            self._signals = {topic: Polled(self._unspun, kind, topic) for topic, kind in kinds.items()}
            self._streams = {
                name: Polled(self._unspun, state_type(stream), stream.topic)
                for name, stream in self._contract.state.items()
            }
        elif not on:
            for each in (*self._signals.values(), *self._streams.values()):
                each.close()
            self._signals, self._streams = {}, {}

    def look(self) -> None:
        """Tell the view the newest of the streams, but the cameras, and of the signals."""
        for name in self._streams:
            if self._contract.state[name].type not in CAMERA_TYPES:
                self._look_at(name)
        sent = self._message(SENT)
        if sent is not None:
            self._view.sent(sent.header.frame_id, time.monotonic())
        held = self._message(HELD)
        if held is not None:
            buttons = [bool(button == 1) for button in held.buttons[:2]]
            self._view.enable(buttons[:1] == [True], buttons[1:] == [True], time.monotonic())

    def image(self, camera: str) -> Taken | None:
        """The newest image of a camera, where one came since the last call."""
        taken = self._taken(self._streams.get(camera))
        self._view.looked(camera, time.monotonic())
        if taken is not None:
            self._view.stream(camera, taken.came_s, taken.sequence)
        return taken

    def joints(self) -> Mapping[str, np.ndarray]:
        """The newest joints under our names; empty where none came since the last call."""
        for name in self._readers:
            self._look_at(name)
        joints, self._joints = self._joints, {}
        return joints

    def poses(self) -> Float64MultiArray | None:
        """The newest poses of a twin's bodies, where some came since the last call."""
        return self._message(POSES_TOPIC)

    def _look_at(self, name: str) -> None:
        polled = self._streams.get(name)
        taken = self._taken(polled)
        self._view.looked(name, time.monotonic())
        if polled is None or taken is None:
            return
        self._view.stream(name, taken.came_s, taken.sequence)
        if name in self._readers:
            message = self._accepted(polled, polled.unpacked(taken))
            if message is not None:
                self._joints |= read_state(self._readers[name], message)

    def _message(self, topic: str) -> Any | None:
        polled = self._signals.get(topic)
        taken = self._taken(polled)
        return None if polled is None or taken is None else self._accepted(polled, polled.unpacked(taken))

    def _taken(self, polled: Polled | None) -> Taken | None:
        return None if polled is None else self._accepted(polled, polled.take())

    def _accepted(self, polled: Polled, found: Any) -> Any | None:
        if isinstance(found, Refusal):
            self._node.refuse(polled.topic, found)
            return None
        return found

    def _status_came(self, message: DiagnosticArray) -> Refusal | None:
        for name, (level, text, values) in status_of(message).items():
            if name != self._node.get_name() and not self._view.board.status(
                name, LEVELS.get(level, BAD), text, values, time.monotonic()
            ):
                return Refusal(f"a status of {shown(name)}: the board is full")
        return None

    def _gate_came(self, message: String) -> None:
        self._view.board.state(message.data, time.monotonic(), time.strftime("%H:%M:%S"))

    def _recorder_came(self, message: String) -> Refusal | None:
        state = read_recorder(message.data)
        if isinstance(state, Refusal):
            return state
        self._view.recorder(state, time.monotonic())
        return None
