"""Carts on a line that are to stay where they are, and are pushed: with so much force, and so many joules."""

from __future__ import annotations

import numpy as np

from policies.rl import Step

PERIOD_S, FORCE_N, PUSH_N, HORIZON = 0.1, 3.0, 2.0, 60
FAR_M = 1.0  # beyond which it does not get worse
EFFORT = 0.3  # paid for the square of an action: at peace a policy is not stiff
START_M = 0.1


class Carts:
    """Rows of carts of 1 kg without friction. Actions are the cart's drive, then the push; observations are place and
    speed, then what is left to the pusher, which the drive does not see.

    Args:
        seed: of the starts.
        rows: side by side.
        energy_j: that the pusher may give in an episode, net.
    """

    action_size, observation_size = 2, 3

    def __init__(self, seed: int = 0, rows: int = 32, *, energy_j: float = 3.0) -> None:
        self.rows, self.energy_j, self._random = rows, energy_j, np.random.default_rng(seed)
        self.place_m, self.speed_mps, self.left_j = np.zeros(rows), np.zeros(rows), np.zeros(rows)
        self.time = np.zeros(rows, dtype=int)

    def reset(self) -> np.ndarray:
        self._begin(np.ones(self.rows, dtype=bool))
        self.time[:] = self._random.integers(0, HORIZON // 2, self.rows)
        return self._observe()

    def step(self, action: np.ndarray) -> Step:
        assert action.shape == (self.rows, 2) and (np.abs(action) <= 1).all()
        drive, push = FORCE_N * action[:, 0], PUSH_N * action[:, 1]
        push = np.where(push * self._way(drive + push) <= self.left_j, push, 0.0)
        way, work_j = self._way(drive + push), push * self._way(drive + push)
        self.place_m, self.speed_mps = self.place_m + way, self.speed_mps + PERIOD_S * (drive + push)
        # A frame that stops the cart far away: nothing is learnt from beyond it.
        self.speed_mps[np.abs(self.place_m) > 2 * FAR_M] = 0.0
        self.place_m = np.clip(self.place_m, -2 * FAR_M, 2 * FAR_M)
        self.left_j, self.time = np.minimum(self.left_j - work_j, self.energy_j), self.time + 1
        reward = -np.minimum(np.abs(self.place_m), FAR_M) - EFFORT * action[:, 0] ** 2
        over, none = self.time >= HORIZON, np.zeros(self.rows, dtype=bool)
        last, near = self._observe(), np.abs(self.place_m) < 0.2
        executed = np.stack([action[:, 0], push / PUSH_N], axis=1)
        budget = self.left_j / self.energy_j
        self._begin(over)
        return Step(self._observe(), last, reward, work_j / self.energy_j, none, over, executed, budget, over & near)

    def _way(self, force: np.ndarray) -> np.ndarray:
        found: np.ndarray = PERIOD_S * self.speed_mps + 0.5 * PERIOD_S**2 * force
        return found

    def _begin(self, rows: np.ndarray) -> None:
        self.place_m[rows] = self._random.uniform(-START_M, START_M, int(rows.sum()))
        self.speed_mps[rows], self.left_j[rows], self.time[rows] = 0.0, self.energy_j, 0

    def _observe(self) -> np.ndarray:
        return np.stack([self.place_m, self.speed_mps, self.left_j / self.energy_j], axis=1)
