"""A decision as a monitor sees it: what was observed, and the chunk that is going to be executed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

import numpy as np

from robot.control.plan_request import PlanRequest
from robot.description.decision import Decision
from robot.description.prompt import TaskPrompt


@dataclass(frozen=True, eq=False)
class Moment:
    """One decision of an episode.

    Args:
        stamp_ns: of the newest observation; row 0 of the chunk acts at this moment.
        window: observation, name -> (steps, ...), raw units.
        chunk: (horizon, dim) to be executed, raw units.
        period_ns: of its rows.
        prompt: what to do; None for nothing.
        features: (F,) float32 of the policy's network; None where they are not asked for.
    """

    stamp_ns: int
    window: Mapping[str, np.ndarray]
    chunk: np.ndarray
    period_ns: int
    prompt: TaskPrompt | None = None
    features: np.ndarray | None = None

    @classmethod
    def of(cls, request: PlanRequest, decision: Decision, chosen: int, period_ns: int) -> Moment:
        """The moment of a row's decision.

        Args:
            request: that it answers.
            decision: of its row, without the axis of the batch.
            chosen: number of the plan, of those in it, that is executed: `ChunkRunner.best`.
            period_ns: of the rows.
        """
        features = None if decision.features is None else decision.features[chosen]
        return cls(request.stamp_ns, request.window, decision.chunk[chosen], period_ns, request.prompt, features)
