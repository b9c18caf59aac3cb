"""The gate: the one node that commands the robot.

A thin shell round `robot.safety.gate.core`: it gathers what came (`real.gate.subscriptions`), steps the core
(`stepping`) when the state comes or, on a steady clock, did not (`schedule`), publishes what the core decided to the
drivers (`publishers`) and to who watches (`sent`, `report`), and keeps the flight record (`records`). Lifecycle:
configured it listens; active it owns the command topics; every other state, and an error in a transition, takes it off
them; it is never started again by itself.

What is left here is more than three hundred lines because it is one thing: which of these parts does what in each state
of the lifecycle.
"""

from __future__ import annotations

import gc
import time
from functools import wraps
from pathlib import Path
from typing import Callable, Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_msgs.msg import String

from real.gate.publisher_watch import PublisherWatch
from real.gate.publishers import GatePublishers
from real.gate.records import OnRecord, RecordWriter
from real.gate.report import GateReport
from real.gate.schedule import TickSchedule
from real.gate.sent import SentPublisher
from real.gate.services import GateServices
from real.gate.stepping import GateStepper
from real.gate.subscriptions import GateSubscriptions
from real.process.parameters import declare
from real.process.priority import FIFO, raise_priority
from real.process.run import run_node
from real.ros import qos
from real.ros.clock import RosClock
from real.ros.guarded import Guarded
from real.ros.messages import string_message
from real.ros.signals import status_message
from robot.contract.contract import Contract
from robot.contract.loading import describe, load_contract
from robot.safety.gate.flight_record import FlightRecorder
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.inputs import (
    ACTIVATE,
    DEACTIVATE,
    DISABLE,
    ENABLE,
    FAILED,
    RESET,
    GateOutput,
    Now,
)
from robot.safety.gate.reasons import Mode, Reason, lets_move
from robot.safety.gate.state import GateState

STATUS_S = 0.5
STATUS_NS = round(STATUS_S * 1e9)
SETTLED_S = 0.5  # without an obstacle, after which a twin's gate enables itself
LOOK_NS = 200_000_000  # within which it looks once at who publishes on each topic
STOOD_S = 0.05  # at least, for which the command rests before the process ends: the drivers receive it
RECORD_S = 1.0  # at most, for which an ending process waits to report the outcome of a flight record

Transition = Callable[["GateNode", LifecycleState], TransitionCallbackReturn]


