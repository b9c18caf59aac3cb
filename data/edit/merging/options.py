"""How a person says that stores that differ go together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping


@dataclass(frozen=True)
class Mapped:
    """How stores that differ are mapped to the first one.

    Args:
        rename: name in any of the stores -> name in the new one: of row arrays, fields of the action, facts, streams.
        without: row arrays, facts and streams that are left out, by their new names.
        fill: column or fact that only some stores have -> its value in the others, as typed; of a stream `empty`.
        convert_units: numbers are converted where their units differ and are known to convert.
        reorder: fields of the action that come in another order are put into that of the first store.
        other_contracts: robots of other contracts may be merged; the new store then names none.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    fill: Mapping[str, Any] = field(default_factory=dict)
    convert_units: bool = False
    reorder: bool = False
    other_contracts: bool = False
