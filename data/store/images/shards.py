"""Shards of encoded rows: files of many chunks, written whole, in which no row is ever encoded again.

The layout is that of zarr's sharding codec (zarr format 3): the chunks one after the other, then an index of their
offsets and lengths, 2 uint64 little-endian each, both 2^64 - 1 where a chunk is not there, then the index's CRC-32C.
A chunk here is one row: the bytes of its image, then their CRC-32C.
"""

from __future__ import annotations

from typing import Sequence

import google_crc32c
import numpy as np

_ABSENT = np.uint64(2**64 - 1)
CHECK_BYTES = 4  # of a CRC-32C


def checked(stored: bytes) -> bytes:
    """Bytes with their CRC-32C after them, as they are in a shard."""
    return stored + _crc(stored)


def pack_shard(chunks: Sequence[bytes], rows: int) -> bytes:
    """A shard file.

    Args:
        chunks: of its first rows, each with its checksum.
        rows: that a shard has room for.
    """
    index = np.full((rows, 2), _ABSENT, "<u8")
    lengths = [len(chunk) for chunk in chunks]
    index[: len(chunks), 0] = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if chunks else []
    index[: len(chunks), 1] = lengths
    return b"".join((*chunks, checked(index.tobytes())))


def index_bytes(rows: int) -> int:
    """Bytes of the index at the end of a shard with room for so many rows."""
    return rows * 16 + CHECK_BYTES


def read_index(end: bytes, rows: int, start: int = 0, stop: int | None = None) -> list[tuple[int, int]]:
    """Offset and length of the chunks of rows start..stop-1.

    Args:
        end: the last `index_bytes` of the file, or all of it.
        rows: that a shard has room for.
        start, stop: of the shard's rows.

    Raises:
        ValueError: the index is damaged.
    """
    size = index_bytes(rows)
    index, crc = end[-size:-CHECK_BYTES], end[-CHECK_BYTES:]
    if len(end) < size or _crc(index) != crc:
        raise ValueError("its index is damaged")
    return [(offset, length) for offset, length in np.frombuffer(index, "<u8").reshape(rows, 2)[start:stop].tolist()]


def require_sound(chunk: bytes, length: int) -> bytes:
    """A chunk with its checksum after it, which is compared.

    Raises:
        ValueError: it is damaged, or not there.
    """
    if length < CHECK_BYTES or len(chunk) != length or _crc(chunk[:-CHECK_BYTES]) != chunk[-CHECK_BYTES:]:
        raise ValueError("its checksum does not match")
    return chunk


def unpack_shard(file: bytes, rows: int, used: int) -> list[bytes]:
    """The chunks of the first rows of a shard file, each with its checksum.

    Args:
        file: whole.
        rows: that a shard has room for.
        used: how many rows are wanted.

    Raises:
        ValueError: the index or one of these chunks is damaged or not there.
    """
    places = read_index(file, rows, 0, used)
    return [require_sound(file[offset : offset + length], length) for offset, length in places]


def _crc(stored: bytes) -> bytes:
    return int(google_crc32c.value(stored)).to_bytes(CHECK_BYTES, "little")
