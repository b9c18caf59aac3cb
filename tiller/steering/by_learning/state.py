"""How far a run that learns is, and how much of the decisions what it learnt has earned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from tiller.steering.by_learning.options import LearningOptions

SUCCESSES = "success"
"""Column of a curve: the share of the segment's episodes."""
FIRST_SHARE, LEAST_SHARE = 1 / 4, 1 / 32
"""Of `greedy`: what is learnt decides in the second segment, and always."""


@dataclass
class State:
    """How far a run is.

    Args:
        segments: that are done and saved.
        steps: of the environment in them.
        decisions: in them.
        elapsed_s: in them.
        greedy: share of the decisions of the next segment that what was learnt decides.
        measured: decisions that the scales of the learner were measured on.
        curve: its rows, by segment.
    """

    segments: int = 0
    steps: int = 0
    decisions: int = 0
    elapsed_s: float = 0.0
    greedy: float = 0.0
    measured: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)

    @property
    def successes(self) -> list[float]:
        """The share of successes, by segment."""
        return [row[SUCCESSES] for row in self.curve]


def earned(greedy: float, shares: Sequence[float], options: LearningOptions) -> float:
    """The share of the decisions of the next segment that what was learnt decides: it is earned, so that what is
    executed while something learns stays near what the rung below does.

    Args:
        greedy: of the segment that ended.
        shares: of successes, by segment; the first one acted as the rung below.
        options: with the largest share, and the tolerance.
    """
    if options.tolerance is None:
        return options.greedy
    if len(shares) == 1:
        return FIRST_SHARE * options.greedy
    fell = shares[-1] < shares[0] - options.tolerance
    return min(max(greedy / 2 if fell else 2 * greedy, LEAST_SHARE * options.greedy), options.greedy)


@dataclass(frozen=True)
class Saved:
    """The content of state.json.

    Args:
        state: how far the run was.
        options: that it began with.
        learner: its numbers.
    """

    state: Mapping[str, Any]
    options: Mapping[str, Any]
    learner: Mapping[str, Any]
