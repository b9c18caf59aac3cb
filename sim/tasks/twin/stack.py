"""Put one cube on another."""

from __future__ import annotations

import mujoco
import numpy as np

from sim.tasks.info import TaskInfo
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.twin.model.assembly import SCENE_BIT, SEEN
from sim.twin.model.scene import Scene

HALF = 0.02  # m, half an edge of the red cube
BASE_HALF = 0.025  # m, of the green one
APART = 0.09  # m between their centres at the start, at least
STILL = 0.03  # m/s
RELEASED = 0.055  # m, width of the gripper
OFFSET = 0.5  # of the green cube's half edge: largest offset of the red one from its middle


class Stack(TwinTask):
    """Two cubes are anywhere in a patch of the table, at least 9 cm apart, turned at will within the quarter turn after
    which a cube looks the same.
    """

    info = TaskInfo(
        id="twin/stack",
        control_hz=CONTROL_HZ,
        max_steps=220,
        n_action_steps=12,
        success="the red cube stands on the green one within 12.5 mm of its middle, both at rest, the gripper open",
        score="1 at success, else 0",
        instruction="put the red cube on the green cube",
    )
    fields = (*BodyReading.fields("red"), *BodyReading.fields("green"))

    def build(self, spec: mujoco.MjSpec) -> None:
        for name, half, mass, colour in (
            ("red", HALF, 0.06, [0.8, 0.15, 0.1, 1]),
            ("green", BASE_HALF, 0.12, [0.15, 0.6, 0.2, 1]),
        ):
            cube = spec.worldbody.add_body(name=name, pos=[0.5, 0, half])
            cube.add_freejoint(name=name)
            cube.add_geom(
                name=name,
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=[half] * 3,
                mass=mass,
                rgba=colour,
                contype=SCENE_BIT,
                conaffinity=SCENE_BIT,
                friction=[1.0, 0.01, 0.0005],
                condim=4,
                group=SEEN,
            )

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        self._red, self._green = BodyReading(scene, "red"), BodyReading(scene, "green")
        starts = [scene.model.joint(name).dofadr[0] for name in ("red", "green")]
        self._velocities = [scene.data.qvel[start : start + 3] for start in starts]
        limb = scene.description.limbs[0]
        finger = scene.model.joint(limb.element(limb.tool.joints[0])).qposadr[0]
        self._finger, self._scale = scene.data.qpos[finger : finger + 1], limb.tool.command.scale

    def place(self, random: np.random.Generator) -> None:
        while True:
            red, green = random.uniform([0.40, -0.16], [0.58, 0.16], (2, 2))
            if np.linalg.norm(red - green) > APART:
                break
        for name, half, position in (("red", HALF, red), ("green", BASE_HALF, green)):
            self.scene.put(name, np.array([*position, half]), yaw=random.uniform(-np.pi / 4, np.pi / 4))

    def observe(self) -> dict[str, np.ndarray]:
        return {**self._red.row(), **self._green.row()}

    def success(self) -> bool:
        above = self._red.position - self._green.position
        on_top = abs(above[2] - HALF - BASE_HALF) < 0.005 and np.linalg.norm(above[:2]) < OFFSET * BASE_HALF
        still = all(float(np.linalg.norm(each)) < STILL for each in self._velocities)
        return bool(on_top and still and self._finger[0] * self._scale > RELEASED)
