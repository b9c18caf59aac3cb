"""Where the decisions of a replay lie: by number, counted from the first one that was ever written."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from data.learning.replay.schema import ReplaySchema


class Storage(Protocol):
    """Decisions by their number.

    Attributes:
        count: decisions written.
    """

    count: int

    def write(self, decisions: np.ndarray) -> None:
        """Append decisions (n,) of the schema's `dtype`."""
        ...

    def read(self, numbers: np.ndarray, *, core: bool = True) -> np.ndarray:
        """Decisions (n,) of the schema's `core`, or of its whole `dtype`."""
        ...

    def column(self, name: str, numbers: np.ndarray) -> np.ndarray:
        """One column of decisions, (n, ...)."""
        ...


class Ring:
    """The newest decisions in memory, which the operating system hands out as they are filled.

    Args:
        schema: of a decision.
        capacity: decisions kept.
    """

    def __init__(self, schema: ReplaySchema, capacity: int) -> None:
        self.schema, self.capacity, self.count = schema, capacity, 0
        self._records = np.zeros(capacity, schema.dtype)
        self._whole, self._core = as_bytes(self._records, schema.dtype), as_bytes(self._records, schema.core)

    def write(self, decisions: np.ndarray) -> None:
        start = self.count % self.capacity
        first = min(len(decisions), self.capacity - start)
        new = as_bytes(decisions, self.schema.dtype)
        self._whole[start : start + first] = new[:first]
        self._whole[: len(new) - first] = new[first:]
        self.count += len(new)

    def read(self, numbers: np.ndarray, *, core: bool = True) -> np.ndarray:
        slots = numbers % self.capacity
        return self._core[slots].view(self.schema.core) if core else self._whole[slots].view(self.schema.dtype)

    def column(self, name: str, numbers: np.ndarray) -> np.ndarray:
        values: np.ndarray = self._records[name][numbers % self.capacity]
        return values

    def restore(self, decisions: np.ndarray, count: int) -> None:
        """Hold decisions (kept,) in the order of their slots, of `count` that were ever written."""
        self._records[: len(decisions)] = decisions
        self.count = count

    def slots(self) -> np.ndarray:
        """Decisions (kept,) in the order of their slots: a view."""
        return self._records[: min(self.count, self.capacity)]


def as_bytes(records: np.ndarray, part: np.dtype) -> np.ndarray:
    """The first bytes of records (n,), those of the type `part`, as a view (n,) of plain bytes: numpy copies such a
    record at once, one with named columns column by column, which takes ten times as long.
    """
    return np.ndarray((len(records),), np.dtype((np.void, part.itemsize)), records, strides=records.strides)
