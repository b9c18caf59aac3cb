"""The ledger: exact for a held torque however the joints go, and true over any sequence of what can happen to it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from robot.safety.energy import Budget, EnergyLedger, SetpointFilter, TorqueFilter
from robot.safety.energy import tank as columns
from robot.safety.energy.tank import INVALID
from tests.robot.safety.energy.strategies import LAWS, PATHS, arrays, budgets, periods_s

WIDE = Budget(initial_j=100.0, reserve_j=0.0, capacity_j=math.inf, power_w=math.inf)
torques_nm = st.floats(-87, 87)
angles_rad = st.floats(-3, 3)
ways_rad = st.floats(-0.02, 0.02)


def work_j(torque: np.ndarray, before: np.ndarray, after: np.ndarray) -> float:
    return float(EnergyLedger(WIDE, 0.001).close(torque, before, after).work_j[0])


@st.composite
def held(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A torque, and where the joints were at the start, on the way, and at the end."""
    n = draw(st.integers(1, 7))
    start = arrays(draw, n, angles_rad)
    middle = start + arrays(draw, n, ways_rad)
    return arrays(draw, n, torques_nm), start, middle, middle + arrays(draw, n, ways_rad)


@LAWS
@given(case=held())
def test_two_halves_of_a_held_period_give_what_the_whole_gives(case: Any):
    torque, start, middle, end = case
    halves = work_j(torque, start, middle) + work_j(torque, middle, end)
    assert abs(halves - work_j(torque, start, end)) < 1e-12 * (1 + 300 * len(torque))


@LAWS
@given(case=held())
def test_the_way_back_gives_what_the_way_there_took(case: Any):
    torque, start, _, end = case
    assert work_j(torque, end, start) == -work_j(torque, start, end)


@LAWS
@given(case=held(), seed=st.integers(0, 2**32 - 1))
def test_only_the_ends_of_a_period_count_not_the_way_between(case: Any, seed: int):
    """Exact for any motion: the sum over a hundred pieces of a wild way is the work of its ends."""
    torque, start, _, end = case
    random = np.random.default_rng(seed)
    wild = np.concatenate([[start], start + random.normal(0, 0.3, (100, len(start))), [end]])
    pieces = [float(torque @ (after - before)) for before, after in pairwise(wild)]
    assert abs(math.fsum(pieces) - work_j(torque, start, end)) < 1e-9


@LAWS
@given(seed=st.integers(0, 2**32 - 1), counts=st.sampled_from([256, 4096, 2**14, 2**17]))
def test_the_error_of_an_encoder_stays_below_its_step_times_the_variation_of_the_torque(seed: int, counts: int):
    """It telescopes: no velocity is worked out, so that nothing adds up over time."""
    random = np.random.default_rng(seed)
    step_rad, ledger = 2 * np.pi / counts, EnergyLedger(WIDE, 0.001)
    way = np.cumsum(random.normal(0, 0.002, (300, 3)), axis=0)
    torque = np.repeat(random.normal(0, 20, (30, 3)), 10, axis=0)[:299]  # held over ten periods at a time
    told = np.floor(way / step_rad) * step_rad
    for k in range(299):
        ledger.close(torque[k], told[k], told[k + 1])
    true = float(np.einsum("kn,kn->", torque, np.diff(way, axis=0)))
    # The first and the last value count too: before and after, the torque is 0.
    variation = np.abs(np.diff(np.concatenate([np.zeros((1, 3)), torque, np.zeros((1, 3))]), axis=0)).sum()
    assert abs(float(ledger.tank[0, columns.WORK]) - true) <= step_rad * variation


