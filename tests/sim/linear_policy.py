"""A small policy in plain numpy for tests of rollouts: it pushes towards the block, with noise from its seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Sequence

import numpy as np

from robot.description import History, ObservationSpec, PolicySpec, SamplerSpec, TaskPrompt
from sim.tasks.pusht import ACTION, OBSERVATIONS


class BlockSeeker:
    """Plans straight lines from the agent through the block's centre, each row off by seeded Gaussian noise.

    Args:
        spread_px: standard deviation of the noise.
        observation: another one than PushT's state with two steps of history.
    """

    noise_shape = None

    def __init__(self, spread_px: float = 20.0, observation: ObservationSpec | None = None, horizon: int = 16):
        seen = observation or OBSERVATIONS["state"].with_history(History(2))
        self.spread_px = spread_px
        self.spec = PolicySpec(seen, ACTION, horizon, 8, SamplerSpec("gaussian", 1))
        self.calls: list[tuple[int, ...]] = []

    def sample(
        self,
        observation: Mapping[str, np.ndarray],
        *,
        task: TaskPrompt | None = None,
        noise: np.ndarray | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: np.ndarray | None = None,
        prefix_weight: np.ndarray | None = None,
    ) -> np.ndarray:
        state = observation["state"]  # (batch, steps, 5)
        self.calls.append(state.shape)
        streams = [np.random.default_rng(seed) for seed in (seeds if seeds is not None else range(len(state)))]
        drawn = np.stack([stream.normal(size=(samples, self.spec.horizon, 2)) for stream in streams])
        now, before = state[:, -1], state[:, 0]
        goal = now[:, 2:4] + 0.5 * (now[:, 2:4] - now[:, :2]) + 0.1 * (now[:, :2] - before[:, :2])
        pace = np.linspace(0.1, 1.0, self.spec.horizon)[:, None]
        path = now[:, None, :2] + pace * (goal - now[:, :2])[:, None]
        return np.clip(path[:, None] + self.spread_px * drawn, 0, 512)

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> BlockSeeker:
        changed: Any = BlockSeeker(self.spread_px)
        changed.spec = replace(self.spec, sampler=SamplerSpec(name or "gaussian", steps or 1))
        return changed
