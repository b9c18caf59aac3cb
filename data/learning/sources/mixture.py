"""Several datasets behind one order of windows."""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence

import numpy as np

from data.learning.later import Later
from data.learning.sampling import checked_windows
from data.learning.sources.source import WindowSource
from data.learning.windows import Batch
from robot.errors import InputError


class Mixture:
    """Windows of several members, drawn in fixed shares.

    An epoch has as many windows as all members together, a share of each in proportion to its weight. A member visits
    all of its windows before it repeats one, but for those that are left over. Members are interleaved evenly, so that
    a batch has each share within a window or two.

    Args:
        members: of the same keys and actions.
        weights: of each member, above 0; None weighs every window alike.
        first_episode: added to the episodes of each member, so that those of several are told apart.

    Raises:
        InputError: no member, or weights that are no numbers above 0, one of each member.
    """

    def __init__(
        self, members: Sequence[WindowSource], weights: Sequence[float] | None, first_episode: Sequence[int]
    ) -> None:
        if not members:
            raise InputError("mixture", expected="at least one dataset", got="none")
        if weights is not None:
            require_weights("mixture: weights", np.asarray(weights, np.float64), len(members), positive=True)
        self.members = list(members)
        self.lengths = np.array([len(member) for member in members])
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self._first_episode = list(first_episode)
        share = self.lengths if weights is None else np.asarray(weights, np.float64)
        self.counts = _apportioned(int(self._starts[-1]), share / share.sum())

    def __len__(self) -> int:
        return int(self._starts[-1])

    def gather(self, windows: np.ndarray) -> Batch:
        """Gather some windows, in their order; columns are those that all members have.

        Raises:
            InputError: a number outside 0..len-1.
        """
        rows = checked_windows(windows, len(self))
        of = np.searchsorted(self._starts, rows, side="right") - 1
        present = np.flatnonzero(np.bincount(of, minlength=len(self.members))).tolist()
        places = [np.flatnonzero(of == member) for member in present]
        parts = [
            self.members[member].gather(rows[place] - self._starts[member]) for member, place in zip(present, places)
        ]

        def joined(values: Sequence[np.ndarray]) -> np.ndarray:
            out = np.empty((len(rows), *values[0].shape[1:]), values[0].dtype)
            for place, value in zip(places, values):
                out[place] = value
            return out

        def by_name(mappings: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
            shared = [name for name in mappings[0] if all(name in mapping for mapping in mappings)]
            return {name: joined([mapping[name] for mapping in mappings]) for name in shared}

        return Batch(
            by_name([part.observation for part in parts]),
            joined([part.action for part in parts]),
            joined([part.is_pad for part in parts]),
            joined([part.episode + self._first_episode[member] for member, part in zip(present, parts)]),
            by_name([part.columns for part in parts]),
        )

    def order(self, generator: np.random.Generator) -> np.ndarray:
        """The windows of an epoch: (len,) int64, each member's in its own order, interleaved."""
        members = zip(self.members, self._starts, self.counts)
        return _interleaved((_visits(member, count, generator) + start for member, start, count in members), generator)

    def shuffled(self, windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        of = np.searchsorted(self._starts, windows, side="right") - 1
        members = enumerate(zip(self.members, self._starts))
        own = (member.shuffled(windows[of == number] - start, generator) + start for number, (member, start) in members)
        return _interleaved(own, generator)

    @property
    def episode_of(self) -> np.ndarray:
        return np.concatenate([member.episode_of + first for member, first in zip(self.members, self._first_episode)])

    def later(self, rows: int, gamma: float) -> Later:
        """What follows each window; none is followed by one of another member."""
        return Later.joined([member.later(rows, gamma) for member in self.members], self._starts[:-1].tolist())


def require_weights(where: str, weights: np.ndarray, count: int, *, positive: bool = False) -> None:
    """Refuse weights that nothing can be drawn by.

    Args:
        where: how to name them.
        weights: (count,).
        count: how many there must be.
        positive: whether none of them may be 0.

    Raises:
        InputError: another number of them, one that is NaN, infinite or negative, or none above 0.
    """
    kind = "above 0" if positive else "of 0 or more, one at least above 0"
    wrong = len(weights) != count or not np.isfinite(weights).all() or (weights < 0).any()
    if wrong or not (weights > 0).any() or (positive and (weights <= 0).any()):
        shown = np.array2string(weights, threshold=6, precision=4)
        raise InputError(where, expected=f"{count} finite numbers {kind}", got=shown if len(weights) else "none")


def _visits(member: WindowSource, count: int, generator: np.random.Generator) -> np.ndarray:
    """So many windows of a member: one epoch of it after the other."""
    visits = [np.zeros(0, np.int64)]
    while count > sum(map(len, visits)):
        visits.append(member.order(generator))
    return np.concatenate(visits)[:count]


def _interleaved(parts: Iterable[np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """Windows of several members, each in its order, at equal distances from a random first one on."""
    windows, positions = [], []
    for part in parts:
        windows.append(part)
        positions.append((np.arange(len(part)) + generator.random()) / max(len(part), 1))
    return np.concatenate(windows)[np.argsort(np.concatenate(positions), kind="stable")]


def _apportioned(total: int, shares: np.ndarray) -> np.ndarray:
    """Whole numbers (n,) of that total nearest to the shares: the largest remainders get one more."""
    exact = total * shares
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]] += 1
    return counts
