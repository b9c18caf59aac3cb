"""What a task adds to a twin: bodies, a start, their observation, success."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import mujoco
import numpy as np

from robot.control.rotation import rotation_6d_from_matrix
from robot.description.observation import ObservationField
from robot.errors import InputError
from sim.tasks.info import TaskInfo
from sim.twin.model.scene import Scene

CONTROL_HZ = 20.0


class TwinTask(ABC):
    """One task. The environment calls `build` once before the scene is compiled, `bind` once after, `place` at every
    reset, `update` after every control step.

    Attributes:
        info: facts of the task; `instruction` may replace its instruction for an episode.
        robot: the default robot.
        tools: joint groups of tools that can do it: `gripper`, `hand`.
        fields: what `observe` returns, in order.
        native: what `reward` measures, in words; empty where it is 1 at success, else 0.
        things: bodies of the world that perturbations of poses move, each by itself; None for all that it builds.
        scene: set by `bind`.
    """

    info: ClassVar[TaskInfo]
    robot: ClassVar[str] = "panda"
    tools: ClassVar[tuple[str, ...]] = ("gripper",)
    fields: ClassVar[tuple[ObservationField, ...]]
    native: ClassVar[str] = ""
    things: ClassVar[tuple[str, ...] | None] = None
    scene: Scene

    def __init__(self) -> None:
        self.instruction = self.info.instruction

    @abstractmethod
    def build(self, spec: mujoco.MjSpec) -> None:
        """Add the task's bodies to a scene."""

    def bind(self, scene: Scene) -> None:
        """Find the task's elements in the compiled scene."""
        self.scene = scene

    @abstractmethod
    def place(self, random: np.random.Generator) -> None:
        """Draw a start: set positions of the task's bodies in `scene.data.qpos`; the robot is already placed.

        All randomness comes from `random`. State of the last episode is cleared here.
        """

    def update(self) -> None:  # noqa: B027, most tasks have nothing to note
        """Account for a control step that has passed, for tasks whose success depends on the past."""

    def make_ambiguous(self) -> None:
        """Let starts say nothing of the instruction from now on.

        Raises:
            InputError: the task has one instruction only.
        """
        raise InputError(
            f"option starts of {self.info.id}",
            expected="own: the task has one instruction",
            got="ambiguous",
            way_out="twin/drawer has several",
        )

    @abstractmethod
    def observe(self) -> dict[str, np.ndarray]:
        """The task's part of the observation, float32, in the order of `fields`."""

    @abstractmethod
    def success(self) -> bool:
        """Whether the goal is reached now."""

    def score(self) -> float:
        """The score of the present state, 0 to 1."""
        return float(self.success())

    def reward(self) -> float:
        """The task's own reward of the present state, `reward="native"`."""
        return float(self.success())

    def check_robot(self, tools: tuple[str, ...], limbs: int) -> None:
        """Refuse a robot that cannot do the task."""
        if limbs != 1 or tools[0] not in self.tools:
            raise InputError(
                f"robot for {self.info.id}",
                expected=f"one arm with a {' or '.join(self.tools)}",
                got=f"{limbs} arm{'s' * (limbs > 1)} with a {tools[0]}",
            )


class BodyReading:
    """Pose of one body in the robot's base frame, and its position relative to the tcp.

    Args:
        scene: compiled.
        body: name of the body.
        name: of the observation's keys; the body's own when None.
    """

    def __init__(self, scene: Scene, body: str, name: str | None = None) -> None:
        number, tcp = scene.id("body", body), scene.id("site", scene.description.limbs[0].tcp)
        self.position = scene.data.xpos[number]
        self.matrix = scene.data.xmat[number].reshape(3, 3)
        self._tcp = scene.data.site_xpos[tcp]
        name = name or body
        self._names = (f"{name}.position", f"{name}.rotation", f"{name}.from_tcp")

    @staticmethod
    def fields(name: str) -> tuple[ObservationField, ...]:
        """`NAME.position` (3) m, `NAME.rotation` (6), `NAME.from_tcp` (3) m: position minus that of the tcp."""
        return (
            ObservationField(f"{name}.position", (3,), "float32", "m", "pose"),
            ObservationField(f"{name}.rotation", (6,), "float32", "1", "pose"),
            ObservationField(f"{name}.from_tcp", (3,), "float32", "m", "state"),
        )

    def row(self) -> dict[str, np.ndarray]:
        """The fields, as they are now."""
        position, rotation, from_tcp = self._names
        return {
            position: self.position.astype(np.float32),
            rotation: rotation_6d_from_matrix(self.matrix).astype(np.float32),
            from_tcp: (self.position - self._tcp).astype(np.float32),
        }
