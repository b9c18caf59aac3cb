"""What every foreign format is read as: arrays concatenated in time, and where episodes end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Callable, Collection, Mapping

import numpy as np

from data.store.reading import DamagedChunkError
from data.store.schema import ColumnField
from robot.errors import InputError, nearest

BLOCK_BYTES = 32 * 2**20
SKIP_BAD_ENDS = "Leave out episodes whose ends make no sense with skip_episodes=[...]"


@dataclass(frozen=True, eq=False)
class SourceArray:
    """One key over all episodes.

    Args:
        path: of the source, as given.
        name: its name in the source.
        shape: (rows, ...).
        dtype: as stored.
        read: rows [start, stop) as an array.
        chunk_rows: rows that are decoded together.
    """

    path: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[int, int], np.ndarray]
    chunk_rows: int

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"'{self.path}': key '{self.name}'"

    @property
    def block_rows(self) -> int:
        """Rows to read at once: whole chunks, as many as fit in `BLOCK_BYTES`."""
        row_bytes = max(1, int(np.prod(self.shape[1:])) * self.dtype.itemsize)
        return self.chunk_rows * max(1, BLOCK_BYTES // (row_bytes * self.chunk_rows))


@dataclass(frozen=True, eq=False)
class Source:
    """A foreign store whose keys all have one row per control step.

    Args:
        path: as given.
        format: what it was recognised as, in words.
        arrays: name -> key, all of one length.
        episode_ends: (episodes,) int64, exclusive, increasing, none past the rows, but for episodes to be skipped.
        notes: what a person should know about how it is read.
        attributes: the store's own attributes, plain JSON values.
        facts: name -> (episodes, ...) what it records of each episode.

    Raises:
        InputError: no keys or no episodes.
    """

    path: str
    format: str
    arrays: Mapping[str, SourceArray]
    episode_ends: np.ndarray
    notes: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.episode_ends) == 0 or not self.arrays:
            raise InputError(
                f"'{self.path}'",
                expected="at least one episode and one key",
                got=f"{len(self.episode_ends)} episodes and {len(self.arrays)} keys",
            )

    @property
    def rows(self) -> int:
        """Rows of all episodes; a key may have a tail that belongs to none."""
        return min(int(self.episode_ends.max()), *(array.shape[0] for array in self.arrays.values()))

    def kept(self, skip: Collection[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First row, row after the last, and number of each episode that is not skipped, three (kept,) int64."""
        numbers = np.setdiff1d(np.arange(len(self.episode_ends)), np.fromiter(skip, np.int64))
        starts = np.concatenate([np.zeros(1, np.int64), self.episode_ends[:-1]])
        return starts[numbers], self.episode_ends[numbers], numbers


def require_known(option: str, names: Collection[str], known: Collection[str]) -> None:
    """Refuse an option that names keys which the source does not have."""
    for name in names:
        if name not in known:
            raise InputError(
                f"{option}={name}", expected="a key of the source", got=f"'{name}'", way_out=nearest(name, known)
            )


def require_name(path: str, key: str, name: str) -> None:
    """Refuse a name that no array of the target can have, with the option that gives the key another."""
    try:
        ColumnField(name, (), "float32", "1")
    except InputError as error:
        raise InputError(
            f"'{path}': '{key}'",
            expected=f"a name of {error.expected}",
            got=f"'{name}'",
            way_out=f"Give it another name with rename.{key}=NAME, or leave it out with exclude=[{key}]",
        ) from None


class SequentialReader:
    """Reads a key front to back in whole blocks, each decoded once, whatever lengths are requested.

    Args:
        array: the key.
        prepare: applied to rows (rows, ...) as they are read, with the number of the first; rows that nobody reads
            may hold anything, and their chunks may be damaged.
    """

    def __init__(self, array: SourceArray, prepare: Callable[[np.ndarray, int], np.ndarray]):
        self._array, self._prepare = array, prepare
        self._first = -1
        self._block: np.ndarray | None = None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read rows [start, stop)."""
        step = self._array.block_rows
        parts = []
        for first in range(start // step * step, stop, step):
            begin = max(start, first)
            parts.append(self._prepare(self._load(first, begin, min(stop, first + step)), begin))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _load(self, first: int, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop) of the block that begins at a row; alone where other rows of the block are damaged."""
        if self._first != first:
            end = min(first + self._array.block_rows, self._array.shape[0])
            self._first, self._block = first, None
            with suppress(DamagedChunkError):  # perhaps in rows that nobody reads
                self._block = self._array.read(first, end)
        return self._array.read(start, stop) if self._block is None else self._block[start - first : stop - first]
