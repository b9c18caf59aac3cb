"""Decisions as rollouts hand them out: what was seen, what was planned and why, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

import numpy as np

from robot.control.plan_request import PlanRequest, decide_plans
from robot.description import Decision, Policy
from sim.evaluation.env_runner import EpisodeProgress, Trace
from sim.evaluation.order import Branch, Order


@dataclass(frozen=True, eq=False)
class DecisionRecord:
    """One decision of an episode, and the steps up to the next one.

    Args:
        order: the episode.
        request: window, seed, prompt and prefix that were decided on; its `number` counts the episode's decisions.
        decision: of its row, without the axis of the batch.
        batch: rows of the inference call.
        row: of the decision in it.
        executed: (k, dim) actions that the environment received up to the next decision, raw units.
        trace: their rows, rewards and flags.
        next_window: name -> (steps, ...) that the next decision would see; after the last step of an episode too.
        episode: its result so far.
        branch: the moment before the decision, where states were asked for; else None.
    """

    order: Order
    request: PlanRequest
    decision: Decision
    batch: int
    row: int
    executed: np.ndarray
    trace: Trace
    next_window: Mapping[str, np.ndarray]
    episode: EpisodeProgress
    branch: Branch | None = None


def decided_again(policy: Policy, record: DecisionRecord) -> Decision:
    """The decision that the policy makes from the record: the same to the bit, as the inference call has the same shape
    and the decision its row.
    """
    rows = [record.request if row == record.row else None for row in range(record.batch)]
    return decide_plans(policy, rows).row(record.row)
