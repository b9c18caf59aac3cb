"""Windows of observations and actions, gathered a batch at a time by index arithmetic.

There is one window per row t: every observation key's history t-(n-1)*s, ..., t-s, t and the actions t, ..., t+H-1.
Past the edges of the episode its first or last row is repeated; no window ever looks into another episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Mapping, Protocol

import numpy as np

from data.learning.chunk_cache import ChunkCache
from data.learning.memory import memory_limit_bytes
from data.learning.sampling import chunk_shuffle
from data.store.schema import ACTION
from robot.description import History, ObservationField, ObservationSpec
from robot.errors import InputError, nearest

if TYPE_CHECKING:
    from data.store.dataset import Dataset

_BYTES_READ_AT_ONCE = 64 * 2**20
_LARGEST = float(np.finfo(np.float32).max)


class WindowSpec(Protocol):
    """What decides a window; a `PolicySpec` is one."""

    @property
    def observation(self) -> ObservationSpec: ...

    @property
    def horizon(self) -> int: ...


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Windows side by side.

    Args:
        observation: name -> (batch, steps, *shape), oldest step first; images as they are stored, the rest float32.
        action: (batch, horizon, dim) float32; row 0 belongs to the newest observation.
        is_pad: (batch, horizon) True where the action is past the end of the episode and repeats its last one.
    """

    observation: Mapping[str, np.ndarray]
    action: np.ndarray
    is_pad: np.ndarray


