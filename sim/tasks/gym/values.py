"""Single numbers and truths within what an environment returns."""

from __future__ import annotations

from typing import Any

import numpy as np


def array_in(value: Any) -> np.ndarray | None:
    """The value as an array of numbers or truths; None where it is none, such as a list of unequal lists."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in "biuf" else None


def number_in(value: Any) -> float | None:
    """The one number in a value, an array of one number included; None where it is anything else."""
    array = array_in(value)
    return float(array.item()) if array is not None and array.size == 1 else None
