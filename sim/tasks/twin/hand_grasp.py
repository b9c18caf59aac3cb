"""Lift something with a hand, several fingers around it."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.description.observation import ObservationField
from sim.tasks.info import TaskInfo
from sim.tasks.twin.groceries import BODY, GROCERIES, STEP, Wardrobe, add_groceries
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.tasks.twin.touch import FINGERS, THUMB, Touch
from sim.twin.model.scene import Scene

LIFTED = 0.08  # m above where it stood
OTHERS = 2  # fingers that touch beside the thumb
HELD = 5  # control steps
NEAR, FAR = (0.54, -0.16), (0.63, 0.12)  # m, corners of the patch: clear of the hand at rest, which hangs low


class HandGrasp(TwinTask):
    """One of six objects is anywhere in a patch of the table, at any yaw."""

    info = TaskInfo(
        id="twin/hand_grasp",
        control_hz=CONTROL_HZ,
        max_steps=200,
        n_action_steps=12,
        success="the object has been more than 8 cm above where it stood for 5 steps, touched by the thumb and at "
        "least two other fingers",
        score="1 at success, else 0",
        instruction="lift the object with the hand",
    )
    robot = "panda_inspire"
    tools = ("hand",)
    fields = (
        *BodyReading.fields(BODY),
        ObservationField("object.kind", (len(GROCERIES),), "float32", "1", "state"),
        ObservationField("object.size", (3,), "float32", "m", "state"),
        ObservationField("hand.touch", (len(FINGERS),), "float32", "1", "state"),
    )
    things = (BODY,)

    def build(self, spec: mujoco.MjSpec) -> None:
        add_groceries(spec)

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        self._object, self._wardrobe = BodyReading(scene, BODY), Wardrobe(scene)
        self._touch = Touch(scene, [geom for felt in self._wardrobe.felt for geom in felt])

    def place(self, random: np.random.Generator) -> None:
        self._kind = int(random.integers(len(GROCERIES)))
        grocery = self._wardrobe.wear(self._kind)
        x, y = random.uniform(NEAR, FAR)
        self._stood = grocery.half[2] + grocery.stands * STEP
        self.scene.put(BODY, np.array([x, y, self._stood]), yaw=random.uniform(-np.pi, np.pi))
        self.instruction = f"lift the {grocery.name} with the hand"
        self._held = 0

    def update(self) -> None:
        touching = self._touch.read()
        lifted = self._object.position[2] - self.scene.table_z - self._stood > LIFTED
        gripped = touching[THUMB] and np.delete(touching, THUMB).sum() >= OTHERS
        self._held = self._held + 1 if lifted and gripped else 0

    def observe(self) -> dict[str, np.ndarray]:
        return {
            **self._object.row(),
            "object.kind": np.eye(len(GROCERIES), dtype=np.float32)[self._kind],
            "object.size": 2 * np.array(GROCERIES[self._kind].half, dtype=np.float32),
            "hand.touch": self._touch.read().astype(np.float32),
        }

    def success(self) -> bool:
        return self._held >= HELD
