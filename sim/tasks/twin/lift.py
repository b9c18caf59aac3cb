"""Lift a cube off the table."""

from __future__ import annotations

import mujoco
import numpy as np

from sim.tasks.info import TaskInfo
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.twin.model.scene import SCENE_BIT, Scene

HALF = 0.02  # m, half an edge of the cube
HEIGHT = 0.06  # m: its centre above the table
NEAR = (0.01, 0.02)  # m from the tcp to the cube's centre: the fingers are around it, and they are above it
FUNNEL = (0.01, 0.06)  # m aside from the cube above which the hand should be higher, and by how much at most
NEARER, HIGHER = 10.0, 100.0  # reward for a metre of the hand nearer to its way to the cube, and of the cube higher
DOWN, OPEN, CLOSED, SUCCESS, PER_STEP, FAR_M = 2.0, 1.0, 4.0, 10.0, 0.1, 1.0


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
    native = (
        "what the hand came nearer, over the cube and down on it (10 a metre), turned down (2) and closed around it "
        "(4; 1 open before), and the cube rose (100 a metre), each taken back when lost, less 0.1; 10 more at success"
    )

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
        limb = scene.description.limbs[0]
        site = scene.id("site", limb.tcp)
        self._tcp, self._hand = scene.data.site_xpos[site], scene.data.site_xmat[site]
        finger = scene.model.joint(limb.element(limb.tool.joints[0])).qposadr[0]
        self._finger, self._command = scene.data.qpos[finger : finger + 1], limb.tool.command
        self._open = max(self._width(end) for end in limb.tool.position[0])

    def place(self, random: np.random.Generator) -> None:
        x, y = random.uniform([0.42, -0.12], [0.58, 0.12])
        self._before = np.nan  # worth of the state before, which the start's own reward sets
        self.scene.put("cube", np.array([x, y, HALF]), yaw=random.uniform(-np.pi / 4, np.pi / 4))

    def observe(self) -> dict[str, np.ndarray]:
        return self._cube.row()

    def success(self) -> bool:
        return bool(self._cube.position[2] - self.scene.table_z > HEIGHT)

    def reward(self) -> float:
        """What the last step gained, less its cost: to hover earns nothing, so an early success is worth most.

            worth  = -10 min(aside + |z - funnel(aside)|, 1 m) + 2 down + open + 4 around closed + 100 raised
            reward = worth - worth a step before - 0.1, and 10 more at success

        The hand is led over the cube and down on it: `aside` is its horizontal distance from the cube's centre, z its
        height above it, and funnel(aside) = min(2 max(aside - 0.01 m, 0), 0.06 m) the height where it should be; led
        straight at the cube, it would push it along the table. `down` is 1 where the hand points down and 0 where it
        points up; `closed` is the share of its opening beyond the cube's edge by which the gripper has closed, and
        open = 1 - closed; `around` is 1 within 1 cm of the cube's centre and 0 beyond 2 cm; `raised` is the height of
        the cube above where it lay, 0 to 4 cm.
        """
        worth, before = self._worth(), self._before
        self._before = worth
        return (0.0 if np.isnan(before) else worth - before) - PER_STEP + SUCCESS * self.success()

    def _worth(self) -> float:
        x, y, height_m = (self._tcp - self._cube.position).tolist()
        aside_m = float(np.hypot(x, y))
        away_m = aside_m + abs(height_m - _within(2 * (aside_m - FUNNEL[0]), FUNNEL[1]))
        down = (1 - float(self._hand[8])) / 2
        around = _within((NEAR[1] - float(np.hypot(aside_m, height_m))) / (NEAR[1] - NEAR[0]), 1.0)
        closed = _within((self._open - self._width(float(self._finger[0]))) / (self._open - 2 * HALF), 1.0)
        raised_m = _within(float(self._cube.position[2]) - self.scene.table_z - HALF, HEIGHT - HALF)
        grip = OPEN * (1 - closed) + CLOSED * around * closed
        return DOWN * down + grip + HIGHER * raised_m - NEARER * min(away_m, FAR_M)

    def _width(self, joint: float) -> float:
        return self._command.scale * joint + self._command.offset


def _within(value: float, highest: float) -> float:
    return min(max(value, 0.0), highest)
