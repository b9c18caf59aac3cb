"""Rows of an observation, a control period apart, from asynchronous streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping

import numpy as np

from robot.control.observation.alignment import Alignment, StreamSource
from robot.description.observation import ObservationSpec

EARLY = 0.1  # of a period: how much earlier than its due moment a row may be taken
LOST = 3  # periods without a row after which the past is discarded


@dataclass(frozen=True, eq=False)
class ObservedRow:
    """One observation: values name -> array of its field's shape, and their moment, ns."""

    values: Mapping[str, np.ndarray]
    stamp_ns: int


class Observer:
    """Takes messages of streams and returns the rows that are due.

    The first row is of the newest moment that all streams have reached; each further one follows a period later, as
    soon as all streams have reached that moment.

    Args:
        spec: keys that a row has.
        sources: stream -> its keys.
        period_ns: between two rows.

    Raises:
        InputError: a key that no stream carries.
    """

    def __init__(self, spec: ObservationSpec, sources: Mapping[str, StreamSource], period_ns: int):
        self._alignment = Alignment(spec, sources)
        self._period_ns = period_ns
        self.stamp_ns: int | None = None  # of the newest row

    def reset(self) -> None:
        """Forget everything: the next row is the first of an episode."""
        self._alignment.reset()
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
        """Whether the newest row is too old to precede the next one in a history: reset before `due`."""
        newest = self._alignment.newest_ns
        return None not in (newest, self.stamp_ns) and newest - self.stamp_ns > LOST * self._period_ns  # type: ignore[operator]

    def add(self, stream: str, values: Mapping[str, np.ndarray], stamp_ns: int, now_ns: int | None = None) -> str:
        """Add a message, as `Alignment.add` does; return why it was refused, empty when it was not."""
        return self._alignment.add(stream, values, stamp_ns, now_ns)

    def due(self) -> Iterator[ObservedRow]:
        """Yield the rows that are due and were not returned yet, oldest first."""
        newest = self._alignment.newest_ns
        if newest is None:
            return
        period = self._period_ns
        while self.stamp_ns is None or newest - self.stamp_ns >= period * (1 - EARLY):
            stamp_ns = newest if self.stamp_ns is None else min(self.stamp_ns + period, newest)
            values = self._alignment.row(stamp_ns)
            if values is None:
                return
            self.stamp_ns = stamp_ns
            yield ObservedRow(values, stamp_ns)
