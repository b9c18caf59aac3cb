"""A gripper behind a real action server, which refuses goals while it moves, and the node between it and a gate.

The action is Fibonacci's, the only one that comes ready-made with rclpy's wheels: its order is a width in 0.1 mm.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient, ActionServer
from rclpy.action.server import GoalResponse
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, Header
from test_msgs.action import Fibonacci

from real.graph.graph import Deployment
from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.messages import joint_state_message, pose_message
from real.ros.signals import alive_message, driver_message
from real.ros.streams import state_type
from robot.contract.contract import Contract
from robot.contract.loading import action_spec, describe
from robot.control.observation.streams import StreamReader
from robot.control.rest import rest_target
from robot.control.sinks import SinkEncoder
from tests.real.graph_rig import START_S, Graph, View, local_environment

UNIT_M, SPEED_M_S, STEP_S = 1e-4, 0.1, 0.01


class GripperServer(Node):
    """Moves fingers to one goal after the other.

    Attributes:
        width: m, as it would be measured.
        object_m: width of what is between the fingers.
        accepted, rejected: orders, in order.
    """

    def __init__(self, width: float) -> None:
        super().__init__("gripper_server")
        self.width, self.object_m = width, 0.0
        self.accepted: list[int] = []
        self.rejected: list[int] = []
        self._goal: float | None = None
        self._ended = Future()
        self._server = ActionServer(self, Fibonacci, "gripper/move", self._execute, goal_callback=self._asked)
        self.create_timer(STEP_S, self._move)

    def close(self) -> None:
        self._server.destroy()
        self.destroy_node()

    def _asked(self, goal: Fibonacci.Goal) -> GoalResponse:
        moving = self._goal is not None
        (self.rejected if moving else self.accepted).append(goal.order)
        if not moving:
            self._goal, self._ended = goal.order * UNIT_M, Future(executor=self.executor)
        return GoalResponse.REJECT if moving else GoalResponse.ACCEPT

    async def _execute(self, handle: Any) -> Fibonacci.Result:
        await self._ended
        handle.succeed()
        return Fibonacci.Result()

    def _move(self) -> None:
        if self._goal is None:
            return
        most = SPEED_M_S * STEP_S
        before = self.width
        self.width = max(before + float(np.clip(self._goal - before, -most, most)), min(before, self.object_m))
        if self.width == before:
            self._goal = None
            self._ended.set_result(None)


class GripperBridge(Node):
    """Passes a gate's goals on to the action server, as a node of a robot's owner does, and says what is measured."""

    def __init__(self, contract: Contract, server: GripperServer) -> None:
        super().__init__("gripper_bridge")
        self._encoder = SinkEncoder(contract, describe(contract), "gripper")
        self._client = ActionClient(self, Fibonacci, "gripper/move")
        self.create_subscription(Float64MultiArray, contract.sinks["gripper"].topic, self._goal, qos.COMMAND)
        stream, reader = contract.state["gripper"], StreamReader(contract, "gripper")
        publisher = self.create_publisher(JointState, stream.topic, qos.STATE_OUT)
        self.create_timer(
            1 / stream.rate_hz,
            lambda: publisher.publish(
                joint_state_message(*reader.write({"gripper.width": np.array([server.width])}), time.time_ns())
            ),
        )

    def _goal(self, message: Float64MultiArray) -> None:
        width_m = self._encoder.fields(np.array(message.data))["gripper.width"][0]
        self._client.send_goal_async(Fibonacci.Goal(order=round(width_m / UNIT_M)))

    def ready(self) -> bool:
        return bool(self._client.server_is_ready())

    def close(self) -> None:
        self._client.destroy()
        self.destroy_node()


class RestingArm(Node):
    """All else that a gate has to hear of a robot that stands: its joints, its pose, its driver and a sign of life."""

    def __init__(self, contract: Contract) -> None:
        super().__init__("resting_arm")
        description, spec = describe(contract), action_spec(contract)
        parts = spec.unpack(rest_target(description, spec))
        rest = {name: np.array([value]) for name, value in description.spec.rest.items()}
        for name, stream in contract.state.items():
            if name == "gripper" or stream.type not in ("joint_state", "pose"):
                continue
            reader = StreamReader(contract, name)
            kind = state_type(stream)
            if kind is PoseStamped:
                made = partial(pose_message, *reader.write_pose(parts), frame_id=contract.frames.base)
            else:
                made = partial(joint_state_message, *reader.write(rest))
            self._every(stream.rate_hz, kind, stream.topic, made)
        self._every(10.0, DiagnosticArray, contract.state["driver"].topic, partial(driver_message, "running"))
        self._every(20.0, Header, "alive", partial(alive_message, session="arm"))

    def close(self) -> None:
        self.destroy_node()

    def _every(self, rate_hz: float, kind: type, topic: str, made: Any) -> None:
        publisher: Any = self.create_publisher(kind, topic, qos.STATE_OUT)
        self.create_timer(1 / rate_hz, lambda: publisher.publish(made(stamp_ns=time.time_ns())))


@contextmanager
def action_robot(contract: str, domain: int, folder: Path) -> Iterator[tuple[GripperServer, View]]:
    """A gate in a process of its own, and in this one the robot that it commands and a view of both."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in local_environment(domain, folder).items():
            patch.setenv(name, value)
        graph = Graph(Deployment(contract, twin=True, records=str(folder / "flight")), folder)
        rclpy.init()
        view = View(make_executor("single"), contract)
        server = GripperServer(float(rest_target(describe(view.contract), view.spec)[-1]))
        bridge = GripperBridge(view.contract, server)
        robot = [server, bridge, RestingArm(view.contract)]
        try:
            for node in robot:
                view.executor.add_node(node)
            view.until(bridge.ready, "the action server")
            graph.start("gate", wait=False)
            view.until(lambda: "ready after" in graph.lines("gate"), "the gate", START_S)
            yield server, view
        finally:
            for node in robot:
                view.executor.remove_node(node)
                node.close()
            leave(view.node, view.executor)
            graph.close()
