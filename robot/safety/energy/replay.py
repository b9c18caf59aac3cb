"""Episodes that were logged, judged by the torque filter with the tank of a budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence

import numpy as np

from robot.compiled import compiled
from robot.safety.energy.budget import CAPACITY, SUPPLY, Budget
from robot.safety.energy.streams import EnergyStream
from robot.safety.energy.tank import COLUMNS, LEVEL, LIMIT_POWER, OVERDRAFTS, REASONS, TANK, book, fill
from robot.safety.energy.torque.kernel import filter_torque

STARVED = 0.02  # of its steps, above which an episode whose tank closed counts as starved


@dataclass(frozen=True)
class FilterReplay:
    """The torque filter's effect on the same episodes, as far as their own motion shows.

    Args:
        changed: reason -> share of all steps that it would have changed.
        starved: names of episodes whose tank closed in more than 2 % of the steps.
        lowest_j: in any tank.
        overdrafts: steps that took more than there was.
    """

    changed: dict[str, float]
    starved: tuple[str, ...]
    lowest_j: float
    overdrafts: int


def replay(streams: Sequence[EnergyStream], budget: Budget) -> FilterReplay:
    """Let the filter judge each logged step with a tank that accounts for the logged work. Nothing is applied: an
    episode that it would have changed continues as logged. The budget has to have its accelerations.
    """
    acceleration = np.array(budget.acceleration)
    reasons, starved = np.zeros(len(REASONS), dtype=np.int64), []
    lowest, overdrafts = math.inf, 0
    for stream in streams:
        tank, own = np.empty(COLUMNS), np.zeros(len(REASONS), dtype=np.int64)
        fill(tank, budget)
        lowest = min(
            lowest,
            _judge(stream.torque, stream.speed, stream.work_j, stream.period_s, acceleration, budget.row, tank, own),
        )
        reasons += own
        overdrafts += int(tank[OVERDRAFTS])
        if own[TANK] > STARVED * len(stream.work_j):
            starved.append(stream.name)
    steps = sum(len(stream.work_j) for stream in streams)
    changed = {REASONS[code]: float(reasons[code] / steps) for code in (TANK, LIMIT_POWER)}
    return FilterReplay(changed, tuple(starved), lowest, overdrafts)


@compiled
def _judge(
    torque: np.ndarray,
    speed: np.ndarray,
    work: np.ndarray,
    period_s: float,
    acceleration: np.ndarray,
    budget: np.ndarray,
    tank: np.ndarray,
    reasons: np.ndarray,
) -> float:
    """Count in `reasons` why the filter would have changed a step; return the lowest level of the tank."""
    n = torque.shape[1]
    none, high = np.zeros(n), np.full(n, np.inf)
    lowest = tank[LEVEL]
    for k in range(len(work)):
        reasons[filter_torque(torque[k].copy(), none, speed[k], period_s, acceleration, -high, high, budget, tank)] += 1
        book(tank, budget[CAPACITY], work[k], budget[SUPPLY] * period_s)
        lowest = min(lowest, tank[LEVEL])
    return lowest
