"""Faults that a parameter sets: of one stream of messages, or of the whole robot.

A fault is a line such as `freeze state/arm from 2 for 5`, `drop command/arm 0.3`, `speed 0.3`, `brakes from 1 for 5`:
its kind, for a fault of messages the stream (`state/NAME` or `command/NAME`, names of the contract), its size where it
has one, and from when and for how long it lasts, in s of the twin's time after it was set (by default at once and for
ever).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Iterable, Mapping

import numpy as np

from robot.errors import InputError, nearest
from sim.drivers.driver import Command

MESSAGES: Mapping[str, str] = {
    "drop": "messages are lost, each with this probability (1)",
    "delay": "messages come this many seconds late (0.1), stamped as ever",
    "freeze": "the last message is sent again and again, stamp and all",
    "stuck": "the last values are sent again and again with new stamps",
    "nan": "values are not a number, images black",
    "reorder": "named values come in another order, with their names",
    "missing": "the last of the named values is left out",
    "overtake": "of two messages the second comes first",
}
ROBOT: Mapping[str, str] = {
    "brakes": "the arms stand as if a person had pressed the user stop; states go on, and so do the controllers",
    "silent_brakes": "the same, and the driver says that it is running",
    "speed": "the speed slider stands at this (0.3)",
    "reset": "the twin is reset once",
    "clock": "the clock is ahead by this many seconds (1)",
}
KINDS = {**MESSAGES, **ROBOT}
_SIZES = {"drop": 1.0, "delay": 0.1, "speed": 0.3, "clock": 1.0}
_FOR_EVER_S = math.inf
LARGEST = 1e6  # of a size, and s: a clock further ahead has no stamp any more


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        kind: of `KINDS`.
        stream: whose messages; empty for a fault of the robot.
        size: where the kind has one: a probability (`drop`), s (`delay`, `clock`) or a share of the speed (`speed`).
        start_s: after it was set.
        duration_s: how long it lasts.
    """

    kind: str
    stream: str = ""
    size: float = 0.0
    start_s: float = 0.0
    duration_s: float = _FOR_EVER_S

    def at(self, time_s: float) -> bool:
        """Whether it is active `time_s` after it was set."""
        return self.start_s <= time_s < self.start_s + self.duration_s


def parse_fault(line: str, streams: Iterable[str]) -> Fault:
    """Read a line.

    Args:
        line: as the module describes.
        streams: the existing ones.

    Raises:
        InputError: a word of it is invalid.
    """
    words = deque(line.split())
    kind = words.popleft() if words else ""
    if kind not in KINDS:
        raise InputError(
            f"fault '{line}'", expected=f"one of {', '.join(KINDS)}", got=f"'{kind}'", way_out=nearest(kind, KINDS)
        )
    fault = Fault(kind, size=_SIZES.get(kind, 0.0))
    if kind in MESSAGES:
        known = list(streams)
        stream = words.popleft() if words else ""
        if stream not in known:
            raise InputError(
                f"fault '{line}'",
                expected=f"one of {', '.join(known)}",
                got=f"'{stream}'",
                way_out=nearest(stream, known),
            )
        fault = replace(fault, stream=stream)
    if words and words[0] not in ("from", "for"):
        if kind not in _SIZES:
            raise InputError(f"fault '{line}'", expected=f"'from' or 'for': {kind} has no size", got=f"'{words[0]}'")
        fault = replace(fault, size=_number(words.popleft(), line))
    while words:
        word = words.popleft()
        if word not in ("from", "for") or not words:
            raise InputError(f"fault '{line}'", expected="'from S' or 'for S'", got=f"'{word}'")
        seconds = _number(words.popleft(), line)
        fault = replace(fault, start_s=seconds) if word == "from" else replace(fault, duration_s=seconds)
    return fault


def _number(word: str, line: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not 0 <= number <= LARGEST:
        raise InputError(f"fault '{line}'", expected=f"a number from 0 to {LARGEST:g}", got=f"'{word}'")
    return number


class Faults:
    """All faults of a twin, and the messages that they hold back.

    Args:
        faults: of messages and of the robot.
        told_ns: monotonic time at which they were set.
        seed: of the random generator.
    """

    def __init__(self, faults: tuple[Fault, ...] = (), told_ns: int = 0, seed: int = 0) -> None:
        self._faults, self._told_ns = faults, told_ns
        self._random = np.random.default_rng(seed)
        self._last: dict[str, Command] = {}
        self._waiting: dict[str, deque[tuple[int, Command]]] = {}
        self._overtaken: dict[str, Command] = {}
        self._reset = [fault for fault in faults if fault.kind == "reset"]

    def sizes(self, now_ns: int) -> dict[str, float]:
        """Kind -> size of the robot's faults that are active now."""
        return {each.kind: each.size for each in self._now(now_ns, "")}

    def reset_due(self, now_ns: int) -> bool:
        """Whether the twin is to be reset: True once for each such fault."""
        due = [fault for fault in self._reset if fault.at(self._since_s(now_ns))]
        self._reset = [fault for fault in self._reset if fault not in due]
        return bool(due)

    def passed(self, stream: str, message: Command, now_ns: int) -> list[Command]:
        """The messages that leave a stream when `message` enters it."""
        active = {each.kind: each for each in self._now(now_ns, stream)}
        last = self._last.get(stream)
        if "freeze" in active and last is not None:
            message = last
        elif "stuck" in active and last is not None:
            message = replace(last, stamp_ns=message.stamp_ns)
        else:
            self._last[stream] = message
        if "nan" in active:
            nothing = np.nan if message.values.dtype.kind == "f" else 0  # an image is black
            message = replace(message, values=np.full_like(message.values, nothing))
        if "reorder" in active:
            order = np.arange(message.values.shape[-1])[::-1]
            message = _picked(message, order)
        if "missing" in active:
            message = _picked(message, np.arange(message.values.shape[-1])[:-1])
        if "drop" in active and self._random.random() < active["drop"].size:
            return []
        if "delay" in active:
            due = now_ns + round(active["delay"].size * 1e9)
            self._waiting.setdefault(stream, deque()).append((due, message))
            return []
        if "overtake" in active:
            if stream not in self._overtaken:
                self._overtaken[stream] = message
                return []
            return [message, self._overtaken.pop(stream)]
        return [*([self._overtaken.pop(stream)] if stream in self._overtaken else []), message]

    def due(self, stream: str, now_ns: int) -> list[Command]:
        """Delayed messages of a stream whose time has come."""
        waiting, due_messages = self._waiting.get(stream, deque()), []
        while waiting and waiting[0][0] <= now_ns:
            due_messages.append(waiting.popleft()[1])
        return due_messages

    def _since_s(self, now_ns: int) -> float:
        return (now_ns - self._told_ns) * 1e-9

    def _now(self, now_ns: int, stream: str) -> list[Fault]:
        if not self._faults:
            return []
        since_s = self._since_s(now_ns)
        return [each for each in self._faults if each.stream == stream and each.at(since_s)]


def _picked(message: Command, order: np.ndarray) -> Command:
    """The same message with some of its columns, in another order."""
    # A message may have more or fewer names than values: its reader has to notice.
    named = len(message.names) == message.values.shape[-1]
    names = tuple(message.names[index] for index in order) if named else message.names
    velocities = message.velocities[..., order] if message.velocities.size else message.velocities
    efforts = message.efforts[..., order] if message.efforts.size else message.efforts
    return replace(message, names=names, values=message.values[..., order], velocities=velocities, efforts=efforts)
