"""Statistics over several tasks as strata, resampled within each task.

Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (NeurIPS 2021): means over tasks
hide outliers and medians waste data, so the interquartile mean represents a policy, with a bootstrap that keeps the
tasks and resamples the episodes of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from robot.errors import InputError
from sim.statistics.intervals import RESAMPLES, Interval, interquartile_mean

OverTasks = Callable[[np.ndarray], np.ndarray]
"""(..., tasks) -> (...): one number from one mean per task."""


@dataclass(frozen=True)
class PerformanceProfile:
    """Performance profile: the share of episodes that score at least tau, each task weighing the same.

    Args:
        thresholds: (n,) tau, rising.
        shares: (n,) 0 to 1, falling.
        low, high: (n,) pointwise bootstrap interval.
    """

    thresholds: tuple[float, ...]
    shares: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def over_tasks(
    tasks: Sequence[ArrayLike],
    statistic: OverTasks = interquartile_mean,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """A statistic of the tasks' mean scores with its stratified percentile bootstrap.

    Args:
        tasks: the scores (n_k,) of the episodes of each task, at least one each; lengths may differ.
        statistic: over the mean scores of the tasks; the interquartile mean by default, which for fewer than four
            tasks is the mean.
        resamples: draws, each n_k episodes with replacement from every task k.
        seed: of the draws.
    """
    scores = _checked(tasks)
    means = np.stack([_resampled_means(each, resamples, random) for each, random in _streams(scores, seed)], axis=-1)
    return _interval(float(statistic(np.array([each.mean() for each in scores]))), statistic(means), confidence)


def pooled_mean(
    strata: Sequence[ArrayLike], *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The mean over all values of all strata, each value weighing the same, resampled within each stratum.

    Args:
        strata: values (n_k,), for example differences of pairs, one array per task.
        resamples, seed: as in `over_tasks`.
    """
    sizes = np.array([np.size(each) for each in strata], dtype=np.float64)

    def weighted(means: np.ndarray) -> np.ndarray:
        return means @ (sizes / sizes.sum())

    return over_tasks(strata, weighted, confidence=confidence, resamples=resamples, seed=seed)


def performance_profile(
    tasks: Sequence[ArrayLike], thresholds: ArrayLike, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> PerformanceProfile:
    """Share of episodes with a score of at least tau, mean over tasks, with a stratified bootstrap band.

    Agarwal et al. 2021, eq. 1 with "at least" for "more than", so that a success (score 1) counts at tau = 1.

    Args:
        tasks: as in `over_tasks`.
        thresholds: (n,) tau, rising.
    """
    taus = np.asarray(thresholds, dtype=np.float64)
    shares, drawn = [], []
    for scores, random in _streams(_checked(tasks), seed):
        # Resampling episodes is drawing how many fall between which thresholds.
        counts = np.bincount(np.searchsorted(taus, scores, side="right"), minlength=len(taus) + 1)
        draws = random.multinomial(len(scores), counts / len(scores), size=resamples)
        shares.append(_at_least(counts) / len(scores))
        drawn.append(_at_least(draws) / len(scores))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.mean(drawn, axis=0), [tail, 1 - tail], axis=0)
    share = np.mean(shares, axis=0)
    low, high = np.minimum(low, share), np.maximum(high, share)
    return PerformanceProfile(*(tuple(map(float, each)) for each in (taus, share, low, high)))


def _at_least(counts: np.ndarray) -> np.ndarray:
    """Counts (..., n + 1) between thresholds -> counts (..., n) at or above each."""
    return counts[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]


def _checked(tasks: Sequence[ArrayLike]) -> list[np.ndarray]:
    scores = [np.asarray(each, dtype=np.float64) for each in tasks]
    if not scores or any(each.ndim != 1 or not len(each) for each in scores):
        raise InputError(
            "statistic over tasks",
            expected="at least one task with at least one episode each",
            got=f"shapes {[each.shape for each in scores]}",
        )
    return scores


def _streams(scores: Sequence[np.ndarray], seed: int) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Each task with a random generator of its own, so that one more task does not change the draws of the others."""
    for number, each in enumerate(scores):
        yield each, np.random.default_rng((seed, number))


def _resampled_means(values: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Means (resamples,) of as many draws with replacement as there are values; blocks bound the memory."""
    block = max(1, 1_000_000 // len(values))
    return np.concatenate(
        [
            values[random.integers(0, len(values), (min(block, resamples - start), len(values)))].mean(axis=1)
            for start in range(0, resamples, block)
        ]
    )


def _interval(estimate: float, draws: np.ndarray, confidence: float) -> Interval:
    if not 0 < confidence < 1:
        raise InputError("confidence", expected="a number between 0 and 1", got=str(confidence))
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate), confidence)
