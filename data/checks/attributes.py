"""What other programs, and ours, keep in the attributes of a store, in lines of names and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_LINE = 400  # characters of an attribute
_DEEPEST = 2  # mappings within an attribute of which each entry has a line
_MOST_LINES = 40  # of one attribute


def attribute_lines(name: str, value: Any) -> list[tuple[str, str]]:
    """An attribute in lines of names and values, without facts that are not given.

    A mapping has a line for each entry, `software.numpy`; of one that would take many lines, or that is deep, the
    number of entries is said, and format=json shows them.
    """
    lines = list(_entries(name, value, 0))
    return lines if len(lines) <= _MOST_LINES else list(_entries(name, value, _DEEPEST - 1))


def _entries(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if value is None or value == {} or value == []:
        return
    if isinstance(value, Mapping):
        if depth > _DEEPEST:
            yield name, f"{len(value)} entries"
            return
        for key, item in value.items():
            yield from _entries(f"{name}.{key}", item, depth + 1)
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        yield name, f"{len(value)} entries"
    else:
        words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield name, words if len(words) <= LONGEST_LINE else f"{words[: LONGEST_LINE - 3]}..."