class Windows:
    """All windows of chosen episodes.

    Rows are counted from 0 over the chosen episodes, one after the other in the order of `episodes`. Low-dimensional
    keys are held in memory as float32. Images are held as stored when all of them fit in `memory_bytes`, else they are
    read from disk through a cache of that size.

    Args:
        dataset: where the rows come from.
        spec: histories of the observation keys to gather, and the horizon.
        episodes: episode indices; None takes all.
        memory_bytes: bound for images in memory; None is a quarter of the machine's memory.

    Raises:
        InputError: no episodes, an unknown episode, a key that the dataset lacks or holds in another shape, or numbers
            that float32 cannot hold.
    """

    def __init__(
        self,
        dataset: Dataset,
        spec: WindowSpec,
        episodes: np.ndarray | None = None,
        *,
        memory_bytes: int | None = None,
    ):
        ends = np.asarray(dataset.episode_ends, dtype=np.int64)
        self.episodes = _checked_episodes(episodes, len(ends))
        self.horizon = spec.horizon
        self.observation = spec.observation
        starts = np.concatenate([[0], ends[:-1]])[self.episodes]
        self._ranges = _joined_ranges(starts, ends[self.episodes])
        lengths = ends[self.episodes] - starts
        row_ends = np.cumsum(lengths)
        self._first = np.repeat(row_ends - lengths, lengths)  # first row of each row's episode
        self._last = np.repeat(row_ends - 1, lengths)
        self._to_source = np.repeat(starts - (row_ends - lengths), lengths)  # added to a row: its row in the dataset
        self._ahead = np.arange(self.horizon, dtype=np.int64)
        self._by_history: dict[History, list[str]] = {}
        for field in self.observation:
            self._by_history.setdefault(field.history, []).append(field.name)

        self._stored_range: dict[str, np.ndarray] = {}
        self._action = self._load(StoredRows(dataset, ACTION), np.float32)
        stored = {field.name: _matching_rows(dataset, field) for field in self.observation}
        images = {field.name: stored[field.name] for field in self.observation if field.is_image}
        limit = memory_limit_bytes() // 4 if memory_bytes is None else memory_bytes
        self.is_streamed = sum(len(self) * array.row_bytes for array in images.values()) > limit
        self._streamed = images if self.is_streamed else {}
        self._cache = ChunkCache(limit)
        self._memory = {
            name: self._load(array, array.dtype if name in images else np.float32)
            for name, array in stored.items()
            if name not in self._streamed
        }

    def __len__(self) -> int:
        return len(self._first)

    def gather(self, rows: np.ndarray) -> Batch:
        """Gather the windows of some rows, in their order; rows (batch,) may repeat.

        Raises:
            InputError: a row outside 0..len-1.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise InputError("rows to gather", expected=f"0 to {len(self) - 1}", got=f"{rows.min()} to {rows.max()}")
        ahead = rows[:, None] + self._ahead
        last = self._last[rows][:, None]
        is_pad = ahead > last
        action = self._action.take(np.minimum(ahead, last, out=ahead), axis=0)
        observation = {}
        for history, names in self._by_history.items():
            past = self._past(rows, history)
            for name in names:
                if name in self._memory:
                    observation[name] = self._memory[name].take(past, axis=0)
                else:
                    observation[name] = self._cache.gather(self._streamed[name], past + self._to_source[rows][:, None])
        return Batch(observation, action, is_pad)

    def order(self, generator: np.random.Generator) -> np.ndarray:
        """Every row once, shuffled: (len,) int64.

        Rows in memory are permuted uniformly. For streamed images chunks are permuted, and rows are shuffled among as
        many of them as fit in memory, so that each is decoded about once an epoch.
        """
        if not self._streamed:
            return generator.permutation(len(self))
        length = max(array.chunks[0] for array in self._streamed.values())
        chunk_bytes = length * sum(array.row_bytes for array in self._streamed.values())
        # A quarter stays free for the chunks before, which histories at a chunk's edge reach into.
        together = max(1, int(0.75 * self._cache.max_bytes / chunk_bytes))
        return chunk_shuffle((np.arange(len(self)) + self._to_source) // length, generator, together=together)

    def observation_rows(self, name: str) -> np.ndarray:
        """One key of the chosen episodes in memory, (rows, *shape), for statistics.

        Raises:
            InputError: the key is unknown or streamed.
        """
        if name not in self._memory:
            raise InputError(
                f"rows of '{name}'", expected="a key in memory", got=f"'{name}'", way_out=nearest(name, self._memory)
            )
        return self._memory[name]

    def action_rows(self) -> np.ndarray:
        """Actions of the chosen episodes, (rows, dim) float32."""
        return self._action

    def stored_range(self, name: str) -> np.ndarray | None:
        """Largest less smallest number of a key before it became float32, shape of a row, float64.

        Returns:
            None where float32 holds every number of the stored type.
        """
        return self._stored_range.get(name)

    def episode_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last row of each row's episode, two (rows,) int64."""
        return self._first, self._last

    def _past(self, rows: np.ndarray, history: History) -> np.ndarray:
        if history.steps == 1:
            return rows[:, None]
        past = rows[:, None] + history.offsets
        return np.maximum(past, self._first[rows][:, None], out=past)

    def _load(self, array: StoredRows, dtype: np.dtype | type) -> np.ndarray:
        """Rows of the chosen episodes in memory, read in whole chunks so that little more than the result is held."""
        rows = np.empty((len(self), *array.shape[1:]), dtype)
        step = array.chunks[0] * max(1, _BYTES_READ_AT_ONCE // (array.chunks[0] * array.row_bytes))
        done = 0
        bounds = []
        for start, stop in self._ranges:
            while start < stop:
                end = min(start - start % step + step, stop)
                block = array[start:end]
                if not np.can_cast(array.dtype, dtype):
                    bounds.append((block.min(axis=0), block.max(axis=0)))
                    array.require_float32(*bounds[-1])
                rows[done : done + end - start] = block
                done, start = done + end - start, end
        if bounds:
            low, high = np.min([low for low, _ in bounds], axis=0), np.max([high for _, high in bounds], axis=0)
            # Python's numbers: a difference of two int64 may overflow, and float64 rounds them.
            moved = np.asarray(high, dtype=object) - np.asarray(low, dtype=object)
            self._stored_range[array.name] = np.asarray(moved, np.float64)
        return rows


class StoredRows:
    """One key on disk, sliced along rows; a damaged chunk is named when it is read.

    Raises:
        InputError: the dataset has no such key.
    """

    def __init__(self, dataset: Dataset, name: str):
        array = dataset.array(name)
        self.shape, self.dtype, self.chunks = array.shape, array.dtype, array.chunks
        self.row_bytes = max(1, prod(self.shape[1:])) * self.dtype.itemsize
        self.name = name
        self._dataset = dataset

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._dataset.read(self.name, rows.start, min(rows.stop, self.shape[0]))

    def require_float32(self, low: np.ndarray, high: np.ndarray) -> None:
        """Refuse finite numbers, smallest and largest per component, that float32 cannot hold."""
        for extreme in (np.atleast_1d(low), np.atleast_1d(high)):
            beyond = np.isfinite(extreme) & ((extreme > _LARGEST) | (extreme < -_LARGEST))
            if beyond.any():
                component = np.argwhere(beyond)[0].tolist()
                raise InputError(
                    f"'{self._dataset.path}': '{self.name}', component {', '.join(map(str, component))}",
                    expected=f"numbers that float32 holds, up to {_LARGEST:.2g}",
                    got=f"{extreme[tuple(component)]:.3g}",
                    way_out="Convert the demonstrations again without that episode (skip_episodes), or in another unit"
                    + ("" if self.name == ACTION else ", or leave the key out of policy.observation"),
                )


def _checked_episodes(episodes: np.ndarray | None, count: int) -> np.ndarray:
    chosen = np.arange(count) if episodes is None else np.asarray(episodes, dtype=np.int64)
    if len(chosen) == 0:
        raise InputError("episodes to cut windows from", expected="at least one", got="none")
    if chosen.min() < 0 or chosen.max() >= count:
        raise InputError(
            "episodes to cut windows from",
            expected=f"indices 0 to {count - 1}",
            got=f"{chosen.min()} to {chosen.max()}",
        )
    return chosen


def _matching_rows(dataset: Dataset, field: ObservationField) -> StoredRows:
    array = StoredRows(dataset, field.name)
    if array.shape[1:] != field.shape:
        raise InputError(
            f"'{dataset.path}': observation '{field.name}'",
            expected=f"rows of shape {field.shape}",
            got=f"{array.shape[1:]} in the dataset",
        )
    return array


def _joined_ranges(starts: np.ndarray, stops: np.ndarray) -> list[tuple[int, int]]:
    """Episodes that follow each other on disk, joined in one range to read."""
    ranges: list[tuple[int, int]] = []
    for start, stop in zip(starts.tolist(), stops.tolist()):
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], stop)
        else:
            ranges.append((start, stop))
    return ranges
