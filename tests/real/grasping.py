"""A policy that opens and closes a gripper, and what is measured and told of it."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from real.ros import qos
from real.ros.messages import time_of
from robot.control.observation.streams import StreamReader
from tests.real.graph_rig import View
from tests.real.motions import ROWS, Script

NEAR_M, WITHIN_S = 0.002, 2.0


class Fingers:
    """What is measured of a gripper, and what it is told.

    Attributes:
        widths: (stamp in ns, m), in order.
        goals: on the wire, in order.
    """

    def __init__(self, view: View) -> None:
        self._reader = StreamReader(view.contract, "gripper")
        self.widths: list[tuple[int, float]] = []
        self.goals: list[float] = []
        view.node.create_subscription(JointState, self._reader.stream.topic, self._measured, qos.STATE)
        view.node.create_subscription(
            Float64MultiArray,
            view.contract.sinks["gripper"].topic,
            lambda message: self.goals.append(message.data[0]),
            qos.COMMAND,
        )

    @property
    def width(self) -> float:
        return self.widths[-1][1] if self.widths else float("nan")

    def _measured(self, message: JointState) -> None:
        values = self._reader.read(message.name, np.array(message.position))
        self.widths.append((time_of(message.header.stamp), float(values["gripper.width"][0])))


class Grasping(Script):
    """A policy that lets the arm stand and asks for widths."""

    first = last = 0.08
    seconds, begun_ns = 1e-3, 0

    def ask(self, last: float, seconds: float) -> None:
        """From now on a ramp to another width, in so many seconds, or a step."""
        self.first, self.last, self.seconds, self.begun_ns = self.last, last, max(seconds, 1e-3), self.view.now_ns
        self.send()

    def rows(self, start_ns: int, rows: int = ROWS) -> np.ndarray:
        ends = start_ns - self.begun_ns + self.view.spec.period_ns * np.arange(1, rows + 1)
        found = np.repeat(self.start[None], rows, axis=0)
        found[:, -1] = np.interp(ends * 1e-9, [0.0, self.seconds], [self.first, self.last])
        return found


def require_width(view: View, fingers: Fingers, script: Grasping, within_s: float) -> None:
    """The fingers are measured where they were asked to be within so many seconds of the asking."""
    view.until(lambda: abs(fingers.width - script.last) < NEAR_M, f"{script.last} m, told {fingers.goals}")
    passed_s = (fingers.widths[-1][0] - script.begun_ns) * 1e-9
    assert passed_s < within_s, f"after {passed_s} s; told {fingers.goals}"
