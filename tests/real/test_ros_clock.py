"""ROS's time: epochs count what a stamp does not survive."""

from __future__ import annotations

import time
from typing import Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from rclpy.parameter import Parameter

from real.ros.clock import RosClock
from robot.description.clock import Clock, to_monotonic_ns
from robot.errors import TillerError
from tests.real.conftest import MATCH_S

TWIN = """
import sys
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Int64
from real.ros.messages import stamp_of
from real.ros.qos import CLOCK, COMMAND
from real.process.run import run_node

class Twin(Node):
    def __init__(self):
        super().__init__("twin")
        self.time_ns = 5_000_000_000
        self.clocks = self.create_publisher(Clock, "/clock", CLOCK)
        self.create_subscription(Int64, "set", self.set, COMMAND)
        self.create_timer(0.01, self.tick)

    def set(self, message):
        self.time_ns = message.data

    def tick(self):
        self.time_ns += 10_000_000
        self.clocks.publish(Clock(clock=stamp_of(self.time_ns)))

sys.exit(run_node(Twin))
"""


class Listener:
    """A node of this process under simulation time."""

    def __init__(self, simulated: bool) -> None:
        from std_msgs.msg import Int64

        from real.ros.qos import COMMAND

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node(
            "listener", context=self.context, parameter_overrides=[Parameter("use_sim_time", value=simulated)]
        )
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.clock = RosClock(self.node)
        self.setter = self.node.create_publisher(Int64, "set", COMMAND)

    def spin_until(self, condition) -> None:
        deadline = time.monotonic() + MATCH_S
        while not condition():
            assert time.monotonic() < deadline, "it did not come"
            self.executor.spin_once(timeout_sec=0.02)

    def set(self, time_ns: int) -> None:
        from std_msgs.msg import Int64

        self.setter.publish(Int64(data=time_ns))

    def close(self) -> None:
        self.clock.close()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def listener(ros_environment: dict[str, str]) -> Iterator[Listener]:
    found = Listener(simulated=True)
    yield found
    found.close()


def test_simulation_time_runs_with_the_clock_and_a_jump_is_another_epoch(program, listener: Listener) -> None:
    clock = listener.clock
    assert isinstance(clock, Clock) and clock.simulated and not clock.running
    program(TWIN)
    listener.spin_until(lambda: clock.running)
    first = clock.now_ns()
    listener.spin_until(lambda: clock.now_ns() > first + 300_000_000 and listener.setter.get_subscription_count())
    assert clock.epoch == 0  # neither the first message nor time that runs is a jump

    stamp = clock.now_ns()
    assert abs(to_monotonic_ns(clock, stamp, clock.epoch) - time.monotonic_ns()) < 50_000_000
    listener.set(0)
    listener.spin_until(lambda: clock.now_ns() < first)
    assert clock.epoch == 1
    with pytest.raises(TillerError, match="epoch 0"):
        to_monotonic_ns(clock, stamp, 0)

    listener.set(100_000_000_000)
    listener.spin_until(lambda: clock.now_ns() > 99_000_000_000)
    assert clock.epoch == 2
    listener.set(clock.now_ns() + 200_000_000)  # a step of 0.2 s, as a slow twin makes, is no jump
    later = clock.now_ns() + 200_000_000
    listener.spin_until(lambda: clock.now_ns() > later)
    assert clock.epoch == 2


def test_ages_run_on_while_simulation_time_stands(listener: Listener) -> None:
    clock = listener.clock
    before = clock.monotonic_ns()
    clock.sleep_until(before + 30_000_000)
    assert clock.monotonic_ns() - before >= 30_000_000
    assert clock.now_ns() == 0 and clock.epoch == 0


def test_a_step_of_the_system_clock_is_another_epoch(
    ros_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener(simulated=False)
    clock = listener.clock
    assert not clock.simulated and clock.running
    assert abs(clock.now_ns() - time.time_ns()) < 50_000_000 and clock.epoch == 0
    # What a step of the system clock looks like from here: the monotonic one against it.
    real = time.monotonic_ns
    monkeypatch.setattr("real.ros.clock.time.monotonic_ns", lambda: real() + 20_000_000)
    assert clock.epoch == 1 and clock.epoch == 1
    monkeypatch.undo()
    listener.close()
