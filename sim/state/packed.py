"""Arrays and plain values as bytes. Nothing is unpickled: what comes from elsewhere can at worst be refused."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from math import prod
from typing import Any, Mapping

import numpy as np

from robot.errors import InputError

MAGIC = b"tiller-state-1\n"
_HEADER = struct.Struct("<II")  # length of the JSON, checksum of all that follows this header
_KINDS = "biuf"


@dataclass(frozen=True, eq=False)
class SavedState:
    """A saved state in its parts.

    Args:
        arrays: name -> numbers or truth values.
        plain: name -> what JSON holds.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    plain: Mapping[str, Any] = field(default_factory=dict)

    def within(self, name: str) -> SavedState:
        """The same with `name/` before each name, to be joined with other parts."""
        arrays = {f"{name}/{key}": value for key, value in self.arrays.items()}
        return SavedState(arrays, {f"{name}/{key}": value for key, value in self.plain.items()})

    def part(self, name: str) -> SavedState:
        """What `within` made of a part."""
        start, size = f"{name}/", len(name) + 1
        arrays = {key[size:]: value for key, value in self.arrays.items() if key.startswith(start)}
        return SavedState(arrays, {key[size:]: value for key, value in self.plain.items() if key.startswith(start)})

    @staticmethod
    def joined(*states: SavedState) -> SavedState:
        """All parts in one."""
        arrays = {name: value for state in states for name, value in state.arrays.items()}
        return SavedState(arrays, {name: value for state in states for name, value in state.plain.items()})


def pack(owner: str, state: SavedState) -> bytes:
    """A state as bytes.

    Args:
        owner: what it is a state of: only that can take it back.
        state: its parts.
    """
    table, blocks = [], []
    for name, value in state.arrays.items():
        array = np.asarray(value)
        table.append((name, array.dtype.str, array.shape))
        blocks.append(array.tobytes())
    head = json.dumps({"owner": owner, "arrays": table, "plain": state.plain}).encode()
    body = b"".join((head, *blocks))
    return MAGIC + _HEADER.pack(len(head), zlib.crc32(body)) + body


def unpack(owner: str, packed: bytes) -> SavedState:
    """The state that `pack` made bytes of.

    Raises:
        InputError: no saved state, one that was cut or changed, or one of another owner.
    """
    start = len(MAGIC) + _HEADER.size
    if not isinstance(packed, bytes):
        raise _refused(owner, type(packed).__name__)
    if not packed.startswith(MAGIC) or len(packed) < start:
        raise _refused(owner, "bytes of another kind")
    length, checksum = _HEADER.unpack(packed[len(MAGIC) : start])
    body = memoryview(packed)[start:]
    if zlib.crc32(body) != checksum:
        raise _refused(owner, "bytes that were cut or changed")
    try:
        head = json.loads(bytes(body[:length]))
        whose, table, plain = str(head["owner"]), head["arrays"], dict(head["plain"])
        arrays, at = {}, length
        for name, dtype, shape in table:
            kind = np.dtype(dtype)
            if kind.kind not in _KINDS:
                raise ValueError(dtype)
            size = kind.itemsize * prod(shape)
            arrays[str(name)] = np.frombuffer(body[at : at + size], kind).reshape(shape).copy()
            at += size
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, AttributeError, MemoryError) as error:
        raise _refused(owner, f"a record that cannot be read ({error})") from None
    if whose != owner:
        raise _refused(owner, f"one of {whose}")
    return SavedState(arrays, plain)


def _refused(owner: str, got: str) -> InputError:
    return InputError(
        "saved state",
        expected=f"one that was saved of {owner}",
        got=got,
        way_out="Restore it in an environment that was made with the same task and options",
    )
