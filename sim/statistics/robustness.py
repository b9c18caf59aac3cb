"""Success against the severity of a perturbation: rates with their intervals, and the area under them in one number."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Iterable

import numpy as np

from robot.errors import InputError
from sim.statistics.intervals import Interval, wilson


@dataclass(frozen=True)
class RobustnessPoint:
    """Success at one severity, with Wilson's interval."""

    severity: float
    successes: int
    episodes: int
    success: Interval


@dataclass(frozen=True)
class RobustnessCurve:
    """Success against severity.

    Args:
        points: by rising severity, each severity once.
        area: under the straight lines between the points, over the range of severities: 1 for a policy that always
            succeeds, 0 for one that never does. None where there is one severity only.
    """

    points: tuple[RobustnessPoint, ...]
    area: Interval | None


def robustness_curve(
    measured: Iterable[tuple[float, int, int]], *, same_seeds: bool = False, confidence: float = 0.95
) -> RobustnessCurve:
    """Success against severity and the area under it.

    The area is the trapezoid rule, a weighted mean sum_i w_i p_i of the rates. Its interval is recovered from theirs
    (Zou and Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 2008, eq. 3-4;
    for proportions Newcombe 1998): with Wilson's limits l_i and u_i,

        low  = A - sqrt(sum_i (w_i (p_i - l_i))^2),   high = A + sqrt(sum_i (w_i (u_i - p_i))^2),

    which stays valid where every episode succeeds or fails. That holds for independent episodes. The same start at
    several severities makes rates rise and fall together; then the errors are added instead of their squares, which is
    wide enough for any correlation.

    Args:
        measured: (severity, successes, episodes) in any order; the same severity several times is summed.
        same_seeds: whether the severities were measured from the same starts.
        confidence: of all intervals.

    Raises:
        InputError: nothing was measured, a severity is no finite number, or counts are impossible.
    """
    counts: dict[float, tuple[int, int]] = {}
    for severity, successes, episodes in measured:
        if not isfinite(severity) or severity < 0:
            raise InputError("severity", expected="a finite number of at least 0", got=str(severity))
        if episodes < 1 or not 0 <= successes <= episodes:
            raise InputError(
                f"severity {severity:g}",
                expected="0 <= successes <= episodes and at least one episode",
                got=f"{successes} of {episodes}",
            )
        before = counts.get(float(severity), (0, 0))
        counts[float(severity)] = (before[0] + successes, before[1] + episodes)
    if not counts:
        raise InputError("robustness curve", expected="at least one severity", got="none")
    points = tuple(
        RobustnessPoint(severity, *counts[severity], wilson(*counts[severity], confidence))
        for severity in sorted(counts)
    )
    return RobustnessCurve(points, _area(points, same_seeds, confidence) if len(points) > 1 else None)


def trapezoid_weights(severities: np.ndarray) -> np.ndarray:
    """Weights (n,), summing to 1, of values at rising severities (n,) in the mean height of the lines through them."""
    widths = np.diff(np.asarray(severities, dtype=np.float64))
    weights = np.zeros(len(widths) + 1)
    weights[:-1] += widths / 2
    weights[1:] += widths / 2
    return weights / widths.sum()


def _area(points: tuple[RobustnessPoint, ...], same_seeds: bool, confidence: float) -> Interval:
    weights = trapezoid_weights(np.array([point.severity for point in points]))
    rates = [point.success for point in points]
    area = float(sum(weight * rate.estimate for weight, rate in zip(weights, rates)))
    below, above = (
        [weight * abs(getattr(rate, end) - rate.estimate) for weight, rate in zip(weights, rates)]
        for end in ("low", "high")
    )
    down, up = (
        float(sum(each) if same_seeds else sqrt(sum(error * error for error in each))) for each in (below, above)
    )
    return Interval(area, max(0.0, area - down), min(1.0, area + up), confidence)
