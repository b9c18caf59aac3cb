"""A person at the robot: an enabling device, targets once the person has taken the robot, and requests of other nodes.

Parameters: `device`, `bindings` (name or file of what the device's keys do), `contract`, `path` of the device's file,
`speed`, `turn_speed`, `joint_speed`, `frame` of the motions (base or tool), `scale` of a hand's motions, `deadband`,
`hold_s` (how long one grip of the enabling device counts), and those of the device.
"""

from __future__ import annotations

import secrets
import signal
import textwrap
import time
from threading import current_thread, main_thread
from typing import Any, Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import Joy
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

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
from real.teleop.options import declare_device, device_help
from real.teleop.requests import Requests
from real.teleop.status_line import TeleopStatus
from real.teleop.takeover import TakeOver
from real.teleop.targets.jogging import FRAMES, Jogging
from real.teleop.targets.parts import Speeds
from real.teleop.waking import Waker
from robot.contract.loading import action_spec, describe, load_contract
from robot.control.rest import rest_target
from robot.errors import TillerError

RATE_HZ = 50.0
STATUS_S = 0.5
SHOWN_S = 0.2
SILENT_S = 0.3  # without a message of the gate for so long no target is sent
LONGEST_S = 0.1  # a step after a pause is no longer than this


class TeleopNode(Guarded):
    """The teleoperation's process.

    Topics: out, `enable_held` (Joy, stamped, 50 Hz), `teleop/target` (JointTrajectory of one row, 50 Hz while the
    person has the robot), `status`; in, `gate/sent`, `gate/state`, `episode`, `recorder/state`. It calls the services
    of gate and recorder.

    Attributes:
        ending: why the process has to end; None while it does not.
    """

    def __init__(self) -> None:
        super().__init__("teleop")
        contract = load_contract(declare(self, "contract", "panda_twin", "name or file of the robot's contract"))
        speeds = Speeds(
            declare(self, "speed", 0.1, "of a tcp at full stick, m/s", low=0.001, high=1.0),
            declare(self, "turn_speed", 0.5, "of a tcp at full stick, rad/s", low=0.01, high=3.0),
            declare(self, "joint_speed", 0.3, "of a joint at full stick, rad/s", low=0.01, high=2.0),
        )
        frame = declare(self, "frame", "base", "along whose axes a tcp moves", choices=FRAMES)
        scale = declare(self, "scale", 1.0, "metres of the tcp per metre of a hand", low=0.05, high=5.0)
        kind, options, bindings = declare_device(self)
        self._give = bindings.control("give") if bindings is not None else ""
        description = describe(contract)
        self._spec = action_spec(contract)
        self._jogging, self._takeover = Jogging(contract, description, speeds, frame, scale), TakeOver()
        self._rest, self._no_rest = None, ""
        try:
            # Now: the kinematics behind it take longer to load than the enabling device may be silent.
            self._rest = rest_target(description, self._spec)
        except TillerError as error:
            self._no_rest = str(error)
        self._clock_ = RosClock(self)
        self._session = secrets.token_hex(4)
        self._sent: np.ndarray | None = None
        self._sent_s = self._shown_s = float("-inf")
        self._state = "not heard"
        self._epoch: int | None = None
        self._jumps = self._targets = 0
        self._time_ns: int | None = None
        self._wish, self._refused = Wish(), ""
        self.ending: Stop | None = None
        self._enable = self.create_publisher(Joy, "enable_held", qos.STATE_OUT)
        self._target = self.create_publisher(JointTrajectory, "teleop/target", qos.COMMAND)
        self._status = self.create_publisher(DiagnosticArray, "status", qos.STATUS)
        self.create_subscription(JointTrajectory, "gate/sent", self._sent_came, qos.STATE)
        self.create_subscription(String, "gate/state", self._state_came, qos.LATCHED)
        self.create_subscription(String, "episode", self._episode_came, qos.LATCHED)
        self._requests = Requests(self)
        # Last: from here on a terminal is in another mode, until `on_stop`.
        self._device: Device = kind.make(options)
        self._needs_terminal = kind.needs_terminal
        self._waker: Waker | None = None
        self._on_input = self._timed(self._tick)
        self._hangup = self._end_with_terminal()
        self._screen = Screen()
        self._screen.catch_errors()
        for line in textwrap.wrap(bindings.line(), self._screen.size[0] - 1) if bindings is not None else []:
            self._screen.line(line)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1 / RATE_HZ, self._tick, clock=steady)
        self.create_timer(STATUS_S, self._report, clock=steady)

    def on_stop(self) -> None:
        """Publish that the enabling device is released: silence would be a fault of it."""
        if self._waker is not None:
            self._waker.close()
        self._device.close()
        self._enable.publish(enable_message(False, self._clock_.now_ns(), self._session, self._takeover.taken))
        self._screen.close()
        if self._hangup is not None:
            signal.signal(signal.SIGHUP, self._hangup)

    def _end_with_terminal(self) -> Any:
        """End in order when the terminal is closed; returns how it was before, None where that was left."""
        before = signal.getsignal(signal.SIGHUP)
        if before == signal.SIG_IGN or current_thread() is not main_thread():
            return None

        def end(number: int, frame: Any) -> None:
            self.ending = Stop("the terminal is gone", code=1)

        return signal.signal(signal.SIGHUP, end)

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
        """Read the device and publish: at 50 Hz, and when the device has input."""
        now_s, now_ns = time.monotonic(), self._clock_.now_ns()
        wish = self._wish = self._device.read(now_s)
        if self._waker is not None:
            self._waker.done()
        elif self.executor is not None:
            self._waker = Waker(self._device, self._wake)
        if not wish.connected and self._needs_terminal:
            self.ending = self.ending or Stop(wish.note, code=1)
        if not self._clock_.running:
            return
        taken = self._takeover.step(wish)
        self._enable.publish(enable_message(wish.held, now_ns, self._session, taken))
        for event in wish.events:
            self._act(event, wish)
        self._requests.turn()
        if self._jumps != self._clock_.epoch:
            self._jumps, self._time_ns = self._clock_.epoch, None
            self._jogging.let_go()
        dt = 0.0 if self._time_ns is None else min(max((now_ns - self._time_ns) * 1e-9, 0.0), LONGEST_S)
        self._time_ns = now_ns
        self._move(wish, taken, now_s, now_ns, dt)
        self._show(now_s)

    def _wake(self) -> None:
        """Have the executor read the device, from the waker's thread."""
        executor = self.executor
        if executor is not None:
            executor.create_task(self._on_input)

    def _act(self, event: str, wish: Wish) -> None:
        if event != "home":
            self._requests.ask(event)
        elif not wish.held:
            self._requests.answer = "home: hold the enabling device first"
        elif self._rest is None:
            self._requests.answer = f"home: {self._no_rest}"
        else:
            self._jogging.go_to(self._rest)

    def _move(self, wish: Wish, taken: bool, now_s: float, now_ns: int, dt: float) -> None:
        if not taken or self._sent is None or now_s - self._sent_s > SILENT_S:
            self._jogging.let_go()
            return
        target = self._jogging.step(wish, self._sent, dt)
        if not np.isfinite(target).all():
            self._jogging.let_go()  # another publisher's command in place of the gate's may hold no rotation
            return
        self._targets += 1
        tag = Tag(self._session, self._epoch, self._targets)
        self._target.publish(chunk_message(target[None], self._spec.component_names, now_ns, self._spec.period_ns, tag))

    # -- for people ---------------------------------------------------------------------------------------------------

    def _show(self, now_s: float) -> None:
        refused = self._jogging.refused
        if refused != self._refused:
            self._refused = refused
            for line in refused.splitlines():
                self._screen.line(line)
        if now_s - self._shown_s < SHOWN_S:
            return
        self._shown_s = now_s
        wish, jogging = self._wish, self._jogging
        status = TeleopStatus(
            note=wish.note,
            held=wish.held,
            connected=wish.connected,
            taken=self._takeover.taken,
            give=self._give,
            refused=refused,
            gate=self._state,
            recorder=self._requests.recorder,
            answer=self._requests.answer,
            doing="home" if jogging.homing else "moving" if jogging.moving else "",
            part=jogging.part(wish).name,
        )
        self._screen.over(status.line(self._screen.size[0] - 1), status.news)

    def _report(self) -> None:
        wish = self._wish
        numbers = {
            "held": wish.held,
            "taken": self._takeover.taken,
            "moving": self._jogging.moving,
            "part": self._jogging.part(wish).name,
            "targets": self._targets,
            **self.tally.numbers(),
        }
        level, text = OK if wish.connected else WARN, wish.note
        if self.tally.errors:
            level, text = ERROR, f"{text}; failed: {self.tally.last}"
        self._status.publish(status_message("teleop", level, text, numbers, self._clock_.now_ns()))


def usage(words: Sequence[str]) -> str:
    """What `tiller node teleop --help` shows."""
    return f"{__doc__}\n{device_help(words)}"


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(TeleopNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
