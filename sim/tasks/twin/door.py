"""Turn the handle of a door down and open it."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.description.observation import ObservationField
from sim.tasks.info import TaskInfo
from sim.tasks.twin.furniture import (
    BOX,
    CAPSULE,
    CYLINDER,
    FRONT,
    HARD,
    METAL,
    WOOD,
    JointReading,
    look_from_the_side,
    solid,
    stand,
)
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.twin.model.scene import Scene

OPEN = 0.3  # rad, to either side
HALF_WIDTH, HEIGHT, HALF_THICKNESS = 0.14, 0.32, 0.01  # m, of the leaf
GAP = 0.004  # m, between leaf and frame
SPINDLE_Y, HANDLE_Z, STANDOFF = -0.095, 0.20, 0.062  # m; the lever is STANDOFF before the leaf's middle plane
LEVER, LEVER_RADIUS, GRIP = 0.11, 0.008, 0.075  # m; the grip is so far from the spindle
TURN = 0.8  # rad, that the handle can be turned
BOLT_PER_RAD = 0.022  # m, by which the handle draws the bolt back
BOLT_OUT = 0.010  # m, how far the bolt reaches into the keeper: the handle frees it at 0.45 rad
BOLT_HALF = 0.006  # m, half the bolt's thickness
KEEPER_PLAY = 0.001  # m, of the bolt on either side


class Door(TwinTask):
    """A door in its frame stands on the table. It swings both ways; a bolt holds it until the handle is turned down.

    The door's frame is on the table under the middle of the leaf, x through it away from the robot; hinges at +y, the
    handle at -y. Positive angles of the door lead away from the robot. The handle's frame is on the lever, where it is
    grasped: y along the lever to its free end, x through the door.
    """

    info = TaskInfo(
        id="twin/door",
        control_hz=CONTROL_HZ,
        max_steps=130,
        n_action_steps=12,
        success="the door is open by more than 0.3 rad, to either side",
        score="1 at success, else 0",
        instruction="turn the handle and open the door",
    )
    fields = (
        *BodyReading.fields("handle"),
        ObservationField("handle.angle", (1,), "float32", "rad", "joint"),
        ObservationField("door.angle", (1,), "float32", "rad", "joint"),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        look_from_the_side(spec)
        frame = spec.worldbody.add_body(name="frame", pos=[0.62, 0, 0])
        inside, post = HALF_WIDTH + GAP, 0.0125
        # The keeper is in line with the post, one lip before and one behind the bolt.
        lip = BOLT_OUT + GAP
        for side, y in (("hinge", inside + post), ("lock", -inside - lip - post)):
            solid(frame, f"frame_{side}", BOX, (0.02, post, HEIGHT / 2 + 0.015), (0, y, HEIGHT / 2 + 0.015), WOOD)
        left, right = inside + 2 * post, -inside - lip - 2 * post
        solid(
            frame,
            "frame_lintel",
            BOX,
            (0.02, (left - right) / 2, post),
            (0, (left + right) / 2, HEIGHT + 0.03 + post),
            WOOD,
        )
        inner = BOLT_HALF + KEEPER_PLAY
        half = (0.02 - inner) / 2
        for name, x in (("near", -inner - half), ("far", inner + half)):
            solid(
                frame,
                f"keeper_{name}",
                BOX,
                (half, lip / 2, 0.04),
                (x, -inside - lip / 2, HANDLE_Z),
                METAL,
                friction=0.2,
            )

        leaf = frame.add_body(name="door", pos=[0, HALF_WIDTH, 0])
        leaf.add_joint(
            name="door",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=[0, 0, 1],
            range=[-1.3, 1.3],
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            damping=0.15,
            frictionloss=0.1,
            **HARD,
        )
        solid(
            leaf,
            "door_leaf",
            BOX,
            (HALF_THICKNESS, HALF_WIDTH, HEIGHT / 2),
            (0, -HALF_WIDTH, HEIGHT / 2 + 0.006),
            FRONT,
            mass_kg=1.2,
        )
        # The hinges carry the leaf; its joint models them.
        spec.add_exclude(name="hinges", bodyname1="frame", bodyname2="door")

        lever = leaf.add_body(name="lever", pos=[0, SPINDLE_Y - HALF_WIDTH, HANDLE_Z])
        # A return spring of 0.8 N*m/rad that is wound a little when the handle is up.
        lever.add_joint(
            name="lever",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=[-1, 0, 0],
            range=[0, TURN],
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            stiffness=0.8,
            springref=-0.2,
            damping=0.03,
            frictionloss=0.02,
            **HARD,
            armature=2e-4,
        )
        solid(
            lever,
            "lever_spindle",
            CYLINDER,
            (0.009, STANDOFF / 2),
            (-STANDOFF / 2, 0, 0),
            METAL,
            mass_kg=0.04,
            axis="x",
        )
        solid(
            lever,
            "lever_bar",
            CAPSULE,
            (LEVER_RADIUS, LEVER / 2),
            (-STANDOFF, LEVER / 2, 0),
            METAL,
            mass_kg=0.08,
            axis="y",
            friction=0.8,
        )
        lever.add_body(name="handle", pos=[-STANDOFF, GRIP, 0])

        bolt = leaf.add_body(name="bolt", pos=[0, -2 * HALF_WIDTH, HANDLE_Z])
        bolt.add_joint(
            name="bolt",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[0, 1, 0],
            range=[0, TURN * BOLT_PER_RAD],
            damping=1.0,
            armature=0.02,
        )
        reach = GAP + BOLT_OUT
        solid(bolt, "bolt", BOX, (BOLT_HALF, reach, 0.012), (0, 0, 0), METAL, mass_kg=0.05, friction=0.2)
        gear = spec.add_equality(
            name="latch",
            type=mujoco.mjtEq.mjEQ_JOINT,
            name1="bolt",
            name2="lever",
            objtype=mujoco.mjtObj.mjOBJ_JOINT,
            solref=[0.006, 1.0],
        )
        gear.data[:5] = [0.0, BOLT_PER_RAD, 0.0, 0.0, 0.0]

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        self._handle = BodyReading(scene, "handle")
        self._lever, self._door = JointReading(scene, "lever"), JointReading(scene, "door")

    def place(self, random: np.random.Generator) -> None:
        x, y, yaw = random.uniform([0.66, -0.10, -0.25], [0.74, 0.12, 0.25])
        stand(self.scene, "frame", x, y, yaw)

    def observe(self) -> dict[str, np.ndarray]:
        return {**self._handle.row(), "handle.angle": self._lever.row(), "door.angle": self._door.row()}

    def success(self) -> bool:
        return abs(self._door.value) > OPEN
