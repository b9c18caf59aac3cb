"""Turn a knob with a hand to a goal angle."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.description.observation import ObservationField
from sim.tasks.info import TaskInfo
from sim.tasks.twin.task import CONTROL_HZ, TwinTask
from sim.tasks.twin.touch import FINGERS, Touch
from sim.twin.model.assembly import SCENE_BIT, SEEN
from sim.twin.model.scene import Scene

BLOCK = (0.055, 0.055, 0.03)  # m, half the block that carries the knob
RADIUS, HALF_HEIGHT, GAP = 0.024, 0.02, 0.002  # m, of the knob, and between it and the block
DAMPING, FRICTION = 0.02, 0.06  # N*m*s/rad, N*m
LEAST, MOST = np.pi / 4, np.pi / 2  # rad, how far to turn
NEAR_RAD, STILL = 0.08, 0.3  # rad, rad/s: within these it is at its goal, at rest
_BOX, _CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER


class HandTurn(TwinTask):
    """A block with a round knob on top is anywhere in a patch of the table; its axis is upright."""

    info = TaskInfo(
        id="twin/hand_turn",
        control_hz=CONTROL_HZ,
        max_steps=250,
        n_action_steps=12,
        success="the knob is within 0.08 rad of the wanted angle, at rest",
        score="share of the way turned at the end, 0 to 1",
        instruction="turn the knob with the hand",
    )
    robot = "panda_inspire"
    tools = ("hand",)
    fields = (
        ObservationField("knob.position", (3,), "float32", "m", "pose"),
        ObservationField("knob.from_tcp", (3,), "float32", "m", "state"),
        ObservationField("knob.angle", (1,), "float32", "rad", "state"),
        ObservationField("knob.goal", (1,), "float32", "rad", "state"),
        ObservationField("hand.touch", (len(FINGERS),), "float32", "1", "state"),
    )
    things = ("block",)

    def build(self, spec: mujoco.MjSpec) -> None:
        block = spec.worldbody.add_body(name="block", pos=[0.55, 0, 0])
        block.add_geom(
            type=_BOX,
            size=list(BLOCK),
            pos=[0, 0, BLOCK[2]],
            rgba=[0.35, 0.37, 0.4, 1],
            group=SEEN,
            contype=SCENE_BIT,
            conaffinity=SCENE_BIT,
        )
        knob = block.add_body(name="knob", pos=[0, 0, 2 * BLOCK[2] + GAP + HALF_HEIGHT])
        hinge = knob.add_joint(name="knob", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 0, 1])
        hinge.damping, hinge.frictionloss, hinge.armature = DAMPING, FRICTION, 1e-4
        knob.add_geom(
            name="knob",
            type=_CYLINDER,
            size=[RADIUS, HALF_HEIGHT, 0],
            mass=0.1,
            rgba=[0.8, 0.5, 0.1, 1],
            group=SEEN,
            contype=SCENE_BIT,
            conaffinity=SCENE_BIT,
            friction=[1.0, 0.01, 0.0005],
            condim=4,
        )
        knob.add_geom(
            name="pointer",
            type=_BOX,
            size=[RADIUS / 2, 0.002, 0.001],
            pos=[RADIUS / 2, 0, HALF_HEIGHT],
            rgba=[1, 1, 1, 1],
            group=SEEN,
            contype=0,
            conaffinity=0,
            mass=0.0,
        )

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        model, data = scene.model, scene.data
        knob = scene.id("joint", "knob")
        self._angle = data.qpos[model.jnt_qposadr[knob] :][:1]
        self._speed = data.qvel[model.jnt_dofadr[knob] :][:1]
        self._block = scene.id("body", "block")
        self._at = data.xpos[scene.id("body", "knob")]
        self._tcp = data.site_xpos[scene.id("site", scene.description.limbs[0].tcp)]
        self._touch = Touch(scene, [scene.id("geom", "knob")])

    def place(self, random: np.random.Generator) -> None:
        model = self.scene.model
        model.body_pos[self._block] = [*random.uniform([0.50, -0.14], [0.62, 0.10]), self.scene.table_z]
        self._angle[0] = self._start = random.uniform(-np.pi, np.pi)
        turn = random.choice([-1.0, 1.0]) * random.uniform(LEAST, MOST)
        self._goal = self._start + turn
        direction = "left" if turn > 0 else "right"
        self.instruction = f"turn the knob by {np.degrees(abs(turn)):.0f} degrees to the {direction} with the hand"

    def observe(self) -> dict[str, np.ndarray]:
        return {
            "knob.position": self._at.astype(np.float32),
            "knob.from_tcp": (self._at - self._tcp).astype(np.float32),
            "knob.angle": self._angle.astype(np.float32),
            "knob.goal": np.array([self._goal], dtype=np.float32),
            "hand.touch": self._touch.read().astype(np.float32),
        }

    def success(self) -> bool:
        return bool(abs(self._goal - self._angle[0]) < NEAR_RAD and abs(self._speed[0]) < STILL)

    def score(self) -> float:
        if self.success():
            return 1.0
        whole = abs(self._goal - self._start)
        return float(np.clip(1.0 - abs(self._goal - self._angle[0]) / whole, 0.0, 1.0))
