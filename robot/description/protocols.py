"""What every robot, policy and critic offers. Arrays only: this is the border that all rooms share."""

from __future__ import annotations

from typing import Mapping, Protocol, Sequence, runtime_checkable

import numpy as np

from robot.description.chunk import ActionChunk
from robot.description.clock import Clock
from robot.description.prompt import TaskPrompt
from robot.description.robot import RobotSpec
from robot.description.specs import CriticSpec, PolicySpec

Observation = Mapping[str, np.ndarray]


@runtime_checkable
class Robot(Protocol):
    """A robot or its twin."""

    @property
    def spec(self) -> RobotSpec: ...

    @property
    def clock(self) -> Clock: ...

    def observe(self) -> Observation:
        """The newest observation, one row a key."""
        ...

    def execute(self, chunk: ActionChunk) -> None:
        """Accept a chunk and return at once; each row acts when it is due."""
        ...

    def stop(self) -> None: ...

    def reset(self) -> None: ...


@runtime_checkable
class Policy(Protocol):
    """Anything that turns observations into chunks of actions."""

    spec: PolicySpec

    @property
    def noise_shape(self) -> tuple[int, ...] | None:
        """The shape of the noise that decides one chunk, or None where noise cannot steer."""
        ...

    def sample(
        self,
        observation: Observation,
        *,
        task: TaskPrompt | None = None,
        noise: np.ndarray | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: np.ndarray | None = None,
        prefix_weight: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw chunks of actions.

        Args:
            observation: name -> (batch, steps, ...) raw units.
            task: what to do, one prompt for the batch.
            noise: (batch, samples, *noise_shape); given, it decides the result.
            samples: chunks drawn a row.
            seeds: (batch,) a stream a row, so that a row never depends on its batch mates.
            prefix: (batch, horizon, dim) raw actions already committed.
            prefix_weight: (batch, horizon) 1 where the prefix must stand, 0 where it is free.

        Returns:
            (batch, samples, horizon, dim) raw units.
        """
        ...

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Policy:
        """The same policy with another sampler; this one is unchanged."""
        ...


@runtime_checkable
class Critic(Protocol):
    """Anything that scores the executed part of a chunk."""

    spec: CriticSpec

    def value(self, observation: Observation, chunk: np.ndarray, task: TaskPrompt | None = None) -> np.ndarray:
        """Score chunks (batch, samples, k, dim) in raw units: returns (batch, samples)."""
        ...
