"""Episodes that are written as they happen: rows and samples as they come, and one commit at the end."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from data.store.episode import check_facts, check_rows, check_samples
from data.store.names import TIME
from data.store.record import Commit
from data.store.schema import Schema
from data.store.writing.appending import Appender
from robot.errors import InputError


class EpisodeWriter:
    """Writes an episode of a store, from `Dataset.writer` to `commit` or `abort`; a context that ends without either
    aborts. Several episodes can share one commit, which is faster than one each: `end` ends all but the last of them.

    Memory is bounded by one file of each array, however long the episode is. Before `commit` nothing of it is seen, by
    this process or another; after it the episode survives any crash. A process that dies in between leaves nothing.

    Args:
        appender: of the store.
        schema: of the store.
        on_commit: called with the record of the commit and the rows of each of its episodes.

    Attributes:
        rows: of the episode, added so far.
        samples: stream -> of the episode, added so far.
    """

    rows: int
    samples: dict[str, int]

    def __init__(self, appender: Appender, schema: Schema, on_commit: Callable[[Commit, Sequence[int]], None]) -> None:
        self._schema, self._on_commit = schema, on_commit
        self._before = appender.commit.episodes
        self._addition = appender.begin()
        self._committed = False
        self._ended: list[int] = []  # rows of each episode that has ended
        self._begin()

    def _begin(self) -> None:
        self.rows, self.samples = 0, dict.fromkeys(self._schema.stream_fields, 0)
        self._row_ns: int | None = None
        self._sample_ns: dict[str, int] = {}

    @property
    def _where(self) -> str:
        return f"episode {self._before + len(self._ended)}"

    def add(self, rows: Mapping[str, np.ndarray | Sequence[bytes]]) -> None:
        """Add rows after the last.

        Args:
            rows: name -> (k, ...) of every row array of the schema; of one that is stored as encoded images also a list
                of k encoded ones, which are stored as they are. Of one that is stored as it came only these.

        Raises:
            InputError: they do not fit the schema, or the episode has ended; nothing was added, and the episode can go
                on.
            DamagedChunkError: the file that the episode would share with earlier ones is damaged; it is aborted.
            TillerError: the disk is full or fails; the episode is aborted, every one before it is intact.
        """
        self._require_open()
        count = check_rows(self._schema, rows, self._where, self.rows, self._row_ns)
        if not count:
            return
        self._addition.add(rows)
        self.rows += count
        if TIME.name in rows:
            self._row_ns = int(rows[TIME.name][-1])  # type: ignore[arg-type]

    def add_stream(self, name: str, value: np.ndarray, time_ns: np.ndarray) -> None:
        """Add samples of a stream after its last.

        Args:
            name: of the stream.
            value, time_ns: (k, ...) and (k,) int64.

        Raises:
            InputError, DamagedChunkError, TillerError: as `add`.
        """
        self._require_open()
        check_samples(
            self._schema, name, value, time_ns, self._where, self.samples.get(name, 0), self._sample_ns.get(name)
        )
        if not len(time_ns):
            return
        self._addition.add_samples(name, value, time_ns)
        self.samples[name] += len(time_ns)
        self._sample_ns[name] = int(time_ns[-1])

    def end(self, facts: Mapping[str, Any]) -> None:
        """End the episode; rows that follow are of another. Nothing of it is seen before `commit`.

        Args:
            facts: name -> value, every one of the schema.

        Raises:
            InputError: a fact is missing or does not fit, or there is no row; the episode is still open.
            DamagedChunkError, TillerError: as `add`.
        """
        self._end(facts)
        self._begin()

    def commit(self, facts: Mapping[str, Any] | None = None) -> None:
        """End the episode and commit it with those that have ended; when this returns they survive any crash.

        Args:
            facts: as for `end`; None where the last episode has ended.

        Raises:
            InputError: as `end`, or there is no episode.
            DamagedChunkError, TillerError: as `add`.
        """
        if facts is not None or self.rows or not self._ended:
            self._end(facts or {})
        self._require_open()
        commit = self._addition.publish()
        self._committed = True
        self._on_commit(commit, self._ended)

    def _end(self, facts: Mapping[str, Any]) -> None:
        self._require_open()
        if not self.rows:
            raise InputError(self._where, expected="at least one row", got="none")
        check_facts(self._schema, facts, self._where)
        self._addition.end_episode(facts)
        self._ended.append(self.rows)

    def abort(self) -> None:
        """Drop what was not committed: nothing is left of it. After a commit this changes nothing."""
        self._addition.abort()

    def __enter__(self) -> EpisodeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _require_open(self) -> None:
        if not self._addition.is_open:
            end = "committed" if self._committed else "aborted"
            raise InputError(self._where, expected="an episode that is being written", got=f"one that was {end}")
