"""Units that convert into each other by a factor."""

from __future__ import annotations

import math

_BASE = {
    "m": ("length", 1.0),
    "cm": ("length", 1e-2),
    "mm": ("length", 1e-3),
    "km": ("length", 1e3),
    "rad": ("angle", 1.0),
    "mrad": ("angle", 1e-3),
    "deg": ("angle", math.pi / 180),
    "s": ("time", 1.0),
    "ms": ("time", 1e-3),
    "us": ("time", 1e-6),
    "ns": ("time", 1e-9),
    "N": ("force", 1.0),
    "kN": ("force", 1e3),
    "mN": ("force", 1e-3),
    "kg": ("mass", 1.0),
    "g": ("mass", 1e-3),
    "J": ("energy", 1.0),
    "V": ("voltage", 1.0),
    "mV": ("voltage", 1e-3),
    "A": ("current", 1.0),
    "mA": ("current", 1e-3),
}
KNOWN = tuple(_BASE)
"""Units of which quotients and products convert: `mm/s`, `N*mm`, `rad/s/s`."""


def factor(unit: str, into: str) -> float | None:
    """What a number in a unit is multiplied by to be in another; None where they are not known to convert.

    Args:
        unit, into: of one component each, such as `mm`, `deg/s`, `N*m`.
    """
    if unit == into:
        return 1.0
    first, second = _read(unit), _read(into)
    if first is None or second is None or first[0] != second[0]:
        return None
    return first[1] / second[1]


def factors(unit: str, into: str, size: int) -> list[float] | None:
    """`factor` for each component of a field whose units are one word for all, or one per component."""
    words = [each.split() * size if len(each.split()) == 1 else each.split() for each in (unit, into)]
    each = [factor(first, second) for first, second in zip(*words)]
    return None if None in each else [float(value) for value in each if value is not None]


def _read(unit: str) -> tuple[dict[str, int], float] | None:
    """Powers of quantities and the factor to base units; None for a unit that is not known."""
    powers: dict[str, int] = {}
    size = 1.0
    for index, part in enumerate(unit.split("/")):
        sign = 1 if index == 0 else -1
        for word in part.split("*"):
            if word not in _BASE:
                return None
            quantity, scale = _BASE[word]
            powers[quantity] = powers.get(quantity, 0) + sign
            size *= scale**sign
    return {quantity: power for quantity, power in powers.items() if power}, size
