"""All causes against following a source, the gravest first."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from robot.safety.gate.inputs import CHUNKS, Now
from robot.safety.gate.reasons import Kind, Mode, Reason
from robot.safety.gate.stages.agreement import RESET_S, accepted, is_back
from robot.safety.gate.stages.measure import Comparison
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.watch import UNTRUSTED, Causes, signal_causes, stream_causes
from robot.safety.gate.state import GateState


class Judgement(NamedTuple):
    """The causes against following a source.

    Args:
        causes: reason -> names and numbers; faults first.
        trusted: whether all of the measured state can be trusted.
        groups: (groups,) bool, of which the measured state can be trusted.
        notes: other reported reasons.
    """

    causes: Causes
    trusted: bool
    groups: np.ndarray
    notes: Causes


def judge(
    parts: Parts, state: GateState, comparison: Comparison, enabling: bool, now: Now
) -> tuple[GateState, Judgement]:
    """The state with its jumps and its tracking judged, and the judgement."""
    if state.mode is Mode.INACTIVE:
        return state, Judgement({}, False, parts.measuring.no_groups, {})
    stream_faults, untrusted = stream_causes(parts.settings, state.watched, now)
    causes = {**stream_faults, **signal_causes(parts.settings, state.watched, now)}
    if not len(state.command):
        causes.setdefault(Reason.NO_STATE, _unknown(parts, state))
    notes = {Reason.STATE_LATE: causes.pop(Reason.STATE_LATE)} if Reason.STATE_LATE in causes else {}
    if not state.latch.enabled:
        causes[Reason.NOT_ENABLED] = ""
    known = parts.measuring.trusted(untrusted)
    if state.agreement.jump:
        state, jump = _judge_jump(parts, state, comparison, enabling, bool(known.all()), now)
        if jump:
            causes[Reason.STATE_JUMP] = jump
    trusted = not state.agreement.jump and UNTRUSTED.isdisjoint(causes)
    groups = parts.measuring.no_groups if state.agreement.jump else known
    if enabling:
        state = replace(state, tracking=replace(state.tracking, off_since=()))
    compared = _is_compared(state, causes, enabling or state.agreement.entering)
    state, off = _tracking_errors(parts, state, comparison, groups, compared, now)
    latch, yielding = state.latch, state.tracking.yielding
    if off and latch.blocked is not Reason.TRACKING:
        latch, yielding = replace(latch, blocked=Reason.TRACKING), _yield_distances(parts, comparison, off)
    if Reason.NOT_HELD in causes and (latch.blocked is not None or yielding):
        latch, yielding = replace(latch, blocked=None), ()  # releasing the enabling device acknowledges the hold
    if latch is not state.latch or yielding is not state.tracking.yielding:
        state = replace(state, latch=latch, tracking=replace(state.tracking, yielding=yielding))
    if latch.blocked is Reason.PUBLISHER_CHANGED:
        causes[latch.blocked] = state.watched.crowds.get(CHUNKS, "")
    elif latch.blocked is not None:
        causes[latch.blocked] = ", ".join(off)
    if not causes:
        return state, Judgement({}, trusted, groups, notes)
    faults = [reason for reason in causes if reason.kind is Kind.FAULT]
    holds = [reason for reason in causes if reason.kind is not Kind.FAULT]
    return state, Judgement({reason: causes[reason] for reason in (*faults, *holds)}, trusted, groups, notes)


def _unknown(parts: Parts, state: GateState) -> str:
    """Why there is no first command yet."""
    missing = parts.measuring.missing(state.measured)
    return missing or parts.measuring.plausibility.implausible(state.measured) or "it has to settle"


def _judge_jump(
    parts: Parts, state: GateState, comparison: Comparison, enabling: bool, known: bool, now: Now
) -> tuple[GateState, str]:
    """The reported jump of a state that has jumped, until it is back or a person accepts it; `known`: whether all
    streams show where the robot is.
    """
    agreement = state.agreement
    if enabling:
        agreement = accepted(parts.measuring, state, known, now)
    elif is_back(agreement, state.measurement.joints, parts.measuring.apart(comparison.distances)):
        agreement = replace(agreement, jump="", joints=np.empty(0))
    if agreement is not state.agreement:
        state = replace(state, agreement=agreement)
    resetting = parts.settings.resets and now.monotonic_ns - agreement.jumped_ns < RESET_S * 1e9
    return state, "" if resetting else agreement.jump


def _is_compared(state: GateState, causes: Causes, enabling: bool) -> bool:
    """Whether tracking errors count: in a run, and while a person keeps the command in force."""
    keeps_command = state.mode is Mode.HOLD and state.latch.enabled and Reason.NOT_HELD not in causes and not enabling
    return state.mode is Mode.RUN or keeps_command


def _tracking_errors(
    parts: Parts, state: GateState, comparison: Comparison, known: np.ndarray, compared: bool, now: Now
) -> tuple[GateState, list[str]]:
    """Groups that have not followed for too long, or were moved away from a command that a person keeps in force.

    The time of a group that cannot be measured runs on: it ends only when the group is measured within its tolerance.

    Args:
        parts: of the gate.
        state: before.
        comparison: of command and robot.
        known: (groups,) bool, which are measured by streams that can be trusted now.
        compared: whether tracking errors count.
        now: the moment.
    """
    groups, tracking = parts.settings.groups, state.tracking
    if not compared and not tracking.off_since:
        return state, []
    excess = comparison.excess
    if state.sent.leashed and len(state.sent.path_position):
        # The leash keeps the command near a tool that is held: only the distance to the path shows it.
        _, distances = parts.measuring.distances(state.sent.path_position, state.measured)
        excess = tuple(map(max, excess, parts.measuring.excess(distances)))
    if tracking.off_since and max(tracking.off_since) < 0 and max(excess) <= 1:
        return state, []
    before = tracking.off_since or (-1,) * len(groups)
    since = tuple(
        _error_since(start, ratio, trusted, compared, now.ros_ns)
        for start, ratio, trusted in zip(before, excess, known.tolist())
    )
    if since != tracking.off_since:
        state = replace(state, tracking=replace(tracking, off_since=since))
    return state, [
        group.name
        for group, start, trusted in zip(groups, since, known.tolist())
        if compared and trusted and start >= 0 and (now.ros_ns - start) * 1e-9 >= group.tracking_s
    ]


def _error_since(start: int, ratio: float, trusted: bool, compared: bool, now_ns: int) -> int:
    """Since when (ns) a tracking error, as a `ratio` of the allowed one, is too large; -1 while it is not."""
    if not trusted:
        return start
    if ratio <= 1:
        return -1
    return start if start >= 0 or not compared else now_ns


def _yield_distances(parts: Parts, comparison: Comparison, groups: list[str]) -> tuple[float, ...]:
    """The distance that each group may move to release a contact: to the robot's position now, and no further."""
    return tuple(
        float(np.linalg.norm(comparison.displacement[parts.motion.tangent(number)])) if group.name in groups else 0.0
        for number, group in enumerate(parts.settings.groups)
    )
