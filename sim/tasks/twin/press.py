"""Press a button and let it go."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_rotvec, quat_wxyz_from_matrix
from robot.description.observation import ObservationField
from sim.tasks.info import TaskInfo
from sim.tasks.twin.furniture import BOX, CYLINDER, HARD, METAL, JointReading, solid, stand
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.twin.model.scene import Scene

TRAVEL = 0.010  # m
PRESSED, RELEASED = 0.007, 0.002  # m of travel: pressed beyond the one the switch closes, short of the other it opens
# The spring: 500 N/m, compressed by 6 mm when the button is up, so 3 N to move it at all and 6.5 N to switch.
STIFFNESS, PRELOAD = 500.0, 0.006
HEIGHTS = (0.06, 0.14)  # m, of the head's middle above the table
TILT = 0.45  # rad, by which the head leans at most
HEAD_HALF, CAP = 0.04, 0.016  # m: half an edge of the head; radius of the cap and how far it protrudes
ROD_BELOW = 0.008  # m: the rod ends below the head's middle, clear of the cap
DARK, LIT = (0.25, 0.08, 0.07, 1.0), (1.0, 0.75, 0.1, 1.0)


class Press(TwinTask):
    """A button on a head on a post, higher or lower, which leans to any side.

    The button's frame is in the middle of its cap's upper face, z out of it. A lamp on the head lights once the switch
    has closed, and stays on.
    """

    info = TaskInfo(
        id="twin/press",
        control_hz=CONTROL_HZ,
        max_steps=80,
        n_action_steps=12,
        success="the button was pressed by more than 7 mm of 10, which lights the lamp, and has come back to 2 mm",
        score="1 at success, 0.5 while the lamp is lit, else 0",
        instruction="press the red button",
    )
    fields = (
        *BodyReading.fields("button"),
        ObservationField("button.travel", (1,), "float32", "m", "joint"),
        ObservationField("lamp.lit", (1,), "float32", "1", "state"),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        post = spec.worldbody.add_body(name="post", pos=[0.5, 0, 0])
        # As long as the highest head needs; with a lower one the rest is under the table. It is placed off the body's
        # origin: MuJoCo assumes that a geom compiled at the origin stays there.
        solid(post, "post_rod", CYLINDER, (0.012, HEIGHTS[1] / 2), (0, 0, HEIGHTS[0] - HEIGHTS[1] / 2), METAL)
        head = post.add_body(name="head", pos=[0, 0, 0.1])
        solid(head, "head_box", BOX, (HEAD_HALF, HEAD_HALF, 0.015), (0, 0, 0), (0.9, 0.9, 0.88, 1.0))
        solid(head, "head_lamp", CYLINDER, (0.006, 0.002), (HEAD_HALF - 0.01, 0, 0.016), DARK)
        button = head.add_body(name="button", pos=[0, 0, 0.015 + CAP])
        button.add_joint(
            name="button",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[0, 0, -1],
            range=[0, TRAVEL],
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            stiffness=STIFFNESS,
            springref=-PRELOAD,
            damping=4.0,
            armature=0.02,
            **HARD,
        )
        solid(button, "button_cap", CYLINDER, (CAP, CAP / 2), (0, 0, -CAP / 2), (0.85, 0.12, 0.1, 1.0), mass_kg=0.02)
        # The cap moves into the head; the joint's limits are its stops.
        spec.add_exclude(name="bore", bodyname1="head", bodyname2="button")

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        self._button, self._travel = BodyReading(scene, "button"), JointReading(scene, "button")
        self._head, self._lamp = scene.id("body", "head"), scene.id("geom", "head_lamp")
        self._rod = scene.id("geom", "post_rod")

    def place(self, random: np.random.Generator) -> None:
        x, y, yaw = random.uniform([0.42, -0.18, -np.pi], [0.60, 0.18, np.pi])
        stand(self.scene, "post", x, y, yaw)
        lean, tilt, height = random.uniform([-np.pi, 0.0, HEIGHTS[0]], [np.pi, TILT, HEIGHTS[1]])
        model = self.scene.model
        model.body_pos[self._head, 2] = height
        model.geom_pos[self._rod, 2] = height - ROD_BELOW - HEIGHTS[1] / 2
        axis = np.array([np.cos(lean), np.sin(lean), 0.0])
        model.body_quat[self._head] = quat_wxyz_from_matrix(matrix_from_rotvec(tilt * axis))
        self._lit = False
        model.geom_rgba[self._lamp] = DARK

    def update(self) -> None:
        if not self._lit and self._travel.value > PRESSED:
            self._lit = True
            self.scene.model.geom_rgba[self._lamp] = LIT

    def observe(self) -> dict[str, np.ndarray]:
        return {
            **self._button.row(),
            "button.travel": self._travel.row(),
            "lamp.lit": np.array([self._lit], dtype=np.float32),
        }

    def success(self) -> bool:
        return self._lit and self._travel.value < RELEASED

    def score(self) -> float:
        return 0.5 * self._lit + 0.5 * self.success()
