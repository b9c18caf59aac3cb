"""While no source may be followed the command is at the robot's position: a robot that was moved is not pulled back."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from robot.safety.gate.inputs import Now
from robot.safety.gate.reasons import Mode, Reason
from robot.safety.gate.stages.agreement import MET, jumped, met_at_rest, was_just_reset
from robot.safety.gate.stages.judge import Judgement
from robot.safety.gate.stages.measure import Comparison, compare
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.watch import Causes
from robot.safety.gate.state import Agreement, GateState, Stopped

# Causes under which the command stays although motion is held: only a person ends them.
KEEP_COMMAND = frozenset({Reason.TRACKING, Reason.PUBLISHER_CHANGED})
APART_S = 0.1  # after so long too far from the command, a robot that follows no source was moved


class Agreed(NamedTuple):
    """The command and the robot after they were brought together.

    Args:
        comparison: of the two, after it.
        silent: whether nothing may be sent, as the robot's position is unknown.
        displaced: (groups,) bool, which were moved: their command restarts in a moment.
        notes: reported reasons with their details.
    """

    comparison: Comparison
    silent: bool
    displaced: np.ndarray
    notes: Causes


def agree(
    parts: Parts, state: GateState, comparison: Comparison, judgement: Judgement, enabling: bool, now: Now
) -> tuple[GateState, Agreed]:
    """Move the command to a robot that was moved; the state, and what came of it.

    Within the allowed distance the command stays: one that always followed would let a soft arm creep. When an arm that
    its driver has stopped comes to rest, the command moves to it once, so that its release is not felt. After a jump of
    the measured state nothing is sent, unless the gate has been enabled since before it: then the command stays.
    """
    measuring, agreement = parts.measuring, state.agreement
    if state.mode is Mode.RUN and not agreement.jump:
        if agreement.apart_ns is not None:
            state = replace(state, agreement=replace(agreement, apart_ns=None))
        return state, Agreed(comparison, False, measuring.no_groups, {})
    # With enable the command is set to the measured position; groups that are not known then follow when they are.
    entering = state.latch.enabled and (enabling or agreement.entering or was_just_reset(agreement, now))
    # A person who holds an enabled gate keeps the command; while anything else forbids motion, it follows the robot.
    permitted = state.latch.enabled and not entering and KEEP_COMMAND.issuperset(judgement.causes)
    far = measuring.apart(comparison.distances)
    moved = bool(far.any()) and state.mode in (Mode.HOLD, Mode.FAULT)
    if permitted:
        far &= measuring.unchecked  # a group with a tracking limit has its own cause when it does not follow
    elif not state.sent.commanded:
        far |= measuring.displaced(state.command, state.measured, comparison.distances)
    displaced = far & judgement.groups
    apart_ns = agreement.apart_ns
    stopped, met = met_at_rest(measuring, state, judgement.trusted and Reason.DRIVER in judgement.causes, now)
    chosen = measuring.no_groups
    if met and not moved:
        chosen = measuring.apart(comparison.distances / MET)
    if permitted and moved and not far.any():
        pass  # the command stays while a person keeps it; the time runs on, for an enabling device that chatters
    elif not far.any() or state.mode not in (Mode.HOLD, Mode.FAULT):
        apart_ns = None
    elif not displaced.any():
        pass  # only groups that cannot be trusted are far: the time of the others runs on
    elif entering or (apart_ns is not None and now.monotonic_ns - apart_ns >= APART_S * 1e9):
        chosen, apart_ns = displaced, None
    elif apart_ns is None:
        apart_ns = now.monotonic_ns
    problem = measuring.plausibility.implausible(state.measured) if chosen.any() else ""
    if problem:  # no robot can be there: the command does not move to it
        agreement = replace(jumped(state, problem, now), joints=np.empty(0), stands=False)
        chosen = measuring.no_groups
    agreement = _updated(
        agreement,
        stopped,
        apart_ns,
        agreement.stands and state.latch.enabled,
        entering and not bool(judgement.groups.all()),
    )
    if agreement is not state.agreement:
        state = replace(state, agreement=agreement)
    state, notes = _seed(parts, state, chosen, now)
    if notes:
        comparison = compare(parts, state)
    return state, Agreed(comparison, _is_silent(state, moved), displaced, notes)


def _updated(
    agreement: Agreement, stopped: Stopped | None, apart_ns: int | None, stands: bool, entering: bool
) -> Agreement:
    """The agreement with these values; the same object where nothing has changed."""
    if (stopped, apart_ns, stands, entering) == (
        agreement.stopped,
        agreement.apart_ns,
        agreement.stands,
        agreement.entering,
    ):
        return agreement
    return replace(agreement, stopped=stopped, apart_ns=apart_ns, stands=stands, entering=entering)


def _is_silent(state: GateState, moved: bool) -> bool:
    agreement = state.agreement
    return bool(agreement.jump) and not agreement.stands and moved and not state.sent.velocity.any()


def _seed(parts: Parts, state: GateState, groups: np.ndarray, now: Now) -> tuple[GateState, Causes]:
    """Put some groups, (groups,) bool, at rest at their measured values."""
    names = [group.name for group, chosen in zip(parts.settings.groups, groups) if chosen]
    if not names:
        return state, {}
    command = parts.measuring.seeded(state.command, state.measured, groups)
    return parts.seeded(state, command, groups, now), {Reason.SEEDED: ", ".join(names)}
