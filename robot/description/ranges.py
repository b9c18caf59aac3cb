"""Which numbers an option takes, declared beside it: `steps: Annotated[int, Range(1, 1000)]`.

Whoever builds the option's dataclass from plain values checks them: `robot.description.record`.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any

from robot.errors import InputError

MANY = 1_000_000_000
"""More than anybody asks for of what is counted, and few enough for every library that is told the count."""


@dataclass(frozen=True)
class Range:
    """Finite numbers between two ends.

    Args:
        low, high: the ends, both taken unless said otherwise.
        above: whether `low` itself is refused.
        below: whether `high` itself is refused.
        note: what else a person should know, such as a unit.
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
        low, high = (f"{end:d}" if isinstance(end, int) else f"{end:g}" for end in (self.low, self.high))
        note = f" ({self.note})" if self.note else ""
        return f"{'above' if self.above else 'at least'} {low} and {'below' if self.below else 'at most'} {high}{note}"

    def read(self, kind: type, value: Any, where: str) -> Any:
        """The number that a plain value is.

        Args:
            kind: int or float; whole numbers are floats too, and truth values are neither.
            value: plain.
            where: how to name it in an error.

        Raises:
            InputError: no number of this kind, or one outside the range, infinite or NaN.
        """
        number = isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
        if not number or value not in self:
            what = "an integer" if kind is int else "a number"
            raise InputError(where, expected=f"{what}, {self}", got=repr(value))
        return kind(value)


Count = Annotated[int, Range(1, MANY)]
"""Of what there must be one of."""

NonNegative = Annotated[int, Range(0, MANY)]
"""Of what there may be none of."""

Seed = Annotated[int, Range(0, 2**31 - 1)]
"""Of a first random stream: every library takes it, and those that count up from it."""

Workers = Annotated[int, Range(1, 1024)]
"""Processes or threads of one machine."""

Share = Annotated[float, Range(0, 1)]
"""Of a whole, all of it included."""

Duration = Annotated[float, Range(0, 1e6, above=True)]
"""In whichever unit the option says."""
