"""Orders in which rows are visited, and numbers of windows."""

from __future__ import annotations

import numpy as np

from robot.errors import InputError


def chunk_shuffle(chunk: np.ndarray, generator: np.random.Generator, *, together: int) -> np.ndarray:
    """A shuffle that keeps rows of the same chunk near each other, so that a small cache serves an epoch.

    Chunks are put in random order and each one's rows are spread at random over the time of the next `together` chunks:
    at any moment at most `together` + 1 chunks are in use, and new ones come one by one, not in bursts.

    Args:
        chunk: (rows,) the chunk that each row is in.
        generator: decides the order.
        together: chunks whose rows are mixed, at least 1.

    Returns:
        (rows,) int64, every row once.
    """
    _, compact = np.unique(chunk, return_inverse=True)
    turn = generator.permutation(compact.max() + 1)[compact]
    return np.argsort(turn + together * generator.random(len(chunk)), kind="stable")


def checked_windows(windows: np.ndarray, count: int) -> np.ndarray:
    """Numbers of windows as int64.

    Raises:
        InputError: a number outside 0..count-1.
    """
    numbers = np.asarray(windows, dtype=np.int64)
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= count):
        raise InputError("windows to gather", expected=f"0 to {count - 1}", got=f"{numbers.min()} to {numbers.max()}")
    return numbers
