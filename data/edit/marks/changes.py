"""What marks change in a store, as lines for a person: a table of the kinds of changes, and a line for each episode."""

from __future__ import annotations

from typing import Any

from data.edit.copying.history import listed
from data.edit.copying.origin import Origin
from data.edit.marks.mark import EpisodeMark, Marks, labels_of
from data.store.names import LABELS
from robot.errors import cut, shortened

_OUT, _CUT = "left out", "cut"


def changes_of(origin: Origin, marks: Marks) -> dict[int, dict[str, str]]:
    """Number of each episode that is changed -> kind of change -> what becomes of it, in words."""
    changes = {index: _changes(origin, index, mark) for index, mark in sorted(marks.episodes.items())}
    return {index: each for index, each in changes.items() if each}


def table(changes: dict[int, dict[str, str]], marks: Marks) -> list[str]:
    """What is changed, of how many episodes, and of which, as aligned lines.

    Args:
        changes: as `changes_of` gives them.
        marks: that make them.
    """
    if not changes:
        return ["nothing is changed: no mark says anything else than what is there"]
    cells = [("what", "episodes", "rows", "which")]
    for kind in dict.fromkeys(kind for each in changes.values() for kind in each):
        those = [index for index, each in changes.items() if kind in each]
        gone = sum(_rows_less(marks.episodes[index]) for index in those) if kind in (_OUT, _CUT) else 0
        cells.append((kind, str(len(those)), f"-{gone}" if gone else "", cut(listed(those))))
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]


def lines(changes: dict[int, dict[str, str]], kept: list[int]) -> list[str]:
    """A line for each episode that is changed.

    Args:
        changes: as `changes_of` gives them.
        kept: numbers of the episodes that stay, in order.
    """
    new = {index: number for number, index in enumerate(kept)}
    said = []
    for index, each in changes.items():
        becomes = f" (now {new[index]})" if new.get(index, index) != index else ""
        said.append(f"episode {index}{becomes}: {'; '.join(f'{kind} {words}' for kind, words in each.items())}")
    return said


def _rows_less(mark: EpisodeMark) -> int:
    return mark.rows - (mark.cut[1] - mark.cut[0] if mark.cut is not None and not mark.leaves_out else 0)


def _changes(origin: Origin, index: int, mark: EpisodeMark) -> dict[str, str]:
    """What is so already is no change."""
    if mark.leaves_out:
        return {_OUT: f"({mark.rows} rows)"}
    changes: dict[str, str] = {}
    if mark.cut is not None and mark.cuts:
        changes[_CUT] = f"to rows {mark.cut[0]} to {mark.cut[1] - 1} of {mark.rows}"
    own = origin.facts(index)
    for name, value in mark.facts.items():
        if name not in own or own[name] != value:
            changes[name] = f"{_shown(name, own[name]) if name in own else 'nothing'} becomes {_shown(name, value)}"
    return changes


def _shown(name: str, value: Any) -> str:
    return shortened(", ".join(labels_of(value)) if name == LABELS.name else str(value))
