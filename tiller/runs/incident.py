"""A flight record through the gate's core again: what happened, and whether the core decides the same to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robot.compiled import COMPILED
from robot.safety.gate import GateOutput, Kind, Now
from robot.safety.gate.flight_record import Difference, read_record, replay


@dataclass(frozen=True)
class Turn:
    """A moment at which the gate's mode or reasons changed.

    Args:
        time_s: since the first tick.
        mode: from then on.
        text: reasons, with their details.
    """

    time_s: float
    mode: str
    text: str


def replay_incident(path: Path | str) -> int:
    """Print the events of a record; 1 when the replay differs from it.

    Raises:
        InputError: it is no flight record.
    """
    record = read_record(path)
    turns: list[Turn] = []
    previous: tuple[object, ...] = ()
    different: list[Difference] = []
    first = record.ticks[0][0] if record.ticks else None
    for now, output, difference in replay(record):
        if difference is not None:
            different.append(difference)
        grave = tuple(reason for reason in output.reasons if reason.kind is not Kind.NOTE)
        main = (output.mode, output.source, grave or output.reasons[:1])
        if main != previous or output.rejected:
            turns.append(_turn(now, output, first or now))
        previous = main
    print(f"{path}: {len(record.ticks)} ticks" + (f"; {record.note}" if record.note else ""))
    if record.damage:
        print(f"The file is {record.damage}: what comes before is shown")
    for turn in turns:
        print(f"{turn.time_s:9.3f} s  {turn.mode:8}  {turn.text}")
    if not different:
        print("The core decides the same again, to the byte")
        return 0
    worst = different[0]
    print(f"{len(different)} ticks differ, the first is tick {worst.tick}:")
    print(f"  recorded  {worst.recorded}\n  replayed  {worst.replayed}")
    if record.compiled != COMPILED:
        print("It was recorded " + ("with" if record.compiled else "without") + " numba, which rounds otherwise")
    return 1


def _turn(now: Now, output: GateOutput, first: Now) -> Turn:
    parts = []
    for reason in output.reasons:
        detail = output.details.get(reason, "")
        parts.append(f"{reason.text} ({detail})" if detail else reason.text)
    parts += [f"chunk {each.chunk_id} refused: {each.reason.text} ({each.detail})" for each in output.rejected]
    return Turn((now.monotonic_ns - first.monotonic_ns) * 1e-9, output.mode.value, "; ".join(parts))
