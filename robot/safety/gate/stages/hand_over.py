"""The robot changes hands: a person takes it over, and gives it back."""

from __future__ import annotations

from dataclasses import replace

from robot.safety.gate.inputs import NAMELESS, Now, Signal
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.take import PERSON
from robot.safety.gate.state import GateState, Plan


def hand_over(parts: Parts, state: GateState, signal: Signal | None, enabling: bool, now: Now) -> GateState:
    """The state after a signal of an enabling device.

    The robot is the person's from a signal with `taken` until a *give*: a signal without it from the same device, in
    the same run of it, while a person holds it. Nothing else gives: no silence, no device that is released or ends, no
    other device, and no new run of the same one, whose first signals say that nothing is taken. A device that names no
    session gives nothing, as its next run could not be told from it. Enable that is given anew, as it has to be after
    disable, deactivate and a fault, ends a take that no device reports any more; one that is still reported goes on.

    The policy's plan ends with a take, the person's with a give. Then the policy needs a chunk that was made, and came,
    after the give.

    Args:
        parts: of the gate.
        state: with the signals and events of this tick.
        signal: of an enabling device in this tick, also of one that is not in force; None where there is none.
        enabling: whether enable was given while it was not.
        now: the moment.
    """
    latch = state.latch
    device = NAMELESS if signal is None else signal.taker or signal.publisher or NAMELESS
    if signal is not None and signal.taken:
        plan = state.plan if state.plan.source == PERSON else Plan()
        return replace(state, latch=replace(latch, taken_by=device, taken_ns=signal.received_ns), plan=plan)
    if latch.taken_by is None:
        return state
    if signal is not None and signal.held and device == latch.taken_by != NAMELESS:
        return replace(
            state,
            latch=replace(latch, taken_by=None, given_ns=signal.received_ns),
            plan=Plan(),
            watched=replace(state.watched, person="", person_ns=None),
        )
    if enabling and (now.monotonic_ns - latch.taken_ns) * 1e-9 > parts.settings.enable_hold_s:
        return replace(state, latch=replace(latch, taken_by=None))
    return state
