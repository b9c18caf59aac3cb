"""Scores of a policy's decisions: the higher, the more they look like those of a failure.

Two of them need what was learnt and live with the policies (`policies.monitoring.scores`); `disagreement` needs none.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from robot.monitoring.moment import Moment


class Score(Protocol):
    """One number per decision.

    Attributes:
        name: in configurations, records and messages.
        meaning: of its value, in words.
        needs_features: whether it reads `Moment.features`.
    """

    name: str
    meaning: str
    needs_features: bool

    def of(self, moment: Moment, before: Moment | None) -> float:
        """The score of a decision.

        Args:
            moment: the decision.
            before: the one before it in the episode; None for the first.
        """
        ...


class Disagreement:
    """How far a chunk is from the chunk before it over the intervals that both plan for,

        d_t = sqrt( mean over rows j and components c of ((a_t[j, c] - a_{t-1}[j + k, c]) / s_c)^2 ),

    with k the rows that passed in between and s the spread of the actions. It is the temporal consistency of STAC (Agia
    et al., "Unpacking Failure Modes of Generative Policies", 2024) with one chunk in place of a distribution. The first
    decision, and one that plans for no interval of the one before, has 0.

    Args:
        spread: (dim,) deviation of each component of the actions; components without any do not count.
    """

    name = "disagreement"
    meaning = "distance of the chunk from the one before, in deviations of the actions"
    needs_features = False

    def __init__(self, spread: np.ndarray) -> None:
        self.spread = np.asarray(spread, dtype=np.float64)
        counted = self.spread > 0
        self._scale = np.where(counted, 1.0 / np.where(counted, self.spread, 1.0), 0.0)
        self._counted = max(int(counted.sum()), 1)

    def of(self, moment: Moment, before: Moment | None) -> float:
        if before is None:
            return 0.0
        passed = round((moment.stamp_ns - before.stamp_ns) / moment.period_ns)
        rows = len(before.chunk) - passed
        if passed < 0 or rows < 1:
            return 0.0
        off = (moment.chunk[:rows] - before.chunk[passed:]) * self._scale
        return float(np.sqrt(np.square(off).sum() / (rows * self._counted)))
