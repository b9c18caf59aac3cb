"""The mountain car without a word on success, and one that never repeats, registered where workers can import them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.classic_control import Continuous_MountainCarEnv


class Drifting(Continuous_MountainCarEnv):
    """Pushed by a wind that no seed restarts."""

    wind = np.random.default_rng(0)

    def step(self, action: np.ndarray) -> Any:
        return super().step(np.clip(action + self.wind.normal(size=1), -1, 1).astype(np.float32))


gymnasium.register("Silent-v0", Continuous_MountainCarEnv, max_episode_steps=16)
gymnasium.register("Drifting-v0", Drifting, max_episode_steps=16)
