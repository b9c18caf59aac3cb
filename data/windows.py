"""Windows of observations and actions, gathered a batch at a time by index arithmetic.

There is one window a row t: every observation key's history t-(n-1)*s, ..., t-s, t and the actions t, ..., t+H-1. Past
the edges of the episode its first or last row is repeated; no window ever looks into another episode.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Mapping, Protocol

import numpy as np

from data.chunk_cache import ChunkCache, RowArray
from data.sampling import block_shuffle
from robot.description import History, ObservationField, ObservationSpec
from robot.errors import InputError, nearest

if TYPE_CHECKING:
    from data.dataset import Dataset

ACTION = "action"
CHUNKS_SHUFFLED_TOGETHER = 16


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
        is_pad: (batch, horizon) True where the action lies past the end of the episode and repeats its last one.
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
        spec: histories of the observation keys that are wanted, and the horizon.
        episodes: episode indices; None takes all.
        memory_bytes: bound for images in memory; None is a quarter of the machine's memory.
        workers: threads that decode streamed images.

    Raises:
        InputError: no episodes, an unknown episode, or a key that the dataset lacks or holds in another shape.
    """

    def __init__(
        self,
        dataset: Dataset,
        spec: WindowSpec,
        episodes: np.ndarray | None = None,
        *,
        memory_bytes: int | None = None,
        workers: int = 2,
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

        self._action = self._load(dataset.array(ACTION), np.float32)
        limit = _default_memory_bytes() if memory_bytes is None else memory_bytes
        image_bytes = sum(len(self) * field.size * np.dtype(field.dtype).itemsize for field in self.observation
                          if field.is_image)
        self.is_streamed = image_bytes > limit
        self._cache = ChunkCache(limit, workers) if self.is_streamed else None
        self._streamed: dict[str, RowArray] = {}
        self._memory: dict[str, np.ndarray] = {}
        for field in self.observation:
            array = _checked_array(dataset, field)
            if not field.is_image:
                self._memory[field.name] = self._load(array, np.float32)
            elif self.is_streamed:
                self._streamed[field.name] = array
            else:
                self._memory[field.name] = self._load(array, np.dtype(field.dtype))

    def __len__(self) -> int:
        return len(self._first)

    def gather(self, rows: np.ndarray) -> Batch:
        """The windows of some rows, in their order; rows (batch,) may repeat.

        Raises:
            InputError: a row outside 0..len-1.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and not (0 <= rows.min() and rows.max() < len(self)):
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
                    assert self._cache is not None
                    observation[name] = self._cache.gather(self._streamed[name], past + self._to_source[rows][:, None])
        return Batch(observation, action, is_pad)

    def order(self, generator: np.random.Generator) -> np.ndarray:
        """Every row once, shuffled: (len,) int64.

        Rows in memory are permuted uniformly. For streamed images whole chunks are permuted and rows are then shuffled
        among some chunks at a time, so that each chunk is read once an epoch.
        """
        if not self._streamed:
            return generator.permutation(len(self))
        length = max(array.chunks[0] for array in self._streamed.values())
        block = (np.arange(len(self)) + self._to_source) // length
        return block_shuffle(block, generator, together=CHUNKS_SHUFFLED_TOGETHER)

    def observation_rows(self, name: str) -> np.ndarray:
        """One key of the chosen episodes in memory, (rows, *shape), for statistics.

        Raises:
            InputError: the key is unknown or streamed.
        """
        if name not in self._memory:
            raise InputError(f"rows of '{name}'", expected="a key in memory", got=f"'{name}'",
                             way_out=nearest(name, self._memory))
        return self._memory[name]

    def action_rows(self) -> np.ndarray:
        """Actions of the chosen episodes, (rows, dim) float32."""
        return self._action

    def _past(self, rows: np.ndarray, history: History) -> np.ndarray:
        if history.steps == 1:
            return rows[:, None]
        past = rows[:, None] + history.offsets
        return np.maximum(past, self._first[rows][:, None], out=past)

    def _load(self, array: RowArray, dtype: np.dtype | type) -> np.ndarray:
        """Rows of the chosen episodes, contiguous; read run by run so that only the result is held."""
        rows = np.empty((len(self), *array.shape[1:]), dtype)
        done = 0
        for start, stop in self._ranges:
            rows[done : done + stop - start] = array[start:stop]
            done += stop - start
        return rows


def _checked_episodes(episodes: np.ndarray | None, count: int) -> np.ndarray:
    chosen = np.arange(count) if episodes is None else np.asarray(episodes, dtype=np.int64)
    if len(chosen) == 0:
        raise InputError("episodes to cut windows from", expected="at least one", got="none")
    if chosen.min() < 0 or chosen.max() >= count:
        raise InputError("episodes to cut windows from", expected=f"indices 0 to {count - 1}",
                         got=f"{chosen.min()} to {chosen.max()}")
    return chosen


def _checked_array(dataset: Dataset, field: ObservationField) -> RowArray:
    stored = dataset.schema.observation
    if field.name not in stored:
        raise InputError(f"observation '{field.name}'", expected="a key of the dataset", got=f"'{field.name}'",
                         way_out=nearest(field.name, stored.names))
    array = dataset.array(field.name)
    if array.shape[1:] != field.shape:
        raise InputError(f"observation '{field.name}'", expected=f"rows of shape {field.shape}",
                         got=f"{array.shape[1:]} in the dataset")
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


def _default_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
