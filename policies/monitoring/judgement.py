"""How good a monitor is on episodes that neither its scores nor its band come from.

A failure that runs into the time limit has more decisions than a success, so whatever grows with time tells the two
apart in the end. So scores are also compared at one decision, among the episodes that reach it, and by their largest up
to that decision: there a clock has an AUC of one half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from policies.critics.judgement import auc
from robot.monitoring.band import Band

EARLY = 0.6
"""Share of a failure's time before which an alarm is early."""

REACHED = 0.9
"""Share of the successes that reach the decision at which scores are compared."""


@dataclass(frozen=True, eq=False)
class ScoredEpisode:
    """The scores of an episode.

    Args:
        curve: (decisions, scores), as a band takes them.
        success: whether it succeeded.
        rows: control steps.
        n_action_steps: of them per decision.
    """

    curve: np.ndarray
    success: bool
    rows: int
    n_action_steps: int

    def beyond(self, band: Band) -> np.ndarray:
        """(decisions,) by how much the scores are beyond the centre of a band, in modulations; the largest of them."""
        return np.array([band.excess(number, scores).max() for number, scores in enumerate(self.curve)])

    def alarm_at(self, band: Band) -> float | None:
        """The share of its time that has passed at its first alarm; None without one."""
        alarms = np.flatnonzero(self.beyond(band) > band.quantile)
        return int(alarms[0]) * self.n_action_steps / self.rows if len(alarms) else None


@dataclass(frozen=True)
class MonitorJudgement:
    """Figures of a monitor; NaN where there are no episodes for them.

    Args:
        successes, failures: episodes that were judged.
        decision: at which scores are compared: the last one that nine of ten successes reach.
        auc_at: at it, among the episodes that reach it, by how far the scores are beyond the centre.
        auc_until: of the largest such distance up to it, over all episodes.
        auc: of the largest over the whole of each episode. A clock does well by it.
        false_alarms: share of the successes with an alarm.
        noticed, noticed_early: share of the failures with an alarm, and with one before 60 % of their time.
        median_time: of the failures that are noticed, the share of their time that had passed.
    """

    successes: int
    failures: int
    decision: int
    auc_at: float
    auc_until: float
    auc: float
    false_alarms: float
    noticed: float
    noticed_early: float
    median_time: float

    @property
    def figures(self) -> dict[str, float]:
        """Those that are numbers, by name."""
        return {name: float(value) for name, value in vars(self).items() if np.isfinite(value)}


def judge_monitor(band: Band, episodes: Sequence[ScoredEpisode], decision: int | None = None) -> MonitorJudgement:
    """Judge a band on some episodes.

    Args:
        band: of the monitor.
        episodes: that it does not come from.
        decision: at which scores are compared; None for the last one that nine of ten successes reach.
    """
    success = np.array([episode.success for episode in episodes], dtype=bool)
    beyond = [episode.beyond(band) for episode in episodes]
    if decision is None:
        lengths = sorted((len(curve) for curve, good in zip(beyond, success) if good), reverse=True)
        decision = lengths[int(np.ceil(REACHED * len(lengths))) - 1] - 1 if lengths else 0
    there = np.array([len(curve) > decision for curve in beyond], dtype=bool)
    alarms = [episode.alarm_at(band) for episode in episodes]
    of_failures = [alarm for alarm, good in zip(alarms, success) if not good]
    noticed = [alarm for alarm in of_failures if alarm is not None]
    return MonitorJudgement(
        int(success.sum()),
        int((~success).sum()),
        decision,
        _auc([curve[decision] for curve, here in zip(beyond, there) if here], success[there]),
        _auc([curve[: decision + 1].max() for curve in beyond], success),
        _auc([curve.max() for curve in beyond], success),
        _share([alarm is not None for alarm, good in zip(alarms, success) if good]),
        _share([alarm is not None for alarm in of_failures]),
        _share([alarm is not None and alarm < EARLY for alarm in of_failures]),
        float(np.median(noticed)) if noticed else float("nan"),
    )


def _auc(scores: Sequence[float], success: np.ndarray) -> float:
    """The chance that a failure's score is larger than a success's."""
    return auc(-np.array(scores), success) if len(scores) else float("nan")


def _share(flags: Sequence[bool]) -> float:
    return float(np.mean(flags)) if flags else float("nan")
