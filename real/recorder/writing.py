"""Episodes written in a thread beside a recorder: its callbacks never wait for a disk or an encoder."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from data.store.dataset import Dataset
from data.store.writing.episode_writer import EpisodeWriter
from robot.errors import TillerError

MOST_BYTES = 256 << 20  # that wait to be written: a disk that stalls for longer loses the take, not the recorder
CLOSE_S = 10.0

Rows = Mapping[str, np.ndarray | Sequence[bytes]]
OnEnd = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class _Work:
    take: int
    do: Callable[[EpisodeWriter], None]
    size: int = 0
    on_end: OnEnd | None = None  # of the work that ends a take


class TakeWriter:
    """Writes takes into a store, one after another, in the order of its calls; all return at once.

    The episode of the next take is opened as soon as the last one has ended: to begin costs nothing.

    Args:
        open_store: opens the dataset for appending, in this thread, which from then on uses it alone.

    Attributes:
        dataset: None while it is being opened.
        refused: why it cannot be opened; None where it can.
    """

    def __init__(self, open_store: Callable[[], Dataset]) -> None:
        self._open_store = open_store
        self.dataset: Dataset | None = None
        self.refused: Exception | None = None
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._ends: SimpleQueue[tuple[OnEnd, str]] = SimpleQueue()
        self._lock, self._waiting, self._take = threading.Lock(), 0, 0
        self._begun = -1  # number of the take whose episode is open
        self._failed: dict[int, str] = {}  # number of a take -> why it is lost; empty where it was discarded
        self._thread = threading.Thread(target=self._run, name="writer")
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why the take that is being written is lost; empty while all is well."""
        return self._failed.get(self._take, "")

    @property
    def ready(self) -> bool:
        """Whether the take's episode is open: then to begin it costs nothing."""
        return self._begun == self._take

    @property
    def waiting_bytes(self) -> int:
        """Of rows that are not written yet."""
        return self._waiting

    def add(self, rows: Rows) -> None:
        """Add rows to the take."""
        self._put(lambda episode: episode.add(rows), _size(rows))

    def add_stream(self, name: str, value: np.ndarray, time_ns: np.ndarray) -> None:
        """Add samples to the take."""
        self._put(lambda episode: episode.add_stream(name, value, time_ns), value.nbytes + time_ns.nbytes)

    def save(self, facts: Mapping[str, Any], on_end: OnEnd) -> None:
        """Commit the take; what comes after belongs to the next.

        Args:
            facts: of the episode.
            on_end: called in `turn` with why it was not saved; empty when it was, and survives any crash.
        """
        self._end(lambda episode: episode.commit(facts), on_end)

    def discard(self, on_end: OnEnd) -> None:
        """Drop the take: nothing of it is left. `on_end` is called in `turn` once that is so."""
        with self._lock:
            self._failed.setdefault(self._take, "")  # what of it still waits is not written any more
        self._end(lambda episode: episode.abort(), on_end)

    def turn(self) -> None:
        """Report, on the caller's thread, the takes that have ended."""
        while not self._ends.empty():
            on_end, problem = self._ends.get()
            on_end(problem)

    def close(self) -> None:
        """Drop the take that is open, wait for those that are being saved, and let others write the store."""
        self._work.put(None)
        self._thread.join(CLOSE_S)

    def _end(self, do: Callable[[EpisodeWriter], None], on_end: OnEnd) -> None:
        self._work.put(_Work(self._take, do, on_end=on_end))
        self._take += 1

    def _put(self, do: Callable[[EpisodeWriter], None], size: int) -> None:
        with self._lock:
            if self._take in self._failed:
                return
            if self._waiting + size > MOST_BYTES:
                self._failed[self._take] = f"the disk is too slow: {MOST_BYTES >> 20} MB of rows wait for it"
                return
            self._waiting += size
        self._work.put(_Work(self._take, do, size))

    def _run(self) -> None:
        try:
            dataset = self._open_store()
        except Exception as error:
            self.refused = error
            return
        episode = self._opened(dataset, 0)
        self.dataset = dataset
        while (work := self._work.get()) is not None:
            with self._lock:
                self._waiting -= work.size
            self._attempt(work, episode)
            with self._lock:
                failed = self._failed.get(work.take)
                if work.on_end is not None:
                    self._failed.pop(work.take, None)
            if work.on_end is not None:
                self._ends.put((work.on_end, failed or ""))
                episode = self._opened(dataset, work.take + 1)
        if episode is not None:
            episode.abort()
        dataset.close()

    def _opened(self, dataset: Dataset, take: int) -> EpisodeWriter | None:
        """A new episode; None where the store takes none, which the take learns."""
        try:
            episode = dataset.writer()
            self._begun = take
            return episode
        except Exception as error:
            self._note(take, error)
            return None

    def _attempt(self, work: _Work, episode: EpisodeWriter | None) -> None:
        if episode is None:
            return
        try:
            if work.take in self._failed:
                episode.abort()  # which changes nothing the second time
            else:
                work.do(episode)
        except Exception as error:  # whatever it is, the take has failed and the recorder goes on
            self._note(work.take, error)
            with suppress(Exception):
                episode.abort()

    def _note(self, take: int, error: Exception) -> None:
        reason = str(error) if isinstance(error, TillerError) else f"{type(error).__name__}: {error}"
        with self._lock:
            self._failed.setdefault(take, reason)


def _size(rows: Rows) -> int:
    return sum(values.nbytes if isinstance(values, np.ndarray) else sum(map(len, values)) for values in rows.values())
