"""The contact maze as the algorithms see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.passivity_maze import FILTERED, PER_STEP, PROGRESS, MazeRows, evaluate
from policies.safe import BudgetObserved
from robot.safety.energy.budget import load_budget
from sim.maze import MazeBatch

BUDGET = load_budget("maze")
POOR = replace(BUDGET, initial_j=0.03, capacity_j=0.06)


def rows(seed: int = 0, budget: object = BUDGET, *, enforce: bool = False) -> MazeRows:
    return MazeRows(seed, rows=6, layouts=(1, 2), budget=budget, enforce=enforce)  # type: ignore[arg-type]


def actions(number: int) -> np.ndarray:
    return np.random.default_rng(number).uniform(-1, 1, (6, 4))


def test_without_a_filter_what_was_asked_for_was_executed_and_progress_is_all_that_is_earned() -> None:
    maze = rows()
    maze.reset()
    batch: MazeBatch = maze._batch
    began, earned = batch.distance_m, np.zeros(6)
    for number in range(100):
        step = maze.step(actions(number))
        assert np.array_equal(step.executed, actions(number))
        earned += step.reward
    assert not step.done.any()
    np.testing.assert_allclose(earned, PROGRESS * (began - batch.distance_m) - 100 * PER_STEP, atol=1e-9)
    assert np.abs(began - batch.distance_m).max() > 0.01


def test_progress_is_not_counted_over_the_end_of_an_episode() -> None:
    maze = rows()
    maze.reset()
    most = 0.0
    for number in range(401):
        step = maze.step(actions(number))
        most = max(most, float(np.abs(step.reward + PER_STEP - step.success).max()))
        if number == 399:
            assert step.truncated.all()  # and all rows are back at their starts
    assert most < PROGRESS * 0.05  # no step is longer than 5 cm


def test_the_tank_is_not_seen_unless_it_is_shown() -> None:
    rich, poor = rows(), rows(budget=POOR)
    shown = BudgetObserved(rows(budget=POOR), -0.1)
    for one, other, third in zip(rich.reset(), poor.reset(), shown.reset()):
        assert np.array_equal(one, other) and third[-1] == 1
    for number in range(60):
        first, second, third = (each.step(actions(number)) for each in (rich, poor, shown))
        assert np.array_equal(first.observation, second.observation)
        assert np.array_equal(third.observation[:, :-1], second.observation)
    assert (second.budget < first.budget).all() and second.budget.min() < 0
    assert (third.reward[second.budget <= 0] == -0.1).all()


def test_behind_the_filter_what_was_let_through_is_kept_and_paid_for() -> None:
    free, held = rows(budget=POOR), rows(budget=POOR, enforce=True)
    free.reset(), held.reset()
    apart = np.zeros(6)
    for number in range(60):
        action = actions(number)
        free.step(action)
        before = held._away_m.copy()
        step = held.step(action)
        assert (np.abs(step.executed) <= 1).all() and step.budget.min() >= 0
        difference = np.square(action - step.executed).sum(axis=1)
        expected = PROGRESS * (before - held._batch.distance_m) - PER_STEP - FILTERED * difference
        np.testing.assert_allclose(step.reward, expected, atol=1e-9)
        apart += difference
    assert (apart > 0).all()


@pytest.mark.parametrize("enforce", [False, True])
def test_an_evaluation_counts_the_first_episode_of_each_row_alike(enforce: bool) -> None:
    def still(observation: np.ndarray) -> np.ndarray:
        return np.zeros((len(observation), 4))

    episodes, levels = evaluate(still, sees_tank=False, count=3, layouts=(1, 2), seed=7, budget=BUDGET, enforce=enforce)
    assert levels.shape == (3, 401) and np.isfinite(levels).all()
    for episode, level in zip(episodes, levels):
        assert (episode["success"], episode["steps"], episode["overdraft_j"]) == (0, 400, 0.0)
        # What was drawn at most is how far the tank ever sank.
        assert episode["peak_j"] == pytest.approx(BUDGET.initial_j - level.min(), abs=0.02)
