"""The range of an option's numbers, declared beside it: `steps: Annotated[int, Range(1, 1000)]`.

They are checked where the option's dataclass is built from plain values: `robot.description.record`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any

from robot.errors import InputError

MANY = 1_000_000_000
"""More than any count in use, and few enough for every library that takes the count."""


@dataclass(frozen=True)
class Range:
    """Finite numbers between two ends.

    Args:
        low, high: the ends, both included by default.
        above: whether `low` itself is refused.
        below: whether `high` itself is refused.
        note: for people, such as a unit.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False
    note: str = ""

    def __contains__(self, value: float) -> bool:
        over = value > self.low if self.above else value >= self.low
        return bool(over and (value < self.high if self.below else value <= self.high))

    def __str__(self) -> str:
        if self.low == -math.inf and self.high == math.inf:
            return "finite"
        low, high = (f"{end:d}" if isinstance(end, int) else f"{end:g}" for end in (self.low, self.high))
        note = f" ({self.note})" if self.note else ""
        return f"{'above' if self.above else 'at least'} {low} and {'below' if self.below else 'at most'} {high}{note}"

    def read(self, kind: type, value: Any, where: str) -> Any:
        """The number of a plain value.

        Args:
            kind: int or float; whole numbers are floats too, and truth values are neither.
            value: plain.
            where: its name in an error.

        Raises:
            InputError: no number of this kind, or one outside the range, infinite or NaN.
        """
        number = isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
        if not number or value not in self:
            what = "an integer" if kind is int else "a number"
            raise InputError(where, expected=f"{what}, {self}", got=repr(value))
        return kind(value)


Count = Annotated[int, Range(1, MANY)]
"""A count of at least one."""

NonNegative = Annotated[int, Range(0, MANY)]
"""A count that may be zero."""

Seed = Annotated[int, Range(0, 2**31 - 1)]
"""The seed of a first random stream: every library takes it and those counted up from it."""

Workers = Annotated[int, Range(1, 1024)]
"""Number of processes or threads of one machine."""

Share = Annotated[float, Range(0, 1)]
"""A share of a whole, 0 and 1 included."""

Duration = Annotated[float, Range(0, 1e6, above=True)]
"""A duration in the unit of the option."""

Finite = Annotated[float, Range(-math.inf, math.inf, above=True, below=True)]
"""Any number but infinity and NaN, both of which JSON files may hold."""
