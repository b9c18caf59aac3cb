"""Whether the lengths of a store's arrays and its episode ends fit together, and which ends can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Collection, Iterator, Mapping

import numpy as np

from data.store.contents import Contents
from data.store.layout import EPISODE_ENDS
from robot.errors import InputError


def unequal_lengths(lengths: Mapping[str, int]) -> str | None:
    """What is wrong with arrays that should be equally long, or None."""
    if len(set(lengths.values())) <= 1:
        return None
    return "expected arrays of equal length, got " + ", ".join(f"{key} {length}" for key, length in lengths.items())


def ends_array_problem(ends: np.ndarray) -> str | None:
    """Why an array cannot be episode ends at all, or None."""
    if ends.ndim != 1 or ends.dtype.kind not in "iu":
        return f"expected a list of integers, got {ends.shape} of {ends.dtype}"
    return None


def ends_problem(ends: np.ndarray, rows: int) -> str | None:
    """What is wrong with exclusive episode ends over so many rows, or None."""
    if problem := ends_array_problem(ends):
        return problem
    back = ends <= np.concatenate([np.zeros(1, ends.dtype), ends[:-1]])  # a difference of two could overflow
    if back.any():
        episode = int(np.flatnonzero(back)[0])
        before = int(ends[episode - 1]) if episode else 0
        return f"expected increasing ends, got {ends[episode]} after {before} for episode {episode}"
    if len(ends) and ends[-1] > rows:
        episode = int(np.flatnonzero(ends > rows)[0])
        return f"expected at most {rows}, the number of rows, got {ends[episode]} for episode {episode}"
    return None


def require_consistent(
    where: str,
    lengths: Mapping[str, int],
    ends: np.ndarray,
    rows: int,
    way_out: str | None = None,
    skip: Collection[int] = (),
) -> None:
    """Refuse arrays and episode ends that do not fit together.

    Args:
        where: what they are of, for the message.
        lengths: array name -> entries, which must all be equal.
        ends: (episodes,) exclusive.
        rows: rows that exist.
        way_out: the next thing to do.
        skip: episodes to skip; their ends are not checked.

    Raises:
        InputError: names the arrays or the episode.
    """
    wrong = ends_problem(ends, rows)
    if wrong and skip and not ends_array_problem(ends):
        unusable = set(np.flatnonzero(~Borders(ends.astype(np.int64), rows).usable).tolist())
        wrong = wrong if unusable - set(skip) else None
    for thing, problem in (("arrays", unequal_lengths(lengths)), ("episode_ends", wrong)):
        if problem:
            raise InputError(f"'{where}': {thing}: {problem}", way_out=way_out)


def array_problems(contents: Contents) -> Iterator[tuple[str, str]]:
    """(array path, what is wrong) of every array that is missing or too short, or whose metadata cannot be read."""
    for path, reason in contents.unreadable.items():
        way_out = contents.without(path)
        yield path, f"the array's metadata cannot be read: {reason}" + (f". {way_out}" if way_out else "")
    for path, length in contents.committed.items():
        if path in contents.unreadable:
            continue
        if path not in contents.stored:
            yield path, f"expected an array of {length} entries, got none that can be read"
        elif contents.stored[path] < length:
            yield path, f"expected {length} entries by the commit record, got {contents.stored[path]}"


def consistent_ends(contents: Contents, skip: Collection[int] = ()) -> np.ndarray:
    """The episode ends, (episodes,) int64, of a store whose parts fit together.

    An array of a foreign store whose metadata cannot be read is refused when it is read, as one with an unknown codec.

    Args:
        contents: of the store.
        skip: episodes to skip; their ends are not checked.

    Raises:
        InputError: names the array or the episode that does not fit.
        DamagedChunkError: the ends cannot be read.
    """
    way_out = f"'tiller data validate {contents.name}' lists all problems"
    for path, problem in array_problems(contents):
        if path not in contents.committed:
            continue
        raise InputError(f"'{contents.name}': array '{path}': {problem}", way_out=way_out)
    ends = contents.read(EPISODE_ENDS)
    require_consistent(contents.name, contents.row_lengths, ends, contents.rows, way_out, skip)
    return ends.astype(np.int64, copy=False)


@dataclass(frozen=True, eq=False)
class Borders:
    """Exclusive ends over entries, and which of them contradict nothing.

    An end is believed when it is within the entries and no other believed one contradicts it. Of two ends that fall
    either may be wrong, so both are rejected. Two equal ends contradict nothing: the episode between them is empty.

    Args:
        ends: (episodes,) int64 as stored.
        entries: rows or samples that exist.
    """

    ends: np.ndarray
    entries: int

    @cached_property
    def starts(self) -> np.ndarray:
        """(episodes,) int64, the first entry of each episode."""
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
