"""The contact maze as rows for `policies.safe`, the budget that is deployed on it, and its evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Sequence

import numpy as np

from benchmarks.passivity_report import CAUSES
from policies.rl import Step
from robot.safety.energy.budget import Budget, load_budget
from robot.safety.energy.tank import OVERDRAFT, PEAK, REASONS
from sim.maze import TRAINING, MazeBatch, MazeStep, decode, encode
from sim.maze.batch import OBSERVED
from sim.maze.follower import Follower
from sim.maze.options import MAX_STEPS, TICKS

PROGRESS, PER_STEP = 10.0, 0.01  # earned for a metre nearer to the goal, paid for a step; reaching it earns 1
FILTERED = 0.1  # weight of (u - u*)^2 where the filter acts in training
TRAINED_SHARE = 0.7  # of the deployed energy, that the multiplier trains for
HIDDEN = ("energy.tank", "energy.power")
_SHOWN = [index for index, name in enumerate(OBSERVED) if name not in HIDDEN]
_BENIGN_SEED, _BENIGN = 1_000, 200
_CHANGED = 1e-9


class MazeRows:
    """Rows of mazes without the tank in what is observed: `BudgetObserved` shows it.

    Args:
        seed: of the episodes.
        rows: side by side.
        layouts: of which each episode draws one.
        budget: of energy, whose tank is kept.
        enforce: whether the filter acts; then what differs from what was asked for is paid for.
    """

    def __init__(self, seed: int, *, rows: int, layouts: Sequence[int], budget: Budget, enforce: bool) -> None:
        self._batch = MazeBatch(rows, layouts=layouts, seed=seed, budget=budget, enforce=enforce)
        self.rows, self.observation_size, self.action_size = rows, len(_SHOWN), 4

    def reset(self) -> np.ndarray:
        found = self._batch.reset()[:, _SHOWN]
        self._away_m = self._batch.distance_m
        return found

    def step(self, action: np.ndarray) -> Step:
        batch, position = self._batch, self._batch.position
        step = batch.step(decode(action, position))
        # What was let through, where a filter acted; an action as it was, where none did.
        changed = step.changed > _CHANGED
        executed = np.where(changed[:, None], encode(step.executed, position), action)
        paid = PER_STEP + FILTERED * np.square(action - executed).sum(axis=1)
        # Rows that began anew are elsewhere by now; the step's own reward tells how far the goal was.
        away_m = (10 * step.success - 0.1 - step.reward) / 10
        reward = PROGRESS * (self._away_m - away_m) + step.success - paid
        self._away_m = batch.distance_m
        return Step(
            step.observation[:, _SHOWN],
            step.last_observation[:, _SHOWN],
            reward,
            step.energy_j / (TRAINED_SHARE * batch.budget.initial_j),
            step.terminated,
            step.truncated,
            executed,
            step.last_observation[:, OBSERVED.index("energy.tank")],
            step.success,
        )


def deployed_budget() -> tuple[Budget, str]:
    """The maze's budget with E_0 = E_min + 1.5 P95 of what benign successes draw at most, and how it came about."""
    preset = load_budget("maze")
    batch = MazeBatch(_BENIGN, layouts=TRAINING, seed=_BENIGN_SEED, budget=preset, enforce=False, restart=False)
    batch.reset()
    follower = Follower(batch)
    episodes, _ = _first_episodes(batch, lambda observation: follower.act())
    drawn = np.array([row["peak_j"] for row in episodes if row["success"]])
    initial_j = round(preset.reserve_j + 1.5 * float(np.percentile(drawn, 95)), 3)
    says = (
        f"E_0 = {initial_j:g} J = E_min + 1.5 x P95 of e* over {len(drawn)} successes of the scripted follower on "
        f"layouts 1 to 8 (e* is the largest sum of work; P95 {np.percentile(drawn, 95):.3f} J); E_max = 2 E_0; the "
        "rest as in the budget `maze`"
    )
    return replace(preset, initial_j=initial_j, capacity_j=2 * initial_j, provenance=says), says


def evaluate(
    act: Callable[[np.ndarray], np.ndarray],
    *,
    sees_tank: bool,
    count: int,
    layouts: Sequence[int],
    seed: int,
    budget: Budget,
    enforce: bool,
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """One episode in each of `count` rows, which begin alike for all policies; a shadow tank counts without a filter.

    Args:
        act: observations (count, d) -> actions (count, 4) in -1 to 1.
        sees_tank: whether the share of the tank is the last of what it observes.

    Returns:
        The episodes, and the levels of their tanks (count, steps + 1), J, NaN after an episode's end.
    """
    batch = MazeBatch(count, layouts=layouts, seed=seed, budget=budget, enforce=enforce, restart=False)

    def absolute(observation: np.ndarray) -> np.ndarray:
        seen = observation[:, _SHOWN]
        if sees_tank:
            tank = observation[:, [OBSERVED.index("energy.tank")]]
            seen = np.concatenate([seen, np.clip(tank, -0.5, 2.0)], axis=1)
        return decode(act(seen), batch.position)

    return _first_episodes(batch, absolute)


def _first_episodes(
    batch: MazeBatch, act: Callable[[np.ndarray], np.ndarray]
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Episodes and tank levels of all rows; those that have ended go on unseen."""
    observation, going = batch.reset(), np.ones(batch.count, dtype=bool)
    levels = np.full((batch.count, MAX_STEPS + 1), np.nan)
    levels[:, 0] = batch.ledger.level_j
    found: list[dict[str, Any]] = [{} for _ in range(batch.count)]
    causes = np.zeros((batch.count, len(REASONS)))
    for number in range(1, MAX_STEPS + 1):
        step: MazeStep = batch.step(act(observation))
        observation = step.observation
        levels[going, number] = batch.ledger.level_j[going]
        causes[going] += batch.reasons[going] / TICKS
        for row in np.flatnonzero(going & (step.terminated | step.truncated)):
            tank, episode = batch.ledger.tank[row], step.episode
            found[row] = {
                "layout": int(batch.layout[row]),
                "seed": int(row),
                "success": int(step.success[row]),
                "steps": number,
                "energy_j": float(episode["energy_j"][row]),
                "peak_j": float(tank[PEAK]),
                "overdraft_j": float(tank[OVERDRAFT]),
                "changed": float(episode["changed"][row]),
                "peak_force_n": float(episode["peak_force_n"][row]),
                **{cause: causes[row, REASONS.index(cause)] / number for cause in CAUSES},
            }
        going &= ~(step.terminated | step.truncated)
        if not going.any():
            break
    return found, levels
