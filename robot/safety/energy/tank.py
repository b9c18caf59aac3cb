"""The tank of one robot as a row of numbers, and the account of a period in it.

    W_k     = tau_k . (q_{k+1} - q_k)                 the energy of a torque that is held over the period, exactly
    E_{k+1} = min(E_max, E_k - W_k + S_k)

E is integrated itself, never its square root: the explicit Euler step of x_t = sqrt(2 E) creates d^2 / 2 each period.
"""

from __future__ import annotations

import numpy as np

from robot.compiled import compiled
from robot.safety.energy.budget import Budget

LEVEL, WORK, SPENT, PEAK, SUPPLIED, SPILLED, OVERDRAFTS, OVERDRAFT, STEPS, LATCHED = range(10)
"""Columns of a tank: E_k; the sum of W, of its positive part, and the largest sum of W so far; energy supplied and
spilled (J); how often a period took more than there was, and how much (J); periods; 1 after an input that was not
finite, until it is cleared."""
COLUMNS = 10

NONE, TANK, LIMIT_POWER, LEASH, LIMIT_FORCE, LATENCY, INVALID = range(7)
REASONS = ("", "tank", "power", "leash", "force", "latency", "invalid")
"""Reason of a filter's change, by the code above."""


def fill(tank: np.ndarray, budget: Budget) -> None:
    """Reset tanks (..., COLUMNS) to the budget's initial energy."""
    tank[...] = 0.0
    tank[..., LEVEL] = budget.initial_j


@compiled
def work_done(torque: np.ndarray, before: np.ndarray, after: np.ndarray) -> float:
    """Energy (J) that a torque (n,) gave to the arm while the joints moved from `before` to `after` (n,) rad."""
    total = 0.0
    for i in range(len(torque)):
        total += torque[i] * (after[i] - before[i])
    return total


@compiled
def book(tank: np.ndarray, capacity: float, work: float, supply: float) -> None:
    """Close a period in a tank (COLUMNS,).

    Args:
        capacity: E_max, J.
        work: W_k, J, positive towards the robot.
        supply: S_k, J, added from outside.
    """
    before = tank[LEVEL]
    level = before - work + supply
    if level > capacity:
        tank[SPILLED] += level - capacity
        level = capacity
    deeper = max(-level, 0.0) - max(-before, 0.0)
    if deeper > 0.0:
        tank[OVERDRAFTS] += 1
        tank[OVERDRAFT] += deeper
    tank[LEVEL] = level
    tank[WORK] += work
    tank[SPENT] += max(work, 0.0)
    tank[PEAK] = max(tank[PEAK], tank[WORK])
    tank[SUPPLIED] += supply
    tank[STEPS] += 1
