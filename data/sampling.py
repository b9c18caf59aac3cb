"""Orders in which rows are visited."""

from __future__ import annotations

import numpy as np


def block_shuffle(block: np.ndarray, generator: np.random.Generator, *, together: int) -> np.ndarray:
    """A shuffle that keeps rows of the same chunk near each other, so that a small cache serves an epoch.

    Chunks are permuted, and rows are shuffled among `together` consecutive chunks of that permutation. With `together`
    at least the number of chunks this is a uniform permutation.

    Args:
        block: (rows,) the chunk of each row.
        generator: decides the order.
        together: chunks whose rows are mixed, at least 1.

    Returns:
        (rows,) int64, every row once.
    """
    _, compact = np.unique(block, return_inverse=True)
    rank = generator.permutation(compact.max() + 1)[compact] // together  # which group of chunks a row is visited in
    shuffled = generator.permutation(len(block))
    return shuffled[np.argsort(rank[shuffled], kind="stable")]
