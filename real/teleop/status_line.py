"""The state of a person's device, gate and recorder in one line, with what matters most where a terminal is narrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Hashable, Sequence

from real.ros.recorder_state import RecorderState

BETWEEN = " | "


@dataclass(frozen=True)
class TeleopStatus:
    """What a person at a device has to know.

    Args:
        note: of the device.
        held: the enabling device is held.
        connected: the device is there.
        taken: the person has the robot.
        give: key that gives it back; empty for an unknown one.
        refused: why the device is not followed.
        gate: state of the gate.
        recorder: its state; None where there is none.
        answer: newest answer of a service.
        doing: what the robot does at the person's wish; empty at rest.
        part: that is moved.
    """

    note: str
    held: bool
    connected: bool
    taken: bool
    give: str
    refused: str
    gate: str
    recorder: RecorderState | None
    answer: str
    doing: str
    part: str

    def line(self, columns: int) -> str:
        """The line for a terminal of so many columns."""
        back = f": {self.give} gives it back" if self.give else ""
        recorder, verdict = (self.recorder.line(), self.recorder.verdict) if self.recorder is not None else ("", "")
        parts = [
            (0, self.refused.partition("\n")[0]),
            (1, self.note),
            (0, f"you have the robot{back}" if self.taken else ""),
            (3, f"gate: {self.gate}"),
            (2, recorder),
            (4, self.answer),
            (5, verdict),
            (6, self.doing),
            (7, self.part),
        ]
        return fitted(parts, columns)

    @property
    def news(self) -> Hashable:
        """What of it is worth a new line where lines cannot be written over: not seconds that pass."""
        recorder = self.recorder
        take = (recorder.state, recorder.label, recorder.verdict) if recorder is not None else None
        return (
            self.held,
            self.connected,
            self.taken,
            self.refused,
            self.gate,
            take,
            self.answer,
            self.doing,
            self.part,
        )


def fitted(parts: Sequence[tuple[int, str]], columns: int) -> str:
    """Parts in their order, without the least important ones that a line has no room for.

    Args:
        parts: (rank, text), the lowest rank is the most important; empty texts are left out.
        columns: of the line.

    Returns:
        The line; one part is left whole even if it is longer.
    """
    left = [(rank, text) for rank, text in parts if text]
    while len(left) > 1 and len(BETWEEN.join(text for _, text in left)) > columns:
        left.remove(max(reversed(left), key=lambda part: part[0]))
    return BETWEEN.join(text for _, text in left)
