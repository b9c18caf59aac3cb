"""The flight record: the gate's inputs and outputs of its last minute, kept in memory, written when a fault begins.

A file is a line that names the format, then frames: length and CRC-32 (little-endian uint32 each), then JSON. The first
frame holds the settings and the state before the first tick, every other one a tick: its moment, its inputs, its
output. Numbers are read back to the bit. Nothing in it can be executed, and of a truncated file all whole frames are
read.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import deque
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator

from robot.compiled import COMPILED
from robot.description.exact_json import from_plain, to_plain
from robot.errors import InputError, TillerError
from robot.files import write_new
from robot.safety.gate.core import Gate
from robot.safety.gate.inputs import GateInputs, GateOutput, Now
from robot.safety.gate.settings import GateSettings
from robot.safety.gate.state import GateState, Latch, Measurement, Plan, Sent, Tracking

FORMAT = b"tiller flight record 4\n"
_UNTAKEN = b"tiller flight record 3\n"  # in which nobody takes a robot over for longer than targets come
_RENAMED = b"tiller flight record 2\n"  # whose state has other names
_FLAT = b"tiller flight record 1\n"  # whose state has no parts
_PARTS = {"latch": Latch, "measurement": Measurement, "sent": Sent, "plan": Plan, "tracking": Tracking}
_WAS = {"values": "measured", "path_position": "wanted"}  # names that were others in a state without parts
_FRAME = struct.Struct("<II")
_LARGEST = 1 << 28  # bytes of a frame: a longer one is damaged


@dataclass(frozen=True, eq=False)
class Tick:
    """One tick of the gate.

    Args:
        state: before it.
        inputs, now: of the tick.
        output: of the tick.
    """

    state: GateState
    inputs: GateInputs
    now: Now
    output: GateOutput


class FlightRecorder:
    """Keeps the last ticks of a gate.

    Adding a tick keeps references and copies nothing: all these values are never changed.

    Args:
        settings: of the gate.
        span_s: for how long a tick is kept.
    """

    def __init__(self, settings: GateSettings, span_s: float = 60.0) -> None:
        self.settings = settings
        self._span_ns = round(span_s * 1e9)
        self._ticks: deque[Tick] = deque()

    def __len__(self) -> int:
        return len(self._ticks)

    def add(self, state: GateState, inputs: GateInputs, now: Now, output: GateOutput) -> None:
        """Keep a tick; `state` is the one before it."""
        self._ticks.append(Tick(state, inputs, now, output))
        while now.monotonic_ns - self._ticks[0].now.monotonic_ns > self._span_ns:
            self._ticks.popleft()

    def ticks(self) -> tuple[Tick, ...]:
        """The ticks that are kept now, for `write_record` in another thread."""
        return tuple(self._ticks)


@dataclass(frozen=True, eq=False)
class FlightRecord:
    """A flight record that was read.

    Args:
        settings: of the gate.
        state: before the first tick.
        ticks: (moment, inputs, bytes of the output) of each.
        compiled: whether machine code computed it; its last bits may differ from those of plain Python.
        note: of the writer.
        damage: why reading ended early; empty when it did not.
    """

    settings: GateSettings
    state: GateState
    ticks: tuple[tuple[Now, GateInputs, bytes], ...]
    compiled: bool
    note: str
    damage: str


def write_record(
    path: Path | str,
    settings: GateSettings,
    ticks: tuple[Tick, ...],
    note: str = "",
    pace: Callable[[], None] = lambda: None,
) -> Path:
    """Write a flight record. The file appears under its name when it is whole and on the disk.

    Several gates may write into one folder at the same time: each record gets a name of its own.

    Args:
        path: of the file; one of that name is not overwritten, a number is added.
        settings: of the gate.
        ticks: consecutive, at least one.
        note: on the event, for people.
        pace: called after each tick, to leave the interpreter to others.

    Returns:
        The path that was written.

    Raises:
        InputError: there is no tick.
        TillerError: the disk is full, the folder is a file, ...; nothing is left of it then.
    """
    if not ticks:
        raise InputError("flight record", expected="a tick at least", got="none")
    path = Path(path)

    def write(file: BinaryIO) -> None:
        file.write(FORMAT)
        head = {"note": note, "compiled": COMPILED, "settings": to_plain(settings), "state": to_plain(ticks[0].state)}
        _write_frame(file, json.dumps(head).encode())
        for tick in ticks:
            row = {"now": to_plain(tick.now), "inputs": to_plain(tick.inputs), "output": to_plain(tick.output)}
            _write_frame(file, json.dumps(row).encode())
            pace()

    try:
        return write_new(path, write)
    except OSError as error:
        raise TillerError(f"flight record {path}: not written: {error.strerror or error}") from None


def read_record(path: Path | str) -> FlightRecord:
    """Read a flight record, also a truncated one.

    Raises:
        InputError: it is no flight record, or its first frame is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("flight record", expected="a file", got=f"'{path}', which does not exist")
    content = path.read_bytes()
    if not content.startswith((FORMAT, _UNTAKEN, _RENAMED, _FLAT)):
        raise InputError(
            f"flight record {path}",
            expected=f"a file that begins with '{FORMAT.decode().strip()}'",
            got=repr(content[:24]),
        )
    frames, ends = [], len(FORMAT)
    for payload, end in _frames(content, len(FORMAT)):
        frames.append(json.loads(payload))
        ends = end
    if not frames:
        raise InputError(f"flight record {path}", expected="a whole first frame", got="a damaged one")
    head = frames[0]
    damage = "" if ends == len(content) else f"damaged at byte {ends} of {len(content)}"
    return FlightRecord(
        from_plain(GateSettings, head["settings"]),
        from_plain(GateState, _current(content, head["state"])),
        tuple(
            (from_plain(Now, row["now"]), from_plain(GateInputs, row["inputs"]), _text(row["output"]))
            for row in frames[1:]
        ),
        head["compiled"],
        head["note"],
        damage,
    )


