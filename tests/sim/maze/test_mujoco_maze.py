"""The maze on MuJoCo is the same maze: alike in free space to a thousandth, in contact by ratios and bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robot.safety.energy import load_budget
from robot.safety.energy.tank import INVALID, LEVEL, OVERDRAFTS, WORK
from sim.maze import MazeBatch, MazeOptions
from sim.maze.follower import Follower
from sim.maze.layout import PIN_RADIUS_M, WALL_M, layout
from sim.maze.mujoco_maze import MujocoMaze

FREE, BUDGET = load_budget("free"), load_budget("maze")


def both(
    number: int, *, budget: Any = BUDGET, enforce: bool = True, seed: int = 0, **options: Any
) -> tuple[MazeBatch, MujocoMaze]:
    told: dict[str, Any] = dict(
        layouts=[number],
        seed=seed,
        budget=budget,
        enforce=enforce,
        restart=False,
        trace=True,
        options=MazeOptions(**{"noise_n": 0.0, **options}),
    )
    pair = MazeBatch(1, **told), MujocoMaze(**told)
    for batch in pair:
        batch.reset()
    return pair


def ticks_of(batch: MazeBatch, actions: np.ndarray) -> np.ndarray:
    """Ticks (n, 4) of actions (steps, 4)."""
    found = []
    for action in actions:
        batch.step(action[None])
        found.append(batch.ticks[0])
    return np.concatenate(found)


@pytest.mark.parametrize("enforce, delay_s", [(False, 0.0), (True, 0.0), (True, 0.07)])
def test_in_free_space_both_move_alike_to_a_thousandth(enforce: bool, delay_s: float) -> None:
    """Two laws, two filters and two integrations: one compiled, one of the classes of `robot.safety.energy`."""
    ours, theirs = both(4, enforce=enforce, delay_s=delay_s)
    start = ours.position[0]
    np.testing.assert_array_equal(start, theirs.position[0])
    random = np.random.default_rng(0)
    actions = np.concatenate(
        [start + random.uniform(-0.007, 0.007, (30, 2)), random.uniform(100, 1500, (30, 2))], axis=1
    )
    actions[10:15, :2] = start + [0.008, 0.008]
    actions[10:15, 2:] = 1500.0
    one, other = ticks_of(ours, actions), ticks_of(theirs, actions)
    assert np.ptp(one[:, :2], axis=0).min() > 0.008
    np.testing.assert_allclose(one[:, :2], other[:, :2], atol=1e-3 * np.ptp(one[:, :2]))
    np.testing.assert_allclose(one[:, 2:], other[:, 2:], atol=1e-3 * np.ptp(one[:, 2:]))
    np.testing.assert_allclose(ours.ledger.tank[0, WORK], theirs.ledger.tank[0, WORK], rtol=2e-3)
    assert ours.contact_work_j[0] == theirs.contact_work_j[0] == 0


@pytest.mark.parametrize("wall", [2e3, 2e4, 1e5])
def test_a_wall_holds_the_pin_in_the_same_place_with_the_same_force(wall: float) -> None:
    ours, theirs = both(4, wall=wall, friction=(0.3, 0.3))
    start = ours.position[0]
    action = np.tile([-0.01, start[1], 500.0, 500.0], (40, 1))
    one, other = ticks_of(ours, action)[-1], ticks_of(theirs, action)[-1]
    face = WALL_M / 2 + PIN_RADIUS_M
    assert one[0] < face and other[0] < face
    assert abs(one[0] - other[0]) < 0.002 * min(1.0, 2e4 / wall)
    assert other[2] == pytest.approx(one[2], rel=0.05)
    # Depth against force is the stiffness asked for, in both.
    assert (face - one[0]) == pytest.approx(-one[2] / wall, rel=0.02)
    assert (face - other[0]) == pytest.approx(-other[2] / wall, rel=0.02)
    assert theirs.wrench[0, 0] == pytest.approx(ours.wrench[0, 0], rel=0.05)


def test_impacts_are_alike_within_a_factor_and_within_their_bound() -> None:
    peaks = []
    for batch in both(4, wall=2e4, enforce=False, budget=FREE, blocks=False):
        start, most = batch.position[0], 0.0
        for _ in range(20):
            most = max(most, float(batch.step(np.array([[-0.02, start[1], 1500.0, 1500.0]])).peak_force_n[0]))
        peaks.append(most)
    assert 0.7 < peaks[0] / peaks[1] < 1.4
    assert peaks[0] > 20


def test_a_wall_that_vanishes_and_a_gate_that_closes_act_alike() -> None:
    reached = []
    for batch in both(4, removal_s=1.0, gate=True, gate_s=2.0, blocks=False, budget=FREE, enforce=False):
        for _ in range(30):
            batch.step(np.array([[0.12, 0.1, 800.0, 800.0]]))
        reached.append(batch.position[0])
    assert min(place[0] for place in reached) > 0.1
    np.testing.assert_allclose(*reached, atol=0.002)
    pushed = []
    for batch in both(4, gate=True, gate_s=2.0, blocks=False):
        plan = layout(4)
        middle = plan.boxes[plan.kinds == 2][0].reshape(2, 2).mean(axis=0)
        batch._world.pin[0, :2] = middle
        if isinstance(batch, MujocoMaze):
            batch._data.qpos[:2] = middle
        least = 0.0
        for _ in range(22):
            batch.step(np.array([[*middle, 300.0, 300.0]]))
            least = min(least, float(batch.wrench[0, 1]))
        pushed.append(least)
    assert max(pushed) < -1.0
    assert 0.7 < pushed[0] / pushed[1] < 1.4


def test_a_block_is_pushed_alike() -> None:
    places = []
    for batch in both(5, start_m=0.0, friction=(0.3, 0.3)):
        begin = batch.blocks[0, 0] - [0.03, 0.0]
        batch._world.pin[0, :2] = begin
        if isinstance(batch, MujocoMaze):
            batch._data.qpos[:2] = begin
        for k in range(30):
            batch.step(np.array([[begin[0] + 0.003 * k, begin[1], 600.0, 600.0]]))
        places.append(np.concatenate([batch.position[0], batch.blocks[0, 0] - batch.position[0]]))
    assert places[0][0] > layout(5).blocks[0, 0] + 0.03
    np.testing.assert_allclose(*places, atol=0.002)


@pytest.mark.parametrize("number", [1, 6, 10])
def test_a_follower_arrives_in_both_in_about_the_same_time(number: int) -> None:
    steps = []
    for batch in both(number, noise_n=0.3):
        follower = Follower(batch)
        for _ in range(400):
            step = batch.step(follower.act())
            if step.terminated[0]:
                break
        assert step.success[0], type(batch).__name__
        assert step.episode["overdrafts"][0] == 0
        steps.append(step.episode["steps"][0])
    assert steps[0] == pytest.approx(steps[1], rel=0.1)


def test_on_mujoco_an_enforced_budget_is_not_overdrawn_and_a_shadow_counts() -> None:
    random, drawn = np.random.default_rng(0), {}
    for enforce in (True, False):
        batch = both(8, enforce=enforce)[1]
        for _ in range(60):
            batch.step(
                np.concatenate(
                    [batch.position + random.uniform(-0.2, 0.2, (1, 2)), random.uniform(100, 1500, (1, 2))], axis=1
                )
            )
        drawn[enforce] = batch.ledger.tank[0]
    assert drawn[True][OVERDRAFTS] == 0 and drawn[True][LEVEL] >= 0 and drawn[True][WORK] <= BUDGET.initial_j
    assert drawn[False][OVERDRAFTS] > 0


def test_an_action_that_is_no_number_latches_it_too() -> None:
    for bad in ([np.nan, 0.1, 500.0, 500.0], [0.1, 0.1, np.nan, 500.0]):
        batch = both(4)[1]
        batch.step(np.array([bad]))
        batch.step(np.array([[0.1, 0.1, 500.0, 500.0]]))
        assert (batch.ticks[0, :, 2:] == 0).all()
        assert batch.reasons[0, INVALID] == 50
