"""The one replay: decisions as they were made, in memory or on disk, numbered, and which follows which."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

import numpy as np

from data.learning.replay.schema import CANDIDATES, CHOSEN, NEXT, NOISE, PLANNED, WINDOW, ReplaySchema
from data.learning.replay.segments import SEGMENT_BYTES, Segments
from data.learning.replay.storage import Ring, Storage
from robot.description import fingerprint
from robot.errors import InputError

UNLIMITED = 1 << 60


class Replay:
    """Decisions and what came of them.

    A decision is drawn by its row, 0 to len - 1: the newest `capacity` of all have one each. The decision of number n,
    counted from the first that was ever added, has row n % capacity, in memory and on disk alike.

    Args:
        schema: what a decision is made of.
        capacity: decisions that can be drawn; memory holds no others, a folder keeps all.
        storage: where they lie; None is memory.

    Attributes:
        count: decisions that were ever added.

    Raises:
        InputError: a capacity below 1.
    """

    def __init__(self, schema: ReplaySchema, capacity: int, storage: Storage | None = None) -> None:
        if not 1 <= capacity <= UNLIMITED:
            raise InputError("replay: capacity", expected="1 or more", got=str(capacity))
        self.schema, self.capacity = schema, capacity
        self.storage: Storage = Ring(schema, capacity) if storage is None else storage
        self._episodes = 0
        self._following = self._last = np.zeros(0, dtype=np.int64)  # by row a row, by episode its newest number
        self._returns = np.zeros(0)  # by episode
        self._index()

    @classmethod
    def open(
        cls,
        folder: Path | str,
        schema: ReplaySchema,
        facts: Mapping[str, str] | None = None,
        *,
        capacity: int = UNLIMITED,
        segment_bytes: int = SEGMENT_BYTES,
        writable: bool = True,
    ) -> Replay:
        """A replay in a folder, which is made where there is none; see `Segments` for arguments and errors."""
        storage = Segments(Path(folder), schema, facts, segment_bytes=segment_bytes, writable=writable)
        return cls(schema, capacity, storage)

    def __len__(self) -> int:
        """Decisions that can be drawn."""
        return min(self.count, self.capacity)

    @property
    def count(self) -> int:
        return self.storage.count

    @property
    def folder(self) -> Path | None:
        """Where it lies; None in memory."""
        return self.storage.folder if isinstance(self.storage, Segments) else None

    def begin(self, episodes: int = 1) -> np.ndarray:
        """Numbers (episodes,) of new episodes, to add decisions of."""
        first, self._episodes = self._episodes, self._episodes + episodes
        return np.arange(first, self._episodes)

    def add(
        self,
        *,
        window: Mapping[str, np.ndarray],
        executed: np.ndarray,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        next_window: Mapping[str, np.ndarray],
        episode: np.ndarray,
        length: np.ndarray | None = None,
        cost: np.ndarray | None = None,
        noise: np.ndarray | None = None,
        planned: np.ndarray | None = None,
        candidates: np.ndarray | None = None,
        chosen: np.ndarray | None = None,
        intervention: np.ndarray | bool = False,
        version: np.ndarray | int = 0,
    ) -> None:
        """Add decisions; those of an episode in their order, in one call or in several.

        Args:
            window: key -> (n, steps, ...) that was seen.
            executed: (n, k, dim) rows that the robot or environment received, raw units.
            reward: (n, k) of each of them.
            terminated: (n,) whether the task ended with the last of them: nothing can be earned after it.
            truncated: (n,) whether only the time was over.
            next_window: key -> (n, steps, ...) that the next decision sees, or would see.
            episode: (n,) numbers from `begin`.
            length: (n,) how many rows were executed; what is behind them counts nowhere. None is all k.
            cost: (n, k) of each row, where the schema has it.
            noise: (n, *noise) that the chunk was drawn from; None, or NaN in a row, where there was none.
            planned: (n, horizon, dim) chunks; None, or NaN in a row, where there was none.
            candidates: (n, K, horizon, dim) chunks that were chosen from; None where there were none.
            chosen: (n,) index of the chunk among them; -1 where it is none of them.
            intervention: (n,) whether a person acted where a policy would.
            version: (n,) of the policy; `DEMONSTRATION` for none.

        Raises:
            InputError: an array of another shape, a length outside 1 to k, an episode that was not begun, a reward,
                cost, executed action or window that is not finite, more decisions than memory holds, or a column that
                the schema lacks.
            TillerError: the disk is full; nothing of this call is committed.
        """
        n, schema = len(reward), self.schema
        if n > self.capacity:
            raise InputError(
                "replay: capacity", expected=f"{n} or more, the decisions of one call", got=f"{self.capacity}"
            )
        new = np.zeros(n, schema.dtype)
        for prefix, keys in ((WINDOW, window), (NEXT, next_window)):
            if keys.keys() != schema.window.keys():
                raise InputError(
                    f"replay: {prefix}*", expected=", ".join(schema.window), got=", ".join(keys) or "nothing"
                )
            for name, values in keys.items():
                _put(new, prefix + name, values)
        given = {
            "executed": executed, "reward": reward, "cost": cost, NOISE: noise, PLANNED: planned,
            CANDIDATES: candidates, CHOSEN: chosen, "terminated": terminated, "truncated": truncated,
            "intervention": intervention, "version": version, "episode": episode,
            "length": schema.rows if length is None else length,
        }  # fmt: skip
        for name, value in given.items():
            if value is not None:
                _put(new, name, value)
            elif name == "cost" and schema.has_cost:
                raise InputError("replay: cost", expected="one of each row, as the schema has it", got="none")
            elif name in schema.names:
                new[name] = -1 if name == CHOSEN else np.nan
        self._require_sound(new)
        first = self.count
        self.storage.write(new)
        self._link(first, new)

    def commit(self) -> None:
        """Make all that was added survive a kill; memory has nothing to do.

        Raises:
            TillerError: the disk is full or fails; what was committed before stands.
        """
        if isinstance(self.storage, Segments):
            self.storage.commit(self._episodes)

    def close(self) -> None:
        """Close the folder; what is not committed is forgotten."""
        if isinstance(self.storage, Segments):
            self.storage.close()

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """The numbers of rows, in the order in which they were added: row r has n = r (mod capacity).

        Raises:
            InputError: a row outside 0 to len - 1.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise InputError("replay: rows", expected=f"0 to {len(self) - 1}", got=f"{rows.min()} to {rows.max()}")
        if self.count <= self.capacity:
            return rows
        turn, newest = divmod(self.count, self.capacity)
        return rows + self.capacity * (turn - (rows >= newest))

    def read(self, rows: np.ndarray, *, core: bool = True) -> np.ndarray:
        """Decisions (n,) as records: of the schema's `core`, or of its whole `dtype`."""
        return self.storage.read(self.numbers(rows), core=core)

    def column(self, name: str, rows: np.ndarray | None = None) -> np.ndarray:
        """One column (n, ...) of rows; None is all of them.

        Raises:
            InputError: the schema has no such column.
        """
        if name not in self.schema.names:
            raise InputError("replay: column", expected=f"one of {', '.join(self.schema.names)}", got=name)
        return self.storage.column(name, self.numbers(np.arange(len(self)) if rows is None else rows))

    def following(self, rows: np.ndarray) -> np.ndarray:
        """The rows (n,) of the decisions that come next in the same episodes; -1 where there is none yet."""
        return self._following[rows]

    def returns(self, rows: np.ndarray | None = None) -> np.ndarray:
        """The sum of rewards (n,) so far of each row's episode; None is all rows."""
        return self._returns[self.column("episode", rows)]

    def state(self) -> dict[str, np.ndarray]:
        """All that `restore` needs: of a replay in memory its decisions, of one on disk how many there are."""
        counts = {"count": np.array(self.count), "episodes": np.array(self._episodes)}
        if not isinstance(self.storage, Ring):
            return counts
        records = self.storage.slots()
        return {
            **counts,
            "schema": self._schema_mark(),
            "records": records.view(np.uint8).reshape(len(records), self.schema.dtype.itemsize),
            "returns": self._returns[: self._episodes].copy(),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Set to what `state` returned; on disk what was added since is forgotten.

        Raises:
            InputError: decisions of another schema, more than are kept here, or fewer on disk than there were.
        """
        count = int(state["count"])
        if not np.array_equal(state.get("schema", self._schema_mark()), self._schema_mark()):
            raise InputError("replay", expected="decisions of its own schema", got="those of another one")
        if isinstance(self.storage, Segments):
            self.storage.rewind(count, int(state["episodes"]) if "episodes" in state else None)
        else:
            assert isinstance(self.storage, Ring)
            records, size = state["records"], self.schema.dtype.itemsize
            if records.shape[1:] != (size,) or len(records) != min(count, self.capacity):
                raise InputError(
                    "replay",
                    expected=f"{min(count, self.capacity)} decisions of {size} bytes",
                    got=str(tuple(records.shape)),
                    way_out="Restore it with the schema and the capacity that it had",
                )
            self.storage.restore(np.ascontiguousarray(records).view(self.schema.dtype)[:, 0], count)
        self._index()
        self._episodes = max(int(state.get("episodes", 0)), self._episodes)
        if "returns" in state:
            self._returns = _grown(np.array(state["returns"]), self._episodes, 0.0)

    def _schema_mark(self) -> np.ndarray:
        return np.frombuffer(fingerprint(self.schema).encode(), dtype=np.uint8).copy()

    # -- which decision follows which ----------------------------------------------------------------------------------

    def _index(self) -> None:
        """Index the decisions that are there anew."""
        self._episodes = self.storage.episodes if isinstance(self.storage, Segments) else 0
        self._following = self._last = np.zeros(0, dtype=np.int64)
        self._returns = np.zeros(0)
        for start in range(max(0, self.count - self.capacity), self.count, 1 << 16):
            numbers = np.arange(start, min(start + (1 << 16), self.count))
            records = self.storage.read(numbers)
            if (records["length"] < 1).any():
                raise InputError(
                    f"replay '{self.folder}'" if self.folder else "replay",
                    expected=f"{self.count} decisions",
                    got=f"none of number {numbers[np.argmin(records['length'])]}",
                    way_out="Copy the replay again, or begin a new one",
                )
            if len(records):
                self._episodes = max(self._episodes, int(records["episode"].max()) + 1)
            self._link(start, records)

    def _link(self, first: int, records: np.ndarray) -> None:
        """Index decisions whose first one has that number."""
        if not len(records):
            return
        episode = records["episode"]
        rows = np.arange(first, first + len(records)) % self.capacity
        self._following = _grown(self._following, min(self.capacity, first + len(records)), -1)
        self._last = _grown(self._last, self._episodes, -1)
        self._returns = _grown(self._returns, self._episodes, 0.0)
        self._following[rows] = -1
        number = np.arange(first, first + len(records))
        before = self._last[episode]
        self._last[episode] = number
        np.add.at(self._returns, episode, np.add.reduce(records["reward"], 1, np.float64))  # 0 behind the executed rows
        if (self._last[episode] != number).any():  # several of an episode
            order = np.argsort(episode, kind="stable")
            episode, number, before = episode[order], number[order], before[order]
            again = episode[1:] == episode[:-1]
            before[1:][again] = number[:-1][again]
            self._last[episode] = number  # the last one stands
        known = before >= max(0, self.count - self.capacity)
        self._following[before[known] % self.capacity] = number[known] % self.capacity

    def _require_sound(self, new: np.ndarray) -> None:
        """Refuse decisions that nothing could learn from."""
        length, rows, episode = new["length"], self.schema.rows, new["episode"]
        if ((length < 1) | (length > rows)).any():
            raise InputError("replay: length", expected=f"1 to {rows}", got=f"{length.min()} to {length.max()}")
        if ((episode < 0) | (episode >= self._episodes)).any():
            raise InputError(
                "replay: episode",
                expected=f"numbers that `begin` gave, below {self._episodes}",
                got=f"{episode.min()} to {episode.max()}",
            )
        if (length != rows).any():
            behind = np.arange(rows) >= length[:, None]
            for name in ("reward", "cost", "executed"):
                if name in self.schema.names:
                    new[name][behind] = 0
        floats: np.ndarray = np.ndarray((len(new), self.schema.floats), np.float32, new, strides=(new.itemsize, 4))
        others = self.schema.other_floats
        if not np.isfinite(floats).all() or any(not np.isfinite(new[name]).all() for name in others):
            for name in self.schema.core.names or ():
                _require_finite(name, new[name])
        if CHOSEN in self.schema.names and not ((new[CHOSEN] >= -1) & (new[CHOSEN] < self.schema.candidates)).all():
            raise InputError(
                "replay: chosen", expected=f"-1 to {self.schema.candidates - 1}", got=f"{new[CHOSEN].tolist()[:8]}"
            )


def _put(records: np.ndarray, name: str, value: Any) -> None:
    """Fill a column."""
    if name not in (records.dtype.names or ()):
        raise InputError(f"replay: {name}", expected="a column of its schema", got="one that it lacks")
    column, value = records[name], np.asarray(value)
    if value.shape and value.shape != column.shape:
        raise InputError(f"replay: {name}", expected=str(column.shape), got=str(value.shape))
    if not np.can_cast(value.dtype, column.dtype, "same_kind"):
        raise InputError(f"replay: {name}", expected=f"numbers that {column.dtype} holds", got=str(value.dtype))
    column[...] = value


def _require_finite(name: str, values: np.ndarray) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError(
            f"replay: {name}",
            expected="finite numbers",
            got="NaN or infinity",
            way_out="Leave the decision out, or look at what made it",
        )


def _grown(values: np.ndarray, size: int, fill: float) -> np.ndarray:
    """The same values with room for at least so many."""
    if size <= len(values):
        return values
    grown = np.full(max(size, 2 * len(values)), fill, values.dtype)
    grown[: len(values)] = values
    return grown
