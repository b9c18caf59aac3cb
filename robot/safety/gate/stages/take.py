"""Chunks are accepted or refused; a person always wins.

A person whose enabling device reports no take lets go by sending no more. One who has taken the robot over keeps it
until a give (`hand_over`): the policy's chunks are then passed over, which is no refusal.
"""

from __future__ import annotations

from dataclasses import replace

from robot.safety.gate.inputs import ChunkSample, GateInputs, Now, Rejection
from robot.safety.gate.reasons import Mode, Reason
from robot.safety.gate.stages.checks import orthonormal, refuse_form, refuse_time
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.state import GateState, Latch, Plan

POLICY, PERSON = "policy", "person"


def take(parts: Parts, state: GateState, inputs: GateInputs, now: Now) -> tuple[GateState, tuple[Rejection, ...]]:
    """The state with the chunks that are accepted, and the others with their reasons."""
    rejected: tuple[Rejection, ...] = ()
    for source, chunks in ((PERSON, inputs.person), (POLICY, inputs.chunks)):
        for chunk in chunks:
            state, rejection = _take(parts, state, chunk, source, now)
            if rejection is not None:
                rejected = (*rejected, rejection)
    return _let_go(parts, state, now), rejected


def reject(chunk: ChunkSample, reason: Reason, detail: str) -> Rejection:
    return Rejection(chunk.chunk_id, chunk.publisher, reason, detail)


def _take(
    parts: Parts, state: GateState, chunk: ChunkSample, source: str, now: Now
) -> tuple[GateState, Rejection | None]:
    if state.mode in (Mode.INACTIVE, Mode.FAULT) or not len(state.command):
        return state, None
    if source == POLICY and state.latch.taken_by is not None:
        return state, None
    if chunk.fault:
        return state, reject(chunk, Reason.CHUNK_UNREADABLE, chunk.fault)  # its sender is unknown
    settings, plan, watched = parts.settings, state.plan, state.watched
    bound = watched.policy if source == POLICY else watched.person
    refusal = None
    if bound and chunk.publisher != bound:
        refusal = Reason.CHUNK_PUBLISHER, f"expected {bound}, got {chunk.publisher}"
        state = _blocked(state) if source == POLICY else state
    newest = (plan.pending or plan.followed) if plan.source in ("", source) else None
    refusal = refusal or refuse_form(settings, chunk) or refuse_time(settings, chunk, now, newest)
    if refusal is not None:
        return state, reject(chunk, *refusal)
    if _precedes_give(state.latch, chunk, now):
        return state, None
    if not settings.lock_step:
        chunk = orthonormal(settings, chunk)
    if source == PERSON:
        plan = replace(plan if plan.source == PERSON else Plan(source=PERSON), pending=chunk)
        watched = replace(watched, person=chunk.publisher, person_ns=chunk.received_ns)
    elif plan.source != PERSON:
        plan = replace(plan, pending=chunk, source=POLICY)
        watched = replace(watched, policy=chunk.publisher)
    return replace(state, plan=plan, watched=watched), None


def _precedes_give(latch: Latch, chunk: ChunkSample, now: Now) -> bool:
    """Whether a chunk came, or its observation was made, before the last give."""
    if latch.given_ns is None:
        return False
    made_ns = chunk.start_ns - now.ros_ns + now.monotonic_ns
    return min(chunk.received_ns, made_ns) <= latch.given_ns


def _blocked(state: GateState) -> GateState:
    """The state at a hold until enable is given anew, unless there is such a hold already."""
    if not state.latch.enabled or state.latch.blocked is not None:
        return state
    return replace(state, latch=replace(state.latch, blocked=Reason.PUBLISHER_CHANGED))


def _let_go(parts: Parts, state: GateState, now: Now) -> GateState:
    """A person who sends nothing more has let go: the policy needs a new chunk to take over, and a give where the
    robot was taken.
    """
    if state.plan.source != PERSON:
        return state
    received_ns = state.watched.person_ns
    if received_ns is not None and (now.monotonic_ns - received_ns) * 1e-9 <= parts.settings.person_s:
        return state
    return replace(state, plan=Plan(), watched=replace(state.watched, person="", person_ns=None))
