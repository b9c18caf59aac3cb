"""The topics that the page's node reads.

What is shown a few times a second is kept as bytes (`newest`). Cameras are subscribed to while a page is open: a twin
draws nothing that nobody looks at, and images are many bytes.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable, Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.subscription import Subscription
from sensor_msgs.msg import Joy
from std_msgs.msg import Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory

from real.page.newest import Newest
from real.page.recording import read_recorder
from real.page.view import PageView
from real.ros import qos
from real.ros.guarded import Guarded
from real.ros.reading import Refusal, shown
from real.ros.shapes import POSES_TOPIC, SCENE_TOPIC
from real.ros.signals import ERROR, OK, WARN, status_of
from real.ros.streams import StateMessage, read_state, state_type
from real.supervision.board import BAD, GOOD, POOR
from robot.contract.contract import CAMERA_TYPES, Contract
from robot.control.observation.streams import StreamReader

LEVELS = {OK: GOOD, WARN: POOR, ERROR: BAD}
JOINTS = "joint_state"


class PageSubscriptions:
    """Subscriptions of the page's node.

    Args:
        node: of the page.
        contract: of the robot.
        view: that is told what came.
        scene: called with the text of a twin's scene.
    """

    def __init__(
        self, node: Guarded, contract: Contract, view: PageView, scene: Callable[[str], Refusal | None]
    ) -> None:
        self._node, self._contract, self._view = node, contract, view
        self._sent, self._held = Newest(JointTrajectory), Newest(Joy)
        self._poses = Newest(Float64MultiArray)
        self._newest = {name: Newest(state_type(stream)) for name, stream in contract.state.items()}
        self._readers = {
            name: StreamReader(contract, name) for name, stream in contract.state.items() if stream.type == JOINTS
        }
        self._of_viewers: list[Subscription] = []
        for name, stream in contract.state.items():
            if stream.type not in CAMERA_TYPES:
                self._subscribe_stream(name, qos.STATE)
        subscribe = node.create_subscription
        subscribe(DiagnosticArray, "status", self._status_came, qos.STATUS)
        subscribe(String, "gate/state", self._gate_came, qos.LATCHED)
        subscribe(String, "recorder/state", self._recorder_came, qos.LATCHED)
        subscribe(JointTrajectory, "gate/sent", self._sent.put, qos.STATE, raw=True)
        subscribe(Joy, "enable_held", self._held.put, qos.STATE, raw=True)
        subscribe(String, SCENE_TOPIC, lambda message: scene(message.data), qos.LATCHED)

    def watch(self, on: bool) -> None:
        """Subscribe to what only open pages need, or no longer."""
        if on and not self._of_viewers:
            self._of_viewers = [self._subscribe_stream(name, qos.IMAGE) for name in self._contract.cameras]
            self._of_viewers.append(
                self._node.create_subscription(Float64MultiArray, POSES_TOPIC, self._poses.put, qos.IMAGE, raw=True)
            )
        elif not on and self._of_viewers:
            for each in self._of_viewers:
                self._node.destroy_subscription(each)
            self._of_viewers = []

    def read_signals(self) -> None:
        """Tell the view the newest target of the gate and signal of the enabling device."""
        now_s = time.monotonic()
        sent = self._take("gate/sent", self._sent)
        if sent is not None:
            self._view.sent(sent.header.frame_id, now_s)
        held = self._take("enable_held", self._held)
        if held is not None:
            buttons = [bool(button == 1) for button in held.buttons[:2]]
            self._view.enable(buttons[:1] == [True], buttons[1:] == [True], now_s)

    def image(self, camera: str) -> StateMessage | None:
        """The newest image of a camera, where one came since the last call."""
        return self._take(self._contract.state[camera].topic, self._newest[camera])

    def joints(self) -> Mapping[str, np.ndarray]:
        """The joints that came since the last call, under our names."""
        found: dict[str, np.ndarray] = {}
        for name, reader in self._readers.items():
            message = self._take(self._contract.state[name].topic, self._newest[name])
            if message is not None:
                found |= read_state(reader, message)
        return found

    def poses(self) -> Float64MultiArray | None:
        """The newest poses of a twin's bodies, where some came since the last call."""
        return self._take(POSES_TOPIC, self._poses)

    def _take(self, topic: str, newest: Newest) -> Any | None:
        message = newest.take()
        if isinstance(message, Refusal):
            self._node.refuse(topic, message)
            return None
        return message

    def _subscribe_stream(self, name: str, profile: Any) -> Subscription:
        stream = self._contract.state[name]
        return self._node.create_subscription(
            state_type(stream), stream.topic, partial(self._stream_came, name), profile, raw=True
        )

    def _stream_came(self, name: str, packed: bytes) -> None:
        self._view.board.stream(name, time.monotonic())
        self._newest[name].put(packed)

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
