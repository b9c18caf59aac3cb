"""The state of a twin's process: a robot in a scene, with a task in it or without."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Mapping

import numpy as np

from robot.contract.contract import Contract
from robot.errors import InputError
from robot.safety.energy.budget import load_budget
from sim.rendering.backend import SceneRenderer
from sim.tasks.twin.env import TwinEnv
from sim.twin import make_twin
from sim.twin.model.assembly import FELT


class World:
    """A robot with its task, in lock-step, or stepped by a caller in real time.

    Args:
        contract: whose robot it is.
        task: `twin/lift`; empty for the robot alone at its table.
        image_size: height and width of images, px.

    Attributes:
        robot: of the scene.
        observation: name -> array, the newest.
        outcome: name -> number, of the newest step: `success`, `score`, `terminated`, `truncated`, `steps`; empty
            without a task.

    Raises:
        InputError: no such task, it is for another robot or has another period than the contract.
    """

    def __init__(self, contract: Contract, task: str, *, image_size: tuple[int, int] = (96, 96)) -> None:
        self.env: TwinEnv | None = None
        self._image_size = image_size
        if task:
            self.env = _environment(contract, task)
            self.robot = self.env.robot
        else:
            name = budget_of(contract)
            self.robot = make_twin(
                contract.robot,
                control=contract.control,
                period_s=contract.period_s,
                budget=load_budget(name) if name else None,
            )
        self.observation: Mapping[str, np.ndarray] = {}
        self.outcome: dict[str, float] = {}
        self._steps = 0

    @property
    def instruction(self) -> str:
        """Instruction of the episode; empty without a task."""
        return self.env.twin_task.instruction if self.env is not None else ""

    @property
    def steps(self) -> int:
        """Control periods since the reset."""
        return self._steps

    def reset(self, seed: int) -> None:
        """Start the episode of a seed."""
        self._steps = 0
        if self.env is None:
            self.robot.reset()
            self.observation = self.robot.observe()
        else:
            self.observation, info = self.env.reset(seed=seed)
            self._note(info, False, False)

    def step(self, action: np.ndarray) -> None:
        """Hold an action (dim,) for one control period: bit for bit what the environment does.

        Raises:
            InputError: it is of another size or not finite.
        """
        if self.env is None:
            self.robot.hold(action)
            self.observation = self.robot.observe()
            self._steps += 1
            return
        self.observation, _, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        self._note(info, terminated, truncated)

    def look(self) -> None:
        """Observe between steps, without images."""
        self.observation = self.robot.observe()
        if self.env is not None:
            self.observation = {**self.observation, **self.env.twin_task.observe()}

    def period_passed(self) -> None:
        """Update the task after a control period of real time."""
        self._steps += 1
        self.look()
        if self.env is not None:
            self.env.twin_task.update()
            success = bool(self.env.twin_task.success())
            self._note(
                {"success": success, "score": self.env.twin_task.score()},
                success,
                self._steps >= self.env.task.max_steps,
            )

    def image(self, camera: str) -> np.ndarray:
        """(height, width, 3) uint8 RGB, what a camera of the scene sees now."""
        scene = self.robot.scene
        return self._renderer.draw(scene.data, scene.id("camera", camera))

    def close(self) -> None:
        """Free the renderer."""
        if "_renderer" in self.__dict__:
            self.__dict__.pop("_renderer").close()
        if self.env is not None:
            self.env.close()

    @cached_property
    def _renderer(self) -> SceneRenderer:
        return SceneRenderer(self.robot.scene.model, *self._image_size, hidden_groups=(FELT, 3))

    def _note(self, info: Mapping[str, Any], terminated: bool, truncated: bool) -> None:
        self.outcome = {
            "success": float(info["success"]),
            "score": float(info["score"]),
            "terminated": float(terminated),
            "truncated": float(truncated and not terminated),
            "steps": float(self._steps),
        }


def budget_of(contract: Contract) -> str | None:
    """The budget that the twin's inner loop enforces: that of a sink whose energy mode is `torque`; None for none."""
    budgets = {sink.energy.budget for sink in contract.sinks.values() if sink.energy.mode == "torque"} - {"free"}
    if len(budgets) > 1:
        raise InputError(
            f"contract '{contract.name}': energy",
            expected="one budget for all arms of a twin",
            got=", ".join(sorted(budgets)),
        )
    return next(iter(budgets), None)


def _environment(contract: Contract, task: str) -> TwinEnv:
    import sim

    if not task.startswith("twin/"):
        raise InputError("task", expected="a task of the twin, such as twin/lift", got=f"'{task}'")
    env = sim.make(task, robot=contract.robot, control=contract.control, budget=budget_of(contract))
    assert isinstance(env, TwinEnv)
    if env.action_spec.period_ns != round(contract.period_s * 1e9):
        raise InputError(
            f"contract '{contract.name}': period_s",
            expected=f"{env.action_spec.period_s} of {task}",
            got=str(contract.period_s),
        )
    return env
