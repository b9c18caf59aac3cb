"""A sled on a line that has to stop at a mark: fast costs energy, slow costs time."""

from __future__ import annotations

import numpy as np

from policies.rl.environment import Step

PERIOD_S, FORCE_N, FRICTION, HORIZON = 0.1, 4.0, 0.5, 50


class Sleds:
    """Rows of sleds of 1 kg that begin 1 m off the mark, give or take.

    Args:
        seed: of the starts.
        rows: side by side.
        limit_j: work that an episode may spend.
        weaken: what a filter makes of the force: it lets through so much of it.
    """

    def __init__(self, seed: int = 0, rows: int = 16, *, limit_j: float = 1.0, weaken: float = 1.0) -> None:
        self.rows, self.observation_size, self.action_size = rows, 2, 1
        self.limit_j, self.weaken, self._random = limit_j, weaken, np.random.default_rng(seed)
        self.place_m, self.speed_mps, self.spent_j = np.zeros(rows), np.zeros(rows), np.zeros(rows)
        self.time = np.zeros(rows, dtype=int)

    def reset(self) -> np.ndarray:
        self._begin(np.ones(self.rows, dtype=bool))
        # Rows that end their time together would hide a mistake at the seams.
        self.time[:] = self._random.integers(0, HORIZON // 2, self.rows)
        return self._observe()

    def step(self, action: np.ndarray) -> Step:
        assert action.shape == (self.rows, 1) and (np.abs(action) <= 1).all()
        executed = action * self.weaken
        force = FORCE_N * executed[:, 0]
        speed = self.speed_mps + PERIOD_S * (force - FRICTION * self.speed_mps)
        way = PERIOD_S * speed
        before = np.abs(self.place_m)
        self.place_m, self.speed_mps, self.time = self.place_m + way, speed, self.time + 1
        work_j = np.maximum(force * way, 0.0)
        self.spent_j += work_j
        success = (np.abs(self.place_m) < 0.1) & (np.abs(speed) < 0.5)
        truncated = ~success & (self.time >= HORIZON)
        reward = before - np.abs(self.place_m) - 0.02 + success
        last, budget = self._observe(), 1 - self.spent_j / self.limit_j
        self._begin(success | truncated)
        return Step(self._observe(), last, reward, work_j / self.limit_j, success, truncated, executed, budget, success)

    def _begin(self, rows: np.ndarray) -> None:
        count = int(rows.sum())
        self.place_m[rows] = self._random.choice([-1.0, 1.0], count) * self._random.uniform(0.8, 1.2, count)
        self.speed_mps[rows], self.spent_j[rows], self.time[rows] = 0.0, 0.0, 0

    def _observe(self) -> np.ndarray:
        return np.stack([self.place_m, self.speed_mps], axis=1)


class Clocks:
    """Rows that earn 1 a step whatever is done, and whose time is over after a few: nothing else ever ends."""

    def __init__(self, rows: int = 4, horizon: int = 5, *, terminates: bool = False) -> None:
        self.rows, self.observation_size, self.action_size = rows, 1, 1
        self.horizon, self.terminates = horizon, terminates
        self.time = np.zeros(rows, dtype=int)

    def reset(self) -> np.ndarray:
        self.time = np.arange(self.rows) % self.horizon
        return np.zeros((self.rows, 1))

    def step(self, action: np.ndarray) -> Step:
        self.time += 1
        over = self.time >= self.horizon
        self.time[over] = 0
        none = np.zeros(self.rows, dtype=bool)
        still = np.zeros((self.rows, 1))
        return Step(
            still,
            still,
            np.ones(self.rows),
            np.zeros(self.rows),
            over if self.terminates else none,
            none if self.terminates else over,
            action,
            np.ones(self.rows),
            none,
        )
