"""A filter that stops everything passes every gate of safety. These say that work goes on, and that it can go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.plants import ClosedLoop, LoopSettings, PointMass, Wall
from benchmarks.plants import books as columns
from benchmarks.plants.adversaries import BangBang, Held, Random, Shuttle, Sine
from benchmarks.plants.drive import AIM, AT, ENERGY, OUT, PUSH, TANK, TIP
from benchmarks.plants.measures import progress, standing, tracking_rms_m
from robot.safety.energy import Budget, load_budget

ZERO = np.zeros(1)
TABLE = load_budget("table_top")
BOX_N = 8.0


@pytest.mark.parametrize(
    ("budget", "policy", "most"),
    [
        pytest.param("table_top", Sine(ZERO), 0.01, marks=pytest.mark.slow),
        ("near", Sine(ZERO), 0.01),
        ("far", Shuttle(ZERO, 0.25, 0.2), 0.02),
        ("near", Shuttle(ZERO, 0.05, 0.05), 0.02),
    ],
    ids=["sine, table top", "sine, near", "0.25 m/s, far", "0.05 m/s, near"],
)
def test_free_space_is_followed_as_without_a_filter(budget: str, policy: Sine | Shuttle, most: float):
    none, both = (tracking_rms_m(load_budget(budget), policy, each) for each in ("none", "tank and leash"))
    assert none > 0.0 and both <= none * (1 + most)


def test_a_leash_costs_what_it_says_where_the_budget_is_too_small():
    """The gate above can fail: near is made for 0.13 m/s, and says so."""
    near, fast = load_budget("near"), Shuttle(ZERO, 0.25, 0.2)
    none, both = (tracking_rms_m(near, fast, each) for each in ("none", "tank and leash"))
    assert near.speed_mps() == pytest.approx(0.129, abs=0.001)
    assert both > 1.1 * none


@pytest.mark.parametrize("where", ["channel", "policy"])
@pytest.mark.parametrize("task", ["reach", "push"])
def test_at_50_ms_of_delay_half_of_the_work_is_still_done(task: str, where: str):
    """At 200 N/m, and a box of 4 N. The margin takes sqrt(K / m) delay / 2 of the leash, so that stiffer policies, and
    boxes as heavy as the leash can push, come less far: the figures are in the results."""
    without = progress(TABLE, task, where=where)
    assert without.way_m > 0.05
    assert progress(TABLE, task, delay_s=0.05, where=where).way_m >= 0.5 * without.way_m
    lagged = progress(TABLE, task, where=where, come="lags", lag_s=0.05)
    assert progress(TABLE, task, delay_s=0.05, where=where, come="lags", lag_s=0.05).way_m >= 0.5 * lagged.way_m


@pytest.mark.parametrize("delay_s", [0.0, 0.025, 0.05, 0.1, 0.15, 0.2])
@pytest.mark.parametrize("task", ["reach", "push"])
def test_no_delay_overdraws_a_tank(task: str, delay_s: float):
    for where in ("channel", "policy"):
        for come in ("jumps", "lags"):
            outcome = progress(TABLE, task, delay_s=delay_s, where=where, come=come, lag_s=0.05).outcome
            assert outcome.lowest_j >= -1e-9 and outcome.drawn == 0 and outcome.outside == 0
            assert outcome.excess_j <= 1e-3


@pytest.mark.parametrize("name", ["near", "table_top", "far"])
def test_a_push_is_weakened_and_never_turned_round(name: str):
    """400 N are wanted, of which the margin of the power limit lets a part through: from rest the mass goes the way
    that it was told to, with no leash before the filter."""
    budget = load_budget(name)
    loop = ClosedLoop(PointMass(), LoopSettings(budget, leash="none", acceleration=400.0))
    outcome = loop.run(Held(np.array([0.2]), 2000.0), 0.1)
    rows = loop.traced()
    assert outcome.changed.get("power", 0) + outcome.changed.get("tank", 0) > 20
    assert (np.diff(rows[:, TIP]) >= 0).all() and loop.seen.tip[0] > 0.005
    loop.run(Held(np.array([0.2]), 2000.0), 3.0)
    assert loop.seen.tip[0] == pytest.approx(0.2, abs=0.01)


def test_at_an_empty_tank_motion_dies_down():
    """No torque speeds the mass up. A torque that brakes may turn it round within its period, with what the reserve
    gives: that is the only way up, and it is small."""
    for policy in (BangBang(ZERO), Random(ZERO, 3), Held(np.array([0.2]))):
        loop = ClosedLoop(PointMass(), LoopSettings(TABLE, acceleration=400.0), velocity=np.array([0.4]))
        first, empty, risen = float(loop.books[columns.KINETIC]), 0, 0.0
        before = first
        for _ in range(40):
            loop.supply(min(float(loop.ledger.level_j[0]), TABLE.reserve_j / 2), "taken away")
            level = float(loop.ledger.level_j[0])
            loop.step(policy(loop.seen))
            for row in loop.trace[-1]:
                after = float(row[ENERGY])
                if level <= TABLE.reserve_j:
                    empty += 1
                    if after > before + 1e-12:
                        assert after - before <= 0.5 * level
                        risen += after - before
                assert after <= first + 1e-12
                before, level = after, float(row[TANK])
        assert empty > 1000
        assert risen <= 1e-3 and before < 0.01 * first
        assert loop.outcome().outside == 0 and loop.outcome().lowest_j >= -1e-9


@pytest.mark.parametrize(
    "wall", [Wall(0.01, 1e4), Wall(0.01, 1e5), Wall(0.01, 1e4, yield_n=8.0)], ids=["elastic", "stiff", "giving way"]
)
@pytest.mark.parametrize("name", ["table_top", "near"])
def test_with_an_empty_tank_contact_gets_no_more_work_and_can_be_left(name: str, wall: Wall):
    """Holding still against a wall is no work, so an empty tank goes on holding: what it gives is the way out."""
    budget = load_budget(name)
    loop = ClosedLoop(PointMass(), LoopSettings(budget, acceleration=50.0), wall)
    press = Held(np.array([0.05 if wall.yield_n == np.inf else 2.0]), 500.0)
    loop.run(press, 8.0)
    loop.supply(min(float(loop.ledger.level_j[0]), budget.reserve_j), "taken away")
    given = loop.books[columns.PORT]
    assert loop.trace[-1][-1, PUSH] > 5
    loop.run(press, 2.0)
    assert loop.books[columns.PORT] <= given + 1e-4
    loop.supply(min(float(loop.ledger.level_j[0]), budget.reserve_j), "taken away")
    leave = Held(loop.seen.tip - 0.05, 500.0)
    loop.run(leave, 2.0)
    assert loop.trace[-1][:, PUSH].max() == 0
    assert loop.seen.tip[0] < wall.position_m + loop.books[columns.SHIFT] - 0.005
    assert loop.outcome().lowest_j >= -1e-9 and loop.outcome().drawn == 0


def test_a_box_is_pushed_until_the_tank_is_empty_and_work_goes_on_after_a_supply():
    """G11, by work that really empties a tank; the stall is told as one."""
    loop = ClosedLoop(
        PointMass(), LoopSettings(TABLE, leash="leash", acceleration=50.0), Wall(0.01, 1e4, yield_n=BOX_N)
    )
    outcome = loop.run(Held(np.array([2.0]), 500.0), 8.0)
    pushed = loop.books[columns.SHIFT]
    assert pushed == pytest.approx((TABLE.initial_j - TABLE.reserve_j) / BOX_N, rel=0.15)
    assert loop.ledger.level_j[0] < 2 * TABLE.reserve_j and outcome.changed["tank"] > 500
    stalled = loop.traced()[-500:]
    assert np.ptp(stalled[:, TIP]) < 0.002 and stalled[:, OUT][-1] - stalled[:, OUT][0] < 1e-3
    # Away from the box, along a sine; first with what is left, then with a supply.
    here = loop.seen.tip - 0.06
    loop.supply(TABLE.initial_j, "the operator says go on")
    start_s, sine = loop.time_s, Sine(here)
    assert loop.supplied_j == pytest.approx(float(loop.books[columns.SUPPLIED]), abs=1e-9)
    loop.run(sine, 4.0)
    rows = loop.traced()
    wanted = here[0] + np.array([sine.at(each) for each in rows[:, AT] - 0.001])
    late = rows[:, AT] > start_s + 2.0
    error = np.sqrt(np.mean((rows[late, TIP] - wanted[late]) ** 2))
    fresh = ClosedLoop(PointMass(), loop.settings, start=here)
    fresh.time_s = start_s
    fresh.run(sine, 4.0)
    again = fresh.traced()
    late = again[:, AT] > start_s + 2.0
    wanted = here[0] + np.array([sine.at(each) for each in again[late, AT] - 0.001])
    nominal = np.sqrt(np.mean((again[late, TIP] - wanted) ** 2))
    assert error <= 1.01 * nominal


def test_a_supply_without_a_person_lets_wiping_go_on():
    """Net work against friction for 30 s: with a tank alone it stops, with a supply of its power it does not."""
    guided, way = PointMass(friction=20.0), Shuttle(ZERO, 0.1, 0.1)
    wipe = load_budget("wipe")
    distance = {}
    for budget in (wipe, replace(wipe, supply_w=0.0)):
        loop = ClosedLoop(
            guided, LoopSettings(budget, leash="none", come="ramps", acceleration=50.0), start=np.array([-0.1])
        )
        outcome = loop.run(way, 30.0)
        distance[budget.supply_w] = np.abs(np.diff(loop.traced()[-5000:, TIP])).sum()
        assert outcome.lowest_j >= -1e-9 and outcome.excess_j <= 1e-3
    assert distance[1.0] > 0.35 and distance[0.0] < 0.2 * distance[1.0]


def test_a_load_that_nobody_told_of_stalls_with_the_tank_named_and_lifts_with_a_supply():
    """0.5 kg lifted by 0.3 m is 1.5 J, more than the tank holds."""
    weight_n, ticks = 0.5 * 9.81, np.ones((6000, 1))
    ways = {}
    for told in (False, True):
        loop = ClosedLoop(PointMass(), LoopSettings(TABLE, acceleration=50.0))
        if told:
            loop.supply(TABLE.capacity_j, "payload of 0.5 kg")
        outcome = loop.run(Held(np.array([0.31]), 500.0), 6.0, -weight_n * ticks)
        ways[told] = loop.seen.tip[0]
        assert outcome.lowest_j >= -1e-9 and outcome.excess_j <= 1e-3
        assert (outcome.changed.get("tank", 0) > 100) is not told
    assert ways[True] > 0.29 and ways[False] < 0.25


def check_standing(seconds: float, latency_s: float, press_n: float) -> None:
    loop = standing(TABLE, seconds=seconds, latency_s=latency_s, press_n=press_n)
    guard = loop.setpoint_filter
    assert guard is not None
    for tank in (loop.ledger, guard.ledger):
        # Pressing costs what the wall's spring and damper take when it begins, and nothing after.
        assert tank.level_j[0] >= TABLE.initial_j - 2 * press_n**2 * (0.5 / 1e4 + 0.5 / 2000) - 1e-9
    assert list(loop.outcome().leashed) == ["none"] and list(loop.outcome().changed) == ["none"]
    if press_n:
        half = loop.traced()[len(loop.trace) // 2 * 50 :, TANK]
        assert np.ptp(half) < 1e-9 and loop.trace[-1][-1, PUSH] > 0.8 * press_n


@pytest.mark.parametrize("latency_s", [0.0, 0.05])
@pytest.mark.parametrize("press_n", [0.0, 10.0])
def test_a_minute_of_standing_still_costs_nothing(latency_s: float, press_n: float):
    check_standing(60.0, latency_s, press_n)


@pytest.mark.slow
@pytest.mark.parametrize("latency_s", [0.0, 0.05])
@pytest.mark.parametrize("press_n", [0.0, 10.0])
def test_ten_minutes_of_standing_still_cost_nothing(latency_s: float, press_n: float):
    check_standing(600.0, latency_s, press_n)


def test_a_latency_beyond_the_leash_draws_the_setpoint_to_the_tool_and_costs_nothing():
    """At 200 ms and 2000 N/m the margin alone is more than the spring may hold: nothing can be promised but rest."""
    loop = standing(TABLE, seconds=20.0, latency_s=0.2, press_n=10.0)
    assert list(loop.outcome().leashed) == ["latency"]
    assert loop.ledger.level_j[0] >= TABLE.initial_j - 1e-9 and loop.outcome().peak_force_n < 1e-3


@pytest.mark.parametrize("bits", [14, 17, 20])
def test_a_noisy_encoder_costs_what_its_noise_makes_of_the_spring(bits: int):
    """The reading that makes the torque is the reading that is booked: noise that is new in each period seems to be
    pushed by its own spring, K (sigma^2 + count^2 / 12) a period, which the arm never does. A limit of the ledger, here
    for 0.5 m from the joint and noise of a count; it errs to the safe side."""
    count, seconds, stiffness = 0.5 * 2 * np.pi / 2**bits, 10.0, 2000.0
    loop = standing(TABLE, seconds=seconds, encoder=count, noise=count, stiffness=stiffness)
    spent = TABLE.initial_j - loop.ledger.level_j[0]
    assert 0 <= spent <= 1.1 * stiffness * (count**2 + count**2 / 12) * seconds / 0.001
    assert loop.books[columns.ACTUATED] < 1e-6  # what was truly done
    if bits == 20:
        assert spent * 60 < 0.02 * TABLE.initial_j  # ten minutes


def test_an_encoder_that_only_rounds_costs_nothing():
    count = 0.5 * 2 * np.pi / 2**14
    loop = standing(TABLE, seconds=20.0, encoder=count, press_n=10.0)
    rows = loop.traced()
    assert np.ptp(rows[len(rows) // 2 :, TANK]) < 1e-9


def test_a_budget_without_limits_changes_nothing():
    free = Budget(np.inf, 0.0, np.inf, np.inf)
    loop = ClosedLoop(PointMass(), LoopSettings(free), Wall(0.03, 1e4))
    outcome = loop.run(BangBang(ZERO), 2.0)
    assert list(outcome.changed) == ["none"] and list(outcome.leashed) == ["none"]
    assert np.ptp(loop.traced()[:, AIM]) == pytest.approx(0.4)
