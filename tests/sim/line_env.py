"""A point on a line, registered where worker processes can import it."""

from __future__ import annotations

from typing import Any, Sequence

import gymnasium
import numpy as np
from gymnasium import spaces

from robot.errors import DivergedError


class Line(gymnasium.Env[np.ndarray, np.ndarray]):
    """Moves as it is told, from 0; success is a position of 1.5.

    Args:
        fragile: seeds of episodes in which the line tears at the fourth step.
        picture: what it draws: `rgb`, `rgba`, `float`, `growing`, `nothing` or `error`.
        silent: nothing is said about success; `late`: only once it is there.
        wild: seeds of episodes in which the physics diverges at the fourth step.
        dark: seeds of episodes in which the reward is no number from the third step on.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    observation_space = spaces.Box(-9, 9, (1,), np.float32)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(
        self,
        fragile: Sequence[int] = (),
        wild: Sequence[int] = (),
        dark: Sequence[int] = (),
        silent: bool = False,
        late: bool = False,
        picture: str = "rgb",
        render_mode: str | None = None,
    ) -> None:
        self.picture, self.render_mode = picture, render_mode
        self.silent, self.late, self.wild = silent, late, wild
        self.fragile, self.dark, self.seed, self.steps, self.position = fragile, dark, 0, 0, 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.seed, self.steps, self.position = seed, 0, 0.0
        return np.array([0], np.float32), {}

    def step(self, action: np.ndarray) -> Any:
        if self.seed in self.fragile and self.steps == 3:
            raise ArithmeticError("the line tore")
        if self.seed in self.wild and self.steps == 3:
            raise DivergedError("The physics diverged at 0.30 s")
        self.steps += 1
        self.position += float(action[0])
        reward = float("nan") if self.seed in self.dark and self.steps > 2 else 0.0
        there = self.position >= 1.5
        info = {} if self.silent or (self.late and not there) else {"success": there}
        return np.array([self.position], np.float32), reward, False, False, info

    def render(self) -> Any:
        side = 32 + 2 * self.steps * (self.picture == "growing")
        channels = 4 if self.picture == "rgba" else 3
        if self.picture == "error" and self.steps == 2:
            raise OSError("the screen is gone")
        if self.picture == "nothing":
            return None
        grey = 0.5 if self.picture == "float" else np.uint8(128)
        return np.full((side, 32, channels), grey)


class Blind(Line):
    """Cannot be asked to draw."""

    metadata = {"render_modes": [], "render_fps": 10}

    def __init__(self) -> None:
        super().__init__()


gymnasium.register("Line-v0", entry_point=Line, max_episode_steps=20)
gymnasium.register("Blind-v0", entry_point=Blind, max_episode_steps=20)
