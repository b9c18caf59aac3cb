"""The arrays of a store: where each is, what one entry looks like, how many there are, how they are chunked.

data/<name>                          rows of all episodes, one after the other
meta/episode_ends                    int64, the row after each episode's last
meta/<name>                          one fact per episode
streams/<name>/{value,time_ns}       samples of all episodes, one after the other
meta/stream_ends/<name>              int64, the sample after each episode's last
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Iterator

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec
from zarr.core.chunk_key_encodings import ChunkKeyEncodingParams

from data.store.images.codecs import codec_of
from data.store.images.encoding import Encoding
from data.store.record import Commit
from data.store.schema import Schema

EPISODE_ENDS = "meta/episode_ends"
# An append rewrites the last chunk of every array, and a random read decodes a whole one.
_BYTES_A_CHUNK = 1 << 20
_ROWS_A_CHUNK = 1 << 12
# Rows too large for several to share a chunk share a file: a shard, to which chunks are added as they are.
_BYTES_A_SHARD = 1 << 24
_ROWS_A_SHARD = 1 << 9
_FEW_ROWS = 8  # a chunk, up to which a file of each would be too many
_SHRUNK = 8  # times, that an encoding makes an image smaller at least; only the size of files depends on it
# All chunks of an array in its own folder (`c.12.0.0.0`): one folder per chunk would have to be made and synced too.
_ONE_FOLDER: ChunkKeyEncodingParams = {"name": "default", "separator": "."}


@dataclass(frozen=True)
class Slot:
    """One array of a store.

    Args:
        path: from the root group.
        shape: of one entry.
        dtype: numpy name, or `string`.
        unit: as in the schema.
        per: what it has an entry for: `row`, `episode`, or `stream NAME` for each sample of that stream.
        encoding: how each entry is stored.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    per: str
    encoding: Encoding = Encoding()

    def length(self, commit: Commit) -> int:
        """Number of entries by a commit record."""
        if self.per == "row":
            return commit.rows
        return commit.episodes if self.per == "episode" else commit.streams.get(self.per.removeprefix("stream "), 0)

    @property
    def rows_a_chunk(self) -> int:
        """A power of two: about 1 MiB of numbers, never more than 4096 rows; one encoded image."""
        if self.dtype == "string":
            return 256
        return 1 if self.encoding.of_images else _power_of_two(_BYTES_A_CHUNK // self._row_bytes, _ROWS_A_CHUNK)

    @property
    def rows_a_shard(self) -> int | None:
        """Rows that share a file where that is not a chunk, a power of two for about 16 MiB; None where it is one."""
        if self.dtype == "string" or self.rows_a_chunk > _FEW_ROWS:
            return None
        stored = self._row_bytes // _SHRUNK if self.encoding.of_images else self._row_bytes
        return _power_of_two(_BYTES_A_SHARD // max(stored, 1), _ROWS_A_SHARD)

    @property
    def _row_bytes(self) -> int:
        return max(1, prod(self.shape) * np.dtype(self.dtype).itemsize)


def _power_of_two(rows: int, most: int) -> int:
    return 1 << (min(max(rows, 1), most).bit_length() - 1)


def row_path(name: str) -> str:
    return f"data/{name}"


def meta_path(name: str) -> str:
    return f"meta/{name}"


def stream_paths(name: str) -> tuple[str, str, str]:
    """Paths of a stream's values, stamps and ends."""
    return f"streams/{name}/value", f"streams/{name}/time_ns", f"meta/stream_ends/{name}"


def slots(schema: Schema) -> Iterator[Slot]:
    """Every array that a store of this schema has."""
    for row in schema.row_fields.values():
        yield Slot(row_path(row.name), row.shape, row.dtype, row.unit, "row", schema.encoding(row.name))
    yield Slot(EPISODE_ENDS, (), "int64", "1", "episode")
    for fact in schema.meta:
        yield Slot(meta_path(fact.name), (), fact.dtype, fact.unit, "episode")
    for stream in schema.streams:
        value, time_ns, ends = stream_paths(stream.name)
        yield Slot(value, stream.shape, stream.dtype, stream.unit, f"stream {stream.name}")
        yield Slot(time_ns, (), "int64", "ns", f"stream {stream.name}")
        yield Slot(ends, (), "int64", "1", "episode")


def create_array(root: zarr.Group, slot: Slot) -> None:
    """Make one empty array of format 3 whose chunks carry a checksum."""
    text, encoded = slot.dtype == "string", slot.encoding.of_images
    squeeze = ZstdCodec(level=3) if text else BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
    inner = tuple(max(size, 1) for size in slot.shape)
    root.create_array(
        slot.path,
        shape=(0, *slot.shape),
        chunks=(slot.rows_a_chunk, *inner),
        shards=None if slot.rows_a_shard is None else (slot.rows_a_shard, *inner),
        dtype=str if text else slot.dtype,
        chunk_key_encoding=_ONE_FOLDER,
        serializer=codec_of(slot.encoding) if encoded else "auto",
        compressors=[Crc32cCodec()] if encoded else [squeeze, Crc32cCodec()],
        attributes={"unit": slot.unit, **({"encoding": slot.encoding.kind} if encoded else {})},
    )
