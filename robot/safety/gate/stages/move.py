"""The command: along the path or braking to rest, within limits and energy, checked once more before it is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, NamedTuple

import numpy as np

from robot.safety.gate.inputs import Now
from robot.safety.gate.leash import Leashed
from robot.safety.gate.motion import NOTHING, Moved
from robot.safety.gate.reasons import Mode, Reason
from robot.safety.gate.stages.agree import Agreed
from robot.safety.gate.stages.decide import due_row, faulted
from robot.safety.gate.stages.judge import Judgement
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.watch import Causes
from robot.safety.gate.state import GateState, Plan, Sent, Tracking

_NOWHERE = np.empty(0)


class Step(NamedTuple):
    """What is sent in this tick.

    Args:
        target: (dim,); None where nothing is.
        requested: (dim,) position of the path; None while none is followed.
        springs: J, in each leash.
        notes: limits that cut the motion, and other reported reasons.
        causes: faults of the command itself.
    """

    target: np.ndarray | None = None
    requested: np.ndarray | None = None
    springs: tuple[float, ...] = ()
    notes: Mapping[Reason, str] = NOTHING
    causes: Mapping[Reason, str] = NOTHING


def move(
    parts: Parts, state: GateState, agreed: Agreed, causes: Causes, judgement: Judgement, now: Now
) -> tuple[GateState, Step]:
    """The state with the next command, and what is sent.

    Args:
        parts: of the gate.
        state: in the mode of this tick.
        agreed: the robot's distance from its last command, and whether anything may be sent.
        causes: why no source is followed; empty in a run.
        judgement: which parts of the measured state are the robot's state.
        now: the moment.
    """
    if state.mode is Mode.INACTIVE or not len(state.command):
        return state, Step()
    if parts.settings.lock_step:
        return _send_row(parts, state, agreed, now) if state.mode is Mode.RUN else (state, Step())
    if agreed.silent:
        return state, Step(notes={Reason.SILENT: ""})
    dt = (parts.path_ns(now) - parts.last_ns(state, now)) * 1e-9
    if dt <= 0:
        return state, Step(state.command)
    moved, tracking, requested, notes = _moved(parts, state, agreed, causes, judgement.trusted, dt, now)
    held, drawn = _leashed(parts, state, agreed, judgement, moved, dt)
    notes = {**notes, **moved.cuts, **held.cuts}
    if not parts.motion.may_send(state.command, held.target, dt, state.sent.velocity, drawn):
        state, causes = _refused(parts, replace(state, tracking=tracking), held.target, now)
        return state, Step(state.command, requested, held.springs, notes, causes)
    commanded = state.sent.commanded or state.mode is Mode.RUN
    sent = Sent(held.target, held.velocity, moved.path_position, parts.path_ns(now), bool(held.cuts), commanded)
    return state.moved(sent, tracking), Step(held.target, requested, held.springs, notes)


def _leashed(
    parts: Parts, state: GateState, agreed: Agreed, judgement: Judgement, moved: Moved, dt: float
) -> tuple[Leashed, np.ndarray]:
    """The step within the leashes, and the measured state (dim,) to which they drew it; empty where they did not."""
    if not parts.leash.holds:
        return Leashed(moved.target, moved.velocity, NOTHING, ()), _NOWHERE
    # Where the robot was moved the command restarts in a moment: no leash draws it there.
    no_groups, groups = parts.measuring.no_groups, judgement.groups
    measured = parts.measuring.known(
        state.measured, groups if agreed.displaced is no_groups else groups & ~agreed.displaced
    )
    known = agreed.comparison.displacement if measured is state.measured else None
    held = parts.leash.hold(state.command, state.sent.velocity, moved.target, moved.velocity, measured, dt, known)
    return held, measured if held.cuts else _NOWHERE


def _moved(
    parts: Parts, state: GateState, agreed: Agreed, causes: Causes, trusted: bool, dt: float, now: Now
) -> tuple[Moved, Tracking, np.ndarray | None, Causes]:
    """A step along the path or to rest, the tracking after it, the position of the path, and the reported reasons."""
    path, displacement, tracking = state.plan.path, agreed.comparison.displacement, state.tracking
    if state.mode is Mode.RUN and path is not None:
        requested = path.at(parts.path_ns(now))
        moved = parts.motion.follow(
            state.sent, state.measurement, requested, dt, displacement, agreed.comparison.excess
        )
        return moved, replace(tracking, yielding=()) if tracking.yielding else tracking, requested, {}
    finish = path.targets[-1] if path is not None and [*causes] == [Reason.STARVED] else None
    towards = _letting_go(parts, state, causes, trusted)
    meeting = bool(towards.any())
    measured = parts.measuring.inside(state.measured, state.command) if meeting else state.command
    moved = parts.motion.rest(state.sent, state.measurement, dt, finish, displacement, towards, measured)
    if tracking.yielding and meeting:
        tracking = replace(tracking, yielding=parts.motion.left(tracking.yielding, moved, displacement, dt))
    return moved, tracking, None, {Reason.TAIL: ""} if moved.moving and Reason.STARVED in causes else {}


def _letting_go(parts: Parts, state: GateState, causes: Causes, trusted: bool) -> np.ndarray:
    """Groups (groups,) bool that release a contact: while nothing else forbids it, decided anew in every tick."""
    if trusted and state.tracking.yielding and [*causes] == [Reason.TRACKING]:
        return np.array(state.tracking.yielding) > 0
    return np.zeros(len(parts.settings.groups), dtype=bool)


def _refused(parts: Parts, state: GateState, target: np.ndarray, now: Now) -> tuple[GateState, Causes]:
    """The state at the last command, where the next one may not be sent: whatever computed it, it is an internal
    fault.
    """
    worst = int(np.argmax(np.nan_to_num(np.abs(target - state.command), nan=np.inf)))
    name = parts.settings.spec.component_names[worst]
    sent = replace(state.sent, velocity=parts.motion.at_rest(), path_position=state.command, time_ns=parts.path_ns(now))
    state = replace(
        state,
        latch=faulted(state.latch, Reason.INTERNAL),
        plan=Plan(),
        sent=sent,
        tracking=replace(state.tracking, yielding=()),
    )
    return state, {Reason.INTERNAL: f"{name} would be {target[worst]:.6g}"}


def _send_row(parts: Parts, state: GateState, agreed: Agreed, now: Now) -> tuple[GateState, Step]:
    """The step of lock-step: the row of the chunk that is due, within the limits of one period."""
    chunk, row, spec = state.plan.followed, due_row(parts, state, now), parts.settings.spec
    assert chunk is not None
    requested = chunk.values[row]
    moved = parts.motion.follow(
        state.sent,
        state.measurement,
        requested,
        parts.settings.period_s,
        agreed.comparison.displacement,
        agreed.comparison.excess,
    )
    sent = replace(
        state.sent, command=moved.target, velocity=moved.velocity, path_position=moved.path_position, commanded=True
    )
    plan = replace(state.plan, next_ns=chunk.start_ns + (row + 1) * spec.period_ns)
    return replace(state, sent=sent, plan=plan), Step(moved.target, requested, notes=moved.cuts)
