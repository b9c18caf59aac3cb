"""A round: what is new for one page, as one binary message.

Layout, little-endian, every part at a multiple of eight bytes: number of the round (u32), number of parts (u32); of
each part kind (u8), number (u8), zero (u16), sequence (u32), stamp in s (f64), length of the body (u32), zero (u32),
body, zeros. The page answers a round that it has shown with the round's number (u32).
"""

from __future__ import annotations

import struct
from typing import Mapping

from real.page.serving.feed import Channel, Entry, Kind

HEAD, PART, ANSWER = struct.Struct("<II"), struct.Struct("<BBHIdII"), struct.Struct("<I")
ALIGNED = 8


def pack_round(number: int, entries: Mapping[Channel, Entry]) -> bytes:
    """The message of a round; `number` wraps at 2^32."""
    parts = [HEAD.pack(number & 0xFFFFFFFF, len(entries))]
    for channel, entry in entries.items():
        sequence = entry.sequence & 0xFFFFFFFF
        parts += [
            PART.pack(channel.kind, channel.number, 0, sequence, entry.stamp_ns * 1e-9, len(entry.body), 0),
            entry.body,
            bytes(-len(entry.body) % ALIGNED),
        ]
    return b"".join(parts)


def unpack_round(packed: bytes) -> tuple[int, dict[Channel, Entry]]:
    """The inverse, for other readers than the page: the number of the round and its entries."""
    number, count = HEAD.unpack_from(packed)
    entries, place = {}, HEAD.size
    for _ in range(count):
        kind, which, _, sequence, stamp_s, length, _ = PART.unpack_from(packed, place)
        place += PART.size
        entries[Channel(Kind(kind), which)] = Entry(sequence, round(stamp_s * 1e9), packed[place : place + length])
        place += length + -length % ALIGNED
    return number, entries
