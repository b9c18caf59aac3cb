"""Whether the lengths of a store's arrays and its episode ends fit together."""

from __future__ import annotations

from typing import Mapping

import numpy as np

from robot.errors import InputError


def length_problem(lengths: Mapping[str, int]) -> str | None:
    """What is wrong with arrays that should be equally long, or None."""
    if len(set(lengths.values())) <= 1:
        return None
    return "expected equal lengths, got " + ", ".join(f"{key} {length}" for key, length in lengths.items())


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


def require_consistent(where: str, lengths: Mapping[str, int], ends: np.ndarray, rows: int) -> None:
    """Refuse a store whose parts do not fit.

    Args:
        where: the store's name.
        lengths: array name -> entries that must all be equal.
        ends: (episodes,) exclusive.
        rows: rows that exist.

    Raises:
        InputError: says which arrays, or which episode.
    """
    way_out = f"'tiller data validate {where}' lists all problems"
    for thing, problem in (("arrays under data/", length_problem(lengths)), ("episode_ends", ends_problem(ends, rows))):
        if problem:
            raise InputError(f"'{where}': {thing}: {problem}", way_out=way_out)
