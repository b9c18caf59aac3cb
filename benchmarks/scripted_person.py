"""A person with an enabling device, as a script: takes a robot, moves its tool at a constant speed, gives it back."""

from __future__ import annotations

import secrets
import time
from typing import Any, Callable, Sequence

import numpy as np
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import Executor
from sensor_msgs.msg import Joy
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from benchmarks.handover import Command
from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.chunks import Tag, chunk_message
from real.ros.guarded import Guarded
from real.ros.messages import time_of
from real.ros.signals import enable_message
from robot.description import ActionSpec
from robot.errors import TillerError
from robot.safety.gate.actor import Actor, actor_of

PERIOD_S = 0.02
FARTHEST = 0.05  # m or rad from where the tool was taken: there it turns back


class ScriptedPerson:
    """A node that publishes `enable_held` and `teleop/target`, and reads `gate/sent`.

    Args:
        spec: of the commands.

    Attributes:
        commands: of the gate, in order.
    """

    def __init__(self, spec: ActionSpec) -> None:
        rclpy.init()
        self._executor: Executor = make_executor()
        self.node = Guarded("person")
        self._executor.add_node(self.node)
        self.commands: list[Command] = []
        self._spec, self._session, self._targets = spec, secrets.token_hex(4), 0
        self._taken = False
        self._velocity = np.zeros(spec.dim)
        self._start: np.ndarray | None = None
        self._target = np.empty(0)
        self._line = "silent"
        self._enable = self.node.create_publisher(Joy, "enable_held", qos.STATE_OUT)
        self._reset: Any = self.node.create_client(Trigger, "twin/reset")
        self._enabling: Any = self.node.create_client(SetBool, "gate/enable")
        self._publisher = self.node.create_publisher(JointTrajectory, "teleop/target", qos.COMMAND)
        self.node.create_subscription(JointTrajectory, "gate/sent", self._sent, qos.RECORD_STATE)
        self.node.create_subscription(String, "gate/state", self._state, qos.LATCHED)
        self.node.create_timer(PERIOD_S, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """Leave the graph."""
        leave(self.node, self._executor)

    @property
    def actor(self) -> Actor | None:
        """Who acts on the robot by the newest command; None before the first."""
        return self.commands[-1].actor if self.commands else None

    def take(self, direction: np.ndarray, speed: float) -> None:
        """Take the robot, and move the first three components in a direction (3,) at a speed, m/s or rad/s."""
        self._velocity[:3] = speed * direction / np.linalg.norm(direction)
        self._taken, self._start = True, None

    def give(self) -> None:
        """Give it back, in the midst of the motion."""
        self._taken = False

    def enable_anew(self) -> None:
        """Disable the gate and enable it: what it holds the robot for may be over then."""
        self._taken = False
        for on in (False, True):
            future = self._enabling.call_async(SetBool.Request(data=on))
            self.until(future.done, "the gate's answer", 20.0)

    def reset(self) -> None:
        """Begin another episode of the twin."""
        self.until(self._reset.service_is_ready, "the twin", 20.0)
        future = self._reset.call_async(Trigger.Request())
        self.until(future.done, "the twin's reset", 20.0)

    def spin(self, seconds: float) -> None:
        """Let messages come for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.005)

    def until(self, condition: Callable[[], Any], what: str, within_s: float) -> None:
        """Let messages come until a condition holds.

        Raises:
            TillerError: it does not in that time.
        """
        end = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > end:
                raise TillerError(f"not within {within_s:g} s: {what}; the gate is {self._line}")
            self._executor.spin_once(timeout_sec=0.005)

    def _sent(self, message: JointTrajectory) -> None:
        reason, target = message.header.frame_id.partition("|")[0], np.array(message.points[1].positions)
        self.commands.append(Command(time_of(message.header.stamp), target, actor_of(reason)))

    def _state(self, message: String) -> None:
        self._line = message.data

    def _tick(self) -> None:
        now_ns = self.node.get_clock().now().nanoseconds
        self._enable.publish(enable_message(True, now_ns, self._session, self._taken))
        if not self._taken or not self.commands:
            return
        if self._start is None:
            if self.actor is not Actor.PERSON:
                return
            self._start = self._target = self.commands[-1].target
        if np.linalg.norm((self._target - self._start)[:3]) > FARTHEST:
            self._velocity = -self._velocity
        self._target = self._target + self._velocity * PERIOD_S
        self._publish(self._target, now_ns)

    def _publish(self, target: Sequence[float] | np.ndarray, now_ns: int) -> None:
        self._targets += 1
        tag = Tag(self._session, None, self._targets)
        rows = np.asarray(target, dtype=np.float64)[None]
        self._publisher.publish(chunk_message(rows, self._spec.component_names, now_ns, self._spec.period_ns, tag))
