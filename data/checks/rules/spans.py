"""Which rows of a block belong to which episode."""

from __future__ import annotations

from typing import Iterator

import numpy as np

from data.store.consistency import Borders


class Spans:
    """The episodes whose rows (or samples) are known, in the order of their rows.

    Args:
        borders: of the store, or of a stream.

    Attributes:
        episodes, starts, ends: (n,) int64, their numbers, first entries and the entries after their last.
    """

    def __init__(self, borders: Borders) -> None:
        self.episodes = np.flatnonzero(borders.usable)
        self.starts, self.ends = borders.starts[self.episodes], borders.ends[self.episodes]

    def __len__(self) -> int:
        return len(self.episodes)

    def within(self, first: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(position of an episode among these, its first row, the row after its last) of the part in first..end-1."""
        at = int(np.searchsorted(self.ends, first, side="right"))
        while at < len(self.episodes) and self.starts[at] < end:
            yield at, max(first, int(self.starts[at])), min(end, int(self.ends[at]))
            at += 1

    def of(self, row: int) -> int | None:
        """Position of the episode that a row belongs to."""
        return next((at for at, _, _ in self.within(row, row + 1)), None)