class LedgerMachine(RuleBasedStateMachine):
    """Whatever happens to two robots' tanks, E = E_0 - sum W + sum S - spilled, by sums that are kept here."""

    @initialize(budget=budgets(), period_s=periods_s, n=st.integers(1, 4), path=st.sampled_from(PATHS))
    def begin(self, budget: Budget, period_s: float, n: int, path: str) -> None:
        self.budget, self.n = budget, n
        self.ledger = EnergyLedger(budget, period_s, 2, trace=True)
        self.torque_filter = TorqueFilter(self.ledger, np.full(n, 30.0), effort=np.full(n, 87.0), path=path)
        self.setpoint_filter = SetpointFilter(self.ledger, np.zeros((2, n)), np.full(n, 400.0), path=path)
        self.by_set_points, self.latched = False, np.zeros(2, dtype=bool)
        self.level = np.full(2, budget.initial_j)
        self.work: tuple[list[float], ...] = ([], [])
        self.supplied: tuple[list[float], ...] = ([], [])
        self.spilled: tuple[list[float], ...] = ([], [])
        self.overdrawn, self.periods, self.time_ns = [0.0, 0.0], 0, 0

    def expect(self, row: int, work: float, supply: float) -> None:
        """Keep own sums of a period, by the two lines of the tank's equation."""
        level = self.level[row] - work + supply
        spilled = max(0.0, level - self.budget.capacity_j)
        self.overdrawn[row] += max(0.0, max(-(level - spilled), 0.0) - max(-self.level[row], 0.0))
        self.level[row] = level - spilled
        self.work[row].append(work)
        self.supplied[row].append(supply)
        self.spilled[row].append(spilled)

    def close(self, torque: np.ndarray, way: np.ndarray, supply_j: float | None = None) -> None:
        """A period in which the joints go a way, from a different place each time."""
        before = np.sin(np.arange(2 * self.n) + self.periods).reshape(2, self.n)
        most = self.budget.supply_w * self.ledger.period_s
        self.time_ns += round(self.ledger.period_s * 1e9)
        for row in range(2):
            self.expect(
                row,
                math.fsum(t * (a - b) for t, a, b in zip(torque[row], (before + way)[row], before[row])),
                most if supply_j is None else min(supply_j, most),
            )
        self.ledger.close(torque, before, before + way, supply_j=supply_j, time_ns=self.time_ns)
        self.periods += 1

    @precondition(lambda self: not self.by_set_points)
    @rule(
        scale=st.floats(0, 80), seed=st.integers(0, 2**32 - 1), damps=st.booleans(), supply=st.none() | st.floats(0, 1)
    )
    def step(self, scale: float, seed: int, damps: bool, supply: float | None) -> None:
        """A filtered period with a way inside the set, or the worst of it."""
        random = np.random.default_rng(seed)
        torque, velocity = random.normal(0, 1, (2, self.n)) * scale, random.normal(0, 1, (2, self.n))
        before = self.ledger.tank.copy()
        result = self.torque_filter.filter(torque, velocity, damping=-velocity if damps else None)
        assert (self.ledger.tank == before).all()  # a filter books nothing
        assert (result.reasons == INVALID).tolist() == self.latched.tolist()
        period_s = self.ledger.period_s
        self.close(result.torque, period_s * velocity + 0.5 * period_s**2 * 30.0 * np.sign(result.torque), supply)

    @rule(scale=st.floats(0, 200), seed=st.integers(0, 2**32 - 1))
    def shove(self, scale: float, seed: int) -> None:
        """A period outside any set: an unfiltered torque, a robot that is pushed; it may overdraw."""
        random = np.random.default_rng(seed)
        self.close(random.normal(0, 1, (2, self.n)) * scale, random.normal(0, 0.02, (2, self.n)))

    @rule(joules=st.floats(0, 1))
    def supply(self, joules: float) -> None:
        self.close(np.zeros((2, self.n)), np.zeros((2, self.n)), joules)

    @rule(share=st.floats(0, 1), row=st.sampled_from([None, 0, 1]))
    def reset(self, share: float, row: int | None) -> None:
        """Tanks are set to a level: what that adds or takes is a supply, and an event that says so."""
        level = share * self.budget.capacity_j
        self.ledger.set_level(level, row=row, reason="reset")
        for each in (0, 1) if row is None else (row,):
            self.supplied[each].append(level - self.level[each])
            self.level[each] = level
        event = self.ledger.events[-1]
        assert (event.row, event.step, event.reason) == (1 if row is None else row, self.periods, "reset")
        assert abs(event.joules - self.supplied[event.row][-1]) < 1e-9

    @precondition(lambda self: not self.by_set_points)
    @rule(row=st.integers(0, 1), value=st.sampled_from([np.nan, np.inf]), of_state=st.booleans())
    def dropout(self, row: int, value: float, of_state: bool) -> None:
        """A sample that is no number: the robot goes on without torque, and that is what is booked."""
        asked, seen = np.ones((2, self.n)), np.full((2, self.n), -0.1)
        (seen if of_state else asked)[row] = value
        result = self.torque_filter.filter(asked, seen)
        self.latched[row] = True
        assert not result.torque[self.latched].any()
        self.close(result.torque, np.full((2, self.n), -0.1 * self.ledger.period_s))

    @rule(row=st.sampled_from([None, 0, 1]))
    def clear(self, row: int | None) -> None:
        self.ledger.clear(row)
        self.latched[slice(None) if row is None else row] = False

    @rule()
    def switch_of_mode(self) -> None:
        """From one filter to the other: the tanks begin anew, as a supply."""
        self.by_set_points = not self.by_set_points
        self.ledger.set_level(reason="mode")
        for row in range(2):
            self.supplied[row].append(self.budget.initial_j - self.level[row])
            self.level[row] = self.budget.initial_j

    @precondition(lambda self: self.by_set_points)
    @rule(seed=st.integers(0, 2**32 - 1))
    def tick(self, seed: int) -> None:
        """A tick of the set-point filter with the work that the controller tells."""
        random = np.random.default_rng(seed)
        told = random.normal(0, 0.05, 2)
        self.time_ns += round(self.ledger.period_s * 1e9)
        for row in range(2):
            self.expect(row, float(told[row]), self.budget.supply_w * self.ledger.period_s)
        result = self.setpoint_filter.filter(
            random.normal(0, 0.1, (2, self.n)), random.normal(0, 0.1, (2, self.n)), work_j=told, time_ns=self.time_ns
        )
        assert (result.reasons == INVALID).tolist() == self.latched.tolist()
        self.periods += 1

    @invariant()
    def every_joule_is_accounted_for(self) -> None:
        tank = self.ledger.tank
        for row in range(2):
            mine = (
                self.budget.initial_j
                - math.fsum(self.work[row])
                + math.fsum(self.supplied[row])
                - math.fsum(self.spilled[row])
            )
            assert abs(tank[row, columns.LEVEL] - mine) < 1e-9
            told = (
                self.budget.initial_j
                - tank[row, columns.WORK]
                + tank[row, columns.SUPPLIED]
                - tank[row, columns.SPILLED]
            )
            assert abs(told - mine) < 1e-9
            assert abs(tank[row, columns.WORK] - math.fsum(self.work[row])) < 1e-9
            assert abs(tank[row, columns.SPENT] - math.fsum(max(each, 0.0) for each in self.work[row])) < 1e-9
            assert abs(tank[row, columns.SPILLED] - math.fsum(self.spilled[row])) < 1e-9
            assert abs(tank[row, columns.OVERDRAFT] - self.overdrawn[row]) < 1e-9
            assert tank[row, columns.LEVEL] <= self.budget.capacity_j
            assert tank[row, columns.STEPS] == self.periods
        assert self.ledger.latched.tolist() == self.latched.tolist()
        assert len(self.ledger.trace()["periods"]) == self.periods


TestAnySequence = LedgerMachine.TestCase
TestAnySequence.settings = settings(LAWS, stateful_step_count=25)
