"""The passing of time: missed ticks, and jumps of the source's time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robot.safety.gate.inputs import Now
from robot.safety.gate.reasons import Mode, Reason
from robot.safety.gate.settings import GateSettings
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.watch import Causes
from robot.safety.gate.state import Agreement, GateState, Measurement, Plan

MAX_NS = 2**62


def advance(parts: Parts, state: GateState, now: Now) -> tuple[GateState, Causes]:
    """The state after the time that has passed, and the notes on it; `tell` stores the moment.

    After a jump of the source's time every stamp and plan is invalid; the robot stays where it is.
    """
    notes = _missed(parts.settings, state, now)
    if state.epoch is None or state.epoch == now.epoch:
        return state, notes
    if state.mode is not Mode.INACTIVE:
        notes[Reason.EPOCH] = f"{state.epoch} -> {now.epoch}"
    # A jump moves the path's time too: the step across it has a tick's length.
    sent = replace(state.sent, time_ns=parts.path_ns(now) - round(parts.settings.tick_s * 1e9))
    # Stamps from before the jump do not show how much time has passed.
    sampled_ns = {name: (MAX_NS, received) for name, (_, received) in state.measurement.sampled_ns.items()}
    measurement, agreement = replace(state.measurement, sampled_ns=sampled_ns), state.agreement
    # What has not followed for long does not begin to follow by a jump of the clock.
    elapsed = tuple(state.sent.time_ns - parts.lead_ns - each for each in state.tracking.off_since)
    off_since = tuple(
        each if each < 0 else max(now.ros_ns - max(spent, 0), 0)
        for each, spent in zip(state.tracking.off_since, elapsed)
    )
    if parts.settings.resets:
        off_since = ()
        sent = replace(sent, command=np.empty(0))
        measurement = Measurement(sampled_ns=sampled_ns)
        agreement = Agreement(reset_ns=now.monotonic_ns)
    return replace(
        state,
        plan=Plan(),
        watched=replace(state.watched, streams={}),
        sent=sent,
        measurement=measurement,
        agreement=agreement,
        tracking=replace(state.tracking, off_since=off_since),
    ), notes


def _missed(settings: GateSettings, state: GateState, now: Now) -> Causes:
    if state.ticked_ns is None or settings.lock_step:
        return {}
    ticks = (now.monotonic_ns - state.ticked_ns) * 1e-9 / settings.tick_s
    return {Reason.TICKS_MISSED: f"{ticks - 1:.0f}"} if ticks > 2.5 else {}
