"""Rows that a person took back: which they are, and which rows still have an action to learn."""

from __future__ import annotations

import numpy as np

from data.store.names import Quality
from robot.errors import InputError


def taken_back(quality: np.ndarray) -> np.ndarray | None:
    """(rows,) bool, which rows were taken back; None where none was.

    Args:
        quality: (rows,) bits of `Quality`.
    """
    rewound = (quality & Quality.REWOUND) != 0
    return rewound if rewound.any() else None


def rows_with_actions(where: str, rewound: np.ndarray, last: np.ndarray, horizon: int) -> np.ndarray:
    """The rows t of which some action t, ..., t+H-1 within the episode was not taken back, (n,) int64.

    Args:
        where: the dataset's path, for messages.
        rewound: (rows,) bool.
        last: (rows,) the last row of each row's episode.
        horizon: H.

    Raises:
        InputError: there is no such row.
    """
    rows = np.arange(len(rewound))
    counting = np.where(rewound, len(rows), rows)
    next_counting = np.minimum.accumulate(counting[::-1])[::-1]  # from each row on
    chosen = np.flatnonzero(next_counting <= np.minimum(rows + horizon - 1, last))
    if not len(chosen):
        raise InputError(f"'{where}': rows to learn from", expected="some that were not taken back", got="none")
    return chosen
