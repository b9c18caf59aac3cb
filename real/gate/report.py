"""What a gate reports on `status`: a level, a line and numbers, from what its last tick decided."""

from __future__ import annotations

from real.ros.signals import ERROR, OK, WARN
from robot.contract.contract import Contract
from robot.contract.loading import operational_hash, semantic_hash
from robot.safety.gate.inputs import GateOutput
from robot.safety.gate.leash import enforced
from robot.safety.gate.reasons import Mode
from robot.safety.gate.settings import GateSettings


class GateReport:
    """Words and numbers for the status of a gate.

    Args:
        contract, settings: of the gate.
        lock_step: whether time is paused between two observations.
        facts: name -> value that stay as they are.

    Attributes:
        semantic, operational: hashes of the contract.
    """

    def __init__(self, contract: Contract, settings: GateSettings, lock_step: bool, **facts: object) -> None:
        self.semantic, self.operational = semantic_hash(contract), operational_hash(contract)
        self._leashes = settings.leashes
        self._facts = {**facts, "contract": self.semantic, "operational": self.operational}
        self._energy = {
            f"energy_{name}": enforced(sink.energy, lock_step=lock_step)
            for name, sink in contract.sinks.items()
            if sink.fields
        }

    def line(self, output: GateOutput | None) -> tuple[bytes, str]:
        """Level and text; None is a gate that has not ticked."""
        if output is None:
            return WARN, "inactive"
        level = {Mode.RUN: OK, Mode.FAULT: ERROR}.get(output.mode, WARN)
        return level, f"{output.mode.value}: {', '.join(reason.text for reason in output.reasons)}"

    def numbers(self, output: GateOutput | None) -> dict[str, object]:
        """Name -> number or word."""
        numbers: dict[str, object] = {**self._facts, **self._energy}
        if output is not None:
            numbers |= {f"error_{group}": f"{error:.4f}" for group, error in output.errors.items()}
            numbers |= {f"count_{reason.value}": count for reason, count in output.counts.items()}
            numbers |= {f"push_{leash.group}_n": f"{leash.push_n:.1f}" for leash in self._leashes}
            numbers |= {
                f"spring_{leash.group}_j": f"{spring:.4f}" for leash, spring in zip(self._leashes, output.springs)
            }
        return numbers
