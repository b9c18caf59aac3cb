"""Where the episodes of a store begin and end, as far as its ends can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Borders:
    """Exclusive ends over entries, and which of them contradict nothing.

    An end is believed when it lies within the entries and no other believed one contradicts it. Of two ends that fall
    nobody knows which is wrong, so both go. Two equal ends contradict nothing: the episode between them is empty.

    Args:
        ends: (episodes,) int64 as stored.
        entries: rows or samples that exist.
    """

    ends: np.ndarray
    entries: int

    @cached_property
    def starts(self) -> np.ndarray:
        """(episodes,) int64, the entry of each episode's first."""
        return np.concatenate([np.zeros(1, np.int64), self.ends[:-1]])[: len(self.ends)]

    @cached_property
    def known(self) -> np.ndarray:
        """(episodes,) bool, whether both ends of an episode are believed; believed episodes never overlap."""
        borders = np.concatenate([np.zeros(1, np.int64), self.ends])
        good = (borders >= 0) & (borders <= self.entries)
        while True:
            possible = np.flatnonzero(good)
            falling = np.flatnonzero(np.diff(borders[possible]) < 0)
            if not len(falling):
                return good[:-1] & good[1:]
            good[possible[falling]] = good[possible[falling + 1]] = False

    @property
    def usable(self) -> np.ndarray:
        """(episodes,) bool, known to hold at least one entry."""
        return self.known & (self.ends > self.starts)

    def of(self, entries: np.ndarray) -> np.ndarray:
        """(episodes,) bool, the usable episodes that any of these entries, (n,) integers, belongs to."""
        touched = np.zeros(len(self.ends), bool)
        episodes = np.flatnonzero(self.usable)
        if len(episodes) and len(entries):
            candidates = np.searchsorted(self.ends[episodes], entries, side="right")
            within = candidates < len(episodes)
            candidates, entries = candidates[within], entries[within]
            touched[episodes[candidates[entries >= self.starts[episodes[candidates]]]]] = True
        return touched

    def between(self, first: int, end: int) -> np.ndarray:
        """(episodes,) bool, the usable episodes with an entry among first..end-1."""
        return self.usable & (self.starts < end) & (self.ends > first)
