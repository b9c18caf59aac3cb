"""A policy for any task: it walks at random from where the seeds say, whatever it sees."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np

import sim
from robot.description import PolicySpec, SamplerSpec


class Wanderer:
    """Smooth random actions around the middle of a task's bounds, mixed with a trace of what it sees.

    Args:
        task_id, options: of the task, whose specs it takes over.
        reach: of the actions, as a share of the bounds.
    """

    noise_shape = None

    def __init__(self, task_id: str, options: Mapping[str, Any] | None = None, reach: float = 0.5):
        env = sim.make(task_id, **(options or {}))
        self.low, self.high = (np.clip(bound, -10, 1000) for bound in (env.action_space.low, env.action_space.high))
        self.reach = reach
        self.spec = PolicySpec(env.observation_spec, env.action_spec, 8, 4, SamplerSpec("random", 1))
        env.close()

    def sample(self, observation, *, seeds: Sequence[int], **_: Any) -> np.ndarray:
        middle, half = (self.high + self.low) / 2, (self.high - self.low) / 2
        seen = sum(rows.reshape(len(rows), -1).astype(np.float64).mean(axis=1) for rows in observation.values())
        walks = [np.random.default_rng(seed).normal(size=(8, len(middle))).cumsum(axis=0) / 3 for seed in seeds]
        walk = np.tanh(np.stack(walks) + np.sin(seen)[:, None, None])
        return (middle + self.reach * half * walk)[:, None]

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Wanderer:
        return self
