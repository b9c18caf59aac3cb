"""ROS's time behind the `Clock` of `robot.description.clock`: the system's, or `/clock` with `use_sim_time`."""

from __future__ import annotations

import time
from threading import Lock

from rclpy.clock import ClockChange, JumpThreshold, ROSClock, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

from robot.description.clock import StepWatch

FORWARD_JUMP_S = 0.5
STEP_NS = 5_000_000


class RosClock:
    """A node's time, with an epoch for each jump.

    A jump is: simulation time that runs backwards (a reset) or leaps ahead, the change from system to simulation time,
    and a step of the system clock against the monotonic one. Simulation time is noted when the node's executor takes
    `/clock`, so a node that does not spin sees it stand still.

    Args:
        node: whose clock it is.
        forward_s: a step of simulation time ahead that is a jump, longer than any step of a twin.
        step_ns: a step of the system clock against the monotonic one that is a jump, no drift.
    """

    def __init__(self, node: Node, forward_s: float = FORWARD_JUMP_S, step_ns: int = STEP_NS):
        clock = node.get_clock()
        assert isinstance(clock, ROSClock)
        self._clock = clock
        self._watch = StepWatch(step_ns)
        self._epoch = 0
        self._lock = Lock()
        threshold = JumpThreshold(
            min_forward=Duration(seconds=forward_s), min_backward=Duration(nanoseconds=-1), on_clock_change=True
        )
        # The handle takes the callback away again when it is collected.
        self._handle = self._clock.create_jump_callback(threshold, post_callback=self._jumped)

    @property
    def epoch(self) -> int:
        return self.moment()[1]

    @property
    def simulated(self) -> bool:
        """Whether time comes from `/clock`."""
        return bool(self._clock.ros_time_is_active)

    @property
    def running(self) -> bool:
        """Whether there is a time: False until the first `/clock` has come."""
        return self._clock.now().nanoseconds > 0

    def now_ns(self) -> int:
        return self.moment()[0]

    def moment(self) -> tuple[int, int]:
        """Now in ns, and the epoch."""
        if self._clock.ros_time_is_active:
            self._watch.forget()
            return int(self._clock.now().nanoseconds), self._epoch
        # What rclpy's own clock reads then, for a tenth of the time.
        before, now, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        with self._lock:
            self._epoch += self._watch.stepped(before, now, after)
        return now, self._epoch

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until(self, monotonic_ns: int) -> None:
        remaining = monotonic_ns - time.monotonic_ns()
        if remaining > 0:
            time.sleep(remaining * 1e-9)

    def close(self) -> None:
        """Stop counting jumps."""
        self._handle.unregister()

    def _jumped(self, jump: TimeJump) -> None:
        # The first `/clock` moves time from zero to where the twin is: nothing was stamped before it.
        first = (
            jump.clock_change == ClockChange.ROS_TIME_NO_CHANGE
            and self._clock.now().nanoseconds == jump.delta.nanoseconds
        )
        if not first:
            with self._lock:
                self._epoch += 1
