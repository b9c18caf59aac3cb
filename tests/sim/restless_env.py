"""A Gymnasium environment that draws from a stream which no seed restarts."""

from __future__ import annotations

import gymnasium
import numpy as np
from gymnasium import spaces


class Restless(gymnasium.Env[np.ndarray, np.ndarray]):
    metadata = {"render_modes": [], "render_fps": 10}
    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._random.normal(size=1).astype(np.float32), {}

    def step(self, action):
        return self._random.normal(size=1).astype(np.float32), 0.0, False, False, {"success": False}


gymnasium.register("Restless-v0", Restless, max_episode_steps=10)
