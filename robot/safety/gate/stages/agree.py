"""While no source may be followed the command is where the robot is: one that was moved is not pulled back."""

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

APART_S = 0.1  # too far from the command for so long, a robot that follows nobody was moved


class Agreed(NamedTuple):
    """How command and robot were brought together.

    Args:
        comparison: of the two, after it.
        silent: whether nothing may be sent, as nobody knows where the robot is.
        notes: what is said of it.
    """

    comparison: Comparison
    silent: bool
    notes: Causes


def agree(
    parts: Parts, state: GateState, comparison: Comparison, judgement: Judgement, enabling: bool, now: Now
) -> tuple[GateState, Agreed]:
    """Let the command meet a robot that was moved, and say whether anything may be sent.

    Within the distance that is allowed the command stands, since one that always followed would let a soft arm creep;
    only an arm that its driver has stopped is met once when it rests, so that its release is not felt. Where the
    measured state has jumped nothing is sent, unless the gate has been enabled since before: then it stands.
    """
    if state.mode is Mode.RUN and not state.agreement.jump:
        return state, Agreed(comparison, False, {})
    measuring, trusted = parts.measuring, judgement.trusted
    permitted = state.latch.enabled and Reason.NOT_HELD not in judgement.causes and not enabling
    far = measuring.apart(comparison.distances)
    moved = bool(far.any()) and state.mode in (Mode.HOLD, Mode.FAULT)
    apart_ns = state.agreement.apart_ns
    stopped, met = met_at_rest(measuring, state, trusted and Reason.DRIVER in judgement.causes, now)
    notes: Causes = {}
    if met and not moved:
        state, notes = _seed(parts, state, measuring.apart(comparison.distances / MET), now)
    if not moved or not trusted or permitted:
        apart_ns = None
    elif enabling or (apart_ns is not None and now.monotonic_ns - apart_ns >= APART_S * 1e9):
        state, notes = _seed(parts, state, far, now)
        apart_ns = None
    elif apart_ns is None:
        apart_ns = now.monotonic_ns
    stands = state.agreement.stands and state.latch.enabled
    if (stopped, apart_ns, stands) != (state.agreement.stopped, state.agreement.apart_ns, state.agreement.stands):
        state = replace(state, agreement=replace(state.agreement, stopped=stopped, apart_ns=apart_ns, stands=stands))
    if notes:
        comparison = compare(parts, state)
    return state, Agreed(comparison, _is_silent(state, moved), notes)


def _is_silent(state: GateState, moved: bool) -> bool:
    agreement = state.agreement
    return bool(agreement.jump) and not agreement.stands and moved and not state.sent.velocity.any()


def _seed(parts: Parts, state: GateState, groups: np.ndarray, now: Now) -> tuple[GateState, Causes]:
    """Begin anew, at rest, with some groups, (groups,) bool, where the robot is."""
    names = [group.name for group, chosen in zip(parts.settings.groups, groups) if chosen]
    if not names:
        return state, {}
    command = parts.measuring.seeded(state.command, state.measured, groups)
    return parts.seeded(state, command, now), {Reason.SEEDED: ", ".join(names)}
