"""A monitor of a policy before it has seen rollouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from robot.description.decision import FEATURES
from robot.description.ranges import Count, Range
from robot.description.record import require_ranges
from robot.errors import InputError, nearest

FEATURES_SCORE, VALUE, DISAGREEMENT = "features", "value", "disagreement"
SCORES = (FEATURES_SCORE, VALUE, DISAGREEMENT)


@dataclass(frozen=True)
class MonitorRecipe:
    """What is scored, and how often a success may be taken for a failure.

    Args:
        scores: of each decision: `features`, the odds of failure that a small network tells from the policy's own
            features; `value`, one minus a critic's value of the executed rows; `disagreement`, the distance between
            the overlapping rows of successive chunks. Several share one level of false alarms.
        alpha: chance, at most, that an episode that succeeds has an alarm.
        memory: decisions, the newest ones, over which scores are averaged; None for all of the episode.
        calibration: share of the starts whose successes calibrate the threshold. Nothing is learnt from them.
        seed: of the split by starts.
        features: what the score `features` reads: `condition`, the encoded observation; `network`, what the network's
            last layer reads; or `both`.
        width, dropout: of the hidden layer of the score `features`.
        critic: checkpoint of the score `value`.
    """

    scores: tuple[str, ...] = (FEATURES_SCORE,)
    alpha: Annotated[float, Range(0, 1, above=True, below=True)] = 0.05
    memory: Count | None = 4
    calibration: Annotated[float, Range(0, 1, above=True, below=True)] = 0.5
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    features: str = "both"
    width: Annotated[int, Range(1, 65_536)] = 64
    dropout: Annotated[float, Range(0, 1, below=True)] = 0.3
    critic: str | None = None

    def __post_init__(self) -> None:
        require_ranges(self, "monitor")
        if not self.scores or len(set(self.scores)) < len(self.scores):
            raise InputError(
                "monitor.scores", expected="one score or several different ones", got=str(list(self.scores))
            )
        for thing, names, known in (
            ("monitor.scores", self.scores, SCORES),
            ("monitor.features", (self.features,), FEATURES),
        ):
            for name in names:
                if name not in known:
                    raise InputError(thing, expected=f"one of {', '.join(known)}", way_out=nearest(name, known))
        if (VALUE in self.scores) != (self.critic is not None):
            raise InputError(
                "monitor.critic",
                expected="the checkpoint of a critic beside the score 'value', and none without it",
                got=self.critic or "none",
            )
