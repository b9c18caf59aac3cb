"""Rows of an episode at another period: which rows of the source each of them sees, contains and ends with."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

GAP_PERIODS = 1.5
"""A row that comes this many periods after the one before begins a piece of its own: none is made up in between."""
_SLIVER = 0.01  # of the shorter period: what is left at a piece's end and shorter has no row of its own
_SAME_NS = 1_000  # two moments


@dataclass(frozen=True, eq=False)
class Grid:
    """Rows at a new period over those of an episode.

    Row t of the source is in force from its stamp to that of the next one, or for one period before a gap and at the
    end. A new row begins every new period from the first row of each piece on, as long as a row of it is in force.

    Args:
        times_ns: (n,) int64 stamps of the new rows.
        seen: (n,) int64, the row in force at the stamp: the newest observation at or before it.
        last: (n,) int64, the row in force when the new interval ends; `seen` to `last` are in force within it.
        end_ns: (n,) int64, when the new interval ends, but never after the row `last`.
        reached: (n,) bool, whether the target of the row `last` is reached just then.
        credited: (m,) int64, for each row of the source the new row in whose interval it ends.
        rows_end_ns: (m,) int64, when each row of the source ends.
        pieces: (m,) int64, number of the piece that each row of the source is of.
    """

    times_ns: np.ndarray
    seen: np.ndarray
    last: np.ndarray
    end_ns: np.ndarray
    reached: np.ndarray
    credited: np.ndarray
    rows_end_ns: np.ndarray
    pieces: np.ndarray

    def __len__(self) -> int:
        """Number of new rows."""
        return len(self.times_ns)


def grid(stamps_ns: np.ndarray, period_s: float, new_period_s: float) -> Grid:
    """Lay new rows over an episode.

    Args:
        stamps_ns: (m,) int64, strictly increasing, of its rows; at least one.
        period_s: of its rows, s.
        new_period_s: of the new ones, s.
    """
    period_ns = period_s * 1e9
    steps = np.diff(stamps_ns)
    gap = steps > GAP_PERIODS * period_ns
    rows_end = np.append(
        np.where(gap, stamps_ns[:-1] + round(period_ns), stamps_ns[1:]), stamps_ns[-1] + round(period_ns)
    )
    borders = [0, *(np.flatnonzero(gap) + 1).tolist(), len(stamps_ns)]
    parts = [_piece(stamps_ns, rows_end, first, stop, period_s, new_period_s) for first, stop in pairwise(borders)]
    times, seen, last, end, credited = (list(each) for each in zip(*parts))
    counts = np.cumsum([0, *map(len, times)])
    all_last, all_end = np.concatenate(last), np.concatenate(end)
    return Grid(
        np.concatenate(times),
        np.concatenate(seen),
        all_last,
        all_end,
        np.abs(rows_end[all_last] - all_end) <= _SAME_NS,
        np.concatenate([each + before for each, before in zip(credited, counts)]),
        rows_end,
        np.repeat(np.arange(len(parts)), np.diff(borders)),
    )


def _piece(
    stamps: np.ndarray, rows_end: np.ndarray, first: int, stop: int, period_s: float, new_period_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times, seen, last, end, and for each row of the piece the new row in which it ends, counted within the piece."""
    new_ns = new_period_s * 1e9
    length = float(rows_end[stop - 1] - stamps[first])
    left = _SLIVER * min(period_s, new_period_s) * 1e9
    count = max(1, int(np.ceil((length - left) / new_ns)))
    times = stamps[first] + np.rint(np.arange(count + 1) * new_ns).astype(np.int64)
    times, end = times[:-1], np.minimum(times[1:], rows_end[stop - 1])
    own, own_end = stamps[first:stop], rows_end[first:stop]
    seen = np.searchsorted(own, times + _SAME_NS, side="right") - 1
    last = np.maximum(np.searchsorted(own, end - _SAME_NS, side="left") - 1, seen)
    credited = np.clip(np.searchsorted(times, own_end - _SAME_NS, side="left") - 1, 0, count - 1)
    return times, seen + first, last + first, end, credited
