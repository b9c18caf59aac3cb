"""What people may ask a gate for: to be enabled or disabled, to leave a fault, to write its flight record."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable, Protocol

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from real.gate.records import OnRecord
from real.process.late import LateService
from robot.safety.gate.inputs import DISABLE, ENABLE, RESET
from robot.safety.gate.reasons import Mode


class Served(Protocol):
    """A gate as its services see it."""

    @property
    def refusal(self) -> str:
        """Why requests are refused altogether; empty when they are not."""
        ...

    @property
    def mode(self) -> Mode: ...

    @property
    def line(self) -> str:
        """Mode and reason, for people."""
        ...

    def request(self, event: str) -> None:
        """Request an event for the next tick on behalf of a person."""
        ...

    def write_record(self, note: str, on_record: OnRecord) -> bool:
        """Have the flight record written; False where there is none yet."""
        ...


class GateServices:
    """`~/enable` (SetBool), `~/reset` and `~/dump` (Trigger) of a node.

    Args:
        node: whose services they are.
        gate: that they serve.
    """

    def __init__(self, node: Node, gate: Served) -> None:
        self._gate = gate
        node.create_service(SetBool, "~/enable", self._enable)
        node.create_service(Trigger, "~/reset", self._reset)
        self._dumps = LateService(node, Trigger, "~/dump", self._dump)

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        gate = self._gate
        response.message = gate.refusal
        if response.message:
            return response
        gate.request(ENABLE if request.data else DISABLE)
        response.success = gate.mode in (Mode.HOLD, Mode.RUN) or not request.data
        response.message = "" if response.success else f"the gate is in {gate.mode.value}: {gate.line}"
        return response

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        gate = self._gate
        response.message = gate.refusal
        if response.message:
            return response
        gate.request(RESET)
        response.success = gate.mode is Mode.FAULT
        response.message = "enable it again" if response.success else f"there is no fault: {gate.line}"
        return response

    def _dump(self, request: Trigger.Request, response: Trigger.Response, answer: Callable[[], None]) -> None:
        """Answer when the record is on the disk, or when it is known that it will not be."""
        response.message = self._gate.refusal
        if not response.message and not self._gate.write_record("asked for", partial(_answer, response, answer)):
            response.message = "nothing is recorded yet"
        if response.message:
            answer()


def _answer(response: Any, answer: Callable[[], None], path: Path | None, problem: str) -> None:
    response.success, response.message = path is not None, problem or str(path)
    answer()
