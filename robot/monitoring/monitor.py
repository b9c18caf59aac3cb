"""A monitor: it takes a policy's decisions one by one, and tells whether they still look like those of a success."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Mapping

import numpy as np

from robot.description.decision import with_features
from robot.description.protocols import Policy
from robot.errors import InputError
from robot.monitoring.band import Band
from robot.monitoring.moment import Moment
from robot.monitoring.scores import Score

RECORD, HOLD = "record", "hold"
ACTIONS = (RECORD, HOLD)
"""What an alarm does: it is written down, or the robot is held and a person asked for."""


@dataclass(frozen=True)
class Verdict:
    """What a monitor says of a decision.

    Args:
        number: of the decision, from 0.
        scores: the value of each score, in the order of the monitor's.
        alarm: whether one of them is above its threshold.
        name: of the score that is furthest beyond its centre.
        score, threshold: of it.
        reason: in words; of an alarm why it is one.
    """

    number: int
    scores: tuple[float, ...]
    alarm: bool
    name: str
    score: float
    threshold: float
    reason: str


@dataclass(frozen=True, eq=False)
class Monitor:
    """Scores, and the band that those of successes stay in.

    Args:
        scores: of a decision.
        band: of as many scores.
        memory: decisions, the newest ones, over which each score is averaged; None for all of the episode.
        n_action_steps: rows that are executed per decision; the band counts decisions.
        policy: hash of the policy as it acts that it was made for; empty where it is not known.
        features: kind of features that its scores read, as `with_features` takes it.
        about: facts for records.
    """

    scores: tuple[Score, ...]
    band: Band
    memory: int | None
    n_action_steps: int
    policy: str = ""
    features: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    def watch(self) -> Watch:
        """What watches one episode after another, in order."""
        return Watch(self)

    def prepared(self, policy: Policy) -> Policy:
        """The policy with the features in its decisions that the scores read.

        Raises:
            InputError: it cannot tell them.
        """
        if any(score.needs_features for score in self.scores):
            return with_features(policy, self.features)
        return policy

    def require(self, n_action_steps: int, identity: str | None = None) -> None:
        """Refuse another policy than the one that this monitor was made for.

        Args:
            n_action_steps: rows that are executed per decision.
            identity: hash of the policy as it acts; None where it is not known.

        Raises:
            InputError: says which, and what the monitor was made for.
        """
        if identity is not None and self.policy and identity != self.policy:
            of = self.about.get("checkpoint", "")
            how = f" ('{of}', {self.about.get('sampler')} in {self.about.get('steps')} steps)" if of else ""
            raise InputError(
                "monitor",
                expected=f"the policy that it was made for, {self.policy}{how}",
                got=f"one of hash {identity}",
                way_out="Give the checkpoint, sampler and steering of the episodes that it was made from, or train "
                "a monitor for this policy",
            )
        if n_action_steps != self.n_action_steps:
            raise InputError(
                "monitor",
                expected=f"{self.n_action_steps} rows executed per plan, as in the episodes that it was made from",
                got=str(n_action_steps),
                way_out=f"Execute {self.n_action_steps}, or train a monitor on episodes of {n_action_steps}",
            )


class Watch:
    """The decisions of the episode that runs."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.reset()

    def reset(self) -> None:
        """Begin an episode."""
        self._mean = Running(self.monitor.memory)
        self._before: Moment | None = None
        self.decisions = 0

    def add(self, moment: Moment) -> Verdict:
        """Take the next decision of the episode. Scores that are no numbers are an alarm."""
        monitor = self.monitor
        values = np.array([score.of(moment, self._before) for score in monitor.scores], dtype=np.float64)
        self._before = moment
        number, self.decisions = self.decisions, self.decisions + 1
        return self._judged(number, self._mean.add(values))

    def _judged(self, number: int, scores: np.ndarray) -> Verdict:
        monitor, band = self.monitor, self.monitor.band
        excess = band.excess(number, scores)
        unknown = ~np.isfinite(excess)
        worst = int(np.argmax(np.where(unknown, np.inf, excess)))
        alarm = bool(unknown.any() or excess[worst] > band.quantile)
        score, threshold = float(scores[worst]), float(band.threshold(number)[worst])
        worst_score, side = monitor.scores[worst], "above" if alarm else "within"
        reason = (
            f"{worst_score.name} {score:.3g} at decision {number} is {side} {threshold:.3g}, the edge of the band that "
            f"{1 - band.alpha:.0%} of successes never leave ({worst_score.meaning})"
        )
        if unknown.any():
            reason = f"{worst_score.name} is no number at decision {number}"
        return Verdict(number, tuple(scores.tolist()), alarm, worst_score.name, score, threshold, reason)


class Running:
    """The mean of the newest values, of a score or several.

    Args:
        memory: how many; None for all.
    """

    def __init__(self, memory: int | None) -> None:
        self._newest: deque[np.ndarray] | None = None if memory is None else deque(maxlen=memory)
        self._sum, self._count = np.zeros(()), 0

    def add(self, values: np.ndarray) -> np.ndarray:
        """The mean (scores,) with these values (scores,) among them."""
        if self._newest is None:
            self._sum, self._count = self._sum + values, self._count + 1
            return self._sum / self._count
        self._newest.append(values)
        mean: np.ndarray = np.mean(self._newest, axis=0)
        return mean


def curve_of(values: np.ndarray, memory: int | None) -> np.ndarray:
    """The running scores of an episode, (decisions, scores), from those of its decisions alone, of the same shape."""
    mean = Running(memory)
    return np.stack([mean.add(row) for row in values])
