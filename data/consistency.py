"""Whether the lengths of a store's arrays and its episode ends fit together."""

from __future__ import annotations

from typing import Iterator

import numpy as np

from data import layout
from data.contents import Contents
from robot.errors import InputError


def length_problems(contents: Contents) -> Iterator[tuple[str, str]]:
    """(array path or `data`, what is wrong) where arrays are missing, too short or of different lengths."""
    if contents.commit is not None:
        for path, length in contents.committed.items():
            if path not in contents.stored:
                yield path, f"expected an array of {length} entries, got none that can be read"
            elif contents.stored[path] < length:
                yield path, f"expected {length} entries by the commit record, got {contents.stored[path]}"
        return
    lengths = {key: contents.stored[layout.row_path(key)] for key in contents.keys}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
        yield "data", f"expected arrays of equal length, got {listed}"


def ends_problem(ends: np.ndarray, rows: int) -> str | None:
    """What is wrong with exclusive episode ends over so many rows, or None."""
    if ends.ndim != 1 or ends.dtype.kind not in "iu":
        return f"expected a list of integers, got {ends.shape} of {ends.dtype}"
    steps = np.diff(ends.astype(np.int64), prepend=0)
    if (steps <= 0).any():
        episode = int(np.flatnonzero(steps <= 0)[0])
        before = int(ends[episode - 1]) if episode else 0
        return f"expected increasing ends, got {ends[episode]} after {before} for episode {episode}"
    if len(ends) and ends[-1] > rows:
        episode = int(np.flatnonzero(ends > rows)[0])
        return f"expected at most {rows}, the number of rows, got {ends[episode]} for episode {episode}"
    return None


def consistent_ends(contents: Contents) -> np.ndarray:
    """The episode ends, (episodes,) int64, of a store whose parts fit together.

    Raises:
        InputError: names the array or the episode that does not fit.
        DamagedChunkError: the ends cannot be read.
    """
    way_out = f"'tiller data validate {contents.name}' lists all problems"
    for thing, problem in length_problems(contents):
        raise InputError(f"'{contents.name}': '{thing}': {problem}", way_out=way_out)
    ends = contents.episode_ends()
    problem = ends_problem(ends, contents.rows)
    if problem:
        raise InputError(f"'{contents.name}': '{layout.EPISODE_ENDS}': {problem}", way_out=way_out)
    return ends.astype(np.int64, copy=False)
