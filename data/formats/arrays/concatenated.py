"""Sources that are arrays side by side, concatenated in time, and say where episodes end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, Collection, Mapping

import numpy as np

from data.formats.source import BLOCK_BYTES, COLUMN, UNKNOWN, Description, SourceField, SourceStream
from data.store.reading import DamagedChunkError


@dataclass(frozen=True, eq=False)
class ConcatenatedArray:
    """One key over all episodes.

    Args:
        shape: (rows, ...).
        dtype: as stored.
        read: rows [start, stop) as an array.
        chunk_rows: rows that are decoded together.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[int, int], np.ndarray]
    chunk_rows: int

    @property
    def block_rows(self) -> int:
        """Rows to read at once: whole chunks, as many as fit in `BLOCK_BYTES`."""
        row_bytes = max(1, int(np.prod(self.shape[1:])) * self.dtype.itemsize)
        return self.chunk_rows * max(1, BLOCK_BYTES // (row_bytes * self.chunk_rows))


@dataclass(frozen=True, eq=False)
class ConcatenatedStream:
    """A stream over all episodes.

    Args:
        stream: what is known of it.
        starts: (episodes,) int64, the first sample of each.
        value, time_ns: samples, or stamps, [start, stop).
    """

    stream: SourceStream
    starts: np.ndarray
    value: Callable[[int, int], np.ndarray]
    time_ns: Callable[[int, int], np.ndarray]


class ArraySource(Description):
    """A `Source` of arrays.

    Args:
        path: as given.
        format: what it was recognised as, in words.
        arrays: name -> key, all of one length.
        episode_ends: (episodes,) int64, exclusive, increasing, none past the rows, but for episodes to be skipped.
        notes: what a person should know about how it is read.
        attributes: the store's own attributes, plain JSON values.
        facts: name -> (episodes, ...) what it records of each episode.
        close: closes its files.
        period_s: control period, where the store says it.
        units: name -> unit, of those that the store says.
        columns: names of the keys that are neither observation nor action, where the store says it.
        streams: name -> what runs faster than rows.

    Raises:
        InputError: no keys or no episodes.
    """

    def __init__(
        self,
        path: str,
        format: str,
        arrays: Mapping[str, ConcatenatedArray],
        episode_ends: np.ndarray,
        notes: tuple[str, ...] = (),
        attributes: Mapping[str, Any] | None = None,
        facts: Mapping[str, np.ndarray] | None = None,
        close: Callable[[], None] = lambda: None,
        period_s: float | None = None,
        units: Mapping[str, str] | None = None,
        columns: Collection[str] = (),
        streams: Mapping[str, ConcatenatedStream] | None = None,
    ) -> None:
        starts = np.concatenate([np.zeros(1, np.int64), episode_ends[:-1]])
        super().__init__(
            path,
            format,
            {
                name: SourceField(
                    path,
                    name,
                    array.shape[1:],
                    array.dtype,
                    COLUMN if name in columns else UNKNOWN,
                    unit=(units or {}).get(name, ""),
                )
                for name, array in arrays.items()
            },
            episode_ends - starts[: len(episode_ends)],
            facts=facts or {},
            period_s=period_s,
            streams={name: stream.stream for name, stream in (streams or {}).items()},
            attributes=attributes or {},
            notes=notes,
        )
        self._starts = starts
        self._readers = {name: _BlockReader(array) for name, array in arrays.items()}
        self._streams = streams or {}
        self._close = close

    def read(self, name: str, episode: int, start: int, stop: int) -> np.ndarray:
        first = int(self._starts[episode])
        return self._readers[name].read(first + start, first + stop)

    def read_stream(self, name: str, episode: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        stream = self._streams[name]
        first = int(stream.starts[episode])
        return stream.value(first + start, first + stop), stream.time_ns(first + start, first + stop)

    def close(self) -> None:
        self._close()


class _BlockReader:
    """Reads a key front to back in whole blocks, each decoded once, whatever lengths are requested."""

    def __init__(self, array: ConcatenatedArray) -> None:
        self._array = array
        self._first = -1
        self._block: np.ndarray | None = None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop)."""
        step = self._array.block_rows
        parts = [
            self._load(first, max(start, first), min(stop, first + step))
            for first in range(start // step * step, stop, step)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _load(self, first: int, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop) of the block that begins at a row; alone where other rows of the block are damaged."""
        if self._first != first:
            end = min(first + self._array.block_rows, self._array.shape[0])
            self._first, self._block = first, None
            with suppress(DamagedChunkError):  # perhaps in rows that nobody reads
                self._block = self._array.read(first, end)
        return self._array.read(start, stop) if self._block is None else self._block[start - first : stop - first]
