"""Messages between a reader and its process: a record in JSON and the bytes of numbers, never a pickled object.

The reader's process has read a file that may be hostile, so that what it sends is checked like the file itself.
"""

from __future__ import annotations

import json
import select
import socket
import struct
from typing import Any, Mapping

_SIZES = struct.Struct("<QQ")  # bytes of the record, and of the numbers
_LARGEST_RECORD = 2**30
_PIECE = 2**20


def send(link: socket.socket, record: Mapping[str, Any], numbers: bytes | memoryview = b"") -> None:
    """Send a message.

    Args:
        link: to the other process.
        record: plain values.
        numbers: bytes that go with it.

    Raises:
        OSError: the other process is gone, or takes nothing within the link's time limit.
    """
    words = json.dumps(record).encode()
    link.sendall(_SIZES.pack(len(words), len(numbers)) + words)
    for start in range(0, len(numbers), _PIECE):  # each within the limit
        link.sendall(numbers[start : start + _PIECE])


def receive(link: socket.socket, numbers: memoryview | None = None) -> dict[str, Any]:
    """The record of the next message, with `bytes`: how many bytes of numbers went with it.

    Args:
        link: to the other process.
        numbers: takes the bytes that go with it; there must be as many, or none.

    Raises:
        EOFError: the other process has closed its end.
        OSError: it is gone, or sends nothing within the link's time limit.
        ValueError: it is no such message.
    """
    of_record, of_numbers = _SIZES.unpack(_exactly(link, memoryview(bytearray(_SIZES.size))))
    if of_record > _LARGEST_RECORD:
        raise ValueError(f"a message of {of_record:,} bytes")
    record = json.loads(bytes(_exactly(link, memoryview(bytearray(of_record)))))
    if of_numbers:
        if numbers is None or of_numbers != len(numbers):
            raise ValueError(f"{of_numbers:,} bytes of numbers where there should be {len(numbers or b''):,}")
        _exactly(link, numbers)
    if not isinstance(record, dict):
        raise ValueError("a message that is no record")
    return {**record, "bytes": of_numbers}


def _exactly(link: socket.socket, into: memoryview) -> memoryview:
    """Fill bytes; each piece has to come within the link's time limit."""
    done = 0
    while done < len(into):
        try:
            count = link.recv_into(into[done:])
        except TimeoutError:
            if not select.select([link], [], [], 0)[0]:  # this process was stopped for so long, not the other
                raise
            continue
        if not count:
            raise EOFError
        done += count
    return into
