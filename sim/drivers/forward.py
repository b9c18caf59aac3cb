"""Controllers that pass values on: `forward_command_controller` and hands that subscribe to a `JointState`."""

from __future__ import annotations

import numpy as np

from sim.drivers.driver import Command, Driver


class Forward(Driver):
    """`<controller>/commands` of ros2_control: each message is the joints' command until the next one.

    A message of another size than the joints is an error of the controller, which stops for good; one with a value that
    is not finite is dropped. There is no time-out, and a jump is passed on as a jump.

    Args:
        size: number of joints.
    """

    def _activate(self, measured: np.ndarray, now_ns: int) -> None:
        self._target = measured

    def _take(self, command: Command, now_ns: int) -> None:
        if command.values.shape != (self.size,):
            self.state = f"error: command of {command.values.size} values for {self.size} joints"
        elif not np.isfinite(command.values).all():
            self.refused["not finite"] += 1
        else:
            self._target = command.values

    def _advance(self, measured: np.ndarray, now_ns: int, step_s: float, speed_scale: float) -> np.ndarray:
        return np.asarray(self._target, dtype=np.float64)


class JointStateHand(Forward):
    """A hand that takes a `JointState` and reads its positions in the order of its motors, whatever the names are.

    A message that is too short moves the joints that it reaches, the rest stay.

    Args:
        size: number of joints.
    """

    def _take(self, command: Command, now_ns: int) -> None:
        values = command.values[: self.size]
        if not np.isfinite(values).all():
            self.refused["not finite"] += 1
            return
        self._target = np.concatenate([values, np.asarray(self._target)[len(values) :]])
