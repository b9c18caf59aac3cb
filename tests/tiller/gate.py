"""A task that stands still until a file is there, so that tests can act while an episode is under way."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv

TASK = "gym/tests.tiller.gate:Gate-v0"
FREE_BELOW = 100
"""Episodes with a smaller seed do not meet the gate."""


class Gate(Continuous_MountainCarEnv):
    """Mountain car behind a gate.

    Args:
        gate: steps wait until this file exists; beside it each process leaves `<gate>.<its number>` when it waits.
    """

    def __init__(self, gate: str, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self._gate, self._free = Path(gate), True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self._free = seed is None or seed < FREE_BELOW
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> Any:
        if not self._free and not self._gate.exists():
            self._gate.with_name(f"{self._gate.name}.{os.getpid()}").touch()
            while not self._gate.exists():
                time.sleep(0.02)
        return super().step(action)


gymnasium.register("Gate-v0", Gate, max_episode_steps=100)
