"""While no source may be followed the command is at the robot's position: a robot that was moved is not pulled back."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from robot.safety.gate.inputs import Now
from robot.safety.gate.reasons import Mode, Reason
from robot.safety.gate.stages.agreement import MET, met_at_rest
from robot.safety.gate.stages.judge import Judgement
from robot.safety.gate.stages.measure import Comparison, compare
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.watch import Causes
from robot.safety.gate.state import GateState

# Causes beside which a gate that is enabled and held goes on by itself, or when a person says so.
KEEPS = frozenset({Reason.TRACKING, Reason.PUBLISHER_CHANGED})
APART_S = 0.1  # after so long too far from the command, a robot that follows no source was moved


class Agreed(NamedTuple):
    """The command and the robot after they were brought together.

    Args:
        comparison: of the two, after it.
        silent: whether nothing may be sent, as the robot's position is unknown.
        notes: reported reasons with their details.
    """

    comparison: Comparison
    silent: bool
    notes: Causes


def agree(
    parts: Parts, state: GateState, comparison: Comparison, judgement: Judgement, enabling: bool, now: Now
) -> tuple[GateState, Agreed]:
    """Move the command to a robot that was moved, and return whether anything may be sent.

    Within the allowed distance the command stays, since one that always followed would let a soft arm creep; only to
    an arm that its driver has stopped it moves once, when the arm rests, so that its release is not felt. After a jump
    of the measured state nothing is sent, unless the gate has been enabled since before it: then the command stays.
    """
    if state.mode is Mode.RUN and not state.agreement.jump:
        return state, Agreed(comparison, False, {})
    measuring = parts.measuring
    # A person who holds a gate that may run keeps the command in force; while anything else forbids motion, the robot
    # leads.
    permitted = state.latch.enabled and not enabling and KEEPS.issuperset(judgement.causes)
    far = measuring.apart(comparison.distances)
    moved = bool(far.any()) and state.mode in (Mode.HOLD, Mode.FAULT)
    if not state.sent.commanded:
        far |= measuring.displaced(comparison.distances)
    displaced = far & judgement.groups
    apart_ns = state.agreement.apart_ns
    stopped, met = met_at_rest(measuring, state, judgement.trusted and Reason.DRIVER in judgement.causes, now)
    notes: Causes = {}
    if met and not moved:
        state, notes = _seed(parts, state, measuring.apart(comparison.distances / MET), now)
    if permitted or not far.any() or state.mode not in (Mode.HOLD, Mode.FAULT):
        apart_ns = None
    elif not displaced.any():
        pass  # a stream that does not show where the robot is ends no wait for one that does
    elif enabling or (apart_ns is not None and now.monotonic_ns - apart_ns >= APART_S * 1e9):
        state, notes = _seed(parts, state, displaced, now)
        apart_ns = None
    elif apart_ns is None:
        apart_ns = now.monotonic_ns
    still_enabled = state.agreement.stands and state.latch.enabled
    if (stopped, apart_ns, still_enabled) != (
        state.agreement.stopped,
        state.agreement.apart_ns,
        state.agreement.stands,
    ):
        state = replace(
            state, agreement=replace(state.agreement, stopped=stopped, apart_ns=apart_ns, stands=still_enabled)
        )
    if notes:
        comparison = compare(parts, state)
    return state, Agreed(comparison, _is_silent(state, moved), notes)


def _is_silent(state: GateState, moved: bool) -> bool:
    agreement = state.agreement
    return bool(agreement.jump) and not agreement.stands and moved and not state.sent.velocity.any()


def _seed(parts: Parts, state: GateState, groups: np.ndarray, now: Now) -> tuple[GateState, Causes]:
    """Restart at rest, with some groups, (groups,) bool, at their measured values."""
    names = [group.name for group, chosen in zip(parts.settings.groups, groups) if chosen]
    if not names:
        return state, {}
    command = parts.measuring.seeded(state.command, state.measured, groups)
    return parts.seeded(state, command, now), {Reason.SEEDED: ", ".join(names)}
