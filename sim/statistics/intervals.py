"""Statistics of episodes: intervals for rates and means, and paired comparisons.

Arrays in, plain numbers out. Every resampling has its own fixed seed, so that a report is reproducible.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb, sqrt
from statistics import NormalDist
from typing import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from robot.errors import InputError

RESAMPLES = 10_000
Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Interval:
    """An estimate with a confidence interval: `low <= estimate <= high`."""

    estimate: float
    low: float
    high: float
    confidence: float = 0.95

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """The score interval of a success rate.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927): the rates p that a test
    |rate - p| <= z sqrt(p (1 - p) / n) does not reject. It stays inside [0, 1] and keeps its coverage near both ends.

    Args:
        successes: 0 to `trials`.
        trials: at least 1.
        confidence: 0 to 1, both excluded.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise InputError(
            "success rate", expected="0 <= successes <= trials and at least one trial", got=f"{successes} of {trials}"
        )
    z = NormalDist().inv_cdf((1 + _checked(confidence)) / 2)
    rate = successes / trials
    scale = 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / scale
    margin = z / scale * sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    # At both ends the interval touches 0 or 1 exactly; rounding must not carry it past the estimate.
    return Interval(rate, min(max(centre - margin, 0.0), rate), max(min(centre + margin, 1.0), rate), confidence)


def mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis."""
    return values.mean(axis=-1)


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """Mean of the middle half over the last axis: a quarter of the values is dropped at each end, rounded down.

    Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (NeurIPS 2021).
    """
    values = np.sort(np.asarray(values, dtype=np.float64), axis=-1)
    cut = values.shape[-1] // 4
    return values[..., cut : values.shape[-1] - cut].mean(axis=-1)


def bootstrap(
    values: ArrayLike,
    statistic: Statistic = mean,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of a statistic (Efron, 1979).

    Args:
        values: (n,) independent samples, n at least 1.
        statistic: (..., n) -> (...), over the last axis.
        resamples: draws of n values with replacement.
        seed: of the draws.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample):
        raise InputError("bootstrap", expected="a list of at least one value", got=f"shape {sample.shape}")
    tail = (1 - _checked(confidence)) / 2
    random = np.random.default_rng(seed)
    # Blocks bound the memory: a resample holds as many numbers as there are values.
    block = max(1, 1_000_000 // len(sample))
    draws = [
        statistic(sample[random.integers(0, len(sample), (min(block, resamples - start), len(sample)))])
        for start in range(0, resamples, block)
    ]
    low, high = np.quantile(np.concatenate(draws), [tail, 1 - tail])
    estimate = float(statistic(sample))
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate), confidence)


def paired_difference(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Mean of `second - first` over pairs, with the bootstrap interval that resamples whole pairs.

    Args:
        first, second: (n,) results on the same n seeds, in the same order.
    """
    left, right = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if left.shape != right.shape:
        raise InputError(
            "paired difference", expected="as many values on both sides", got=f"{left.shape} and {right.shape}"
        )
    return bootstrap(right - left, confidence=confidence, seed=seed)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p value that two policies succeed equally often, from the pairs in which they differ.

    McNemar (1947) with the binomial distribution: under the hypothesis each such pair is a fair coin.

    Args:
        only_first, only_second: pairs in which only the first, only the second succeeded.
    """
    trials, fewer = only_first + only_second, min(only_first, only_second)
    tail = Fraction(sum(comb(trials, k) for k in range(fewer + 1)), 2**trials)
    return float(min(Fraction(1), 2 * tail))


def percentiles(values: Sequence[float], ranks: Sequence[float]) -> list[float]:
    """Percentiles of a list, 0 for an empty one."""
    return [float(value) for value in np.percentile(values, ranks)] if len(values) else [0.0] * len(ranks)


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise InputError("confidence", expected="a number between 0 and 1", got=str(confidence))
    return confidence
