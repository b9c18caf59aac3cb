"""What the theorem rests on, one by one: what is booked, from where energy may come, and that brakes never fail."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from robot.safety.energy import Budget, EnergyLedger, SetpointFilter, TorqueFilter
from robot.safety.energy import tank as columns
from robot.safety.energy.tank import INVALID, LIMIT_POWER, NONE, REASONS, TANK
from tests.robot.safety.energy.strategies import PATHS

T = 0.001
BUDGET = Budget(initial_j=1.0, reserve_j=0.02, capacity_j=1.5, power_w=math.inf, supply_w=2.0, gamma=1.0)
both_paths = pytest.mark.parametrize("path", PATHS)


def rig(
    level_j: float = 1.0, budget: Budget = BUDGET, *, n: int = 1, path: str = "numpy", **changes: object
) -> TorqueFilter:
    ledger = EnergyLedger(budget, T)
    ledger.set_level(level_j, reason="test")
    return TorqueFilter(ledger, np.full(n, 20.0), path=path, **changes)  # type: ignore[arg-type]


@both_paths
def test_what_the_drives_cannot_give_is_neither_feared_nor_booked(path: str):
    """1000 N*m are wanted where 10 can be: 10 are within the tank, pass, and are what is booked."""
    torque_filter = rig(0.1, path=path, effort=np.array([10.0]))
    result = torque_filter.filter(np.array([1000.0]), np.array([1.0]))
    assert result.torque[0, 0] == 10.0 and result.reasons[0] == NONE
    way = np.array([T * 1.0])
    assert torque_filter.ledger.close(result.torque, 0 * way, way).work_j[0] == pytest.approx(10.0 * T)


@both_paths
def test_a_filter_books_nothing_neither_what_it_expects_nor_what_damping_will_bring(path: str):
    torque_filter = rig(0.5, n=3, path=path)
    before = torque_filter.ledger.tank.copy()
    velocity = np.array([1.0, -0.5, 0.2])
    for torque in (-50 * velocity, 50 * velocity, np.zeros(3)):
        torque_filter.filter(torque, velocity, damping=-40 * velocity)
    assert (torque_filter.ledger.tank == before).all()


@both_paths
def test_damping_that_is_wanted_makes_no_room_for_a_push(path: str):
    """What the damping would bring in this period is not there yet: the push is cut as if there were none to come,
    unless the damping is part of what is applied.
    """
    push, velocity = np.array([[60.0]]), np.array([[1.0]])
    without = rig(0.03, path=path).filter(push, velocity)
    credited = rig(0.03, path=path).filter(push, velocity, damping=np.array([[-1000.0]]))
    assert without.changed[0]
    np.testing.assert_allclose(credited.torque, without.torque)


def test_the_reading_of_the_encoders_counts_not_the_velocity():
    """A joint that is blocked does no work, however fast its velocity estimate says it goes."""
    torque_filter = rig(1.0)
    result = torque_filter.filter(np.array([10.0]), np.array([2.0]))
    row = torque_filter.ledger.close(result.torque, np.array([0.3]), np.array([0.3]), supply_j=0.0)
    assert row.work_j[0] == 0 and row.level_j[0] == 1.0


def test_the_cap_only_takes_away():
    ledger = EnergyLedger(BUDGET, T)
    row = ledger.close(np.array([-10.0]), np.zeros(1), np.array([0.2]), supply_j=0.0)  # 2 J come back
    assert row.level_j[0] == 1.5 and row.spilled_j[0] == pytest.approx(1.5)
    row = ledger.close(np.array([10.0]), np.zeros(1), np.array([0.2]), supply_j=0.0)  # and go again
    assert row.level_j[0] == pytest.approx(-0.5) and row.spilled_j[0] == 0
    assert row.overdraft_j[0] == pytest.approx(0.5)
    row = ledger.close(np.array([10.0]), np.zeros(1), np.array([0.01]), supply_j=0.0)
    assert row.level_j[0] == pytest.approx(-0.6)  # what is owed stays owed
    assert row.overdraft_j[0] == pytest.approx(0.1)  # and only what is new counts
    assert ledger.tank[0, columns.OVERDRAFTS] == 2


@both_paths
@pytest.mark.parametrize("level", [-5.0, 0.0, 1e-12, 0.02, 1.5])
def test_no_torque_is_always_allowed(path: str, level: float):
    torque_filter = rig(path=path, n=3)
    torque_filter.ledger.tank[:, columns.LEVEL] = level
    for speed in (0.0, 1e-9, 100.0):
        result = torque_filter.filter(np.zeros(3), np.full(3, speed))
        assert not result.torque.any() and result.reasons[0] == NONE


def test_a_full_tank_stays_as_it_is_while_energy_goes_to_and_fro():
    """Zero-mean power of 5 W, to and fro every tenth of a second, creates nothing."""
    ledger = EnergyLedger(Budget(initial_j=1.0, reserve_j=0.0, capacity_j=math.inf, power_w=math.inf), T)
    for k in range(5000):
        ledger.book(np.array([0.005 if (k // 100) % 2 == 0 else -0.005]))
    assert ledger.level_j[0] == pytest.approx(1.0, abs=1e-9)


def test_braking_refills_by_what_it_did_and_no_more():
    ledger = EnergyLedger(BUDGET, T)
    ledger.set_level(0.2, reason="test")
    ledger.close(np.array([-25.0]), np.zeros(1), np.array([0.004]), supply_j=0.0)
    assert ledger.level_j[0] == pytest.approx(0.2 + 25.0 * 0.004, abs=1e-12)


def test_a_supply_comes_at_the_budgets_rate_however_much_is_asked_for():
    most = BUDGET.supply_w * T
    for asked, wanted in ((None, most), (0.0, 0.0), (0.5 * most, 0.5 * most), (1e9, most), (math.inf, most)):
        ledger = EnergyLedger(BUDGET, T)
        ledger.set_level(0.5, reason="test")
        row = ledger.book(np.zeros(1), supply_j=asked)
        assert row.level_j[0] == pytest.approx(0.5 + wanted, abs=1e-15)
        assert ledger.tank[0, columns.SUPPLIED] == pytest.approx(-0.5 + wanted, abs=1e-15)


@pytest.mark.parametrize("made", [TorqueFilter, SetpointFilter])
def test_nothing_that_a_policy_tells_a_filter_can_be_a_supply(made: type):
    """A filter takes what is wanted and what was measured, never joules to add, and none writes a supply."""
    for call in (made.__init__, made.filter):
        assert not [name for name in inspect.signature(call).parameters if "supply" in name or "level" in name]
    ledger = EnergyLedger(BUDGET, T)
    if made is TorqueFilter:
        rig().filter(np.full(1, 1e6), np.ones(1))
        TorqueFilter(ledger, np.ones(1)).filter(np.full(1, 1e6), np.ones(1))
        assert ledger.tank[0, columns.SUPPLIED] == 0
    else:
        setpoint_filter = SetpointFilter(ledger, np.zeros(1), np.full(1, 400.0))
        setpoint_filter.filter(np.full(1, 1.0), np.zeros(1), work_j=np.zeros(1))
        assert ledger.tank[0, columns.SUPPLIED] == pytest.approx(BUDGET.supply_w * T)


@pytest.mark.parametrize("reason", ["reset", "mode", "payload"])
def test_a_reset_and_a_switch_of_mode_are_supplies_with_a_name(reason: str):
    ledger = EnergyLedger(BUDGET, T, batch=2)
    ledger.book(np.array([0.7, -0.2]), supply_j=0.0)
    ledger.set_level(reason=reason)
    told = [(event.step, event.row, event.reason) for event in ledger.events]
    assert told == [(1, 0, reason), (1, 1, reason)]
    np.testing.assert_allclose([event.joules for event in ledger.events], [0.7, -0.2])
    np.testing.assert_allclose(ledger.tank[:, columns.SUPPLIED], [0.7, -0.2])
    np.testing.assert_allclose(ledger.level_j, BUDGET.initial_j)


@both_paths
def test_one_sample_that_is_no_number_stops_this_robot_until_someone_lets_it_go_on(path: str):
    ledger = EnergyLedger(BUDGET, T, batch=2)
    torque_filter = TorqueFilter(ledger, np.full(2, 20.0), path=path)
    good, spoiled = np.full((2, 2), 0.5), np.array([[0.5, 0.5], [np.nan, 0.5]])
    assert torque_filter.filter(spoiled, good).reasons.tolist() == [NONE, INVALID]
    told = [torque_filter.filter(good, good) for _ in range(5)]
    assert all(result.torque[0].all() and not result.torque[1].any() for result in told)
    assert [REASONS[result.reasons[1]] for result in told] == ["invalid"] * 5
    assert ledger.latched.tolist() == [False, True]
    ledger.clear(1)
    assert torque_filter.filter(good, good).torque.all()


@both_paths
@pytest.mark.parametrize("level", [0.0, -0.4])
def test_an_empty_tank_brakes_as_hard_as_ever_and_never_pushes(path: str, level: float):
    """A mass of 3 kg with 0.6 J of motion: damping is let through whole, and the motion only ever falls."""
    torque_filter = rig(path=path)
    ledger = torque_filter.ledger
    ledger.tank[:, columns.LEVEL] = level
    speed, position = math.sqrt(2 * 0.6 / 3), 0.0
    for _ in range(400):
        wanted = -25.0 * speed
        result = torque_filter.filter(np.array([wanted]), np.array([speed]))
        before = torque_filter.ledger.level_j[0]
        assert result.torque[0, 0] == wanted and not result.changed[0]
        push = torque_filter.filter(np.array([25.0]), np.array([speed]))
        if before <= BUDGET.reserve_j:
            assert push.changed[0] and push.torque[0, 0] * speed <= 0
        faster = speed + wanted / 3 * T
        way = 0.5 * (speed + faster) * T
        ledger.close(result.torque, np.array([position]), np.array([position + way]), supply_j=0.0)
        assert abs(faster) < abs(speed)
        position, speed = position + way, faster
    assert 0.5 * 3 * speed**2 < 0.01 * 0.6
    # What was in the motion is in the tank now, less what is left.
    assert ledger.level_j[0] == pytest.approx(level + 0.6 - 0.5 * 3 * speed**2, abs=1e-9)


@both_paths
def test_the_reserve_is_for_brakes_alone(path: str):
    """At the reserve a push is refused whole, and a brake whose margin the reserve covers passes."""
    torque_filter = rig(BUDGET.reserve_j, path=path)
    push = torque_filter.filter(np.array([5.0]), np.array([0.5]))
    assert REASONS[push.reasons[0]] == "tank" and push.torque[0, 0] * 0.5 <= 0
    brake = torque_filter.filter(np.array([-5.0]), np.array([1e-6]))  # slow: its margin is all there is to fear
    assert brake.torque[0, 0] == -5.0 and not brake.changed[0]


@both_paths
def test_a_push_says_whether_power_or_tank_cut_it(path: str):
    strong = Budget(initial_j=1.0, reserve_j=0.0, capacity_j=1.0, power_w=5.0, gamma=1.0)
    by_power = rig(1.0, strong, path=path).filter(np.array([50.0]), np.array([1.0]))
    assert by_power.reasons[0] == LIMIT_POWER
    assert by_power.torque[0, 0] == pytest.approx(5.0, rel=0.15) and by_power.torque[0, 0] <= 5.0
    by_tank = rig(0.002, strong, path=path).filter(np.array([50.0]), np.array([1.0]))
    assert by_tank.reasons[0] == TANK and 0 < by_tank.torque[0, 0] <= 2.0


@both_paths
@pytest.mark.parametrize("gamma", [0.05, 0.2, 1.0])
def test_the_tank_closes_as_softly_as_gamma_says(path: str, gamma: float):
    """h_{k+1} >= (1 - gamma) h_k under the hardest push there is."""
    budget = Budget(initial_j=1.0, reserve_j=0.02, capacity_j=1.0, power_w=math.inf, gamma=gamma)
    torque_filter = rig(1.0, budget, path=path, effort=np.full(1, 87.0))
    for _ in range(200):
        before = float(torque_filter.ledger.level_j[0]) - 0.02
        torque = torque_filter.filter(np.array([1e6]), np.array([1.0])).torque
        way = np.array([T + 0.5 * T**2 * 20.0])
        torque_filter.ledger.close(torque, 0 * way, way)
        after = float(torque_filter.ledger.level_j[0]) - 0.02
        assert after >= (1 - gamma) * before - 1e-12
    assert after < 0.02


@both_paths
def test_damping_that_is_named_is_kept_while_the_push_is_taken_away(path: str):
    """A push along joint 1, damping along joint 2: near the reserve the push goes, the damping stays."""
    torque_filter = rig(0.021, n=2, path=path)
    velocity, damping = np.array([1.0, 1.0]), np.array([0.0, -8.0])
    result = torque_filter.filter(np.array([50.0, -8.0]), velocity, damping=damping)
    assert result.changed[0]
    assert result.torque[0, 1] <= -8.0  # at least as much of it
    assert T * result.torque[0] @ velocity <= 0.001
