"""The core's steps, which end no process: where the core fails, it is stepped once more from a state at rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable

from robot.safety.gate.core import Gate
from robot.safety.gate.inputs import DEACTIVATE, GateInputs, GateOutput, Now
from robot.safety.gate.reasons import Mode, Reason
from robot.safety.gate.settings import GateSettings
from robot.safety.gate.state import GateState, Plan, Tracking

OnFailure = Callable[[str, Exception], None]


@dataclass(frozen=True, eq=False)
class Step:
    """Inputs and output of the core in one tick: enough to repeat it.

    Args:
        before: state before it.
        inputs: of it.
        output: of it.
    """

    before: GateState
    inputs: GateInputs
    output: GateOutput


class GateStepper:
    """A core with its state.

    Args:
        settings: of the gate.
        on_failure: called with what failed, and the exception.

    Attributes:
        gate: the core.
        state: after the last step.
    """

    def __init__(self, settings: GateSettings, on_failure: OnFailure) -> None:
        self.gate, self.state = Gate(settings), GateState()
        self._on_failure = on_failure
        self.gate.warm_up()

    def step(self, inputs: GateInputs, now: Now) -> Step | None:
        """Take one step; None where nothing may be sent in this tick, as the core failed at rest too."""
        before = self.state
        try:
            self.state, output = self.gate.step(before, inputs, now)
        except Exception as error:
            return self._stop(before, inputs, now, error)
        return Step(before, inputs, output)

    def _stop(self, before: GateState, inputs: GateInputs, now: Now, error: Exception) -> Step | None:
        """Take one more step, from a state at rest and with the signals alone."""
        self._on_failure("the gate's core", error)
        halted = halted_state(before)
        signals = GateInputs(
            alive=inputs.alive,
            enable_held=inputs.enable_held,
            driver=inputs.driver,
            events=tuple(event for event in inputs.events if event == DEACTIVATE),
        )
        try:
            self.state, output = self.gate.step(halted, signals, now)
        except Exception as second:
            self.state = halted
            self._on_failure("the gate's core at rest", second)
            return None
        return Step(halted, signals, output)


def halted_state(state: GateState) -> GateState:
    """The state at rest: nothing is followed, and the fault is tiller's own."""
    fault = state.mode is not Mode.INACTIVE
    latch = replace(
        state.latch,
        mode=Mode.FAULT if fault else state.mode,
        fault=Reason.INTERNAL if fault else None,
        enabled=False,
    )
    return replace(state, latch=latch, plan=Plan(), tracking=Tracking())
