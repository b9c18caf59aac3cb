"""No policy and no maze overdraws an enforced budget; a shadow changes nothing and counts alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import numpy as np
import pytest

from robot.errors import InputError
from robot.safety.energy import Budget, load_budget
from robot.safety.energy.tank import INVALID, LEASH, LEVEL, LIMIT_FORCE, OVERDRAFTS, REASONS, TANK, WORK
from sim.maze import MazeBatch, MazeOptions
from sim.maze.options import DAMPING_FACTOR, PIN_KG

BUDGET = load_budget("maze")
Policy = Callable[[MazeBatch, int, np.random.Generator], np.ndarray]


def made(*, enforce: bool, count: int = 12, budget: Budget = BUDGET, seed: int = 2, **options: Any) -> MazeBatch:
    """Rows over all layouts."""
    batch = MazeBatch(
        count,
        layouts=range(1, 13),
        seed=seed,
        budget=budget,
        enforce=enforce,
        trace=True,
        restart=False,
        options=MazeOptions(**options),
    )
    batch.reset()
    return batch


def action(position: np.ndarray, stiffness: np.ndarray | float) -> np.ndarray:
    return np.concatenate([position, np.broadcast_to(stiffness, position.shape)], axis=1)


def wild(batch: MazeBatch, step: int, random: np.random.Generator) -> np.ndarray:
    return action(
        batch.position + random.uniform(-0.2, 0.2, (batch.count, 2)), random.uniform(100, 1500, (batch.count, 2))
    )


def bang_bang(batch: MazeBatch, step: int, random: np.random.Generator) -> np.ndarray:
    return action(batch.position + 0.2 * (1 if step // 3 % 2 else -1), 1500.0)


def toggling(batch: MazeBatch, step: int, random: np.random.Generator) -> np.ndarray:
    """Soft while the spring is charged, stiff while it gives its energy."""
    return action(batch.position + np.where(step % 2, 0.02, -0.015), 1500.0 if step % 2 else 100.0)


def chasing(batch: MazeBatch, step: int, random: np.random.Generator) -> np.ndarray:
    """Always pull the way that it already goes: a pump."""
    speed = np.hypot(*batch.velocity.T)[:, None] + 1e-6
    ahead = 0.03 * batch.velocity / speed
    return action(batch.position + ahead + random.uniform(-0.01, 0.01, (batch.count, 2)), 1500.0)


POLICIES = {"wild": wild, "bang-bang": bang_bang, "toggling": toggling, "chasing": chasing}


def play(batch: MazeBatch, policy: Policy, steps: int) -> np.ndarray:
    """Work of each tick (count, steps * 50), J, accounted for here from positions and forces."""
    random, found = np.random.default_rng(7), []
    for step in range(steps):
        before = batch.position
        batch.step(policy(batch, step, random))
        places = np.concatenate([before[:, None], batch.ticks[:, :, :2]], axis=1)
        found.append((batch.ticks[:, :, 2:] * np.diff(places, axis=1)).sum(axis=2))
    return np.concatenate(found, axis=1)


@pytest.mark.parametrize("wall", [1e3, 2e4, 1e5])
@pytest.mark.parametrize("policy", POLICIES)
def test_an_enforced_budget_is_never_overdrawn(policy: str, wall: float) -> None:
    batch = made(enforce=True, wall=wall)
    work = play(batch, POLICIES[policy], 120)
    total = work.cumsum(axis=1)
    np.testing.assert_allclose(total[:, -1], batch.ledger.tank[:, WORK], atol=1e-9)
    assert (batch.ledger.tank[:, OVERDRAFTS] == 0).all()
    assert (batch.ledger.tank[:, LEVEL] >= 0).all()
    assert total.max() <= BUDGET.initial_j + 1e-9
    assert work.reshape(12, -1, 50).sum(axis=2).max() <= BUDGET.power_w * 0.05


@pytest.mark.parametrize("delay_s, jitter_s", [(0.05, 0.0), (0.15, 0.0), (0.1, 0.15)])
def test_delays_gates_walls_that_vanish_and_pushes_do_not_overdraw_it_either(delay_s: float, jitter_s: float) -> None:
    batch = made(enforce=True, delay_s=delay_s, jitter_s=jitter_s, gate=True, removal_s=2.0)
    assert play(batch, wild, 120).cumsum(axis=1).max() <= BUDGET.initial_j + 1e-9
    random = np.random.default_rng(0)
    for step in range(60):
        batch.step(wild(batch, step, random), random.uniform(-10, 10, (batch.count, 2)))
    assert (batch.ledger.tank[:, OVERDRAFTS] == 0).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_what_touches_the_pin_gets_no_more_than_the_tank_and_the_pushes_gave(policy: str) -> None:
    """Accounted for at the other port: the forces of the contacts along the way of the pin."""
    batch, random = made(enforce=True, wall=1e5), np.random.default_rng(3)
    given, pushed = np.zeros(12), np.zeros(12)
    for step in range(120):
        done = batch.step(POLICIES[policy](batch, step, random), random.uniform(-8, 8, (12, 2)))
        given, pushed = given + batch.contact_work_j, pushed + done.disturbance_j
        assert (given <= BUDGET.initial_j + pushed + 1e-6).all()
    assert given.max() > 0.2


@pytest.mark.parametrize("policy", ["wild", "bang-bang"])
def test_without_enforcement_the_same_policies_overdraw_it_and_are_counted(policy: str) -> None:
    """What the tests above show does not hold by itself."""
    batch = made(enforce=False)
    total = play(batch, POLICIES[policy], 120).cumsum(axis=1)
    assert (total.max(axis=1) > BUDGET.initial_j).mean() > 0.9
    np.testing.assert_array_equal(batch.ledger.tank[:, OVERDRAFTS] > 0, batch.ledger.tank[:, LEVEL].min() < 0)


def test_a_shadow_leaves_the_force_of_the_law_as_it_is() -> None:
    batch = made(enforce=False)
    random = np.random.default_rng(0)
    for step in range(10):
        asked, velocity, position = wild(batch, step, random), batch.velocity, batch.position
        done = batch.step(asked)
        law = asked[:, 2:] * (asked[:, :2] - position) - DAMPING_FACTOR * np.sqrt(asked[:, 2:] * PIN_KG) * velocity
        np.testing.assert_allclose(batch.ticks[:, 0, 2:], np.clip(law, -100, 100), atol=1e-9)
        assert (done.changed == 0).all()


def test_a_budget_without_limits_enforced_is_as_none() -> None:
    free = load_budget("free")
    one, other = made(enforce=True, budget=free), made(enforce=False, budget=free)
    np.testing.assert_array_equal(play(one, wild, 40), play(other, wild, 40))


def test_the_leash_bounds_the_spring_and_its_force_at_the_moment_it_takes_a_command() -> None:
    batch = made(enforce=True)
    random = np.random.default_rng(4)
    seen = set()
    for step in range(60):
        position = batch.position
        batch.step(wild(batch, step, random))
        control = batch._control
        way = control.setpoint - position
        assert (0.5 * (control.stiffness * way**2).sum(axis=1) <= BUDGET.spring_j + 1e-9).all()
        assert (np.hypot(*(control.stiffness * way).T) <= BUDGET.force_n + 1e-9).all()
        seen |= set(control.leashed.tolist())
    assert seen & {LEASH, LIMIT_FORCE}


def test_impacts_are_gentler_with_the_filters_than_without() -> None:
    peaks = {}
    for enforce in (True, False):
        batch = made(enforce=enforce, wall=1e5, blocks=False)
        random, most = np.random.default_rng(7), np.zeros(batch.count)
        for step in range(100):
            most = np.maximum(most, batch.step(bang_bang(batch, step, random)).peak_force_n)
        peaks[enforce] = most
    bound = BUDGET.peak_force_n(1e5, DAMPING_FACTOR / 2)
    assert peaks[True].max() < bound + BUDGET.force_n
    assert peaks[True].mean() < 0.4 * peaks[False].mean()


def test_an_empty_tank_lets_go_and_a_pin_that_moves_can_still_brake() -> None:
    batch = made(enforce=True)
    batch.ledger.tank[:, LEVEL] = BUDGET.reserve_j
    batch._world.pin[:, 2:] = 0.2
    batch.step(action(batch.position, 800.0))
    assert (np.abs(batch.velocity) < 0.1).all()
    assert (batch.ledger.tank[:, LEVEL] >= 0).all()
    low = replace(BUDGET, initial_j=0.0201, capacity_j=0.0201)
    stalled = made(enforce=True, budget=low)
    for _ in range(40):
        stalled.step(action(stalled.position + 0.02, 1500.0))
    assert (np.hypot(*stalled.ticks[:, -1, 2:].T) < 1.0).all()
    assert (stalled.reasons[:, TANK] > 40).all()


def test_standing_still_costs_nothing() -> None:
    batch = made(enforce=True, noise_n=0.3, delay_s=0.05)
    hold = action(batch.position, 600.0)
    for _ in range(200):
        batch.step(hold)
    np.testing.assert_allclose(batch.ledger.tank[:, LEVEL], BUDGET.initial_j, atol=1e-12)


def test_an_action_that_is_no_number_latches_its_row_and_no_other() -> None:
    batch = made(enforce=True)
    asked = action(batch.position + 0.01, 500.0)
    asked[3, 0], asked[5, 3] = np.nan, np.inf
    asked[7, 2] = np.nan
    batch.step(asked)
    batch.step(action(batch.position + 0.01, 500.0))
    stopped = np.isin(np.arange(12), [3, 7])
    np.testing.assert_array_equal((batch.ticks[:, :, 2:] == 0).all(axis=(1, 2)), stopped)
    np.testing.assert_array_equal(batch.reasons[:, INVALID] == 50, stopped)
    assert np.isfinite(batch.position).all()
    with pytest.raises(InputError, match="finite"):
        made(enforce=False).step(asked)


def test_what_is_told_of_a_step_adds_up_over_the_episode() -> None:
    batch = made(enforce=False, max_steps=30)
    random, spent, over = np.random.default_rng(0), np.zeros(12), np.zeros(12)
    for step in range(30):
        done = batch.step(wild(batch, step, random))
        spent, over = spent + done.energy_j, over + done.overdraft_j
    assert done.truncated.all()
    np.testing.assert_allclose(done.episode["energy_j"], spent)
    np.testing.assert_allclose(done.episode["overdraft_j"], over)
    np.testing.assert_array_equal(done.episode["overdrafts"], batch.ledger.tank[:, OVERDRAFTS])
    assert over.max() > 0


def test_every_tick_has_one_reason_and_the_share_that_changed_is_the_rest() -> None:
    batch = made(enforce=True)
    random = np.random.default_rng(0)
    for step in range(20):
        done = batch.step(wild(batch, step, random))
        assert (batch.reasons.sum(axis=1) == 50).all()
        np.testing.assert_allclose(done.changed, batch.reasons[:, 1:].sum(axis=1) / 50)
    assert len(REASONS) == batch.reasons.shape[1]
    assert done.changed.max() > 0.5


@pytest.mark.slow
def test_ten_million_filtered_ticks_hold_no_overdraft() -> None:
    """All layouts, stiff and soft walls, delays, gates, walls that vanish, pushes, and the four policies in turn."""
    random, ticks = np.random.default_rng(11), 0
    for wall in (1e3, 2e4, 1e5):
        for k, policy in enumerate(POLICIES.values()):
            batch = MazeBatch(
                64,
                layouts=range(1, 13),
                seed=k,
                budget=BUDGET,
                enforce=True,
                options=MazeOptions(wall=wall, delay_s=0.03 * k, jitter_s=0.05, gate=True, removal_s=5.0),
            )
            batch.reset()
            overdrafts = 0.0
            for step in range(270):
                done = batch.step(policy(batch, step, random), random.uniform(-5, 5, (64, 2)))
                overdrafts += float(done.overdraft_j.sum())
            ticks += 64 * 270 * 50
            assert overdrafts == 0.0
            assert (batch.ledger.tank[:, WORK] <= BUDGET.initial_j + 1e-9).all()
    assert ticks >= 10_000_000
