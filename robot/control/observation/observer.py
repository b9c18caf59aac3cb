"""Rows of an observation, a control period apart, from asynchronous streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

import numpy as np

from robot.control.observation.alignment import Alignment, StreamSource
from robot.control.observation.quality import Quality
from robot.description.observation import ObservationSpec

EARLY = 0.1  # of a period: how much earlier than its due moment a policy's row may be taken
LOST = 3  # periods without a row after which the past is discarded
GAP = 1.5  # periods between two rows above which one is missing between them


@dataclass(frozen=True, eq=False)
class ObservedRow:
    """One observation of one moment.

    Args:
        values: name -> array of its field's shape; an image that came encoded, where it was added so, as its bytes.
        stamp_ns: the moment.
        quality: `Quality` of the row: stale, interpolated, gap.
        ages_ns: stream -> how far the message that is nearest to the moment is from it.
    """

    values: Mapping[str, Any]
    stamp_ns: int
    quality: int = 0
    ages_ns: Mapping[str, int] = field(default_factory=dict)


class Observer:
    """Takes messages of streams and returns the rows that are due.

    The first row is of the newest moment that all streams have reached; each further one follows a period later, as
    soon as all streams have reached that moment. Streams of any rate may feed it; what it keeps of them is bounded, as
    `Alignment` says.

    A policy forgets its past where rows are missing (`reset` when `interrupted`); a recorder goes on behind the gap and
    marks it (`resume`).

    Args:
        spec: keys that a row has.
        sources: stream -> its keys.
        period_ns: between two rows.
        early: share of a period by which a row may come before its moment, and is then of the moment before: a policy
            would wait another message for it. Rows that are recorded keep their distance: 0.

    Raises:
        InputError: a key that no stream carries.
    """

    def __init__(
        self, spec: ObservationSpec, sources: Mapping[str, StreamSource], period_ns: int, *, early: float = EARLY
    ):
        self._alignment = Alignment(spec, sources, (LOST + 1) * period_ns)
        self._period_ns, self._least_ns = period_ns, period_ns * (1 - early)
        self.stamp_ns: int | None = None  # of the newest row
        self._last_ns: int | None = None  # the same, and of the row before a gap

    def reset(self) -> None:
        """Forget everything: the next row is the first of an episode."""
        self._alignment.reset()
        self.stamp_ns = self._last_ns = None

    def resume(self) -> None:
        """Go on behind rows that are lost: the next row is again of the newest moment, and says that there is a gap."""
        self.stamp_ns = None

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams that are needed."""
        return self._alignment.streams

    @property
    def silent(self) -> tuple[str, ...]:
        """Streams without a message for longer than a row may be from a message."""
        return self._alignment.silent

    @property
    def interrupted(self) -> bool:
        """Whether the newest row is too old to precede the next one in a history: reset or resume before `due`."""
        return self._is_far(self._alignment.newest_ns)

    def interrupted_with(self, stream: str, stamp_ns: int) -> bool:
        """Whether it will be `interrupted` once a stream has a message of that stamp."""
        return self._is_far(self._alignment.newest_with(stream, stamp_ns))

    def _is_far(self, newest_ns: int | None) -> bool:
        if newest_ns is None or self.stamp_ns is None:
            return False
        return newest_ns - self.stamp_ns > LOST * self._period_ns

    @property
    def lacking(self) -> tuple[str, ...]:
        """Keys that the newest message of their stream does not have: no row can be made."""
        return self._alignment.lacking

    def add(self, stream: str, values: Mapping[str, Any], stamp_ns: int, now_ns: int | None = None) -> str:
        """Add a message, as `Alignment.add` does; return why it was refused, empty when it was not."""
        return self._alignment.add(stream, values, stamp_ns, now_ns)

    def add_many(
        self, stream: str, values: Mapping[str, np.ndarray], stamps_ns: np.ndarray, now_ns: int | None = None
    ) -> list[str]:
        """Add messages that came together, as `Alignment.add_many` does; return why some were refused.

        To have the rows that `due` gives after each of them, the last must not be one with which it is interrupted
        (`interrupted_with`): that one is added by itself.
        """
        return self._alignment.add_many(stream, values, stamps_ns, now_ns)

    def due(self) -> Iterator[ObservedRow]:
        """Yield the rows that are due and were not returned yet, oldest first."""
        newest = self._alignment.newest_ns
        if newest is None:
            return
        period = self._period_ns
        while self._last_ns is None or newest - self._last_ns >= self._least_ns:
            stamp_ns = newest if self.stamp_ns is None else min(self.stamp_ns + period, newest)
            found = self._alignment.observed(stamp_ns)
            if found is None:
                return
            values, quality, ages_ns = found
            if self._last_ns is not None and stamp_ns - self._last_ns > GAP * period:
                quality |= Quality.GAP
            self.stamp_ns = self._last_ns = stamp_ns
            yield ObservedRow(values, stamp_ns, int(quality), ages_ns)
