"""Tasks with a disturber as rows for `policies.safe.disturber`: actions of the policy, then the push, -1 to 1 each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Protocol, Sequence

import numpy as np

from policies.rl import Step, VectorEnvironment
from robot.safety.energy.budget import Budget
from sim.disturbances.disturbance import PushedMazes, PushLimits
from sim.disturbances.twin import PushedTwin
from sim.experts.registry import make_expert
from sim.maze import decode
from sim.maze.sensing import OBSERVED
from sim.tasks.twin import task_class
from sim.tasks.twin.env import TwinOptions

PER_STEP = 0.01  # paid for a step; reaching the goal earns 1
MAZE_PROGRESS = 10.0  # earned for a metre nearer to the goal
NEARER, HIGHER = 2.0, 10.0  # earned for a metre of the hand nearer to the cube, and of the cube above the table
FAR_M = 0.5
RESIDUAL_M = 0.03  # of the expert's target, that a policy may move it, each axis
TWIN_STEPS = 60  # undisturbed the expert takes 25 to 36
_SPEED_MPS = 0.3  # about what pins and hands go


@dataclass(frozen=True, eq=False)
class Pushed:
    """What the pushes of a step came to, in each row.

    Args:
        given_j: what the disturber gave.
        taken_j: what the walls and blocks were given by the pin; 0 where that is not metered.
    """

    given_j: np.ndarray
    taken_j: np.ndarray


class Game(VectorEnvironment, Protocol):
    """Attributes: observed, actions: of the policy; disturbances: of the push; pushed: of the last step."""

    observed: int
    actions: int
    disturbances: int
    pushed: Pushed


class MazeGame:
    """Mazes, whose filters act. The policy is blind as ever; the disturber sees where it goes, and what it has left.

    An action is learnt from as it was asked for: the filters are a part of the world.
    """

    observed, actions, disturbances = len(OBSERVED), 4, 2

    def __init__(
        self, seed: int, rows: int, limits: PushLimits, *, layouts: Sequence[int], budget: Budget, restart: bool = True
    ) -> None:
        self.batch = PushedMazes(
            rows, limits=limits, layouts=layouts, seed=seed, budget=budget, enforce=True, restart=restart
        )
        self.rows, self.observation_size = rows, self.observed + 6
        self.action_size = self.actions + self.disturbances
        self.pushed = Pushed(np.zeros(rows), np.zeros(rows))

    def reset(self) -> np.ndarray:
        found = self.batch.reset()
        self._away_m = self.batch.distance_m
        return self._with(found, self.batch.pushes.left)

    def step(self, action: np.ndarray) -> Step:
        batch, force_n = self.batch, self.batch.pushes.limits.force_n
        step = batch.step(decode(action[:, :4], batch.position), force_n * action[:, 4:])
        self.pushed = Pushed(step.disturbance_j, batch.contact_work_j)
        # Rows that began anew are elsewhere by now; the step's own reward tells how far the goal was.
        away_m = (10 * step.success - 0.1 - step.reward) / 10
        reward = MAZE_PROGRESS * (self._away_m - away_m) + step.success - PER_STEP
        self._away_m = batch.distance_m
        acted = batch.pushes.applied / max(force_n, 1e-9)
        return Step(
            self._with(step.observation, batch.pushes.left),
            self._with(step.last_observation, batch.left),
            reward,
            step.disturbance_j / batch.pushes.limits.energy_j,
            step.terminated,
            step.truncated,
            np.concatenate([action[:, :4], acted], axis=1),
            batch.left,
            step.success,
        )

    def _with(self, observation: np.ndarray, left: np.ndarray) -> np.ndarray:
        batch, pushes = self.batch, self.batch.pushes
        held = pushes.held / max(pushes.limits.force_n, 1e-9)
        return np.concatenate(
            [observation, batch.velocity / _SPEED_MPS, held, left[:, None], pushes.fresh[:, None]], axis=1
        )


class TwinGame:
    """A twin's task, done by its scripted expert, whose target the policy may move: what it learns is to stand pushes.

    A policy from nothing would need hours for what the expert can, and a question of robustness would become one of
    exploration. The disturber pushes the cube, along the table: upwards it would do the lifting itself, and a push on
    the tool is little to this arm (up to 150 N, held for 100 ms at random, 20 J, the expert lifts all the same).
    """

    observed, actions, disturbances = 12, 3, 2

    def __init__(
        self,
        seed: int,
        rows: int,
        limits: PushLimits,
        *,
        task: str,
        on: str = "cube",
        seeds: Sequence[int] | None = None,
    ) -> None:
        self._envs = [
            PushedTwin(
                task_class(task.partition("/")[2])(), limits=limits, on=on, options=TwinOptions(max_steps=TWIN_STEPS)
            )
            for _ in range(rows)
        ]
        self._experts = [make_expert(task) for _ in range(rows)]
        self.rows, self.observation_size = rows, self.observed + 6
        self.action_size = self.actions + self.disturbances
        self._random = np.random.default_rng(seed)
        self._seeds, self._limits = seeds, limits
        self.pushed = Pushed(np.zeros(rows), np.zeros(rows))
        self._seen: list[Mapping[str, np.ndarray]] = [{} for _ in range(rows)]
        self._targets, self._worth = np.zeros((rows, 10)), np.zeros(rows)
        self._before_m = np.zeros((rows, 3))

    def reset(self) -> np.ndarray:
        for row in range(self.rows):
            self._begin(row)
        return self._observe()

    def step(self, action: np.ndarray) -> Step:
        rows, left = self.rows, np.zeros(self.rows)
        reward, success, truncated = np.zeros(rows), np.zeros(rows, bool), np.zeros(rows, bool)
        executed, given = np.array(action, dtype=np.float64), np.zeros(rows)
        for row, env in enumerate(self._envs):
            target = self._targets[row].copy()
            target[:3] += RESIDUAL_M * action[row, :3]
            env.push(np.concatenate([self._limits.force_n * action[row, 3:], np.zeros(4)]))
            self._before_m[row] = self._seen[row]["cube.position"]
            self._seen[row], _, success[row], truncated[row], _ = env.step(target)
            executed[row, 3:] = env.pushes.applied[0, :2] / max(self._limits.force_n, 1e-9)
            given[row], left[row] = env.gave_j, float(env.pushes.left[0])
            worth = self._worth_of(row)
            reward[row], self._worth[row] = worth - self._worth[row] + success[row] - PER_STEP, worth
            if not success[row] and not truncated[row]:
                self._targets[row] = self._experts[row].act(self._seen[row])
        self.pushed = Pushed(given, np.zeros(rows))
        last = self._observe()
        for row in np.flatnonzero(success | truncated):
            self._begin(int(row))
        return Step(
            self._observe(),
            last,
            reward,
            given / self._limits.energy_j,
            success,
            truncated,
            executed,
            left,
            success.copy(),
        )

    def _begin(self, row: int) -> None:
        seed = int(self._random.integers(2**31)) if self._seeds is None else int(self._seeds[row])
        self._seen[row], _ = self._envs[row].reset(seed=seed)
        self._before_m[row] = self._seen[row]["cube.position"]
        self._experts[row].reset(self._seen[row], np.random.default_rng(seed))
        self._targets[row] = self._experts[row].act(self._seen[row])
        self._worth[row] = self._worth_of(row)

    def _worth_of(self, row: int) -> float:
        seen = self._seen[row]
        height_m, away_m = float(seen["cube.position"][2]), float(np.linalg.norm(seen["cube.from_tcp"]))
        # A cube that falls off the table is lost, and not more so the deeper it falls.
        return HIGHER * max(height_m, 0.0) - NEARER * min(away_m, FAR_M)

    def _observe(self) -> np.ndarray:
        found = np.zeros((self.rows, self.observation_size))
        for row, seen in enumerate(self._seen):
            pushes, hand = self._envs[row].pushes, seen["tcp.position"]
            held = pushes.held[0, :2] / max(self._limits.force_n, 1e-9)
            moved = (seen["cube.position"] - self._before_m[row]) / (0.05 * _SPEED_MPS)
            found[row] = np.concatenate(
                [
                    seen["cube.from_tcp"] / 0.1,
                    hand[2:] / 0.1,
                    seen["gripper.width"] / 0.04,
                    (self._targets[row, :3] - hand) / 0.05,
                    self._targets[row, 9:],
                    moved,
                    held,
                    pushes.left,
                    self._envs[row].point.velocity[:2] / _SPEED_MPS,
                    pushes.fresh,
                ]
            )
        return found


def make_game(task: str, seed: int, rows: int, limits: PushLimits, **more: Any) -> Game:
    """Rows of a task: `maze` (with `layouts` and `budget`) or `twin/NAME`."""
    return MazeGame(seed, rows, limits, **more) if task == "maze" else TwinGame(seed, rows, limits, task=task, **more)
