"""Lift a cube off the table."""

from __future__ import annotations

import mujoco
import numpy as np

from sim.tasks.info import TaskInfo
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.twin.model.scene import SCENE_BIT, Scene

HALF = 0.02  # m, half an edge of the cube
HEIGHT = 0.06  # m: its centre above the table


class Lift(TwinTask):
    """Lift the cube, which is anywhere in a patch of the table, at any yaw: after a quarter turn it looks the same, so
    the yaw is drawn from one quarter and each pose has one orientation.
    """

    info = TaskInfo(
        id="twin/lift",
        control_hz=CONTROL_HZ,
        max_steps=150,
        n_action_steps=12,
        success="the centre of the cube is more than 6 cm above the table",
        score="1 at success, else 0",
        instruction="lift the red cube",
    )
    fields = BodyReading.fields("cube")

    def build(self, spec: mujoco.MjSpec) -> None:
        cube = spec.worldbody.add_body(name="cube", pos=[0.5, 0, HALF])
        cube.add_freejoint(name="cube")
        cube.add_geom(
            name="cube",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[HALF] * 3,
            mass=0.06,
            rgba=[0.8, 0.15, 0.1, 1],
            contype=SCENE_BIT,
            conaffinity=SCENE_BIT,
            friction=[1.0, 0.01, 0.0005],
            condim=4,
            group=1,
        )

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        self._cube = BodyReading(scene, "cube")

    def place(self, random: np.random.Generator) -> None:
        x, y = random.uniform([0.42, -0.12], [0.58, 0.12])
        self.scene.put("cube", np.array([x, y, HALF]), yaw=random.uniform(-np.pi / 4, np.pi / 4))

    def observe(self) -> dict[str, np.ndarray]:
        return self._cube.row()

    def success(self) -> bool:
        return bool(self._cube.position[2] - self.scene.table_z > HEIGHT)
