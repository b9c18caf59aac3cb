"""Windows of observations and actions, gathered a batch at a time by index arithmetic.

There is one window per row t: every observation key's history t-(n-1)*s, ..., t-s, t and the actions t, ..., t+H-1.
Past the edges of the episode its first or last row is repeated; no window ever looks into another episode. Rows that a
person took back (`Quality.REWOUND`) may be history, but no loss sees their actions; a row t of which no action would
count has no window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Mapping, Protocol, Sequence

import numpy as np

from data.learning.chunk_cache import ChunkCache
from data.learning.later import Later, Outcomes, later_rows
from data.learning.memory import memory_limit_bytes
from data.learning.rewound import rows_with_actions, taken_back
from data.learning.sampling import checked_windows, chunk_shuffle
from data.learning.stored_rows import StoredRows, column_rows, observation_rows
from data.store.names import QUALITY, has_column
from data.store.schema import ACTION
from robot.description import History, ObservationSpec
from robot.errors import InputError, nearest

if TYPE_CHECKING:
    from data.store.dataset import Dataset

_BYTES_READ_AT_ONCE = 64 * 2**20
_BLOCKS_IN_MEMORY = 32  # at least: a block that filled the cache would be decoded anew for every window of it


class WindowSpec(Protocol):
    """What decides a window; a `PolicySpec` is one."""

    @property
    def observation(self) -> ObservationSpec: ...

    @property
    def horizon(self) -> int: ...


@dataclass(frozen=True)
class WindowShape:
    """A `WindowSpec` and nothing more.

    Args:
        observation: keys with their histories.
        horizon: rows of actions.
    """

    observation: ObservationSpec
    horizon: int


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Windows side by side.

    Args:
        observation: name -> (batch, steps, *shape), oldest step first; images as they are stored, the rest float32.
        action: (batch, horizon, dim) float32; row 0 belongs to the newest observation.
        is_pad: (batch, horizon) True where no loss may see the action: it is past the end of the episode and repeats
            its last one, or its row was taken back.
        episode: (batch,) int64 index of each window's episode in the dataset: its facts (instruction, return, weight)
            are one lookup.
        columns: name -> (batch, ...) further row columns as they are stored, each of the window's newest row t; and
            what else is known of each window (`Annotated`).
        following: the windows that follow these, where a source brings them along.
    """

    observation: Mapping[str, np.ndarray]
    action: np.ndarray
    is_pad: np.ndarray
    episode: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    following: Batch | None = None


