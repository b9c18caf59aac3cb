"""Objects that the task does not need, on the table from the start, clear of everything in it."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from robot.description.loading import RobotDescription
from sim.perturbations.scene import ScenePerturbation
from sim.perturbations.selection import Draw
from sim.perturbations.stage import DISTRACTOR, Stage, turned
from sim.twin.model.assembly import SCENE_BIT, SEEN

BOX, CAPSULE, ELLIPSOID = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_ELLIPSOID
UPRIGHT, LYING = (1.0, 0.0, 0.0, 0.0), (0.5**0.5, 0.0, 0.5**0.5, 0.0)
# Shape, half sizes in m (radius and half length of a capsule), orientation, height of the middle in m, mass in kg.
# Cylinders are left out: they touch a box in one point, and sink.
SHAPES = (
    (BOX, (0.025, 0.025, 0.025), UPRIGHT, 0.025, 0.10),
    (BOX, (0.02, 0.02, 0.045), UPRIGHT, 0.045, 0.12),
    (CAPSULE, (0.02, 0.035, 0.0), LYING, 0.02, 0.08),
    (ELLIPSOID, (0.03, 0.03, 0.02), UPRIGHT, 0.02, 0.06),
    (BOX, (0.045, 0.02, 0.015), UPRIGHT, 0.015, 0.08),
)
LOW, HIGH = np.array([0.28, -0.35]), np.array([0.78, 0.35])  # m, the part of the table for them
TRIES = 200
STORE = np.array([0.0, 0.0, -1.5])  # m, under the floor, for those that an episode does not use


class Distractors(ScenePerturbation):
    """One to five free bodies with a clear space about each; colours are drawn per episode."""

    touches = ("geom_rgba", "geom_contype", "geom_conaffinity", "body_gravcomp")

    def extend(self, spec: mujoco.MjSpec, description: RobotDescription, size: Any) -> None:
        for number, (shape, half, quat, _, mass) in enumerate(SHAPES[: size.count], 1):
            name = f"{DISTRACTOR}{number}"
            body = spec.worldbody.add_body(name=name, pos=(STORE * number).tolist())
            body.add_freejoint(name=name)
            body.add_geom(
                name=name,
                type=shape,
                size=list(half),
                quat=list(quat),
                mass=mass,
                contype=SCENE_BIT,
                conaffinity=SCENE_BIT,
                friction=[1.0, 0.01, 0.001],
                condim=6,
                group=SEEN,
            )

    def apply(self, stage: Stage, draw: Draw) -> None:
        self.leave_out(stage)
        draw.record["count"] = sum(_put(stage, number, draw) for number in range(draw.size.count))

    def leave_out(self, stage: Stage) -> None:
        for number in range(len(stage.distractors)):
            _store(stage, number)


def _store(stage: Stage, number: int) -> None:
    """Move a distractor out of sight, weightless and without contacts."""
    body = stage.distractors[number]
    position, quat = stage.pose(body)
    position[:], quat[:] = STORE * (number + 1), UPRIGHT
    stage.model.body_gravcomp[body] = 1.0
    for geom in stage.geoms_of([body]):
        stage.model.geom_contype[geom] = stage.model.geom_conaffinity[geom] = 0


def _put(stage: Stage, number: int, draw: Draw) -> bool:
    """Put a distractor on the table; False where there is no room for it, which leaves it in its store."""
    model, data, body = stage.model, stage.data, stage.distractors[number]
    (geom,) = stage.geoms_of([body])
    others = stage.felt(np.flatnonzero((model.geom_bodyid != body) & (model.geom_bodyid != stage.table)))
    position, quat = stage.pose(body)
    height = stage.scene.table_z + SHAPES[number][3]
    colour = draw.random.uniform(0.05, 0.95, 3)
    for _ in range(TRIES):
        position[:2], position[2] = draw.random.uniform(LOW, HIGH), height
        quat[:] = turned(np.array(UPRIGHT), np.array([0.0, 0.0, draw.random.uniform(-np.pi, np.pi)]))
        mujoco.mj_kinematics(model, data)
        if _is_clear(stage, int(geom), others, draw.size.clearance_m):
            model.geom_rgba[geom] = (*colour, 1.0)
            model.geom_contype[geom] = model.geom_conaffinity[geom] = SCENE_BIT
            model.body_gravcomp[body] = 0.0
            return True
    _store(stage, number)
    return False


def _is_clear(stage: Stage, geom: int, others: np.ndarray, clearance_m: float) -> bool:
    """Whether a geom is at least the clearance away from all others. Bounding spheres rule out most of them."""
    model, data = stage.model, stage.data
    apart = np.linalg.norm(data.geom_xpos[others] - data.geom_xpos[geom], axis=1)
    near = apart - model.geom_rbound[others] - model.geom_rbound[geom] < clearance_m
    return all(
        mujoco.mj_geomDistance(model, data, geom, int(other), clearance_m, None) >= clearance_m
        for other in others[near]
    )
