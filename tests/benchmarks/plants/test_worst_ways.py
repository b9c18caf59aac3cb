"""Inside the set that the torque filter reckons with no tank is overdrawn; outside it the ledger tells the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.plants import ClosedLoop, LoopSettings, PointMass, Wall
from benchmarks.plants.adversaries import BangBang
from benchmarks.plants.books import LEVEL
from benchmarks.plants.worst_ways import WorstWays, hunt
from robot.safety.energy import Budget, load_budget

BUDGETS = (
    load_budget("near"),
    load_budget("table_top"),
    load_budget("wipe"),
    load_budget("far"),
    Budget(0.05, 0.0, 0.05, math.inf, gamma=1.0),  # no reserve, no power limit, a tank that may be emptied at once
    Budget(0.5, 0.1, 0.5, 2.0, supply_w=2.0, gamma=1.0),
)


def check_inside(found: WorstWays) -> None:
    assert found.changed > 0.05 * found.steps  # the filter had something to do
    assert found.events == 0 and found.lowest_j >= -1e-9
    assert found.below_reserve == 0
    assert found.taken_j <= 1e-9


def test_joints_that_do_their_worst_within_the_set_overdraw_nothing():
    check_inside(hunt(BUDGETS, 350_000, seed=1))


@pytest.mark.slow
def test_ten_million_filtered_steps_overdraw_nothing():
    found = hunt(BUDGETS, 10_000_000, seed=2)
    check_inside(found)
    assert found.steps == 10_000_000  # no event: at most 3e-7 of steps, at 95 %, by the rule of three


def test_outside_the_set_overdrafts_are_counted_to_the_joule():
    found = hunt(BUDGETS, 300_000, beyond=(1.0, 30.0), share=0.2, seed=3)
    assert found.events > 100 and found.lowest_j < -1e-3
    assert found.booked_events >= found.events
    # The book counts smaller ones too, of which each is below 1e-9 J.
    assert found.booked_j == pytest.approx(found.joules, abs=1e-9 * found.booked_events)
    assert found.beyond_obligation == 0
    assert found.pressed == 0  # what has been overdrawn has to come back first


def test_the_further_outside_the_more_is_overdrawn():
    joules = [hunt(BUDGETS, 100_000, beyond=(beyond, beyond), seed=4).joules for beyond in (1.0, 3.0, 10.0, 30.0)]
    assert joules[0] == 0 and joules[1] < joules[2] < joules[3]


def test_an_impact_that_the_bound_did_not_foresee_is_seen_by_the_ledger():
    """A bound of 0.5 m/s^2 on a mass that meets a stiff wall: the set is left, and the reserve may be used up."""
    settings = LoopSettings(load_budget("near"), leash="none", acceleration=0.5)
    loop = ClosedLoop(PointMass(1.0), settings, Wall(0.01, 1e5))
    outcome = loop.run(BangBang(np.zeros(1), hz=5.0), 10.0)
    assert outcome.outside > 100
    assert loop.ledger.level_j[0] == pytest.approx(loop.books[LEVEL], abs=1e-9)
    assert outcome.lowest_j < settings.budget.reserve_j
