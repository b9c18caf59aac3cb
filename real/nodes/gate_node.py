"""The gate: the one node that commands the robot.

A thin shell round `robot.safety.gate.core`: it gathers what came, steps the core when the state comes (or, on a
steady clock, did not), tells the drivers what the core decided, and keeps the flight record. Lifecycle: configured
it listens; active it owns the command topics; every other state, and an error in a transition, takes it off them; it is
never started again by itself.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from real.gate.publisher_watch import PublisherWatch
from real.gate.publishers import GatePublishers
from real.gate.records import RecordWriter
from real.gate.subscriptions import GateSubscriptions
from real.process.late import LateService
from real.process.parameters import declare
from real.process.priority import FIFO, raise_priority
from real.process.run import run_node
from real.ros import qos
from real.ros.chunks import trajectory_message
from real.ros.clock import RosClock
from real.ros.guarded import Guarded
from real.ros.messages import doubles, stamp_of, string_message
from real.ros.signals import ERROR, OK, WARN, status_message
from robot.contract.contract import Contract
from robot.contract.loading import describe, load_contract, operational_hash, semantic_hash
from robot.safety.gate.core import Gate
from robot.safety.gate.flight_record import FlightRecorder
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.inputs import (
    ACTIVATE,
    DEACTIVATE,
    DISABLE,
    ENABLE,
    FAILED,
    RESET,
    GateInputs,
    GateOutput,
    Now,
)
from robot.safety.gate.leash import enforced
from robot.safety.gate.reasons import Mode, Reason, lets_move
from robot.safety.gate.state import GateState, Plan, Tracking

STATUS_S = 0.5
PATIENCE = 1.2  # ticks without a state, after which there is one all the same
SLACK = 0.3  # of a tick: how long after one there is time for the status
RECENT = 2000  # ticks whose lateness is reported
SETTLED_S = 0.5  # without anything to say against it, after which a twin's gate enables itself
COMPANY_NS = 2_000_000  # in which the messages of the other streams come after a stall
LOOK_NS = 200_000_000  # in which it looks once at who publishes on each topic
STOOD_S = 0.05  # at least, that the command stands before the process ends: the drivers are told
RECORD_S = 1.0  # at most, that a process which ends waits to say what has become of a flight record

Transition = Callable[["GateNode", LifecycleState], TransitionCallbackReturn]


def _told(transition: Transition) -> Transition:
    """Log an exception in a transition: rclpy makes it the error state and says nothing of it."""

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
        self._hashes = semantic_hash(self._contract), operational_hash(self._contract)
        self._energy = {
            name: enforced(sink.energy, lock_step=self._lock_step)
            for name, sink in self._contract.sinks.items()
            if sink.fields
        }
        self._gate, self._state = Gate(self._settings), GateState()
        self._gate.warm_up()
        self._recorder = FlightRecorder(self._settings)
        self._records = RecordWriter(records, self._settings)
        self._clock_ = RosClock(self)
        self._gate_publishers = GatePublishers(self._contract, self._description)
        self._sent = self.create_publisher(JointTrajectory, "gate/sent", qos.STATUS)
        self._said = self.create_publisher(String, "gate/state", qos.LATCHED)
        self._status = self.create_publisher(DiagnosticArray, "status", qos.STATUS)
        # One message for all ticks: to make it anew takes as long as to send it.
        spec = self._settings.spec
        self._sent_message = trajectory_message(np.zeros((2, spec.dim)), spec.component_names, 0, 0)
        self._tick_ns = round(self._settings.tick_s * 1e9)
        self._ticked_ns = self._ended_ns = self._moment_ns = 0
        self._line = ""
        self._output: GateOutput | None = None
        self._periods: deque[int] = deque(maxlen=RECENT)
        self._spent: deque[int] = deque(maxlen=RECENT)
        self._lead = self._leading_stream()
        # The state that comes nearest to a tick's moment makes it; one that comes sooner is left for the next.
        lead_hz = self._contract.state[self._lead].rate_hz if self._lead else self._contract.tick_hz
        self._early_ns = max(self._tick_ns - round(0.5e9 / lead_hz), self._tick_ns // 2)
        self._gate_subscriptions = GateSubscriptions(
            self, self._contract, self._measured, self._observed, self._planned, self._restarted
        )
        self._publisher_watch = PublisherWatch(self, self._contract)
        self._each_look_ns = LOOK_NS // len(self._publisher_watch)
        self._stall_ns = round(max(2.5e9 / lead_hz, 2.5 * self._tick_ns))
        self._report_ns = self._look_ns = self._led_ns = self._company_ns = 0
        self.create_service(SetBool, "~/enable", self._enable_service)
        self.create_service(Trigger, "~/reset", self._reset_service)
        self._dumps = LateService(self, Trigger, "~/dump", self._dump_service)
        self._real_time = priority > 0 and raise_priority(priority)
        if priority and not self._real_time:
            self.get_logger().info(
                "no real-time priority: on a busy machine ticks come late. docs/ros.md says how to allow it"
            )
        self._autoenable = autostart and self._contract.operator == "none"
        self._settling = False
        self._unsettled_ns = 0
        self._active = self._finalized = False
        # A slow driver is told as seldom as it wants to hear it.
        slowest_hz = min((sink.rate_hz for sink in self._contract.sinks.values()), default=self._contract.tick_hz)
        self._stood_ns = round(max(STOOD_S, 1.0 / slowest_hz) * 1e9)
        self._ending_ns = self._still_ns = 0
        if autostart:
            self.trigger_configure()
            self.trigger_activate()

    # -- lifecycle ----------------------------------------------------------------------------------------------------

    @_told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.get_logger().info(
            f"contract '{self._contract.name}' {self._hashes[0]} ({self._hashes[1]}), "
            f"operator: {self._contract.operator}"
        )
        return TransitionCallbackReturn.SUCCESS

    @_told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        if not self._shadow:
            self._gate_publishers.open(self)
        self._gate_subscriptions.happen(ACTIVATE)
        self._settling, self._unsettled_ns = self._autoenable, time.monotonic_ns()
        self._active = True
        return TransitionCallbackReturn.SUCCESS

    @_told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._fall_silent()
        return TransitionCallbackReturn.SUCCESS

    @_told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._fall_silent()
        return TransitionCallbackReturn.SUCCESS

    @_told
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Nothing is said any more, neither commands nor status, until the process ends."""
        self._fall_silent()
        self._report()
        self._finalized = True
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """A transition has failed: the gate is unconfigured, and on no command topic."""
        self._active = self._settling = False
        self._gate_subscriptions.happen(DEACTIVATE)
        self._gate_publishers.close(self)
        return TransitionCallbackReturn.SUCCESS

    def _fall_silent(self) -> None:
        """Become inactive and leave the command topics, whatever happens on the way."""
        self._active = self._settling = False
        self._gate_subscriptions.happen(DEACTIVATE)
        try:
            self._tick(self._now())
        finally:
            self._gate_publishers.close(self)

    def wind_down(self) -> bool:
        """Bring the robot to a hold before the process ends; True when its command stands and every driver knows."""
        now_ns = time.monotonic_ns()
        if not self._ending_ns:
            self._ending_ns, self._settling = now_ns, False
            self._gate_subscriptions.happen(DISABLE)
        if not self._active or self._lock_step:
            return True  # in lock-step time stands
        if self._ticked_ns <= self._ending_ns or self._state.sent.velocity.any():
            self._still_ns = 0
            return False
        self._still_ns = self._still_ns or now_ns
        return now_ns - self._still_ns >= self._stood_ns

    def on_stop(self) -> None:
        """Leave the command topics: what the drivers do then is in the contract's documentation."""
        self._gate_publishers.close(self)
        self._records.finish(RECORD_S)

    def on_failure(self, what: str, error: Exception) -> None:
        """The node could not do its own work: the core stops the robot."""
        self._gate_subscriptions.happen(FAILED)

    # -- ticks --------------------------------------------------------------------------------------------------------

    def _leading_stream(self) -> str:
        """The stream whose messages make the ticks: the fastest one; in lock-step none, the observation does."""
        streams = self._contract.state
        read = [name for name, stream in streams.items() if stream.type in ("joint_state", "pose")]
        return "" if self._lock_step else max(read, key=lambda name: streams[name].rate_hz, default="")

    def _measured(self, name: str) -> None:
        if name != self._lead:
            return
        now_ns, before_ns = time.monotonic_ns(), self._led_ns
        self._led_ns = now_ns
        if before_ns and now_ns - before_ns > self._stall_ns:
            # After a stall the other streams' messages are right behind this one: a tick without them would hold.
            self._company_ns = now_ns + COMPANY_NS
        elif now_ns - self._ticked_ns >= self._early_ns and not self._company_ns:
            self._tick(self._now())

    def _observed(self, stamp_ns: int) -> None:
        """The observation comes last: in lock-step it makes the moment and the tick."""
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
            self._gate_subscriptions.take(0)  # of what goes on coming nothing is kept
            return STATUS_S
        now_ns = time.monotonic_ns()
        since_ns = now_ns - self._ticked_ns
        awaited = self._company_ns or self._ticked_ns + round(PATIENCE * self._tick_ns)
        if not self._lock_step and now_ns >= awaited:
            self._company_ns = 0
            self._tick(self._now())
            since_ns = 0
        # Right after a tick there is time for the rest.
        status_ns = round(STATUS_S * 1e9)
        if now_ns >= self._report_ns and (
            now_ns - self._ended_ns < SLACK * self._tick_ns or self._lock_step or now_ns >= self._report_ns + status_ns
        ):
            self._report_ns = now_ns + status_ns
            self._report()
        elif now_ns >= self._look_ns and (
            now_ns - self._ended_ns < SLACK * self._tick_ns or self._lock_step or now_ns >= self._look_ns + LOOK_NS
        ):
            self._look_ns = now_ns + self._each_look_ns
            self._gate_subscriptions.look(self._publisher_watch.look())
        if self._company_ns:
            return max(self._company_ns - now_ns, 0) * 1e-9
        return STATUS_S if self._lock_step else (PATIENCE * self._tick_ns - since_ns) * 1e-9

    def _now(self) -> Now:
        twin = self._gate_subscriptions.twin_epoch or 0
        if self._lock_step:
            # The twin's time stands at its last observation, and only a reset makes it jump.
            return Now(time.monotonic_ns(), self._moment_ns, twin)
        now_ns, jumps = self._clock_.moment()
        return Now(time.monotonic_ns(), now_ns, twin + jumps)

    def _tick(self, now: Now) -> None:
        if self._finalized:
            return
        before, inputs = self._state, self._gate_subscriptions.take(now.epoch)
        try:
            self._state, output = self._gate.step(before, inputs, now)
        except Exception as error:
            stopped = self._stop(before, inputs, now, error)
            if stopped is None:
                self._ticked_ns = self._ended_ns = now.monotonic_ns
                return
            before, inputs, output = stopped
        if self._ticked_ns:
            self._periods.append(now.monotonic_ns - self._ticked_ns)
        self._ticked_ns, self._output = now.monotonic_ns, output
        if output.target is not None:
            self._send(output, now)
        self._recorder.add(before, inputs, now, output)
        self._note(output, now)
        if self._settling:
            self._settle(output, now)
        self._ended_ns = time.monotonic_ns()
        self._spent.append(self._ended_ns - now.monotonic_ns)

    def _stop(
        self, before: GateState, inputs: GateInputs, now: Now, error: Exception
    ) -> tuple[GateState, GateInputs, GateOutput] | None:
        """A tick whose core has failed: one more step, from a state that stands and with the signals alone.

        Returns:
            State before it, inputs and output; None when it failed too, and nothing is sent in this tick.
        """
        self.failed("the gate's core", error)
        if len(self._recorder) and self.tally.due("the record of a failure"):
            self._dump(f"{Reason.INTERNAL.value}: {type(error).__name__}: {error}")
        halted = halted_state(before)
        signals = GateInputs(
            alive=inputs.alive,
            enable_held=inputs.enable_held,
            driver=inputs.driver,
            events=tuple(event for event in inputs.events if event == DEACTIVATE),
        )
        try:
            self._state, output = self._gate.step(halted, signals, now)
        except Exception as second:
            self._state = halted
            self.failed("the gate's core at rest", second)
            return None
        return halted, signals, output

    def _settle(self, output: GateOutput, now: Now) -> None:
        """Enable a twin's gate when nothing else has been missing for a while: where processes are still starting, what
        comes late would be a fault.
        """
        if output.reason is not Reason.NOT_ENABLED:
            self._unsettled_ns = now.monotonic_ns
        if self._lock_step or now.monotonic_ns - self._unsettled_ns > SETTLED_S * 1e9:
            self._settling = False
            self._gate_subscriptions.happen(ENABLE)

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
        facts = (output.reason.value, output.chunk_id, output.seed, output.value)
        message = self._sent_message
        message.header.stamp = stamp_of(due_ns)
        message.header.frame_id = "|".join("" if fact is None else str(fact) for fact in facts)
        message.points[0].positions = doubles(output.target if output.requested is None else output.requested)
        message.points[1].positions = doubles(output.target)
        self._sent.publish(message)

    def _note(self, output: GateOutput, now: Now) -> None:
        """Say what has changed: on the state topic, in the log, in a flight record when it is a fault."""
        for each in output.rejected:
            self.get_logger().warning(
                f"chunk {each.chunk_id} refused: {each.reason.text}: {each.detail}", throttle_duration_sec=1.0
            )
        if output.dump:
            self._dump(f"{output.reason.value}: {output.details.get(output.reason, '')}")
        line = f"{output.mode.value} {output.reason.value}"
        if line == self._line:
            return
        self._line = line
        self._said.publish(string_message(line))
        text = f"{output.mode.value}: {output.reason.text} {output.details.get(output.reason, '')}".rstrip()
        # Three calls: rclpy remembers the place of a call with its severity, and refuses another one from there.
        if output.mode is Mode.FAULT:
            self.get_logger().error(text)
        elif output.mode is Mode.HOLD:
            self.get_logger().warning(text)
        else:
            self.get_logger().info(text)

    def _dump(self, note: str) -> None:
        """Have what is kept written because of a fault."""
        self._records.request(self._recorder.ticks(), note, self._recorded)

    def _recorded(self, path: Path | None, problem: str) -> None:
        if problem:
            self.get_logger().error(problem)
        else:
            self.get_logger().info(f"flight record {path}")

    # -- people -------------------------------------------------------------------------------------------------------

    def _refusal(self) -> str:
        """Why people's requests are refused altogether; empty when they are not."""
        if not self._active:
            return f"the gate is not active: its lifecycle says '{self._state_machine.current_state[1]}'"
        return "the gate is ending" if self._ending_ns else ""

    def _enable_service(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.message = self._refusal()
        if response.message:
            return response
        self._settling = False
        self._gate_subscriptions.happen(ENABLE if request.data else DISABLE)
        response.success = self._state.mode in (Mode.HOLD, Mode.RUN) or not request.data
        response.message = "" if response.success else f"the gate is in {self._state.mode.value}: {self._line}"
        return response

    def _reset_service(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = self._refusal()
        if response.message:
            return response
        self._gate_subscriptions.happen(RESET)
        response.success = self._state.mode is Mode.FAULT
        response.message = "enable it again" if response.success else f"there is no fault: {self._line}"
        return response

    def _dump_service(self, request: Trigger.Request, response: Trigger.Response, answer: Callable[[], None]) -> None:
        """Answer when the record is on the disk, or when it is known that it will not be."""
        response.message = self._refusal() or ("" if len(self._recorder) else "nothing is recorded yet")
        if response.message:
            answer()
        else:
            self._records.request(self._recorder.ticks(), "asked for", partial(self._answer_dump, response, answer))

    def _answer_dump(self, response: Any, answer: Callable[[], None], path: Path | None, problem: str) -> None:
        response.success, response.message = path is not None, problem or str(path)
        answer()

    def _report(self) -> None:
        # The flight record is some 300 000 objects: a collection that looks at all of them takes 0.15 s, so what has
        # survived half a second is not looked at again. It goes when nobody refers to it, as everything does. None
        # falls into a tick.
        gc.disable()
        gc.collect()
        gc.freeze()
        output = self._output
        others = self._gate_publishers.others(self)
        self._gate_subscriptions.complain(f"another publisher on {others}" if others else "", self._clock_.now_ns())
        if output is None:
            level, text = WARN, "inactive"
        else:
            level = {Mode.RUN: OK, Mode.FAULT: ERROR}.get(output.mode, WARN)
            text = f"{output.mode.value}: {', '.join(reason.text for reason in output.reasons)}"
        numbers: dict[str, object] = {
            "shadow": self._shadow,
            "real_time": self._real_time,
            "contract": self._hashes[0],
            "operational": self._hashes[1],
            "record": self._records.last or "none",
        }
        if output is not None:
            numbers |= {f"error_{group}": f"{error:.4f}" for group, error in output.errors.items()}
            numbers |= {f"count_{reason.value}": count for reason, count in output.counts.items()}
        if self._periods:
            for name, times in (("period", self._periods), ("tick", self._spent)):
                ordered = sorted(times)
                numbers |= {
                    f"{name}_{words}_ms": f"{ordered[int(share * len(ordered))] * 1e-6:.3f}"
                    for words, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
                }
        numbers |= {f"energy_{name}": words for name, words in self._energy.items()} | self._gate_publishers.goals()
        for line in self._gate_publishers.given_up():
            self.get_logger().info(line)
        numbers |= self.tally.numbers()
        numbers |= {f"energy_{name}": words for name, words in self._energy.items()}
        if output is not None:
            numbers |= {f"push_{leash.group}_n": f"{leash.push_n:.1f}" for leash in self._settings.leashes}
            numbers |= {
                f"spring_{leash.group}_j": f"{spring:.4f}"
                for leash, spring in zip(self._settings.leashes, output.springs)
            }
        self._status.publish(status_message("gate", level, text, numbers, self._clock_.now_ns()))


def halted_state(state: GateState) -> GateState:
    """The same at rest: nothing is followed, and the fault is one of tiller's own."""
    fault = state.mode is not Mode.INACTIVE
    latch = replace(
        state.latch,
        mode=Mode.FAULT if fault else state.mode,
        fault=Reason.INTERNAL if fault else None,
        enabled=False,
    )
    return replace(state, latch=latch, plan=Plan(), tracking=Tracking())


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(GateNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
