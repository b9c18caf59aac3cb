"""A policy that costs nothing: it holds the pose that it sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot.description import ActionSpec, History, Observation, ObservationSpec, PolicySpec, SamplerSpec

HORIZON = 16


class Hold:
    """Plans to stay: every row of a chunk is the robot's part of the observation."""

    noise_shape = None

    def __init__(self, observation: ObservationSpec, action: ActionSpec) -> None:
        self._names = [field.name for field in action.fields]
        self.spec = PolicySpec(
            observation.select(self._names).with_history(History(1)), action, HORIZON, 8, SamplerSpec("hold", 1)
        )

    def sample(self, observation: Observation, **_: Any) -> np.ndarray:
        now = np.concatenate([observation[name][:, -1] for name in self._names], axis=-1)
        return np.repeat(now[:, None, None], HORIZON, axis=2)

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Hold:
        return self
