"""A gate in the test's own process, with a robot at rest before it and a policy whose chunks keep coming."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.node import Node
from std_msgs.msg import Header, String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from benchmarks.gate_rig import resting
from real.nodes.gate_node import GateNode
from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.chunks import Tag, chunk_message
from real.ros.messages import joint_state_message, pose_message, stamp_of
from real.ros.signals import alive_message, driver_message, status_of
from real.ros.streams import COMMAND_TYPES, state_type
from robot.contract.loading import action_spec, load_contract
from robot.control.observation.streams import StreamReader
from tests.real.graph_rig import patient

HORIZON, REACH, TURN_S = 16, 0.01, 2.0
STATE_S, CHUNK_S, ALIVE_S = 0.01, 0.2, 0.05
ANSWER_S = 20.0


class Robot:
    """A node that says where a robot at rest is, sends chunks to and fro, and hears what the gate says.

    Args:
        contract: of the robot; its path.

    Attributes:
        commands: (seconds of monotonic time, sink) of each command, in order.
        told: of each message of the gate's other topics but its status: (seconds, topic).
        status: the gate's newest numbers.
    """

    def __init__(self, contract: str) -> None:
        self.contract = load_contract(contract)
        self.node, self.executor = Node("robot"), make_executor()
        self.executor.add_node(self.node)
        self.commands: list[tuple[float, str]] = []
        self.told: list[tuple[float, str]] = []
        self.status: dict[str, str] = {}
        self.pages = 0
        self._clients: dict[str, Any] = {}
        self._values, self._target = resting(self.contract)
        self._spec = action_spec(self.contract)
        self._chunks = 0
        node = self.node
        for name, stream in self.contract.state.items():
            if stream.type in ("joint_state", "pose"):
                reader = StreamReader(self.contract, name)
                message: Any = (
                    pose_message(*reader.write_pose(self._values), 0, self.contract.frames.base)
                    if stream.type == "pose"
                    else joint_state_message(*reader.write(self._values), 0)
                )
                self._repeat(state_type(stream), stream.topic, qos.STATE_OUT, STATE_S, self._stamped(message))
            elif stream.type == "driver_state":
                self._repeat(
                    DiagnosticArray,
                    stream.topic,
                    qos.STATE_OUT,
                    ALIVE_S,
                    lambda now_ns: driver_message("running", now_ns),
                )
        self._repeat(Header, "alive", qos.STATE_OUT, ALIVE_S, lambda now_ns: alive_message(now_ns, "robot"))
        self._repeat(JointTrajectory, "policy/chunk", qos.COMMAND, CHUNK_S, self._chunk)
        for name, sink in self.contract.sinks.items():
            node.create_subscription(
                COMMAND_TYPES[sink.via],
                sink.topic,
                lambda _, name=name: self.commands.append((time.monotonic(), name)),
                qos.STATUS,
            )
        for kind, topic in ((JointTrajectory, "gate/sent"), (String, "gate/state")):
            node.create_subscription(
                kind, topic, lambda _, topic=topic: self.told.append((time.monotonic(), topic)), qos.STATUS
            )
        node.create_subscription(DiagnosticArray, "status", self._status, qos.STATUS)

    def ask(self, kind: type, name: str, request: Any) -> Any:
        """The future of a service's answer."""
        client = self._clients.setdefault(name, self.node.create_client(kind, name))
        return client.call_async(request) if client.service_is_ready() else None

    @property
    def publishers(self) -> dict[str, int]:
        """Sink -> how many publish on its topic."""
        return {name: self.node.count_publishers(sink.topic) for name, sink in self.contract.sinks.items()}

    def _repeat(self, kind: type, topic: str, profile: Any, period_s: float, make: Callable[[int], Any]) -> None:
        publisher = self.node.create_publisher(kind, topic, profile)
        self.node.create_timer(period_s, lambda: publisher.publish(make(time.time_ns())))

    def _stamped(self, message: Any) -> Callable[[int], Any]:
        def make(now_ns: int) -> Any:
            message.header.stamp = stamp_of(now_ns)
            return message

        return make

    def _chunk(self, now_ns: int) -> JointTrajectory:
        self._chunks += 1
        times = now_ns * 1e-9 + self._spec.period_s * np.arange(1, HORIZON + 1)
        rows = np.repeat(self._target[None], HORIZON, axis=0)
        rows[:, 0] += REACH * np.sin(times * (2 * np.pi / TURN_S))
        return chunk_message(
            rows, self._spec.component_names, now_ns, self._spec.period_ns, Tag("robot", None, self._chunks)
        )

    def _status(self, message: DiagnosticArray) -> None:
        found = status_of(message).get("gate")
        if found is not None:
            self.status, self.pages = found[2], self.pages + 1


class OwnGate:
    """Gate and robot, turned by the test's thread."""

    def __init__(self, contract: str) -> None:
        self.gate, self.executor = GateNode(), make_executor()
        self.executor.add_node(self.gate)
        self.robot = Robot(contract)

    def turn(self) -> None:
        self.executor.spin_once(timeout_sec=max(min(self.gate.idle(), 0.002), 0.0))
        self.robot.executor.spin_once(timeout_sec=0.0)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()

    def until(self, condition: Callable[[], Any], what: str, within_s: float = ANSWER_S) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"not within {within_s} s: {what}"
            self.turn()

    def call(self, kind: type, name: str, request: Any) -> Any:
        """The answer of a service of the gate."""
        found: list[Any] = []

        def asked() -> bool:
            future = self.robot.ask(kind, name, request)
            found.extend([future] if future is not None else [])
            return bool(found)

        self.until(asked, f"service {name}")
        self.until(found[0].done, f"answer of {name}")
        return found[0].result()

    def change(self, transition: int) -> bool:
        """A transition over the service; returns whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.call(ChangeState, "gate/change_state", request).success)

    def state(self) -> str:
        return str(self.call(GetState, "gate/get_state", GetState.Request()).current_state.label)

    def enable(self, on: bool = True) -> Any:
        return self.call(SetBool, "gate/enable", SetBool.Request(data=on))

    def trigger(self, name: str) -> Any:
        return self.call(Trigger, f"gate/{name}", Trigger.Request())

    def run(self) -> None:
        """Until the gate follows the policy."""

        def followed() -> bool:
            return len(self.robot.commands) > begun and self.gate._state.mode.value == "run"

        begun = len(self.robot.commands)
        self.until(followed, "the gate follows the policy")


@contextmanager
def own_gate(folder: Path, contract: str = "panda_twin_crisp", **parameters: str) -> Iterator[OwnGate]:
    """A gate that has its own ROS context in this process; the caller sets the domain."""
    path = patient(contract, folder)
    given = {"contract": path, "priority": "0", "records": str(folder / "flight"), **parameters}
    words = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
    rclpy.init(args=["test", "--ros-args", *words])
    both: OwnGate | None = None
    try:
        both = OwnGate(path)
        yield both
    finally:
        if both is not None:
            both.gate.on_stop()
            both.robot.executor.remove_node(both.robot.node)
            both.robot.node.destroy_node()
            both.robot.executor.shutdown()
            leave(both.gate, both.executor)
        rclpy.try_shutdown()
        gc.unfreeze()
        gc.enable()
