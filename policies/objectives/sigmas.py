"""Lists of noise levels that a sampler walks down: n levels from the largest to the smallest, then zero."""

from __future__ import annotations

import math
from typing import Callable, Mapping

import numpy as np


def exponential(steps: int, largest: float, smallest: float) -> list[float]:
    """Equal steps in ln(sigma)."""
    return _closed(np.exp(np.linspace(math.log(largest), math.log(smallest), steps)))


def karras(steps: int, largest: float, smallest: float, rho: float = 7.0) -> list[float]:
    """Equal steps in sigma^(1/rho) (Karras et al. 2022, equation 5)."""
    return _closed(np.linspace(largest ** (1 / rho), smallest ** (1 / rho), steps) ** rho)


def cosine(steps: int, largest: float, smallest: float) -> list[float]:
    """Equal steps in the angle arctan(sigma), down to zero: the cosine schedule of Nichol and Dhariwal (2021).

    It spends its steps about sigma = 1, where actions of the order of one are decided. The last one starts from
    arctan(largest) / n, so that few steps do not waste one on noise too small to matter.
    """
    top = math.atan(largest)
    return _closed(np.tan(np.linspace(top, max(top / steps, math.atan(smallest)), steps)))


def _closed(sigmas: np.ndarray) -> list[float]:
    return [*sigmas.tolist(), 0.0]


SCHEDULES: Mapping[str, Callable[[int, float, float], list[float]]] = {
    "cosine": cosine,
    "exponential": exponential,
    "karras": karras,
}
