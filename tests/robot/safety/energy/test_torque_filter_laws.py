"""What holds of the torque filter whatever it meets: floors, nearness, idempotence, monotony, units, finiteness."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from robot.safety.energy import Budget, EnergyLedger, TorqueFilter, worst_case
from robot.safety.energy.tank import INVALID, NONE
from tests.robot.safety.energy.strategies import LAWS, PATHS, Case, cases, rounding_j

paths = st.sampled_from(PATHS)


def allowed_j(case: Case, torque: np.ndarray) -> float:
    """What a torque may give at most in a period: pushing by tank and power, braking by the tank or half of all there
    is, whichever is more.
    """
    tank = case.budget.gamma * max(case.level_j - case.budget.reserve_j, 0.0)
    if float(torque @ case.velocity) < 0:
        return max(tank, 0.5 * max(case.level_j, 0.0))
    return min(tank, case.budget.power_w * case.period_s)


def worst_j(case: Case, torque: np.ndarray) -> float:
    return float(worst_case(torque[None], case.velocity[None], case.period_s, case.acceleration)[0])


def filtered(case: Case, torque: np.ndarray, path: str = "numpy") -> np.ndarray:
    found: np.ndarray = case.make(path).filter(torque, case.velocity, damping=case.damping).torque[0]
    return found


@LAWS
@given(case=cases(), path=paths)
def test_no_way_inside_the_set_takes_more_than_a_torque_may_give(case: Case, path: str):
    torque_filter = case.make(path)
    torque = torque_filter.filter(case.torque, case.velocity, damping=case.damping).torque[0]
    asked = np.clip(case.torque, *case.limits)
    pushing = float(asked @ case.velocity) >= 0
    floor = min(case.level_j, case.budget.reserve_j) if pushing else min(case.level_j, 0.0)
    for share in (np.sign(torque), case.share):  # the worst there is, and any
        ledger = case.make(path).ledger
        way = case.way(share)
        row = ledger.close(torque, np.zeros_like(way), way, supply_j=0.0)
        slack = rounding_j(torque, way)
        assert row.work_j[0] <= allowed_j(case, asked) + slack
        assert ledger.level_j[0] >= floor - slack
        assert row.overdraft_j[0] <= slack


@LAWS
@given(case=cases(), path=paths)
def test_what_is_allowed_passes_bit_for_bit(case: Case, path: str):
    """Scaled to just inside what is allowed, a torque is let through, and nothing is said."""
    case = replace(case, effort=None)
    worst = worst_j(case, case.torque)
    assume(worst > 0 and case.pushes_or_brakes)
    torque = case.torque * min(1.0, 0.999 * allowed_j(case, case.torque) / worst)
    result = case.make(path).filter(torque, case.velocity, damping=case.damping)
    assert result.torque[0].tobytes() == torque.tobytes()
    assert result.reasons[0] == NONE and not result.changed[0]


@LAWS
@given(case=cases(), path=paths)
def test_what_is_filtered_once_passes_the_second_time(case: Case, path: str):
    case = replace(case, budget=replace(case.budget, gamma=min(case.budget.gamma, 0.5)))
    once = filtered(case, case.torque, path)
    twice = filtered(case, once, path)
    assert np.abs(twice - once).max() <= 2e-9 * max(1.0, np.abs(once).max())


@pytest.mark.parametrize("path", PATHS)
def test_with_a_hard_valve_too_what_is_filtered_once_passes_the_second_time(path: str):
    budget = Budget(initial_j=1.0, reserve_j=0.0, capacity_j=1.0, power_w=np.inf, gamma=1.0)
    velocity, damping, two = np.array([0.0, 1.0]), np.array([0.0, -5.0]), np.full(2, 20.0)
    case = Case(budget, 0.002, 1e-3, np.array([60.0, 0.0]), damping, velocity, two, None, 0 * two)
    once = filtered(case, case.torque, path)
    assert np.abs(filtered(case, once, path) - once).max() <= 1e-9


@pytest.mark.parametrize("path", PATHS)
def test_damping_that_the_drives_cut_to_a_push_takes_nothing_from_the_reserve(path: str):
    budget = Budget(initial_j=1.0, reserve_j=0.02, capacity_j=2.0, power_w=20.0)
    ledger = EnergyLedger(budget, 0.002)
    ledger.set_level(0.0035, reason="test")
    torque_filter = TorqueFilter(ledger, np.full(3, 5.0), effort=np.full(3, 87.0), path=path)
    velocity, damping = np.array([1e-3, 3e-3, 0.0]), np.array([-200.0, 50.0, 0.0])
    torque = torque_filter.filter(np.array([-87.0, 28.9, 87.0]), velocity, damping=damping).torque
    assert damping @ velocity < 0
    assert torque[0] @ velocity < 0 or worst_case(torque, velocity[None], 0.002, np.full(3, 5.0))[0] <= 1e-12


@LAWS
@given(case=cases(), path=paths, more=st.floats(0, 5), nearness=st.floats(0.5, 1.5))
def test_a_fuller_tank_never_allows_less(case: Case, path: str, more: float, nearness: float):
    case = replace(case, effort=None)
    worst, allowed = worst_j(case, case.torque), allowed_j(case, case.torque)
    scale = nearness * allowed / worst if worst > 0 and allowed > 0 else 1.0
    poorer, richer = replace(case, torque=case.torque * scale), replace(case, level_j=case.level_j + more)
    if not poorer.make(path).filter(poorer.torque, case.velocity).changed[0]:
        assert not richer.make(path).filter(poorer.torque, case.velocity).changed[0]


@LAWS
@given(case=cases(), path=paths, unit=st.sampled_from([2.0**-10, 0.125, 8.0, 1024.0]))
def test_the_unit_of_force_makes_no_difference(case: Case, path: str, unit: float):
    """Torques, energies and powers in another unit of force (powers of two: no rounding): the same torque in it."""
    told = case.budget
    other = replace(
        told,
        initial_j=told.initial_j * unit,
        reserve_j=told.reserve_j * unit,
        capacity_j=told.capacity_j * unit,
        power_w=told.power_w * unit,
        supply_w=told.supply_w * unit,
    )
    scaled = replace(
        case,
        budget=other,
        level_j=case.level_j * unit,
        damping=case.damping * unit,
        effort=None if case.effort is None else case.effort * unit,
    )
    found, wanted = filtered(scaled, case.torque * unit, path), filtered(case, case.torque, path) * unit
    assert np.abs(found - wanted).max() <= 1e-8 * unit * max(1.0, np.abs(case.torque).max())


@LAWS
@given(case=cases(), path=paths, seed=st.integers(0, 2**32 - 1))
def test_the_order_and_the_sense_of_joints_make_no_difference(case: Case, path: str, seed: int):
    assume(case.pushes_or_brakes)
    random = np.random.default_rng(seed)
    n = len(case.torque)
    order, sense = random.permutation(n), random.choice([-1.0, 1.0], n)
    turned = replace(
        case,
        damping=(sense * case.damping)[order],
        velocity=(sense * case.velocity)[order],
        acceleration=case.acceleration[order],
    )
    found = filtered(turned, (sense * case.torque)[order], path)
    wanted = (sense * filtered(case, case.torque, path))[order]
    assert np.abs(found - wanted).max() <= 1e-8 * max(1.0, np.abs(case.torque).max())


@LAWS
@given(case=cases(), path=paths)
def test_finite_in_finite_out_and_within_the_drives(case: Case, path: str):
    result = case.make(path).filter(case.torque, case.velocity, damping=case.damping)
    assert np.isfinite(result.torque).all()
    if case.effort is not None:
        assert (np.abs(result.torque[0]) <= case.effort).all()
    assert result.reasons[0] != INVALID


@LAWS
@given(
    case=cases(),
    path=paths,
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    where=st.integers(0, 6),
    of_state=st.booleans(),
)
def test_what_is_not_finite_gives_no_torque_from_then_on(case: Case, path: str, bad: float, where: int, of_state: bool):
    torque_filter = case.make(path)
    spoiled = (case.velocity if of_state else case.torque).copy()
    spoiled[where % len(spoiled)] = bad
    asked = (case.torque, spoiled) if of_state else (spoiled, case.velocity)
    for torque, velocity in (asked, (case.torque, case.velocity), (case.torque, case.velocity)):
        result = torque_filter.filter(torque, velocity, damping=case.damping)
        assert not result.torque.any() and result.reasons[0] == INVALID
        assert torque_filter.ledger.latched[0]
    torque_filter.ledger.clear()
    assert torque_filter.filter(case.torque, case.velocity).reasons[0] != INVALID


@pytest.mark.parametrize("path", PATHS)
def test_damping_beyond_the_drives_does_not_take_a_torque_beyond_them(path: str):
    budget = Budget(initial_j=1.0, reserve_j=0.02, capacity_j=2.0, power_w=20.0)
    torque_filter = TorqueFilter(EnergyLedger(budget, 0.001), np.full(2, 20.0), effort=np.full(2, 87.0), path=path)
    result = torque_filter.filter(np.array([-200.0, 87.0]), np.array([1.0, 3.0]), damping=np.array([-200.0, -10.0]))
    assert np.abs(result.torque).max() <= 87.0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("torque, velocity", [((1e300, 1e300), (1e200, 1.0)), ((1e308, 1e308), (1.0, 1.0))])
def test_numbers_that_are_too_large_for_products_give_a_number_too(path: str, torque: Any, velocity: Any):
    budget = Budget(initial_j=0.5, reserve_j=0.02, capacity_j=1.0, power_w=20.0)
    torque_filter = TorqueFilter(EnergyLedger(budget, 0.001), np.full(2, 20.0), path=path)
    assert np.isfinite(torque_filter.filter(np.array(torque), np.array(velocity)).torque).all()
