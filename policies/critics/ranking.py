"""How well values rank outcomes: areas under the curve, shares of pairs, and their intervals by bootstrap."""

from __future__ import annotations

import numpy as np

RESAMPLES = 2000


def auc(value: np.ndarray, success: np.ndarray) -> float:
    """The chance that the value of a success is larger than that of a failure, ties by half (Mann & Whitney 1947).

    Args:
        value, success: (n,).

    Returns:
        NaN where all ended alike.
    """
    good, bad = int(success.sum()), int((~success).sum())
    if not good or not bad:
        return float("nan")
    order = np.argsort(value, kind="stable")
    first = np.r_[True, value[order][1:] != value[order][:-1]]
    starts = np.flatnonzero(first)
    ends = np.r_[starts[1:], len(value)]
    rank = np.empty(len(value))
    rank[order] = ((starts + ends + 1) / 2)[np.cumsum(first) - 1]  # from 1, the mean of those that tie
    return float((rank[success].sum() - good * (good + 1) / 2) / (good * bad))


def concordant_pairs(good: np.ndarray, bad: np.ndarray) -> tuple[float, int]:
    """Of values of successes and failures: pairs in order, ties by half, and all pairs."""
    difference = good[:, None] - bad
    return float((difference > 0).sum() + 0.5 * (difference == 0).sum()), difference.size


def auc_of_episodes(
    value: np.ndarray, success: np.ndarray, episode: np.ndarray, generator: np.random.Generator
) -> tuple[float, float, float]:
    """The area over all rows and its 95 % interval, by a bootstrap over episodes."""
    _, counts = np.unique(episode, return_counts=True)
    rows = np.split(np.argsort(episode, kind="stable"), np.cumsum(counts)[:-1])
    drawn = []
    for _ in range(RESAMPLES // 10):
        chosen = np.concatenate([rows[number] for number in generator.integers(len(rows), size=len(rows))])
        drawn.append(auc(value[chosen], success[chosen]))
    return _interval(auc(value, success), np.array(drawn))


def share_of_pairs(
    concordant: np.ndarray, pairs: np.ndarray, start: np.ndarray, generator: np.random.Generator
) -> tuple[float, float, float]:
    """The share of pairs in order and its 95 % interval, by a bootstrap over starts: states of one start are drawn
    together.

    Args:
        concordant, pairs: (states,) pairs in order, and all.
        start: (states,) number of the start that each state comes from.
        generator: of the draws.
    """
    if not len(pairs):
        return float("nan"), float("nan"), float("nan")
    _, first, of = np.unique(start, return_index=True, return_inverse=True)
    of = np.argsort(np.argsort(first))[of]  # counted as they come
    good, all_ = np.bincount(of, concordant), np.bincount(of, pairs)
    drawn = generator.integers(len(all_), size=(RESAMPLES, len(all_)))
    return _interval(float(concordant.sum() / pairs.sum()), good[drawn].sum(1) / all_[drawn].sum(1))


def _interval(estimate: float, drawn: np.ndarray) -> tuple[float, float, float]:
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return estimate, float("nan"), float("nan")
    low, high = np.quantile(drawn, (0.025, 0.975))
    return estimate, float(low), float(high)
