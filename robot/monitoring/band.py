"""The band that the scores of successful episodes stay in, by split conformal prediction for functional data.

Diquigiovanni, Fontana and Vantini, "The Importance of Being a Band: Finite-Sample Exact Distribution-Free Prediction
Sets for Functional Data" (2021): some calibration curves give a centre c(t) and a modulation h(t), the others one
number each,

    R_i = max over t and scores of (s_i(t) - c(t)) / h(t),

and the band's upper edge is c(t) + q h(t) with q the k-th smallest R_i of m, k = ceil((m + 1)(1 - alpha)). As centre
and modulation know nothing of these m, a further successful episode, exchangeable with them, leaves the band anywhere
with a chance of at most alpha, and of at least alpha - 1/(m + 1) where no two R are equal. Episodes end at different
times: R is taken over an episode's own decisions, so that its length is a part of what is exchangeable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence

import numpy as np

from robot.errors import InputError, TillerError

SHAPE_SHARE = 0.3
"""Share of the calibration curves that give centre and modulation."""

FEWEST = 3
"""Curves, at least, that centre and modulation at a decision come from; where fewer go on, those before hold."""

FLOOR = 0.5
"""Smallest modulation, as a share of the score's deviation over all decisions: few curves may agree by chance."""


@dataclass(frozen=True, eq=False)
class Band:
    """The upper edge of what successful episodes' scores do.

    Args:
        centre, modulation: (T, scores), decision by decision; the last row holds for all later ones.
        quantile: q.
        alpha: chance, at most, that a success leaves the band.
        episodes: m, from which the quantile is.
    """

    centre: np.ndarray
    modulation: np.ndarray
    quantile: float
    alpha: float
    episodes: int

    def excess(self, number: int, scores: np.ndarray) -> np.ndarray:
        """(scores,) by how much each is beyond its centre, in modulations; an alarm is one above the quantile.

        Args:
            number: of the decision in its episode, from 0.
            scores: (scores,).
        """
        row = min(number, len(self.centre) - 1)
        excess: np.ndarray = (scores - self.centre[row]) / self.modulation[row]
        return excess

    def threshold(self, number: int) -> np.ndarray:
        """(scores,) the upper edge at a decision."""
        row = min(number, len(self.centre) - 1)
        edge: np.ndarray = self.centre[row] + self.quantile * self.modulation[row]
        return edge

    def largest_excess(self, curve: np.ndarray) -> float:
        """R of an episode, from its scores (decisions, scores): above the quantile, it has an alarm."""
        return max(float(self.excess(number, scores).max()) for number, scores in enumerate(curve))


def calibrate(curves: Sequence[np.ndarray], alpha: float, seed: int = 0) -> Band:
    """The band of successful episodes.

    Args:
        curves: of each episode its scores (decisions, scores), decisions 1 or more. Nothing that made the scores may
            have been learnt from these episodes.
        alpha: share of false alarms over whole episodes, above 0 and below 1.
        seed: of the split in curves of the shape and of the quantile.

    Raises:
        InputError: an alpha out of range, or too few curves for it; says how many are needed.
        TillerError: a score that is no number.
    """
    require_enough(len(curves), alpha)
    curves = [np.asarray(curve, dtype=np.float64) for curve in curves]
    if not all(np.isfinite(curve).all() for curve in curves):
        raise TillerError("the scores to calibrate a monitor on hold values that are not finite")
    order = np.random.default_rng(seed).permutation(len(curves))
    split = _of_shape(len(curves))
    centre, modulation = _shape([curves[number] for number in order[:split]])
    shape = Band(centre, modulation, math.inf, alpha, len(curves) - split)
    largest = sorted(shape.largest_excess(curves[number]) for number in order[split:])
    return Band(centre, modulation, largest[_rank(len(largest), alpha) - 1], alpha, len(largest))


def require_enough(episodes: int, alpha: float) -> None:
    """Refuse too few successful episodes for an alpha.

    Raises:
        InputError: says how many are needed, or that the alpha is out of range.
    """
    need = needed(alpha)
    if episodes < need:
        raise InputError(
            "episodes to calibrate a monitor on",
            expected=f"at least {need} successful ones for alpha={alpha:g}",
            got=str(episodes),
            way_out=f"Collect more, or let a larger share calibrate (monitor.calibration); {_allowed(episodes)}",
        )


def needed(alpha: float) -> int:
    """The fewest successful episodes that a band of this alpha can be made from.

    Raises:
        InputError: an alpha out of range.
    """
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < 1:
        raise InputError("monitor.alpha", expected="a share of false alarms above 0 and below 1", got=repr(alpha))
    count = 3
    while _rank(count - _of_shape(count), alpha) > count - _of_shape(count):
        count += 1 if count < 10_000 else count // 10
    return count


def _rank(episodes: int, alpha: float) -> int:
    """k = ceil((m + 1)(1 - alpha)): beyond m there is no such order statistic."""
    return episodes + 1 - math.floor(alpha * (episodes + 1))


def _of_shape(episodes: int) -> int:
    """How many of some curves give centre and modulation."""
    return max(2, int(SHAPE_SHARE * episodes))


def _allowed(episodes: int) -> str:
    """What alpha so many episodes allow, in words."""
    rest = episodes - _of_shape(episodes)
    if rest < 1:
        return "fewer than 3 allow no monitor.alpha at all"
    return f"{episodes} allow no fewer false alarms than monitor.alpha={math.ceil(1e4 / (rest + 1)) / 1e4:g}"


def _shape(curves: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the curves at each decision, (T, scores), as far as enough of them go on."""
    fewest = min(FEWEST, len(curves))
    lengths = sorted(map(len, curves), reverse=True)
    centre, deviation = [], []
    for number in range(lengths[fewest - 1]):
        there = np.stack([curve[number] for curve in curves if len(curve) > number])
        centre.append(there.mean(axis=0))
        deviation.append(there.std(axis=0))
    deviations = np.stack(deviation)
    pooled = np.sqrt(np.square(deviations).mean(axis=0))
    usual = np.where(pooled > 0, pooled, 1.0)  # of a score that never changes
    return np.stack(centre), np.maximum(deviations, FLOOR * usual)
