"""Things that a task has nothing to do with, on the table from the start and never in the way of it."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from robot.description.robots import RobotDescription
from sim.perturbations.asked import Draw
from sim.perturbations.scene import ScenePerturbation
from sim.perturbations.stage import DISTRACTOR, Stage, turned
from sim.twin.assembly import SCENE_BIT, SEEN
from sim.twin.scene import TABLE_HALF

BOX, CYLINDER, ELLIPSOID = (mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_ELLIPSOID)
# Shape, half sizes in m (radius and half height of a cylinder), mass in kg.
SHAPES = (
    (BOX, (0.025, 0.025, 0.025), 0.10),
    (CYLINDER, (0.025, 0.04, 0.0), 0.12),
    (BOX, (0.045, 0.02, 0.015), 0.08),
    (ELLIPSOID, (0.03, 0.03, 0.02), 0.06),
    (CYLINDER, (0.035, 0.012, 0.0), 0.07),
)
LOW, HIGH = np.array([0.28, -0.35]), np.array([0.78, 0.35])  # m, the part of the table where they lie
TRIES = 200
STORE = np.array([0.0, 0.0, -1.5])  # under the floor, where those lie that an episode has no use for


class Distractors(ScenePerturbation):
    """One to five free bodies with a clear space about each; colours are drawn an episode."""

    touches = ("geom_rgba", "geom_contype", "geom_conaffinity", "body_gravcomp")

    def extend(self, spec: mujoco.MjSpec, description: RobotDescription, size: Any) -> None:
        for number, (shape, half, mass) in enumerate(SHAPES[: size.count], 1):
            name = f"{DISTRACTOR}{number}"
            body = spec.worldbody.add_body(name=name, pos=(STORE * number).tolist())
            body.add_freejoint(name=name)
            body.add_geom(name=name, type=shape, size=list(half), mass=mass, contype=SCENE_BIT, conaffinity=SCENE_BIT,
                          friction=[1.0, 0.01, 0.0005], condim=4, group=SEEN)

    def apply(self, stage: Stage, draw: Draw) -> None:
        for body in stage.distractors:
            _store(stage, body)
        placed = sum(_put(stage, body, draw) for body in stage.distractors[: draw.size.count])
        draw.record["count"] = placed

    def leave_out(self, stage: Stage) -> None:
        for body in stage.distractors:
            _store(stage, body)


def _store(stage: Stage, body: int) -> None:
    """Let a body float out of sight, touching nothing."""
    position, quat = stage.pose(body)
    position[:], quat[:] = STORE * (1 + stage.distractors.index(body)), (1.0, 0.0, 0.0, 0.0)
    stage.model.body_gravcomp[body] = 1.0
    for geom in stage.geoms_of([body]):
        stage.model.geom_contype[geom] = stage.model.geom_conaffinity[geom] = 0


def _put(stage: Stage, body: int, draw: Draw) -> bool:
    """Lay a body on the table; false where there was no room for it, which leaves it in its store."""
    model, data = stage.model, stage.data
    (geom,) = stage.geoms_of([body])
    others = stage.felt(np.flatnonzero((model.geom_bodyid != body) & (model.geom_bodyid != stage.table)))
    position, quat = stage.pose(body)
    height = model.geom_size[geom, 1 if model.geom_type[geom] == CYLINDER else 2]
    top = model.body_pos[stage.table, 2] + TABLE_HALF[2]
    colour = draw.random.uniform(0.05, 0.95, 3)
    for _ in range(TRIES):
        position[:2], position[2] = draw.random.uniform(LOW, HIGH), top + height
        quat[:] = turned(np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, draw.random.uniform(-np.pi, np.pi)]))
        mujoco.mj_kinematics(model, data)
        if _is_clear(stage, int(geom), others, draw.size.clearance_m):
            model.geom_rgba[geom] = (*colour, 1.0)
            model.geom_contype[geom] = model.geom_conaffinity[geom] = SCENE_BIT
            model.body_gravcomp[body] = 0.0
            return True
    _store(stage, body)
    return False


def _is_clear(stage: Stage, geom: int, others: np.ndarray, clearance_m: float) -> bool:
    """Whether a geom is farther than that from every other one. Spheres around both rule out the most of them."""
    model, data = stage.model, stage.data
    apart = np.linalg.norm(data.geom_xpos[others] - data.geom_xpos[geom], axis=1)
    near = apart - model.geom_rbound[others] - model.geom_rbound[geom] < clearance_m
    return all(mujoco.mj_geomDistance(model, data, geom, int(other), clearance_m, None) >= clearance_m
               for other in others[near])
