"""The theorem: with ways inside the set, no sequence of torques and no environment draws more than there was, and a
push never touches the reserve; and outside the set, what goes wrong is bounded and counted.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.safety.energy import Budget, EnergyLedger, TorqueFilter, load_budget
from robot.safety.energy import tank as columns
from tests.robot.safety.energy.strategies import LAWS, PATHS, budgets, periods_s

BATCH, STEPS = 12, 60


def asked(random: np.random.Generator, velocity: np.ndarray) -> np.ndarray:
    """(BATCH, n) torques of a policy that is no good: at random, with the motion, against it, at the limit, still."""
    shape = velocity.shape
    kinds = np.stack(
        [
            random.normal(0, 30, shape),
            87 * np.sign(velocity),
            20 * velocity,
            -20 * velocity,
            random.choice([-1e6, 0.0, 1e-12, 1e6], shape),
            np.zeros(shape),
        ]
    )
    found: np.ndarray = kinds[random.integers(len(kinds), size=BATCH), np.arange(BATCH)]
    return found


@LAWS
@given(
    budget=budgets(),
    period_s=periods_s,
    n=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
    path=st.sampled_from(PATHS),
)
def test_no_sequence_inside_the_set_draws_more_than_there_was(
    budget: Budget, period_s: float, n: int, seed: int, path: str
):
    random = np.random.default_rng(seed)
    acceleration = random.uniform(0.01, 60, n)
    ledger = EnergyLedger(budget, period_s, BATCH)
    torque_filter = TorqueFilter(ledger, acceleration, effort=np.full(n, 87.0), path=path)
    # A row begins where the luck of its former life left it.
    for row, share in enumerate(random.uniform(0, 1, BATCH)):
        ledger.set_level(share * budget.capacity_j, row=row, reason="test")
    first = ledger.level_j
    given_j, supplied_j = np.zeros(BATCH), np.zeros(BATCH)
    for _ in range(STEPS):
        velocity = random.normal(0, 1, (BATCH, n)) * random.choice([0.0, 0.01, 1.0, 3.0], (BATCH, 1))
        torque = torque_filter.filter(asked(random, velocity), velocity, damping=-5 * velocity).torque
        worst = random.random((BATCH, 1)) < 0.7
        share = np.where(worst, np.sign(torque), random.uniform(-1, 1, (BATCH, n)))
        way = period_s * velocity + 0.5 * period_s**2 * acceleration * share
        supply = random.uniform(0, 2) * budget.supply_w * period_s
        before = ledger.level_j
        ledger.close(torque, np.zeros((BATCH, n)), way, supply_j=supply)
        given_j += np.einsum("bn,bn->b", torque, way)
        supplied_j += min(supply, budget.supply_w * period_s)
        level, pushing = ledger.level_j, np.einsum("bn,bn->b", torque, velocity) >= 0
        assert (level >= -1e-9).all()
        assert (level >= np.minimum(before, budget.reserve_j) - 1e-9)[pushing].all()
        assert (given_j <= first + supplied_j + 1e-9).all()
    assert not ledger.tank[:, columns.OVERDRAFT].any() or ledger.tank[:, columns.OVERDRAFT].max() < 1e-9


@LAWS
@given(budget=budgets(), n=st.integers(1, 7), seed=st.integers(0, 2**32 - 1), path=st.sampled_from(PATHS))
def test_a_way_outside_the_set_overdraws_by_what_is_bounded_and_counted_and_the_next_push_is_refused(
    budget: Budget, n: int, seed: int, path: str
):
    random = np.random.default_rng(seed)
    ledger = EnergyLedger(budget, 0.001)
    torque_filter = TorqueFilter(ledger, np.full(n, 1.0), effort=np.full(n, 87.0), path=path)
    ledger.set_level(budget.reserve_j + 1e-3, reason="test")
    velocity = random.normal(0, 0.2, (1, n))
    torque = torque_filter.filter(random.normal(0, 30, (1, n)), velocity).torque
    way = 0.4 * np.sign(torque)  # a collision that throws the arm on
    before = float(ledger.level_j[0])
    row = ledger.close(torque, np.zeros((1, n)), way, supply_j=0.0)
    bound = float((np.abs(torque) * np.abs(way)).sum())
    assert ledger.level_j[0] >= before - bound - 1e-12
    overdrawn = max(bound - before, 0.0)
    assert row.overdraft_j[0] == pytest.approx(overdrawn, abs=1e-12)
    assert ledger.tank[0, columns.OVERDRAFTS] == (overdrawn > 0)
    if overdrawn > 0:
        push = 10 * np.sign(velocity)
        after = torque_filter.filter(push, velocity)
        assert after.changed[0]
        for share in (np.sign(after.torque), np.zeros((1, n))):
            worst = float((after.torque * (0.001 * velocity + 0.5e-6 * share)).sum())
            assert worst <= 1e-15  # nothing more is given


@pytest.mark.slow
@pytest.mark.parametrize("name", ["near", "table_top", "insert", "wipe", "maze"])
def test_no_overdraft_in_two_million_periods_inside_the_set(name: str):
    """Of each budget that is shipped, with an arm's bounds; n = 0 of 2e6 leaves 1.5e-6 at most, at 95 %."""
    budget, period_s, batch = load_budget(name), 0.002, 2000
    random, n = np.random.default_rng(3), 7
    acceleration, effort = np.array([15, 7.5, 10, 12.5, 15, 20, 20.0]), np.array([87, 87, 87, 87, 12, 12, 12.0])
    ledger = EnergyLedger(budget, period_s, batch)
    torque_filter, shadow = TorqueFilter(ledger, acceleration, effort=effort), EnergyLedger(budget, period_s, batch)
    changed = 0
    for _ in range(1000):
        velocity, wanted = random.normal(0, 0.5, (batch, n)), np.clip(random.normal(0, 30, (batch, n)), -effort, effort)
        result = torque_filter.filter(wanted, velocity, damping=-2 * velocity)
        for book, torque in ((ledger, result.torque), (shadow, wanted)):
            way = period_s * velocity + 0.5 * period_s**2 * acceleration * np.sign(torque)
            book.close(torque, np.zeros((batch, n)), way)
        changed += int(result.changed.sum())
    assert ledger.tank[:, columns.OVERDRAFT].max() < 1e-9
    assert ledger.level_j.min() >= -1e-9
    # There was something to prevent: unfiltered, the same torques overdraw.
    assert changed > 0.1 * 1000 * batch and shadow.tank[:, columns.OVERDRAFT].max() > 1.0
