"""A recorder and the drivers of a robot in one process, over real topics: what a robot's graph is to a recorder."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from real.process.run import make_executor
from real.ros import qos
from real.ros.chunks import trajectory_message
from real.ros.messages import image_message, joint_state_message, pose_message, values_of
from real.ros.streams import state_type
from robot.contract.contract import Contract
from robot.contract.loading import action_spec
from tests.real.fuzzing import made
from tests.real.recorder.contracts import MAP, picture, robot_contract

STATE_HZ, GATE_HZ, WITHIN_S = 40.0, 100.0, 15.0
SERVICES = {"label": SetBool, "pause": SetBool}


class Driver(Node):
    """The drivers of a robot and its gate, each as far as a recorder sees it.

    Args:
        contract: of the robot.

    Attributes:
        mute: streams that do not come.
        frozen: cameras that show one picture.
        offset_ns: of all stamps.
        size: of the front camera's pictures.
        state: the recorder's newest.
        episodes, outcomes: that the recorder has published.
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__("driver")
        self._contract, self._spec = contract, action_spec(contract)
        self.mute, self.frozen = set[str](), set[str]()
        self.offset_ns, self.size, self._count = 0, (24, 32), 0
        self.state: dict[str, Any] = {}
        self.episodes, self.outcomes = list[dict[str, Any]](), list[Mapping[str, np.ndarray]]()
        self.publish = {
            name: self.create_publisher(state_type(stream), stream.topic, qos.STATE_OUT).publish
            for name, stream in contract.state.items()
        }
        self.sent = self.create_publisher(JointTrajectory, "gate/sent", qos.STATUS)
        self.gate = self.create_publisher(String, "gate/state", qos.LATCHED)
        self.gate.publish(String(data="run person"))
        self.create_subscription(String, "recorder/state", self._state_came, qos.LATCHED)
        self.create_subscription(
            String, "episode", lambda each: self.episodes.append(json.loads(each.data)), qos.LATCHED
        )
        self.create_subscription(JointState, "outcome", lambda each: self.outcomes.append(values_of(each)), qos.STATUS)
        self.create_timer(1 / STATE_HZ, self._states)
        self.create_timer(1 / 20, self._pictures)
        self.create_timer(1 / GATE_HZ, self._command)

    @property
    def now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _state_came(self, message: String) -> None:
        self.state = json.loads(message.data)

    def _states(self) -> None:
        stamp = self.now_ns + self.offset_ns
        for name in ("arm", "gripper"):
            if name not in self.mute:
                self.publish[name](joint_state_message(MAP[name], np.full(len(MAP[name]), 0.02), stamp))
        if "pose" not in self.mute:
            pose = pose_message(np.array([0.45, 0, 0.3]), np.array([1.0, 0, 0, 0]), stamp, "base")
            self.publish["pose"](pose)

    def _pictures(self) -> None:
        self._count += 1
        for name in ("front", "wrist"):
            if name not in self.mute:
                number = 0 if name in self.frozen else self._count
                size = self.size if name == "front" else (24, 32)
                self.publish[name](image_message(picture(number, *size), self.now_ns + self.offset_ns))

    def _command(self) -> None:
        if "gate" not in self.mute:
            rows = np.full((2, self._spec.dim), self._count * 1e-3)
            names, stamp = self._spec.component_names, self.now_ns + self.offset_ns + 10_000_000
            self.sent.publish(trajectory_message(rows, names, stamp, 0, "person|||"))


class RobotGraph:
    """A driver and a recorder that run.

    Args:
        driver: of the robot.
        recorder: its node.
        store: of the recording.
    """

    def __init__(self, driver: Driver, recorder: Any, store: Path) -> None:
        self.driver, self.recorder, self.store = driver, recorder, store
        self._executor = make_executor()
        for node in (recorder, driver):
            self._executor.add_node(node)
        self._clients: dict[str, Any] = {}

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.005)
            self.recorder.idle()

    def until(self, condition: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < end, f"{what}: {self.driver.state}"
            self._executor.spin_once(timeout_sec=0.005)
            self.recorder.idle()

    def until_state(self, state: str, reason: str = "") -> None:
        """Wait for a state of the recorder, and for words in its reason."""
        self.until(
            lambda: self.driver.state.get("state") == state and reason in self.driver.state["reason"],
            f"{state} {reason}",
        )

    def ask(self, name: str, on: bool = True) -> tuple[bool, str]:
        """Call a service of the recorder."""
        kind = SERVICES.get(name, Trigger)
        client = self._clients.setdefault(name, self.driver.create_client(kind, f"recorder/{name}"))
        self.until(client.service_is_ready, name)
        future = client.call_async(SetBool.Request(data=on) if kind is SetBool else Trigger.Request())
        self.until(future.done, name)
        return future.result().success, future.result().message

    def record(self, seconds: float) -> None:
        self.until_state("ready")
        assert self.ask("start") == (True, "recording")
        self.spin(seconds)

    def close(self) -> None:
        for node in (self.driver, self.recorder):
            self._executor.remove_node(node)
        self.driver.destroy_node()
        self._executor.shutdown()


@contextmanager
def robot_graph(folder: Path, store: Path | None = None, **parameters: object) -> Iterator[RobotGraph]:
    """A robot with two small cameras, and its recorder.

    Args:
        folder: of its contract, and of the store where none is given.
        store: of the recording.
        parameters: of the recorder.
    """
    from real.nodes.recorder_node import RecorderNode

    rates: dict[str, Any] = {
        "arm": {"topic": "joint_states", "type": "joint_state", "rate_hz": STATE_HZ, "map": "arm"},
        "pose": {"topic": "current_pose", "type": "pose", "rate_hz": STATE_HZ},
        "gripper": {"topic": "gripper/joint_states", "type": "joint_state", "rate_hz": STATE_HZ, "map": "fingers"},
    }
    for stream in rates.values():  # a busy machine is no fault of the robot's
        stream.update(floor_s=0.3, fault_s=1.0)
    contract = robot_contract(folder, **rates)
    store = store or folder / "store"
    with made(RecorderNode, contract=str(folder / "panda.yaml"), store=str(store), **parameters) as recorder:
        graph = RobotGraph(Driver(contract), recorder, store)
        try:
            yield graph
        finally:
            graph.close()
