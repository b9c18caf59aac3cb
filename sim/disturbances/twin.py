"""A twin's task with a wrench from outside, on the tool or on an object, as `sim.disturbances.disturbance` bounds it.

The arm's own controller does not know of it. It is bounded and accounted for in each step of the physics.
"""

from __future__ import annotations

from typing import Any, Mapping

import mujoco
import numpy as np

from robot.control.rotation import rotvec_from_matrix
from robot.description import ActionChunk
from sim.disturbances.disturbance import Pushes, PushLimits
from sim.tasks.environment import Outcome
from sim.tasks.twin.env import TwinEnv, TwinOptions
from sim.tasks.twin.task import TwinTask
from sim.twin.model.scene import Scene


class PushedPoint:
    """A point of a twin on which a wrench acts: the tool's centre point, or an object's centre of mass.

    Args:
        scene: of the twin.
        on: `tool`, or the name of a body.
    """

    def __init__(self, scene: Scene, on: str) -> None:
        self._model, self._data = scene.model, scene.data
        if on == "tool":
            self._kind, self._number = mujoco.mjtObj.mjOBJ_SITE, scene.id("site", scene.description.limbs[0].tcp)
            self._body = int(scene.model.site_bodyid[self._number])
            self._place, self._turn = scene.data.site_xpos[self._number], scene.data.site_xmat[self._number]
        else:
            self._kind, self._number = mujoco.mjtObj.mjOBJ_BODY, scene.id("body", on)
            self._body = self._number
            self._place, self._turn = scene.data.xipos[self._number], scene.data.ximat[self._number]
        self._velocity = np.zeros(6)

    @property
    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) m and orientation (3, 3) of the point."""
        return self._place.copy(), self._turn.reshape(3, 3).copy()

    @property
    def velocity(self) -> np.ndarray:
        """(6,) m/s and rad/s, in the base frame."""
        mujoco.mj_objectVelocity(self._model, self._data, self._kind, self._number, self._velocity, 0)
        return np.concatenate([self._velocity[3:], self._velocity[:3]])

    def push(self, wrench: np.ndarray) -> None:
        """Apply a wrench (6,) N and N*m from now on."""
        lever = self._place - self._data.xipos[self._body]
        self._data.xfrc_applied[self._body] = [*wrench[:3], *(wrench[3:] + np.cross(lever, wrench[:3]))]

    def displacement(self, since: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """The displacement (6,) m and rad since an earlier pose."""
        return np.concatenate([self._place - since[0], rotvec_from_matrix(self._turn.reshape(3, 3) @ since[1].T)])


class PushedTwin(TwinEnv):
    """A twin's task with a wrench from outside. `push` requests it for a step; `gave_j` is its energy (J) in that step.

    Args:
        task, options: as of `TwinEnv`; the reward is sparse.
        limits: of the disturber.
        on: `tool`, or a body of the task.
    """

    def __init__(
        self, task: TwinTask, *, limits: PushLimits, on: str = "tool", options: TwinOptions = TwinOptions()
    ) -> None:
        super().__init__(task, reward="sparse", options=options)
        self.pushes = Pushes(limits, 1, 6, period_s=task.info.period_s, tick_s=self.scene.model.opt.timestep)
        self.point, self.gave_j, self._requested = PushedPoint(self.scene, on), 0.0, np.zeros((1, 6))

    def push(self, wrench: np.ndarray) -> None:
        """Request a wrench (6,) for the next step, in the base frame at the point."""
        self._requested = np.array(wrench, dtype=np.float64).reshape(1, -1)

    def start(self, seed: int | None, options: Mapping[str, Any]) -> Outcome:
        self.scene.data.xfrc_applied[:] = 0.0
        self.pushes.begin(np.arange(1))
        self.gave_j, self._requested = 0.0, np.zeros((1, 6))
        return super().start(seed, options)

    def advance(self, action: np.ndarray) -> Outcome:
        robot, spec, pushes = self.robot, self.action_spec, self.pushes
        pushes.request(self._requested)
        robot.execute(ActionChunk(np.array(action)[None], robot.clock.now_ns(), spec.period_s, 0, spec))
        tick_ns, self.gave_j = round(pushes.tick_s * 1e9), 0.0
        for _ in range(spec.period_ns // tick_ns):
            pushed, since = pushes.bounded(0, self.point.velocity), self.point.pose
            self.point.push(pushed)
            robot.run_for(tick_ns)
            self.gave_j += pushes.book(0, pushed, self.point.displacement(since))
        self.point.push(np.zeros(6))
        self.twin_task.update()
        return self._outcome({"disturbance_j": self.gave_j, "disturbance_left": float(pushes.left[0])})
