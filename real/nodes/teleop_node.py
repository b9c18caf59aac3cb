"""A person at the robot: an enabling device, and targets while the person moves.

Parameters: `device` (keyboard or gamepad), `contract`, `path` of the gamepad, `speed`, `turn_speed`, `joint_speed`,
`frame` of the motions (base or tool), `deadband`, `hold_s` (how long one grip of the enabling device counts).

Keys: e hold, space let go; w s, a d, r f along x, y, z; u o, i k, j l about them; c closes, v opens; n next part;
g enable the gate, x reset its fault. A terminal tells no release of a key: it is no dead-man switch.
Gamepad: left shoulder holds; left stick along x and y, right stick up and about z, cross about y and x; right trigger
closes, left one opens; right shoulder next part; A enable the gate.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import Joy
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from real.graph.graph import TELEOPERATION
from real.process.parameters import declare
from real.process.run import Stop, run_node
from real.ros import qos
from real.ros.chunks import Tag, chunk_message
from real.ros.clock import RosClock
from real.ros.guarded import Guarded
from real.ros.reading import Refusal, read_episode
from real.ros.signals import ERROR, OK, WARN, enable_message, status_message
from real.supervision.screen import Screen
from real.teleop.device import Device, Wish
from real.teleop.gamepad import Gamepad
from real.teleop.jogging import FRAMES, Jogging, Speeds
from real.teleop.keyboard import HELP, Keyboard
from robot.contract.loading import action_spec, describe, load_contract

RATE_HZ = 50.0
STATUS_S = 0.5
SHOWN_S = 0.2
SILENT_S = 0.3  # without a message of the gate for so long no target is sent
LONGEST_S = 0.1  # a step after a pause is no longer than this
HOLD_S = {"keyboard": 120.0, "gamepad": 600.0}


class TeleopNode(Guarded):
    """The teleoperation's process.

    Topics: out, `enable_held` (Joy, stamped, 50 Hz), `teleop/target` (JointTrajectory of one row, while the person
    moves), `status`; in, `gate/sent`, `gate/state`, `episode`. It calls `gate/enable` and `gate/reset`.
    """

    def __init__(self) -> None:
        super().__init__("teleop")
        contract = load_contract(declare(self, "contract", "panda_twin", "name or file of the robot's contract"))
        kind = declare(self, "device", "keyboard", "what the person has", choices=TELEOPERATION)
        path = declare(self, "path", "", "of the gamepad, /dev/input/js0; empty takes the first")
        speeds = Speeds(
            declare(self, "speed", 0.1, "of a tcp at full stick, m/s", low=0.001, high=1.0),
            declare(self, "turn_speed", 0.5, "of a tcp at full stick, rad/s", low=0.01, high=3.0),
            declare(self, "joint_speed", 0.3, "of a joint at full stick, rad/s", low=0.01, high=2.0),
        )
        frame = declare(self, "frame", "base", "along whose axes a tcp moves", choices=FRAMES)
        deadband = declare(self, "deadband", 0.15, "share of a stick's way that is rest", low=0.02, high=0.5)
        hold_s = declare(
            self, "hold_s", HOLD_S[kind], "how long one grip of the enabling device counts, s", low=1.0, high=600.0
        )
        self._spec = action_spec(contract)
        self._jogging = Jogging(contract, describe(contract), speeds, frame)
        self._clock_ = RosClock(self)
        self._session = secrets.token_hex(4)
        self._sent: np.ndarray | None = None
        self._sent_s = float("-inf")
        self._state, self._answer = "not heard", ""
        self._epoch: int | None = None
        self._jumps = 0
        self._targets = 0
        self._time_ns: int | None = None
        self._shown_s = float("-inf")
        self._wish = Wish()
        self._enable = self.create_publisher(Joy, "enable_held", qos.STATE_OUT)
        self._target = self.create_publisher(JointTrajectory, "teleop/target", qos.COMMAND)
        self._status = self.create_publisher(DiagnosticArray, "status", qos.STATUS)
        self.create_subscription(JointTrajectory, "gate/sent", self._sent_came, qos.STATE)
        self.create_subscription(String, "gate/state", self._state_came, qos.LATCHED)
        self.create_subscription(String, "episode", self._episode_came, qos.LATCHED)
        self._gate_enable: Any = self.create_client(SetBool, "gate/enable")
        self._gate_reset: Any = self.create_client(Trigger, "gate/reset")
        # Last: from here on the terminal is in another mode, until `on_stop`.
        self._device: Device = Keyboard(hold_s) if kind == "keyboard" else Gamepad(hold_s, path, deadband)
        self._screen = Screen() if kind == "keyboard" else None
        if self._screen is not None:
            self._screen.catch_errors()
            self._screen.line(HELP)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1 / RATE_HZ, self._tick, clock=steady)
        self.create_timer(STATUS_S, self._report, clock=steady)

    def on_stop(self) -> None:
        """Publish that the enabling device is released: silence would be a fault of it."""
        self._device.close()
        self._enable.publish(enable_message(False, self._clock_.now_ns(), self._session))
        if self._screen is not None:
            self._screen.close()

    # -- subscriptions ------------------------------------------------------------------------------------------------

    def _sent_came(self, message: JointTrajectory) -> Refusal | None:
        if tuple(message.joint_names) != self._spec.component_names or not message.points:
            return Refusal("the gate has another contract: its commands have other components")
        # The second of two points is the command; the first is the requested target.
        sent = np.array(message.points[-1].positions)
        if sent.shape != (self._spec.dim,) or not np.isfinite(sent).all():
            return Refusal(f"a command of {sent.size} numbers, {self._spec.dim} finite ones are expected")
        self._sent = sent
        self._sent_s = time.monotonic()
        return None

    def _state_came(self, message: String) -> None:
        self._state = message.data

    def _episode_came(self, message: String) -> Refusal | None:
        """Forget the last command after a reset of the twin: the robot has another position."""
        episode = read_episode(message.data)
        if isinstance(episode, Refusal):
            return episode
        self._epoch = episode.epoch
        self._jogging.let_go()
        self._sent = None
        return None

    # -- publishing ---------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now_s, now_ns = time.monotonic(), self._clock_.now_ns()
        wish = self._wish = self._device.read(now_s)
        if not self._clock_.running:
            return
        self._enable.publish(enable_message(wish.held, now_ns, self._session))
        for each in wish.asked:
            self._ask(each)
        if self._jumps != self._clock_.epoch:
            self._jumps, self._time_ns = self._clock_.epoch, None
            self._jogging.let_go()
        dt = 0.0 if self._time_ns is None else min(max((now_ns - self._time_ns) * 1e-9, 0.0), LONGEST_S)
        self._time_ns = now_ns
        self._move(wish, now_s, now_ns, dt)
        if self._screen is not None and now_s - self._shown_s >= SHOWN_S:
            self._shown_s = now_s
            # Not the countdown of the enabling device, which changes each second.
            self._screen.over(
                self._line(),
                (
                    wish.held,
                    wish.connected,
                    self._jogging.part(wish).name,
                    self._jogging.moving,
                    self._state,
                    self._answer,
                ),
            )
        if not wish.connected and isinstance(self._device, Keyboard):
            raise Stop(wish.note, code=1)

    def _move(self, wish: Wish, now_s: float, now_ns: int, dt: float) -> None:
        if self._sent is None or now_s - self._sent_s > SILENT_S:
            self._jogging.let_go()
            return
        target = self._jogging.step(wish, self._sent, dt)
        if target is not None and not np.isfinite(target).all():
            self._jogging.let_go()  # another publisher's command in place of the gate's may hold no rotation
            return
        if target is None:
            return
        self._targets += 1
        tag = Tag(self._session, self._epoch, self._targets)
        self._target.publish(chunk_message(target[None], self._spec.component_names, now_ns, self._spec.period_ns, tag))

    def _ask(self, what: str) -> None:
        """Call a service of the gate; its answer is shown when it comes."""
        client = self._gate_enable if what == "enable" else self._gate_reset
        if not client.service_is_ready():
            self._answer = "there is no gate to ask"
            return
        request = SetBool.Request(data=True) if what == "enable" else Trigger.Request()
        client.call_async(request).add_done_callback(lambda future: self._answered(what, future))

    def _answered(self, what: str, future: Any) -> None:
        try:
            response = future.result()
        except Exception as error:
            self.failed(f"service {what}", error)
            return
        self._answer = f"{what}: {'done' if response.success else 'refused'} {response.message}".rstrip()
        self.get_logger().info(self._answer)

    def _line(self) -> str:
        parts = [
            self._wish.note,
            self._jogging.part(self._wish).name,
            f"gate: {self._state}",
            "moving" if self._jogging.moving else "",
            self._answer,
        ]
        return " | ".join(part for part in parts if part)

    def _report(self) -> None:
        wish = self._wish
        numbers = {
            "held": wish.held,
            "moving": self._jogging.moving,
            "part": self._jogging.part(wish).name,
            "targets": self._targets,
            **self.tally.numbers(),
        }
        level, text = OK if wish.connected else WARN, wish.note
        if self.tally.errors:
            level, text = ERROR, f"{text}; failed: {self.tally.last}"
        self._status.publish(status_message("teleop", level, text, numbers, self._clock_.now_ns()))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(TeleopNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