class Windows:
    """All windows of chosen episodes.

    Windows are counted from 0 over the rows of the chosen episodes, one episode after the other in the order of
    `episodes`, leaving out rows without a window. Low-dimensional keys and columns are held in memory, keys as float32.
    Images are held as stored when all of them fit in `memory_bytes`, else they are read from disk through a cache of
    that size.

    Args:
        dataset: where the rows come from.
        spec: histories of the observation keys to gather, and the horizon.
        episodes: episode indices; None takes all.
        columns: further row columns to gather with each window, to weigh or to choose windows by: who acted, whether a
            person intervened.
        outcomes: of all rows of the dataset, for `later`.
        memory_bytes: bound for images in memory; None is a quarter of the machine's memory.

    Raises:
        InputError: no episodes, an unknown episode, a key or column that the dataset lacks or holds in another shape,
            numbers that float32 cannot hold, or no row with an action that counts.
    """

    def __init__(
        self,
        dataset: Dataset,
        spec: WindowSpec,
        episodes: np.ndarray | None = None,
        columns: Sequence[str] = (),
        *,
        outcomes: Outcomes | None = None,
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
        self._episode = np.repeat(self.episodes, lengths)
        self._to_source = np.repeat(starts - (row_ends - lengths), lengths)  # added to a row: its row in the dataset
        self._ahead = np.arange(self.horizon, dtype=np.int64)
        self._by_history: dict[History, list[str]] = {}
        for key in self.observation:
            self._by_history.setdefault(key.history, []).append(key.name)

        self._stored_range: dict[str, np.ndarray] = {}
        self._action = self._load(StoredRows(dataset, ACTION), np.float32)
        limit = memory_limit_bytes() // 4 if memory_bytes is None else memory_bytes
        block_bytes = limit // (_BLOCKS_IN_MEMORY * max(1, sum(key.is_image for key in self.observation)))
        stored = {key.name: observation_rows(dataset, key, block_bytes) for key in self.observation}
        images = {key.name: stored[key.name] for key in self.observation if key.is_image}
        self.is_streamed = sum(len(self._first) * array.row_bytes for array in images.values()) > limit
        self._streamed = images if self.is_streamed else {}
        self._cache = ChunkCache(limit)
        self._memory = {
            name: self._load(array, array.dtype if name in images else np.float32)
            for name, array in stored.items()
            if name not in self._streamed
        }
        self._columns = {name: self._load(array, array.dtype) for name, array in column_rows(dataset, columns).items()}
        self._rewound: np.ndarray | None = None
        if has_column(dataset.schema, QUALITY):
            self._rewound = taken_back(self._load(StoredRows(dataset, QUALITY.name), np.dtype(QUALITY.dtype)))
        self._rows: np.ndarray | None = None
        if self._rewound is not None:
            self._rows = rows_with_actions(dataset.path, self._rewound, self._last, self.horizon)
        self._outcomes = outcomes

    def __len__(self) -> int:
        """Number of windows."""
        return len(self._first if self._rows is None else self._rows)

    @property
    def has_rewound(self) -> bool:
        """Whether some row of these episodes was taken back."""
        return self._rewound is not None

    def gather(self, windows: np.ndarray) -> Batch:
        """Gather some windows, in their order; their numbers (batch,) may repeat.

        Raises:
            InputError: a number outside 0..len-1.
        """
        rows = checked_windows(windows, len(self))
        if self._rows is not None:
            rows = self._rows[rows]
        ahead = rows[:, None] + self._ahead
        last = self._last[rows][:, None]
        is_pad = ahead > last
        action = self._action.take(np.minimum(ahead, last, out=ahead), axis=0)
        if self._rewound is not None:
            is_pad |= self._rewound[ahead]
        observation = {}
        for history, names in self._by_history.items():
            past = self._past(rows, history)
            for name in names:
                if name in self._memory:
                    observation[name] = self._memory[name].take(past, axis=0)
                else:
                    observation[name] = self._cache.gather(self._streamed[name], past + self._to_source[rows][:, None])
        columns = {name: values[rows] for name, values in self._columns.items()}
        return Batch(observation, action, is_pad, self._episode[rows], columns)

    def order(self, generator: np.random.Generator) -> np.ndarray:
        """Every window once, shuffled: (len,) int64.

        Windows in memory are permuted uniformly. For streamed images blocks are permuted, and windows are shuffled
        among as many of them as fit in memory, so that each is decoded about once an epoch.
        """
        return self.shuffled(np.arange(len(self)), generator)

    def shuffled(self, windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """These windows (n,) in random order, as `order` shuffles all; they may repeat."""
        if not self._streamed:
            return generator.permutation(windows)
        length = max(array.chunks[0] for array in self._streamed.values())
        chunk_bytes = length * sum(array.row_bytes for array in self._streamed.values())
        # A quarter stays free for the chunks before, which histories at a chunk's edge reach into.
        together = max(1, int(0.75 * self._cache.max_bytes / chunk_bytes))
        rows = windows if self._rows is None else self._rows[windows]
        order = chunk_shuffle((rows + self._to_source[rows]) // length, generator, together=together)
        return windows[order]

    @property
    def row_of(self) -> np.ndarray:
        """(len,) int64 the row of each window within its episode."""
        rows = np.arange(len(self._first)) if self._rows is None else self._rows
        return rows - self._first[rows]

    @property
    def episode_of(self) -> np.ndarray:
        """(len,) int64 the episode of each window in the dataset."""
        return self._episode if self._rows is None else self._episode[self._rows]

    def later(self, rows: int, gamma: float) -> Later:
        """What follows each window so many rows later, by the outcomes that were given."""
        assert self._outcomes is not None, "windows without outcomes"
        source = np.arange(len(self._first)) + self._to_source
        own = Outcomes(self._outcomes.reward[source], self._outcomes.terminated[source])
        chosen = np.arange(len(self._first)) if self._rows is None else self._rows
        return later_rows(own, self._last, self._rewound, chosen, rows, gamma)

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
        rows = np.empty((len(self._first), *array.shape[1:]), dtype)
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


def _joined_ranges(starts: np.ndarray, stops: np.ndarray) -> list[tuple[int, int]]:
    """Episodes that follow each other on disk, joined in one range to read."""
    ranges: list[tuple[int, int]] = []
    for start, stop in zip(starts.tolist(), stops.tolist()):
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], stop)
        else:
            ranges.append((start, stop))
    return ranges
