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
REACH_M = 0.1  # distance from the cube at which half of the reward for reaching is earned
SHARES = (0.3, 0.1, 0.2, 0.4)  # of the reward's progress: reach, down, close, raise


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
    native = "-1 to 0 a step: progress - 1, of which reaching is 0.4, closing 0.2 and lifting 0.4; 1 at success"

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
        self.scene.put("cube", np.array([x, y, HALF]), yaw=random.uniform(-np.pi / 4, np.pi / 4))

    def observe(self) -> dict[str, np.ndarray]:
        return self._cube.row()

    def success(self) -> bool:
        return bool(self._cube.position[2] - self.scene.table_z > HEIGHT)

    def reward(self) -> float:
        """Negative until success, so that to end an episode early is worth more than to hover below the height.

        reach = 1 / (1 + |cube - tcp| / 0.1 m), which is steep at the cube and rises from anywhere
        down  = reach (1 - (z of the hand in the base frame)) / 2, which is 1 where the hand points down
        close = near (open - width) / (open - edge), near = 1 within 1 cm of the cube's centre, 0 beyond 2 cm
        raise = (z - half) / (height - half)
        reward = 0.3 reach + 0.1 down + 0.2 close + 0.4 raise - 1, each part within 0 and 1; 1 at success
        """
        if self.success():
            return 1.0
        away = float(np.linalg.norm(self._cube.position - self._tcp))
        reach = 1 / (1 + away / REACH_M)
        down = reach * (1 - float(self._hand[8])) / 2
        near = _share((NEAR[1] - away) / (NEAR[1] - NEAR[0]))
        close = near * _share((self._open - self._width(float(self._finger[0]))) / (self._open - 2 * HALF))
        raised = _share((float(self._cube.position[2]) - self.scene.table_z - HALF) / (HEIGHT - HALF))
        reach_share, down_share, close_share, raise_share = SHARES
        return reach_share * reach + down_share * down + close_share * close + raise_share * raised - 1

    def _width(self, joint: float) -> float:
        return self._command.scale * joint + self._command.offset


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