def _current(content: bytes, state: dict[str, Any]) -> dict[str, Any]:
    """The state of a record of any format in the current one."""
    if content.startswith((FORMAT, _UNTAKEN)):
        return state
    if content.startswith(_FLAT):
        return _in_parts(state)
    sent, agreement = dict(state["sent"]), dict(state["agreement"])
    sent["path_position"] = sent.pop("wanted")
    agreement["reset_ns"] = 0 if agreement.pop("reset") else None
    measurement = {name: value for name, value in state["measurement"].items() if name != "pressed"}
    return {**state, "sent": sent, "agreement": agreement, "measurement": measurement}


def _in_parts(flat: dict[str, Any]) -> dict[str, Any]:
    """The state of a record of format 1 in the current format."""
    parts = {
        part: {
            name: flat[old] for name in (each.name for each in fields(kind)) if (old := _WAS.get(name, name)) in flat
        }
        for part, kind in _PARTS.items()
    }
    return {**flat, **parts}


@dataclass(frozen=True, eq=False)
class Difference:
    """A difference of a replay from the record.

    Args:
        tick: its number.
        recorded, replayed: the output, as JSON.
    """

    tick: int
    recorded: str
    replayed: str


def replay(record: FlightRecord) -> Iterator[tuple[Now, GateOutput, Difference | None]]:
    """Step the core through a record: yield each tick's moment, the core's output now, and its difference."""
    gate, state = Gate(record.settings), record.state
    for number, (now, inputs, recorded) in enumerate(record.ticks):
        state, output = gate.step(state, inputs, now)
        replayed = output_bytes(output)
        yield now, output, None if replayed == recorded else Difference(number, recorded.decode(), replayed.decode())


def output_bytes(output: GateOutput) -> bytes:
    """The bytes of an output: equal where every bit of it is."""
    return _text(to_plain(output))


def _text(plain: Any) -> bytes:
    return json.dumps(plain).encode()


def _write_frame(file: BinaryIO, payload: bytes) -> None:
    file.write(_FRAME.pack(len(payload), zlib.crc32(payload)))
    file.write(payload)


def _frames(content: bytes, start: int) -> Iterator[tuple[bytes, int]]:
    """Yield whole frames with their ends; stop at the first that is damaged or truncated."""
    while start + _FRAME.size <= len(content):
        length, checksum = _FRAME.unpack_from(content, start)
        end = start + _FRAME.size + length
        payload = content[start + _FRAME.size : end]
        if length > _LARGEST or len(payload) < length or zlib.crc32(payload) != checksum:
            return
        yield payload, end
        start = end
