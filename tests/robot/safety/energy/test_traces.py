"""What can be read off an account afterwards, and the budgets that are shipped."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from robot.safety.energy import EnergyLedger, TorqueFilter, load_budget
from robot.safety.energy import tank as columns
from tests.robot.safety.energy.test_obligations import BUDGET, T, both_paths


def test_a_trace_is_the_whole_account_as_json():
    ledger = EnergyLedger(BUDGET, T, batch=2, trace=True)
    random = np.random.default_rng(0)
    for _ in range(50):
        ledger.book(random.normal(0, 0.2, 2))
    told = json.loads(json.dumps(ledger.trace()))
    assert told["budget_hash"] == BUDGET.hash and told["period_s"] == T and len(told["periods"]) == 50
    level = np.full(2, BUDGET.initial_j)
    for period in told["periods"]:
        level = level - period["work_j"] + period["supply_j"] - period["spilled_j"]
        np.testing.assert_allclose(period["level_j"], level, atol=1e-12)
    np.testing.assert_allclose(level, ledger.level_j, atol=1e-12)


@pytest.mark.parametrize("name", ["near", "far", "table_top", "insert", "wipe", "maze", "free"])
def test_each_budget_that_is_shipped_loads_and_says_where_it_is_from(name: str):
    budget = load_budget(name)
    assert budget.provenance and f"{budget.power_w:g} W" in budget.describe()
    assert budget.speed_mps() == pytest.approx(math.sqrt(budget.spring_j / (2 * budget.mass_kg)))


@both_paths
def test_the_free_budget_counts_and_never_acts(path: str):
    ledger = EnergyLedger(load_budget("free"), T)
    torque_filter = TorqueFilter(ledger, np.full(2, 20.0), path=path)
    torque = np.array([[80.0, -1e6]])
    result = torque_filter.filter(torque, np.array([[5.0, 3.0]]))
    assert (result.torque == torque).all() and not result.changed[0]
    ledger.close(result.torque, np.zeros((1, 2)), np.array([[0.01, 0.0]]))
    ledger.close(result.torque, np.zeros((1, 2)), np.array([[-0.02, 0.0]]))
    assert ledger.tank[0, columns.WORK] == pytest.approx(-0.8)
    assert ledger.tank[0, columns.PEAK] == pytest.approx(0.8)
    assert not ledger.tank[0, columns.OVERDRAFTS]


def test_of_a_tank_without_limits_all_is_left():
    assert EnergyLedger(load_budget("free"), T).share[0] == 1.0


def test_a_trace_adds_up_over_a_reset_too():
    ledger = EnergyLedger(BUDGET, T, trace=True)
    ledger.book(np.array([0.7]), supply_j=0.0)
    ledger.set_level(reason="reset")
    ledger.book(np.array([0.1]), supply_j=0.0)
    told = json.loads(json.dumps(ledger.trace()))
    assert [(event["step"], event["row"], event["reason"]) for event in told["events"]] == [(1, 0, "reset")]
    came = sum(event["joules"] for event in told["events"]) + sum(period["supply_j"][0] for period in told["periods"])
    went = sum(period["work_j"][0] + period["spilled_j"][0] for period in told["periods"])
    assert told["periods"][-1]["level_j"][0] == pytest.approx(BUDGET.initial_j + came - went, abs=1e-12)


def test_two_kilograms_more_are_a_supply_that_is_logged_or_an_overdraft_that_is_counted():
    """Lifting what no one told of costs m g z from the tank; told, it is a supply with a name."""
    untold, told = EnergyLedger(BUDGET, T), EnergyLedger(BUDGET, T)
    lifting = 2.0 * 9.81 * 0.1
    told.set_level(min(BUDGET.capacity_j, BUDGET.initial_j + lifting), reason="payload")
    for ledger in (untold, told):
        for _ in range(100):
            ledger.book(np.array([lifting / 100]), supply_j=0.0)
    assert untold.tank[0, columns.OVERDRAFT] == pytest.approx(lifting - BUDGET.initial_j)
    assert told.tank[0, columns.OVERDRAFT] == pytest.approx(lifting - BUDGET.capacity_j)
    assert told.events[-1].reason == "payload"
