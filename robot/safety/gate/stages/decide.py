"""The mode of this tick, and the path that a source requests."""

from __future__ import annotations

from dataclasses import replace

from robot.control.trajectory import Trajectory
from robot.description.chunk import ActionChunk
from robot.safety.gate.inputs import ChunkSample, Now, Rejection
from robot.safety.gate.reasons import Kind, Mode, Reason
from robot.safety.gate.stages.checks import refuse_start
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.take import POLICY, reject
from robot.safety.gate.stages.watch import Causes
from robot.safety.gate.state import GateState, Latch, Plan


def decide(
    parts: Parts, state: GateState, causes: Causes, resetting: bool, now: Now
) -> tuple[GateState, Causes, tuple[Rejection, ...]]:
    """The state in the mode of this tick, the causes against a run, and the chunks that cannot start from here.

    Args:
        parts: of the gate.
        state: judged.
        causes: reasons against following a source.
        resetting: whether a latched fault is to end, if its cause is gone.
        now: the moment.
    """
    if state.mode is Mode.INACTIVE:
        return state, causes, ()
    new_fault = next((reason for reason in causes if reason.kind is Kind.FAULT), None)
    fault = new_fault if new_fault is not None and (state.latch.enabled or resetting) else state.latch.fault
    if fault is not None:
        return replace(state, latch=faulted(state.latch, fault), plan=Plan()), causes, ()
    if causes:
        plan = Plan() if state.mode is Mode.RUN else state.plan
        return _in_mode(replace(state, plan=plan), Mode.HOLD), causes, ()
    state, rejected = _begin(parts, state, now)
    causes = _starved(parts, state, now)
    return _in_mode(state, Mode.HOLD if causes else Mode.RUN), causes, rejected


def _in_mode(state: GateState, mode: Mode) -> GateState:
    return state if state.mode is mode else replace(state, latch=replace(state.latch, mode=mode))


def _begin(parts: Parts, state: GateState, now: Now) -> tuple[GateState, tuple[Rejection, ...]]:
    """Splice the pending chunk into the path: from the last command on, or from the path's position at that time,
    without a jump either way.
    """
    plan, chunk, spec = state.plan, state.plan.pending, parts.settings.spec
    if chunk is None:
        return state, ()
    base = plan.path if state.mode is Mode.RUN else None
    if base is None:
        refusal = refuse_start(parts.settings, chunk, state.command, now.ros_ns, state.measured)
        if refusal is not None:
            return replace(state, plan=replace(plan, pending=None)), (reject(chunk, *refusal),)
    at_ns = parts.last_ns(state, now)
    if base is None:
        base = Trajectory.hold(spec, state.command, at_ns)
        state = replace(state, sent=replace(state.sent, path_position=state.command))
    values = parts.measuring.compensate_latency(chunk.values, base.at(chunk.start_ns))
    passed = _passed_rows(parts, state, chunk, at_ns)
    start_ns = chunk.start_ns + passed * spec.period_ns
    path = base.spliced(ActionChunk(values[passed:], start_ns, spec.period_s, chunk.chunk_id, spec), at_ns)
    return replace(state, plan=replace(plan, path=path, followed=chunk, pending=None)), ()


def _passed_rows(parts: Parts, state: GateState, chunk: ChunkSample, at_ns: int) -> int:
    """The rows of a chunk to leave out, beside those that have ended: after a give the first row that is followed takes
    its whole period. What is left of the one that contains now may be a tick, in which the robot would cover its way.
    """
    if state.mode is Mode.RUN or state.latch.given_ns is None or parts.settings.lock_step:
        return 0
    passed = -((chunk.start_ns - at_ns) // parts.settings.spec.period_ns)
    return min(max(passed, 0), len(chunk.values) - 1)


def _starved(parts: Parts, state: GateState, now: Now) -> Causes:
    """Why there is nothing to follow; empty where there is."""
    plan = state.plan
    taken = state.latch.taken_by is not None
    if plan.path is None:
        return {Reason.TAKEN if taken else Reason.NO_CHUNK: ""}
    if parts.settings.lock_step:
        return {Reason.TAKEN if taken else Reason.STARVED: ""} if due_row(parts, state, now) < 0 else {}
    if plan.source == POLICY and plan.path.end_ns < parts.path_ns(now):
        return {Reason.STARVED: f"{(parts.path_ns(now) - plan.path.end_ns) * 1e-9:.3f} s"}
    return {}


def due_row(parts: Parts, state: GateState, now: Now) -> int:
    """The row of the followed chunk whose interval has begun and that was not sent yet; -1 when there is none."""
    chunk, period_ns = state.plan.followed, parts.settings.spec.period_ns
    if chunk is None:
        return -1
    row = (now.ros_ns - chunk.start_ns) // period_ns
    due_ns = chunk.start_ns + row * period_ns
    is_sent = state.plan.next_ns is not None and due_ns < state.plan.next_ns
    return -1 if is_sent or not 0 <= row < len(chunk.values) else int(row)


def faulted(latch: Latch, fault: Reason) -> Latch:
    """The latch in a fault."""
    return replace(latch, mode=Mode.FAULT, enabled=False, fault=fault)
