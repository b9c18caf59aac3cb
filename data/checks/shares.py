"""How the rows of a store are shared out: who acted, how often a person intervened, what is marked as wrong."""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np

from data.store import layout
from data.store.contents import Contents
from data.store.names import ACTOR, INTERVENTION, QUALITY, Actor, Quality, has_column
from data.store.schema import ColumnField
from robot.errors import TillerError

_Words = Callable[[np.ndarray, np.ndarray], str]


def row_shares(contents: Contents, ends: np.ndarray) -> tuple[tuple[str, str], ...]:
    """(column, shares in words) of each standard column that a store has and that has a share to show.

    Args:
        contents: of the store.
        ends: (episodes,) exclusive.
    """
    return tuple(_shares(contents, ends)) if contents.rows else ()


def _shares(contents: Contents, ends: np.ndarray) -> Iterator[tuple[str, str]]:
    for column, words in ((ACTOR, _actors), (INTERVENTION, _interventions), (QUALITY, _qualities)):
        if has_column(contents.schema, column):
            yield column.name, _of(contents, column, words, ends)


def _of(contents: Contents, column: ColumnField, words: _Words, ends: np.ndarray) -> str:
    try:
        values = contents.read(layout.row_path(column.name), 0, contents.rows)
    except TillerError as error:
        return f"cannot be read: {error}"
    if (values.shape, values.dtype.name) != ((contents.rows,), column.dtype):
        return f"cannot be read: {values.shape} of {values.dtype}"
    return words(values, ends)


def _actors(values: np.ndarray, ends: np.ndarray) -> str:
    counts = {actor.name.lower(): int((values == actor).sum()) for actor in Actor}
    counts["unknown"] = len(values) - sum(counts.values())
    return ", ".join(
        f"{name} {count / len(values):.1%}" for name, count in sorted(counts.items(), key=lambda one: -one[1]) if count
    )


def _interventions(values: np.ndarray, ends: np.ndarray) -> str:
    begins = values & ~np.concatenate([[False], values[:-1]])
    first = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    first = first[(first >= 0) & (first < len(values))]
    begins[first] = values[first]  # one that lasts to the end of an episode does not go on in the next
    return f"{int(begins.sum())}, {values.mean():.1%} of the rows"


def _qualities(values: np.ndarray, ends: np.ndarray) -> str:
    counts = {(bit.name or "").lower(): int(((values & bit) != 0).sum()) for bit in Quality}
    marked = ", ".join(f"{name} {count} ({count / len(values):.1%})" for name, count in counts.items() if count)
    return f"{marked} of the rows" if marked else "no row is marked"
