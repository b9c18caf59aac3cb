"""A robot without mechanics: in each period its joints go the worst way that they can.

Against a reference plant the torque filter has room to spare. Here the joints do, in each period, what takes the most
out of the tank of all that the filter says is possible, and more than that where `beyond` is above 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.compiled import compiled
from robot.safety.energy.budget import CAPACITY, INITIAL, RESERVE, SUPPLY, Budget
from robot.safety.energy.tank import COLUMNS, LATCHED, LEVEL, OVERDRAFT, OVERDRAFTS, book, fill
from robot.safety.energy.torque.kernel import filter_torque

_BLOCK = 50_000
EVENTS, JOULES, DEEPEST, BELOW_RESERVE, BEYOND_OBLIGATION, TAKEN, PRESSED, CHANGED, OWN_WORK, OWN_LEVEL = range(10)
_FOUND = 10


@dataclass(frozen=True)
class WorstWays:
    """What came of it, counted without the ledger.

    Args:
        steps: filtered.
        changed: of them, by the filter.
        events: periods that took the tank below nothing by more than 1e-9 J.
        joules: by how much together.
        lowest_j: level of the tank at the worst.
        below_reserve: periods with torque that did not brake, which took the tank below the reserve, or further below
            it, by more than 1e-9 J.
        beyond_obligation: overdrafts larger than sum |tau| |dq| of their period, by more than 1e-9 J.
        taken_j: largest work less supply and initial energy; 0 or less where the theorem holds.
        pressed: periods after one that emptied the tank, in which torque that does not brake was let through.
        booked_events, booked_j: what the ledger says of overdrafts.
    """

    steps: int
    changed: int
    events: int
    joules: float
    lowest_j: float
    below_reserve: int
    beyond_obligation: int
    taken_j: float
    pressed: int
    booked_events: int
    booked_j: float


@compiled
def walk(
    torques: np.ndarray,
    velocities: np.ndarray,
    beyond: np.ndarray,
    period_s: float,
    acceleration: np.ndarray,
    high: np.ndarray,
    budget: np.ndarray,
    tank: np.ndarray,
    found: np.ndarray,
) -> None:
    """Filter torques (steps, n) at velocities (steps, n) one by one, against joints that do their worst.

    Args:
        beyond: (steps,) times the acceleration that the filter knows of, with which the joints are thrown.
        found: (10,) counted, by the columns above.
    """
    n = torques.shape[1]
    still, torque = np.zeros(n), np.empty(n)
    supply = budget[SUPPLY] * period_s
    for step in range(len(torques)):
        velocity = velocities[step]
        torque[:] = torques[step]
        found[CHANGED] += filter_torque(torque, still, velocity, period_s, acceleration, -high, high, budget, tank) > 0
        work, power, most = 0.0, 0.0, 0.0
        for i in range(n):
            throw = 0.5 * period_s * period_s * acceleration[i] * beyond[step]
            way = period_s * velocity[i] + (throw if torque[i] >= 0.0 else -throw)
            work += torque[i] * way
            power += torque[i] * velocity[i]
            most += abs(torque[i] * way)
        before = found[OWN_LEVEL]
        after = min(before - work + supply, budget[CAPACITY])
        book(tank, budget[CAPACITY], work, supply)
        found[OWN_LEVEL] = after
        found[OWN_WORK] += work - supply
        found[TAKEN] = max(found[TAKEN], found[OWN_WORK] - budget[INITIAL])
        found[DEEPEST] = min(found[DEEPEST], after)
        drawn = max(-after, 0.0) - max(-before, 0.0)
        if drawn > 1e-9:
            found[EVENTS] += 1
            found[JOULES] += drawn
            found[BEYOND_OBLIGATION] += drawn > most + 1e-9
        if power >= 0.0:
            found[BELOW_RESERVE] += after < min(before, budget[RESERVE]) - 1e-9
            found[PRESSED] += before <= 0.0 and most > 0.0


def hunt(
    budgets: tuple[Budget, ...],
    steps: int,
    *,
    beyond: tuple[float, float] = (1.0, 1.0),
    share: float = 1.0,
    seed: int = 0,
) -> WorstWays:
    """Filter random torques at random velocities, in blocks of one robot each: 1 to 7 joints, periods of 0.5 to 2 ms,
    torques and velocities over many orders of magnitude, now with and now against the motion.

    Args:
        budgets: taken in turn.
        steps: in all.
        beyond: smallest and largest factor on the acceleration in periods outside the set.
        share: of periods in which the factor applies; in the rest it is 1.
        seed: of all draws.
    """
    random, totals = np.random.default_rng(seed), np.zeros(_FOUND)
    booked, done, block = np.zeros(2), 0, 0
    totals[TAKEN] = -np.inf
    while done < steps:
        count, n = min(_BLOCK, steps - done), 1 + block % 7
        budget = budgets[block % len(budgets)]
        period_s = float(np.exp(random.uniform(np.log(5e-4), np.log(2e-3))))
        acceleration = np.exp(random.uniform(np.log(1.0), np.log(1000.0), n))
        torques = random.normal(size=(count, n)) * 10.0 ** random.uniform(-3, 2.5, (count, 1))
        velocities = random.normal(size=(count, n)) * 10.0 ** random.uniform(-4, 1, (count, 1))
        # A third along the motion and a third against it: pumping, and the braking that fills the tank again.
        sense = random.integers(-1, 2, (count, 1))
        torques = np.where(sense == 0, torques, sense * np.abs(torques) * np.sign(velocities))
        thrown = np.where(random.random(count) < share, random.uniform(*beyond, count), 1.0)
        tank, found, row = np.empty(COLUMNS), np.zeros(_FOUND), budget.row
        fill(tank, budget)
        found[OWN_LEVEL] = found[DEEPEST] = tank[LEVEL]
        found[TAKEN] = -np.inf
        walk(torques, velocities, thrown, period_s, acceleration, np.full(n, 100.0), row, tank, found)
        assert tank[LATCHED] == 0, "every draw is finite"
        for column in (EVENTS, JOULES, BELOW_RESERVE, BEYOND_OBLIGATION, PRESSED, CHANGED):
            totals[column] += found[column]
        totals[DEEPEST] = min(totals[DEEPEST], found[DEEPEST])
        totals[TAKEN] = max(totals[TAKEN], found[TAKEN])
        booked += tank[[OVERDRAFTS, OVERDRAFT]]
        done, block = done + count, block + 1
    return WorstWays(
        done,
        int(totals[CHANGED]),
        int(totals[EVENTS]),
        float(totals[JOULES]),
        float(totals[DEEPEST]),
        int(totals[BELOW_RESERVE]),
        int(totals[BEYOND_OBLIGATION]),
        float(totals[TAKEN]),
        int(totals[PRESSED]),
        int(booked[0]),
        float(booked[1]),
    )
