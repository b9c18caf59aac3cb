"""Whether bytes are a message of a type, before the middleware's own code unpacks them.

Whoever unpacks a message trusts its lengths: memory is taken for them, and objects are made for each element,
before the end of the bytes is met. Here only lengths are looked at, so that a message that lies about them, or that
would cost too much, is refused for some microseconds. The layout is that of classic CDR (OMG DDS-RTPS 10.2): after four
bytes that name it, each number is at a multiple of its size; strings and sequences begin with their length in four
bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

from rosidl_parser.definition import (
    AbstractNestedType,
    AbstractString,
    Array,
    BasicType,
    BoundedSequence,
    NamespacedType,
    UnboundedSequence,
)

BEGIN = 4  # bytes that name the layout
_SIZES = {
    "boolean": 1,
    "octet": 1,
    "char": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "float": 4,
    "double": 8,
}
_BIG, _LITTLE = b"\x00\x00", b"\x00\x01"


@dataclass(frozen=True)
class ReadingLimits:
    """How much of a message is read.

    Args:
        size: bytes.
        elements: strings and nested messages, each of which becomes an object.
    """

    size: int
    elements: int


class Malformed(Exception):
    """Why bytes are no message; never leaves this room's readers."""


class Cursor:
    """A position in the bytes of a message.

    Args:
        packed: the message.

    Raises:
        Malformed: here and in the methods, for bytes that are no message.
    """

    def __init__(self, packed: bytes) -> None:
        if packed[:2] not in (_BIG, _LITTLE):
            raise Malformed(f"layout {packed[:2].hex() or 'none'}, expected 0001 or 0000")
        if len(packed) < BEGIN:
            raise Malformed(f"{len(packed)} bytes")
        # The last two bits in front of the content are the number of padding bytes at the end.
        self._packed, self._end, self.place = packed, len(packed) - (packed[3] & 3), BEGIN
        self._length = struct.Struct("<I" if packed[:2] == _LITTLE else ">I").unpack_from

    def skip(self, size: int, count: int = 1) -> None:
        """Pass over numbers of a size."""
        self.place += -(self.place - BEGIN) % size + size * count
        if self.place > self._end:
            raise Malformed(f"it ends at byte {self._end}, its numbers at byte {self.place}")

    def length(self, least: int) -> int:
        """Read a length in front of elements of so many bytes at least."""
        self.skip(4)
        count: int = self._length(self._packed, self.place - 4)[0]
        if count * least > self._end - self.place:
            raise Malformed(f"a length of {count} with {self._end - self.place} bytes left")
        return count

    def string(self) -> int:
        """Pass over a string; returns its bytes, the closing zero among them."""
        size = self.length(1)
        self.place += size
        return size


def unreadable(packed: bytes, kind: type, limits: ReadingLimits) -> str:
    """Why bytes are not read as a message of a type; empty when they are."""
    if len(packed) > limits.size:
        return f"{len(packed)} bytes, {limits.size} are read"
    try:
        _walk(Cursor(packed), _plan(kind), 1, limits.elements)
    except Malformed as error:
        return str(error)
    return ""


def _walk(cursor: Cursor, plan: tuple[tuple[str, Any], ...], times: int, left: int) -> int:
    """Pass over messages of a plan; returns how many elements may still come."""
    for _ in range(times):
        for what, how in plan:
            if what == "numbers":
                size, count = how
                cursor.skip(size, count)
            elif what == "string":
                cursor.string()
            elif what == "row":  # of numbers, behind its length
                count = cursor.length(how)
                if count:
                    cursor.skip(how, count)
            else:
                inner, count = how
                if count is None:
                    count = cursor.length(_least(inner))
                left -= count
                if left < 0:
                    raise Malformed("more elements than are read")
                left = _walk(cursor, inner, count, left)
    return left


@cache
def _plan(kind: type) -> tuple[tuple[str, Any], ...]:
    """The fields of a message type in their order."""
    steps: list[tuple[str, Any]] = []
    for slot in kind.SLOT_TYPES:  # type: ignore[attr-defined]
        steps += _steps(slot)
    return tuple(steps)


def _steps(slot: Any) -> tuple[tuple[str, Any], ...]:
    if isinstance(slot, BasicType):
        return (("numbers", (_SIZES[slot.typename], 1)),)
    if isinstance(slot, AbstractString):
        return (("string", None),)
    if isinstance(slot, NamespacedType):
        return _plan(_type(slot))
    assert isinstance(slot, AbstractNestedType), slot
    inner = slot.value_type
    if isinstance(slot, Array):
        if isinstance(inner, BasicType):
            return (("numbers", (_SIZES[inner.typename], slot.size)),)
        return (("many", (_steps(inner), slot.size)),)
    assert isinstance(slot, (UnboundedSequence, BoundedSequence)), slot
    if isinstance(inner, BasicType):
        return (("row", _SIZES[inner.typename]),)
    return (("many", (_steps(inner), None)),)


def _type(slot: NamespacedType) -> type:
    from importlib import import_module

    kind: type = getattr(import_module(".".join(slot.namespaces)), slot.name)
    return kind


@cache
def _least(plan: tuple[tuple[str, Any], ...]) -> int:
    """Bytes that a message of a plan has at least."""
    size = 0
    for what, how in plan:
        if what == "numbers":
            size += how[0] * how[1]
        elif what in ("string", "row"):
            size += 4
        else:
            inner, count = how
            size += 4 if count is None else count * _least(inner)
    return max(size, 1)
