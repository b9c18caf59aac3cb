"""Events of a person or a program: activate, enable, reset and their like."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Sequence

import numpy as np

from robot.safety.gate import inputs as events
from robot.safety.gate.reasons import Mode, Reason
from robot.safety.gate.state import Agreement, GateState, Latch


class Requests(NamedTuple):
    """Requests of a tick's events to its later stages.

    Args:
        enabling: whether enable was given while it was not.
        resetting: whether a latched fault is to end, if its cause is gone.
    """

    enabling: bool = False
    resetting: bool = False


def handle(state: GateState, happened: Sequence[str]) -> tuple[GateState, Requests]:
    """The state after the events, in their order."""
    requests = Requests()
    for event in happened:
        if event == events.ENABLE and state.mode in (Mode.HOLD, Mode.RUN):
            requests = requests._replace(enabling=requests.enabling or not state.latch.enabled)
        elif event == events.RESET and state.mode is Mode.FAULT:
            requests = requests._replace(resetting=True)
        elif event in (events.DISABLE, events.DEACTIVATE, events.FAILED):
            requests = requests._replace(enabling=False)  # taken back before it was judged
        state = _after(state, event)
    return state, requests


def _after(state: GateState, event: str) -> GateState:
    latch, mode = state.latch, state.mode
    if event == events.ACTIVATE and mode is Mode.INACTIVE:
        begun = replace(
            state,
            latch=Latch(Mode.HOLD),
            counts={},
            sent=replace(state.sent, command=np.empty(0), commanded=False),
            measurement=replace(state.measurement, values=np.empty(0)),
            agreement=Agreement(),
        )
        return begun.unbound()
    if event == events.DEACTIVATE:
        return replace(state, latch=replace(latch, mode=Mode.INACTIVE, enabled=False, fault=None)).unbound()
    if event == events.FAILED and mode is not Mode.INACTIVE:
        return replace(state, latch=replace(latch, fault=Reason.INTERNAL, enabled=False))
    if event == events.ENABLE and mode in (Mode.HOLD, Mode.RUN):
        return replace(state, latch=replace(latch, enabled=True))
    if event == events.DISABLE:
        return replace(state, latch=replace(latch, enabled=False)).unbound()
    if event == events.RESET and mode is Mode.FAULT:
        # Faults are judged at the end of this tick, by `decide`.
        return replace(
            state,
            latch=replace(latch, fault=None, enabled=False, mode=Mode.HOLD),
            agreement=replace(state.agreement, stopped=None),
        ).unbound()
    return state