def _logged(transition: Transition) -> Transition:
    """Log an exception in a transition: rclpy makes it the error state and logs nothing."""

    @wraps(transition)
    def guarded(node: GateNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            node.get_logger().error(f"{transition.__name__}: {type(error).__name__}: {error}")
            raise

    return guarded


class GateNode(Guarded, LifecycleNode):
    """The gate's process.

    Topics: in, the contract's states, `policy/chunk`, `teleop/target`, `alive`, `enable_held`; out, the contract's
    commands, `gate/sent`, `gate/state` (latched), `status`. Services: `~/enable` (SetBool), `~/reset`, `~/dump`
    (Trigger), refused with the reason while the gate is not active, and those of the lifecycle.
    """

    def __init__(self) -> None:
        super().__init__("gate")
        self._contract: Contract = load_contract(
            declare(self, "contract", "panda_twin", "name or file of the robot's contract")
        )
        self._lock_step = declare(self, "lock_step", False, "a tick for each observation; time stands between")
        self._shadow = declare(self, "shadow", False, "compute and log, and send nothing")
        autostart = declare(
            self,
            "autostart",
            True,
            "become active by itself, and enabled where operator is none and nothing is missing",
        )
        priority = declare(
            self, "priority", FIFO, "of SCHED_FIFO, where the system allows it; 0 asks for none", low=0, high=99
        )
        records = Path(declare(self, "records", "outputs/flight", "folder of the flight records"))
        self._description = describe(self._contract)
        self._settings = gate_settings(self._contract, self._description, lock_step=self._lock_step)
        self._stepper = GateStepper(self._settings, self._core_failed)
        self._recorder = FlightRecorder(self._settings)
        self._records = RecordWriter(records, self._settings)
        self._clock_ = RosClock(self)
        self._gate_publishers = GatePublishers(self._contract, self._description)
        self._sent = SentPublisher(self, self._settings.spec)
        self._mode_publisher = self.create_publisher(String, "gate/state", qos.LATCHED)
        self._status = self.create_publisher(DiagnosticArray, "status", qos.STATUS)
        self._schedule = TickSchedule(self._contract, self._settings.tick_s, self._lock_step)
        self._moment_ns = 0
        self._line = ""
        self._output: GateOutput | None = None
        self._gate_subscriptions = GateSubscriptions(
            self, self._contract, self._measured, self._observed, self._planned, self._restarted
        )
        self._publisher_watch = PublisherWatch(self, self._contract)
        self._each_look_ns = LOOK_NS // len(self._publisher_watch)
        self._report_ns = self._look_ns = 0
        self._gate_services = GateServices(self, self)
        self._real_time = priority > 0 and raise_priority(priority)
        if priority and not self._real_time:
            self.get_logger().info(
                "no real-time priority: on a busy machine ticks come late. docs/ros.md says how to allow it"
            )
        self._gate_report = GateReport(
            self._contract, self._settings, self._lock_step, shadow=self._shadow, real_time=self._real_time
        )
        self._autoenable = autostart and self._contract.operator == "none"
        self._settling = False
        self._unsettled_ns = 0
        self._active = self._finalized = False
        # A slow driver gets commands only at its own rate.
        slowest_hz = min((sink.rate_hz for sink in self._contract.sinks.values()), default=self._contract.tick_hz)
        self._stood_ns = round(max(STOOD_S, 1.0 / slowest_hz) * 1e9)
        self._ending_ns = self._still_ns = 0
        if autostart:
            self.trigger_configure()
            self.trigger_activate()

    # -- lifecycle ----------------------------------------------------------------------------------------------------

    @_logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.get_logger().info(
            f"contract '{self._contract.name}' {self._gate_report.semantic} ({self._gate_report.operational}), "
            f"operator: {self._contract.operator}"
        )
        return TransitionCallbackReturn.SUCCESS

    @_logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        if not self._shadow:
            self._gate_publishers.open(self)
        self._gate_subscriptions.add_event(ACTIVATE)
        self._settling, self._unsettled_ns = self._autoenable, time.monotonic_ns()
        self._active = True
        return TransitionCallbackReturn.SUCCESS

    @_logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._fall_silent()
        return TransitionCallbackReturn.SUCCESS

    @_logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._fall_silent()
        return TransitionCallbackReturn.SUCCESS

    @_logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Publish nothing any more, neither commands nor status, until the process ends."""
        self._fall_silent()
        self._report()
        self._finalized = True
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle a failed transition: the gate becomes unconfigured, and publishes on no command topic."""
        self._active = self._settling = False
        self._gate_subscriptions.add_event(DEACTIVATE)
        self._gate_publishers.close(self)
        return TransitionCallbackReturn.SUCCESS

    def _fall_silent(self) -> None:
        """Become inactive and leave the command topics, whatever happens on the way."""
        self._active = self._settling = False
        self._gate_subscriptions.add_event(DEACTIVATE)
        try:
            self._tick(self._now())
        finally:
            self._gate_publishers.close(self)

    def wind_down(self) -> bool:
        """Bring the robot to a hold before the process ends; True when its command rests and every driver has it."""
        now_ns = time.monotonic_ns()
        if not self._ending_ns:
            self._ending_ns, self._settling = now_ns, False
            self._gate_subscriptions.add_event(DISABLE)
        if not self._active or self._lock_step:
            return True  # in lock-step time is paused
        if self._schedule.ticked_ns <= self._ending_ns or self._state.sent.velocity.any():
            self._still_ns = 0
            return False
        self._still_ns = self._still_ns or now_ns
        return now_ns - self._still_ns >= self._stood_ns

    def on_stop(self) -> None:
        """Leave the command topics: what the drivers do then is in the contract's documentation."""
        self._gate_publishers.close(self)
        self._records.finish(RECORD_S)

    def on_failure(self, what: str, error: Exception) -> None:
        """Handle a failure of the node itself: the core stops the robot."""
        self._gate_subscriptions.add_event(FAILED)

    # -- ticks --------------------------------------------------------------------------------------------------------

    @property
    def _state(self) -> GateState:
        return self._stepper.state

    def _measured(self, name: str) -> None:
        if name == self._schedule.lead and self._schedule.makes_tick(time.monotonic_ns()):
            self._tick(self._now())

    def _observed(self, stamp_ns: int) -> None:
        """Take the stamp of the observation, which comes last: in lock-step it makes the moment and the tick."""
        self._moment_ns = stamp_ns
        if self._lock_step:
            self._tick(self._now())

    def _planned(self) -> None:
        if self._lock_step and self._moment_ns:
            self._tick(self._now())

    def _restarted(self) -> None:
        """In lock-step there is no moment until the first observation of the episode."""
        self._moment_ns = 0

    def idle(self) -> float:
        """Tick where no state makes one; returns the seconds until that is due."""
        self._records.turn()
        if self._finalized:
            self._gate_subscriptions.take(0)  # what still arrives is dropped
            return STATUS_S
        schedule, now_ns = self._schedule, time.monotonic_ns()
        since_ns = now_ns - schedule.ticked_ns
        if schedule.overdue(now_ns):
            self._tick(self._now())
            since_ns = 0
        if schedule.has_time(now_ns, self._report_ns, STATUS_NS):
            self._report_ns = now_ns + STATUS_NS
            self._report()
        elif schedule.has_time(now_ns, self._look_ns, LOOK_NS):
            self._look_ns = now_ns + self._each_look_ns
            self._gate_subscriptions.set_crowds(self._publisher_watch.look())
        return schedule.wait_s(now_ns, since_ns, STATUS_S)

    def _now(self) -> Now:
        twin = self._gate_subscriptions.twin_epoch or 0
        if self._lock_step:
            # The twin's time is that of its last observation, and only a reset makes it jump.
            return Now(time.monotonic_ns(), self._moment_ns, twin)
        now_ns, jumps = self._clock_.moment()
        return Now(time.monotonic_ns(), now_ns, twin + jumps)

    def _tick(self, now: Now) -> None:
        if self._finalized:
            return
        step = self._stepper.step(self._gate_subscriptions.take(now.epoch), now)
        if step is None:
            self._schedule.gave_up(now.monotonic_ns)
            return
        output = step.output
        self._schedule.began(now.monotonic_ns)
        self._output = output
        if output.target is not None:
            self._send(output, now)
        self._recorder.add(step.before, step.inputs, now, output)
        self._note(output, now)
        if self._settling:
            self._settle(output, now)
        self._schedule.ended(time.monotonic_ns())

    def _core_failed(self, what: str, error: Exception) -> None:
        """Count and log a failure of the core; the ticks that led to it are kept."""
        self.failed(what, error)
        if len(self._recorder) and self.tally.due("the record of a failure"):
            self._dump(f"{Reason.INTERNAL.value}: {type(error).__name__}: {error}")

    def _settle(self, output: GateOutput, now: Now) -> None:
        """Enable a twin's gate when nothing else has been missing for a while: where processes are still starting, what
        comes late would be a fault.
        """
        if output.reason is not Reason.NOT_ENABLED:
            self._unsettled_ns = now.monotonic_ns
        if self._lock_step or now.monotonic_ns - self._unsettled_ns > SETTLED_S * 1e9:
            self._settling = False
            self._gate_subscriptions.add_event(ENABLE)

    def _send(self, output: GateOutput, now: Now) -> None:
        assert output.target is not None
        due_ns = now.ros_ns + (0 if self._lock_step else round(self._settings.lead_s * 1e9))
        tag = f"{output.chunk_id}/{output.row}" if output.chunk_id is not None else ""
        self._gate_publishers.say(
            output.target,
            self._state.sent.velocity,
            self._state.measured,
            output.mode.value,
            lets_move(output.mode, output.reasons),
            now.monotonic_ns,
            due_ns,
            tag,
            every=self._lock_step,
        )
        self._sent.publish(output, due_ns)

    def _note(self, output: GateOutput, now: Now) -> None:
        """Report what has changed: on the state topic, in the log, in a flight record when it is a fault."""
        # Not rclpy's own throttle: it looks at the stack first, a millisecond for each of a flood of chunks.
        if output.rejected and self.tally.due("a refused chunk"):
            each = output.rejected[0]
            self.get_logger().warning(f"chunk {each.chunk_id} refused: {each.reason.text}: {each.detail}")
        if output.dump:
            self._dump(f"{output.reason.value}: {output.details.get(output.reason, '')}")
        line = f"{output.mode.value} {output.reason.value}"
        if line == self._line:
            return
        self._line = line
        self._mode_publisher.publish(string_message(line))
        text = f"{output.mode.value}: {output.reason.text} {output.details.get(output.reason, '')}".rstrip()
        # Three calls: rclpy remembers the line of a call with its severity, and refuses another severity from there.
        if output.mode is Mode.FAULT:
            self.get_logger().error(text)
        elif output.mode is Mode.HOLD:
            self.get_logger().warning(text)
        else:
            self.get_logger().info(text)

    def _dump(self, note: str) -> None:
        """Have the flight record written because of a fault."""
        self.write_record(note, self._recorded)

    def _recorded(self, path: Path | None, problem: str) -> None:
        if problem:
            self.get_logger().error(problem)
        else:
            self.get_logger().info(f"flight record {path}")

    # -- what its services ask for (`real.gate.services.Served`) -------------------------------------------------------

    @property
    def refusal(self) -> str:
        """Why people's requests are refused altogether; empty when they are not."""
        if not self._active:
            return f"the gate is not active: its lifecycle says '{self._state_machine.current_state[1]}'"
        return "the gate is ending" if self._ending_ns else ""

    @property
    def mode(self) -> Mode:
        return self._state.mode

    @property
    def line(self) -> str:
        return self._line

    def request(self, event: str) -> None:
        """Request an event on behalf of a person; from then on only a person enables the gate."""
        if event != RESET:
            self._settling = False
        self._gate_subscriptions.add_event(event)

    def write_record(self, note: str, on_record: OnRecord) -> bool:
        """Have the flight record written; False where nothing is recorded yet."""
        if not len(self._recorder):
            return False
        self._records.request(self._recorder.ticks(), note, on_record)
        return True

    # -- status -------------------------------------------------------------------------------------------------------

    def _report(self) -> None:
        # The flight record is some 300 000 objects: a collection that looks at all of them takes 0.15 s, so what has
        # survived half a second is not looked at again. It is freed when nothing refers to it any more. No
        # collection falls into a tick.
        gc.disable()
        gc.collect()
        gc.freeze()
        others = self._gate_publishers.others(self)
        self._gate_subscriptions.set_obstacle(f"another publisher on {others}" if others else "", self._clock_.now_ns())
        for line in self._gate_publishers.given_up():
            self.get_logger().info(line)
        level, text = self._gate_report.line(self._output)
        numbers = {
            **self._gate_report.numbers(self._output),
            **self._schedule.numbers(),
            **self._gate_publishers.goals(),
            **self.tally.numbers(),
            "record": self._records.last or "none",
        }
        self._status.publish(status_message("gate", level, text, numbers, self._clock_.now_ns()))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(GateNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
