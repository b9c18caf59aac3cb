"""Where numbers are not finite, in words."""

from __future__ import annotations

import numpy as np


def first_not_finite(values: np.ndarray, first: int) -> tuple[str, str] | None:
    """The first number of rows that is not finite.

    Args:
        values: (k, ...).
        first: number of the first of these rows within the episode.

    Returns:
        `row R` with the component, if rows have several, and the number; None where all are finite, or no real numbers.
    """
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return None
    row, *component = np.argwhere(~np.isfinite(values))[0].tolist()
    where = f", component {', '.join(map(str, component))}" if component else ""
    return f"row {first + row}{where}", str(values[(row, *component)])
