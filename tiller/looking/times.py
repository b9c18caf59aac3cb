"""When rows and samples of an episode were taken, in seconds from its first row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.store import layout
from data.store.names import TIME
from robot.errors import TillerError
from tiller.looking.fields import Field
from tiller.looking.snapshot import Shelf, Snapshot

WITHOUT_PERIOD_S = 0.1
"""Between rows of a store that knows neither stamps nor a control period."""


@dataclass(frozen=True, eq=False)
class Track:
    """The entries of one array that are of an episode, and when each was taken.

    Args:
        shelf: to read from.
        snapshot: of the store.
        first, end: entries of the array.
        stamps: path of the array of their stamps; empty where there are none.
        zero_ns: stamp of the episode's first row.
        period_s: between entries that have no stamps.
    """

    shelf: Shelf
    snapshot: Snapshot
    first: int
    end: int
    stamps: str
    zero_ns: int
    period_s: float

    def __len__(self) -> int:
        return self.end - self.first

    def seconds(self, start: int, stop: int) -> np.ndarray:
        """(stop - start,) float64 of entries by their number within the episode."""
        if not self.stamps:
            return np.arange(start, stop) * self.period_s
        ns = self.shelf.read(self.snapshot, self.stamps, self.first + start, self.first + stop)
        return (ns.astype(np.int64) - self.zero_ns) * 1e-9

    def second(self, entry: int) -> float:
        """Of one entry."""
        return float(self.seconds(entry, entry + 1)[0])

    def after(self, second: float) -> int:
        """Number of the first entry later than a time; stamps that go back are not noticed."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.second(middle) <= second:
                low = middle + 1
            else:
                high = middle
        return low


def row_track(shelf: Shelf, snapshot: Snapshot, episode: int) -> Track:
    """The rows of an episode."""
    first, end = snapshot.rows(episode)
    stamps, zero_ns = "", 0
    if snapshot.stamped and end > first:
        try:
            zero_ns = int(shelf.read(snapshot, layout.row_path(TIME.name), first, first + 1)[0])
            stamps = layout.row_path(TIME.name)
        except TillerError:
            pass  # the period says when they should have been
    return Track(shelf, snapshot, first, end, stamps, zero_ns, snapshot.period_s or WITHOUT_PERIOD_S)


def field_track(shelf: Shelf, snapshot: Snapshot, episode: int, field: Field) -> Track:
    """The rows or samples of a field in an episode.

    Raises:
        InputError, DamagedChunkError: the ends or stamps of a stream cannot be read.
    """
    rows = row_track(shelf, snapshot, episode)
    if field.stream is None:
        return rows
    _, stamps, ends_path = layout.stream_paths(field.stream)
    ends = shelf.read(snapshot, ends_path, max(episode - 1, 0), episode + 1)
    first, end = (int(ends[0]) if episode else 0), int(ends[-1])
    most = snapshot.contents.committed.get(stamps, 0)
    if not 0 <= first < end <= most:
        first = end = 0
    zero_ns = rows.zero_ns
    if not rows.stamps and end > first:  # of rows without stamps nothing says when they were taken
        zero_ns = int(shelf.read(snapshot, stamps, first, first + 1)[0])
    return Track(shelf, snapshot, first, end, stamps, zero_ns, rows.period_s)
