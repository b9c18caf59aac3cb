"""How vectors are written: plain JSON, a case a line, with words for the numbers that JSON does not have."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Iterator

import numpy as np

from robot.safety.energy import Budget

FORMAT = "tiller energy vectors 1"
NON_FINITE = "not a number, infinity and its negative are the strings nan, inf and -inf"
TOLERANCE = 1e-12
_BUDGET = ("initial_j", "reserve_j", "capacity_j", "power_w", "supply_w", "gamma", "spring_j", "force_n")


def plain(value: Any) -> Any:
    """Arrays as lists, numpy's numbers as Python's, what is not finite as a word."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(each) for each in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    return int(value) if isinstance(value, np.integer) else value


def numbers(told: Any) -> np.ndarray:
    """An array of what `plain` made of one."""
    if isinstance(told, list):
        return np.array([numbers(each) for each in told], dtype=np.float64)
    return np.array(float(told))


def number(told: Any) -> float:
    """A number of what `plain` made of one."""
    return float(told)


def budget_of(told: dict[str, Any]) -> Budget:
    """The budget of a case."""
    numbers_of: dict[str, Any] = {name: number(told[name]) for name in _BUDGET}
    return Budget(**numbers_of)


def limits(budget: Budget) -> dict[str, Any]:
    """The numbers of a budget that a filter uses."""
    return {name: getattr(budget, name) for name in _BUDGET}


def write(path: Path, kind: str, about: str, cases: list[dict[str, Any]]) -> None:
    """Write a file of vectors."""
    head = {"format": FORMAT, "kind": kind, "about": about, "non_finite": NON_FINITE}
    lines = ",\n".join(json.dumps(case, allow_nan=False) for case in cases)
    path.write_text(f'{json.dumps(head)[:-1]}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


def differences(found: Any, expected: Any, where: str = "") -> Iterator[str]:
    """Where two plain values differ: numbers by more than 1e-12, or that share of what is expected above 1."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for key, value in found.items():
            yield from differences(value, expected[key], f"{where}.{key}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for i, (left, right) in enumerate(zip(found, expected)):
            yield from differences(left, right, f"{where}[{i}]")
    elif type(found) in (int, float) and type(expected) in (int, float):
        if not abs(found - expected) <= TOLERANCE * max(1.0, abs(expected)):
            yield f"{where}: {found!r}, expected {expected!r}"
    elif found != expected:
        yield f"{where}: {found!r}, expected {expected!r}"
