"""The protocols of robots, policies and critics. Arrays only: all rooms share these interfaces."""

from __future__ import annotations

from types import TracebackType
from typing import Mapping, Protocol, Self, Sequence, runtime_checkable

import numpy as np

from robot.description.chunk import ActionChunk
from robot.description.clock import Clock
from robot.description.prompt import Task
from robot.description.robot import RobotSpec
from robot.description.specs import CriticSpec, PolicySpec

Observation = Mapping[str, np.ndarray]
"""Name -> array in raw units: one row of a robot, (batch, steps, ...) for a policy."""


@runtime_checkable
class Robot(Protocol):
    """A robot or its twin."""

    @property
    def spec(self) -> RobotSpec:
        """Its joints, limits, frames and rest posture."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock that stamps its observations and by which chunks are due."""
        ...

    def observe(self) -> Observation:
        """The newest observation, one row per key, in raw units.

        Raises:
            TillerError: a real robot's topic is silent.
        """
        ...

    def execute(self, chunk: ActionChunk) -> None:
        """Accept a chunk and return at once; each row acts when it is due.

        Raises:
            InputError: fields, numbers or times that the robot cannot take; it goes on as before.
            TillerError: the gate of a real robot does not follow this program.
        """
        ...

    def stop(self) -> None:
        """Stop the robot, and hold it where it is."""
        ...

    def reset(self) -> None:
        """Bring the robot to its start: the rest posture, or a new episode of a twin's task."""
        ...


@runtime_checkable
class ConnectedRobot(Robot, Protocol):
    """A robot that `tiller.connect` has connected, over a gate or as a twin in this process: it is a context manager,
    and can be commanded to move.
    """

    def wait_until_ready(self, timeout: float = ...) -> Self:
        """Wait, `timeout` seconds at most, until the robot can be commanded.

        Returns:
            The robot itself.

        Raises:
            TillerError: it is not ready in time, or cannot be, with the reason.
        """
        ...

    def home(self, duration: float | None = None) -> None:
        """Move to the rest posture in `duration` seconds, None takes a calm pace; return when the robot rests there.

        Raises:
            InputError, TillerError: as `move_to`.
        """
        ...

    def move_to(
        self,
        position: np.ndarray | None = None,
        rotation: np.ndarray | None = None,
        width: float | None = None,
        *,
        duration: float | None = None,
        fields: Mapping[str, np.ndarray] | None = None,
        tolerance: float = ...,
        turn_tolerance: float = ...,
    ) -> None:
        """Move to a target, and return when the robot rests there. Fields that are not named keep their last target.

        Args:
            position: (3,) m of the tcp, in the base frame.
            rotation: of the tcp: (3, 3), or (6,) as in an action.
            width: of the gripper, m. An object in it may keep it from getting there.
            duration: s; None takes a calm pace.
            fields: by name, of other actions: `arm.joints`, `hand.joints`, `left.tcp.position`.
            tolerance: m, largest distance of the measured tcp in the end.
            turn_tolerance: rad, the same of its rotation and of the arm's joints.

        Raises:
            InputError: outside of limits or out of reach, or quicker than the limits allow.
            TillerError: the robot did not get there, with the reason.
        """
        ...

    def close(self) -> None:
        """Disconnect from the robot and end everything started for it."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Policy(Protocol):
    """Anything that turns observations into chunks of actions.

    It may have `decide` beside `sample`: see `robot.description.decision`.
    """

    @property
    def spec(self) -> PolicySpec:
        """What it sees and returns, and its default sampler."""
        ...

    @property
    def noise_shape(self) -> tuple[int, ...] | None:
        """The shape of the noise that decides one chunk, or None where noise cannot steer."""
        ...

    def sample(
        self,
        observation: Observation,
        *,
        task: Task = None,
        noise: np.ndarray | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: np.ndarray | None = None,
        prefix_weight: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw chunks of actions.

        Args:
            observation: name -> (batch, steps, ...) raw units, every key of `spec.observation` with as many steps as
                its history.
            task: what to do: one prompt for all rows, or (batch,) one per row. `spec.prompt` says what becomes of it.
            noise: (batch, samples, *noise_shape) standard normal; given, it decides the result, but for samplers that
                draw more.
            samples: chunks drawn per row.
            seeds: (batch,) one random stream per row, so that a row never depends on its batch mates; None draws fresh
                ones.
            prefix: (batch, horizon, dim) raw actions already committed.
            prefix_weight: (batch, horizon) 1 where the prefix is fixed, 0 where it is free; needed with a prefix.

        Returns:
            (batch, samples, horizon, dim) raw units, in the order of `spec.action`; row 0 belongs to the newest
            observation.

        Raises:
            InputError: a key is missing, an array has another shape, noise where `noise_shape` is None, a prefix
                without its weight, or a prompt that the policy cannot follow.
        """
        ...

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Policy:
        """The same policy with another sampler; this one is unchanged.

        Args:
            name: of the sampler; None keeps the present one.
            steps: that it takes; None keeps the present number.

        Raises:
            InputError: the policy has no such sampler, or it cannot take so many steps.
        """
        ...


@runtime_checkable
class Critic(Protocol):
    """Anything that scores the executed part of a chunk.

    Attributes:
        spec: what it sees and scores, its discount and reward convention.
    """

    spec: CriticSpec

    def value(
        self, observation: Observation, chunk: np.ndarray, task: Task = None, reference: np.ndarray | None = None
    ) -> np.ndarray:
        """Score chunks of actions.

        Args:
            observation: name -> (batch, steps, ...) raw units.
            chunk: (batch, samples, k, dim) raw units, k the `steps` of the spec.
            task: what to do: one prompt for all rows, or (batch,) one per row.
            reference: (batch, k, dim) raw units, the first k rows of the chunk that `spec.base` gives for zero noise;
                needed where there is a base.

        Returns:
            (batch, samples).
        """
        ...
