"""Where each array of a new store comes from, in one of the stores that it is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

import numpy as np

from data.store.schema import Schema


@dataclass(frozen=True, eq=False)
class FieldMap:
    """Where the entries of one array come from.

    Args:
        source: name of the array in the source; None for a constant.
        constant: each entry, where there is no source.
        order: for each component of an entry, its number in the source; None where they are the same.
        factor: for each component, what it is multiplied by; None for nothing.
        table: new number of each number, for an index into a list; those below 0 stay.
    """

    source: str | None
    constant: Any = None
    order: tuple[int, ...] | None = None
    factor: np.ndarray | None = None
    table: tuple[int, ...] | None = None

    @property
    def plain(self) -> bool:
        """Whether entries are taken as they are."""
        return self.source is not None and self.order is None and self.factor is None and self.table is None

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Entries of the source, (k, ...), as entries of the target, of the same type."""
        if self.order is not None:
            values = values[..., list(self.order)]
        if self.factor is not None:
            values = (values * self.factor).astype(values.dtype)
        if self.table is not None:
            known = np.array([*self.table, -1], values.dtype)
            inside = (values >= 0) & (values < len(self.table))
            values = np.where(values < 0, values, known[np.where(inside, values, len(self.table))])
        return values


@dataclass(frozen=True, eq=False)
class SourceMap:
    """Where all arrays of rows and samples come from, in one source.

    Args:
        rows: array of the target -> where its rows come from.
        streams: stream of the target -> where its samples come from; one without a source has none.
    """

    rows: Mapping[str, FieldMap] = field(default_factory=dict)
    streams: Mapping[str, FieldMap] = field(default_factory=dict)

    @classmethod
    def same(cls, schema: Schema) -> SourceMap:
        """Every array of a schema, as it is."""
        return cls(
            {name: FieldMap(name) for name in schema.row_fields},
            {name: FieldMap(name) for name in schema.stream_fields},
        )
