"""Insert a square peg into a square hole, 1 mm wider than the peg."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_rotvec, quat_wxyz_from_matrix, rotvec_from_matrix
from robot.description.observation import ObservationField
from sim.tasks.info import TaskInfo
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.twin.model.assembly import SEEN
from sim.twin.model.scene import SCENE_BIT, Scene
from sim.twin.wrench import WrenchReading, add_wrist_sensor

WIDTH = 0.03  # m, of the peg
CLEARANCE = 0.001  # m: how much wider the hole is, both sides together
HALF_LENGTH = 0.045  # m, of the peg
MASS_KG = 0.08
BLOCK_HALF, BLOCK_HEIGHT = 0.045, 0.05  # m; the hole goes through it
NEAR = 0.01  # m
DEPTH = 0.02  # m, of the tip below the mouth of the hole
SLIDING = [0.2, 0.005, 0.0001]  # friction of peg and block; fingers and table have more and theirs counts there
# Contacts are stiffer than MuJoCo's own, so that what a press overlaps stays a small part of the clearance: time
# constant (s), which must be at least twice the time step, and damping ratio; then impedance from, to, and over (m).
STIFF = {"solref": [0.005, 1.0], "solimp": [0.98, 0.995, 0.0005, 0.5, 2.0]}


class Peg(TwinTask):
    """The peg stands free on one side of the table, the block with the hole is fixed on the other, both turned at will
    within the quarter turn after which they look the same.

    Nothing is rounded or chamfered. The hole's frame is at its mouth, z along its axis.
    """

    info = TaskInfo(
        id="twin/peg",
        control_hz=CONTROL_HZ,
        max_steps=300,
        n_action_steps=8,
        success="the tip of the peg is in the hole, at least 20 mm below its mouth",
        score="depth of the tip in the hole over 20 mm, 0 to 1",
        instruction="put the blue peg into the square hole",
    )
    fields = (
        *BodyReading.fields("peg"),
        *BodyReading.fields("hole"),
        # From the middle of the hole's mouth to the tip; the same in centimetres and no further than one, for the last
        # millimetres; the peg's turn beyond the hole's, less the quarter turns after which it looks the same. All in
        # the axes of the base, as commands are.
        ObservationField("tip.from_hole", (3,), "float32", "m", "state"),
        ObservationField("tip.near_hole", (3,), "float32", "1", "state"),
        ObservationField("peg.turn_from_hole", (3,), "float32", "rad", "state"),
        WrenchReading.field(),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        peg = spec.worldbody.add_body(name="peg", pos=[0.5, 0.15, HALF_LENGTH])
        peg.add_freejoint(name="peg")
        box, bit = mujoco.mjtGeom.mjGEOM_BOX, SCENE_BIT
        peg.add_geom(
            name="peg",
            type=box,
            size=[WIDTH / 2, WIDTH / 2, HALF_LENGTH],
            mass=MASS_KG,
            contype=bit,
            conaffinity=bit,
            friction=SLIDING,
            condim=4,
            rgba=[0.15, 0.35, 0.75, 1],
            group=SEEN,
            **STIFF,
        )
        block = spec.worldbody.add_body(name="hole", pos=[0.5, -0.1, BLOCK_HEIGHT])
        inner = (WIDTH + CLEARANCE) / 2
        wall = (BLOCK_HALF - inner) / 2
        # Four walls, each as long as the block less one wall: they close the ring without lying in one another.
        for number in range(4):
            turn = matrix_from_rotvec(np.array([0.0, 0.0, number * np.pi / 2]))
            centre = turn @ np.array([inner + wall, wall, -BLOCK_HEIGHT / 2])
            block.add_geom(
                name=f"hole_wall{number}",
                type=box,
                size=[wall, BLOCK_HALF - wall, BLOCK_HEIGHT / 2],
                pos=centre.tolist(),
                quat=quat_wxyz_from_matrix(turn).tolist(),
                rgba=[0.75, 0.75, 0.72, 1],
                contype=bit,
                conaffinity=bit,
                friction=SLIDING,
                condim=4,
                group=SEEN,
                **STIFF,
            )
        add_wrist_sensor(spec)

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        self._peg, self._hole = BodyReading(scene, "peg"), BodyReading(scene, "hole")
        self._block = scene.id("body", "hole")
        self._wrench = WrenchReading(scene, scene.description.limbs[0])

    def place(self, random: np.random.Generator) -> None:
        side = random.choice([-1.0, 1.0])
        x, y, yaw = random.uniform([0.42, 0.08, -np.pi / 4], [0.56, 0.16, np.pi / 4])
        self.scene.put("peg", np.array([x, side * y, HALF_LENGTH]), yaw=yaw)
        x, y, yaw = random.uniform([0.42, 0.06, -np.pi / 4], [0.56, 0.14, np.pi / 4])
        model = self.scene.model
        model.body_pos[self._block] = [x, -side * y, BLOCK_HEIGHT]
        model.body_quat[self._block] = quat_wxyz_from_matrix(matrix_from_rotvec(np.array([0.0, 0.0, yaw])))

    def observe(self) -> dict[str, np.ndarray]:
        hole, peg = self._hole.matrix, self._peg.matrix
        tip, seen = self._tip(), hole.T @ peg
        quarters = round(np.arctan2(seen[1, 0], seen[0, 0]) / (np.pi / 2))
        fits = hole @ matrix_from_rotvec(np.array([0.0, 0.0, quarters * np.pi / 2]))
        return {
            **self._peg.row(),
            **self._hole.row(),
            "tip.from_hole": tip.astype(np.float32),
            "tip.near_hole": np.clip(tip / NEAR, -1.0, 1.0).astype(np.float32),
            "peg.turn_from_hole": rotvec_from_matrix(peg @ fits.T).astype(np.float32),
            **self._wrench.row(),
        }

    def _tip(self) -> np.ndarray:
        """Offset (3,) m, in the base's axes, from the middle of the hole's mouth to that of the peg's lower face."""
        return self._peg.position - HALF_LENGTH * self._peg.matrix[:, 2] - self._hole.position

    @property
    def depth(self) -> float:
        """m, of the tip's centre below the mouth of the hole; 0 unless it is in the hole."""
        x, y, z = self._hole.matrix.T @ self._tip()
        return max(0.0, -float(z)) if max(abs(x), abs(y)) < WIDTH / 4 else 0.0

    def success(self) -> bool:
        return self.depth >= DEPTH

    def score(self) -> float:
        return min(self.depth / DEPTH, 1.0)
