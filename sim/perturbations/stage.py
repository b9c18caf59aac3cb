"""The parts of a twin that perturbations distinguish: the robot, the table, the task's things, distractors."""

from __future__ import annotations

from functools import cached_property
from typing import Iterable, Sequence

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_rotvec, quat_wxyz_from_matrix
from sim.twin.model.scene import Scene

DISTRACTOR = "distractor"


class Stage:
    """A compiled scene with its bodies sorted. Ids of bodies and geoms are MuJoCo's.

    Args:
        scene: compiled.
        things: names of the bodies that make up the task; None for all in the world except table and robot.
        cameras: ids of those that are observed.
    """

    def __init__(self, scene: Scene, things: Sequence[str] | None, cameras: Sequence[int]) -> None:
        self.scene, self.model, self.data, self.cameras = scene, scene.model, scene.data, tuple(cameras)
        self.table = scene.id("body", "table")
        limbs = scene.description.limbs
        self.robots = {int(self.model.body_rootid[scene.id("body", limb.element(limb.arm.flange))]) for limb in limbs}
        world = [body for body in range(1, self.model.nbody) if self.model.body_parentid[body] == 0]
        self.on_table = [body for body in world if body != self.table and body not in self.robots]
        self.distractors = [body for body in self.on_table if self.model.body(body).name.startswith(DISTRACTOR)]
        self.task = [body for body in self.on_table if body not in self.distractors]
        self.things = self.task if things is None else [scene.id("body", name) for name in things]

    @cached_property
    def task_bodies(self) -> np.ndarray:
        """The task's bodies with all that are attached to them."""
        return np.flatnonzero(np.isin(self.model.body_rootid, self.task))

    @cached_property
    def task_geoms(self) -> np.ndarray:
        """Their geoms."""
        return np.flatnonzero(np.isin(self.model.geom_bodyid, self.task_bodies))

    @cached_property
    def tool_geoms(self) -> np.ndarray:
        """Geoms of the flanges and of all that is attached to them."""
        flanges = {self.scene.id("body", limb.element(limb.arm.flange)) for limb in self.scene.description.limbs}
        below = set(flanges)
        for body in range(1, self.model.nbody):  # parents come before their children
            if self.model.body_parentid[body] in below:
                below.add(body)
        return np.flatnonzero(np.isin(self.model.geom_bodyid, list(below)))

    def geoms_of(self, bodies: Iterable[int]) -> np.ndarray:
        """Geoms of bodies and of all that is attached to them."""
        return np.flatnonzero(np.isin(self.model.body_rootid[self.model.geom_bodyid], list(bodies)))

    def felt(self, geoms: np.ndarray) -> np.ndarray:
        """The geoms that can collide, among those given."""
        return geoms[(self.model.geom_contype[geoms] | self.model.geom_conaffinity[geoms]) != 0]

    def pose(self, body: int) -> tuple[np.ndarray, np.ndarray]:
        """Views of the position (3,) m and the quaternion (4,), w first, that set the start pose of a body.

        They are those of its free joint, or of the model where it has none.
        """
        joint = self.model.body_jntadr[body]
        if joint >= 0 and self.model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
            at = self.model.jnt_qposadr[joint]
            return self.data.qpos[at : at + 3], self.data.qpos[at + 3 : at + 7]
        return self.model.body_pos[body], self.model.body_quat[body]

    def touching(self) -> set[tuple[int, int]]:
        """Pairs of bodies of the world (roots of their trees) that are in contact, except with the table."""
        mujoco.mj_forward(self.model, self.data)
        roots = self.model.body_rootid[self.model.geom_bodyid[self.data.contact.geom]]
        return {(min(pair), max(pair)) for pair in roots.tolist() if self.table not in pair}


def turned(quat_wxyz: np.ndarray, rotvec: np.ndarray) -> np.ndarray:
    """A quaternion (4,) turned by a rotation vector (3,) in the same frame."""
    result = np.empty(4)
    turn = quat_wxyz_from_matrix(matrix_from_rotvec(rotvec))
    mujoco.mju_mulQuat(result, turn, np.asarray(quat_wxyz, dtype=np.float64))
    return result


def any_direction(random: np.random.Generator) -> np.ndarray:
    """A unit vector (3,), uniform over all directions."""
    vector = random.standard_normal(3)
    return vector / np.linalg.norm(vector)
