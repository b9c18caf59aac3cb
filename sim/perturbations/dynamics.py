"""Perturbations of the dynamics: friction, mass, an undeclared payload."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from robot.description.loading import RobotDescription
from sim.perturbations.scene import ScenePerturbation
from sim.perturbations.selection import Draw
from sim.perturbations.stage import Stage

PAYLOAD_RADIUS_M = 0.03  # of the ball whose inertia a payload has

# Fields that MuJoCo derives from masses when it compiles, and again in mj_setConst.
_DERIVED = (
    "body_subtreemass",
    "body_invweight0",
    "dof_M0",
    "dof_invweight0",
    "tendon_invweight0",
    "actuator_acc0",
    "cam_poscom0",
    "light_poscom0",
    "stat.meaninertia",
    "stat.meanmass",
    "stat.meansize",
)


class Friction(ScenePerturbation):
    """Coefficients of friction of the task's things and of the tools, times a factor.

    MuJoCo takes the larger of two geoms' coefficients: between a thing and the fingers it changes by the factor,
    between a thing and the table only where the table's is the smaller one.
    """

    touches = ("geom_friction",)

    def apply(self, stage: Stage, draw: Draw) -> None:
        geoms = np.concatenate([stage.task_geoms, stage.tool_geoms])
        stage.model.geom_friction[geoms] *= draw.size.factor
        draw.record["factor"] = draw.size.factor


class Mass(ScenePerturbation):
    """Masses and inertias of the task's moving bodies, times a factor."""

    touches = ("body_mass", "body_inertia", *_DERIVED)

    def apply(self, stage: Stage, draw: Draw) -> None:
        bodies = stage.task_bodies
        moving = bodies[stage.model.body_weldid[bodies] != 0]
        stage.model.body_mass[moving] *= draw.size.factor
        stage.model.body_inertia[moving] *= draw.size.factor
        _derive(stage.model)
        draw.record["factor"] = draw.size.factor


class Payload(ScenePerturbation):
    """A ball at each tcp that has weight and inertia but no contacts. No controller compensates it; force sensors are
    tared with it.
    """

    touches = ("body_mass", "body_inertia", *_DERIVED)

    def extend(self, spec: mujoco.MjSpec, description: RobotDescription, size: Any) -> None:
        for limb in description.limbs:
            body = spec.body(limb.element(limb.arm.flange)).add_body(
                name=limb.element("payload"),
                pos=list(limb.tool.tcp_position),
                mass=size.mass_kg,
                inertia=[_ball(size.mass_kg)] * 3,
                explicitinertial=True,
            )
            body.gravcomp = 0.0

    def apply(self, stage: Stage, draw: Draw) -> None:
        self._load(stage, draw.size.mass_kg)
        draw.record["mass_kg"] = draw.size.mass_kg

    def leave_out(self, stage: Stage) -> None:
        self._load(stage, 0.0)

    @staticmethod
    def _load(stage: Stage, mass_kg: float) -> None:
        for limb in stage.scene.description.limbs:
            body = stage.scene.id("body", limb.element("payload"))
            stage.model.body_mass[body], stage.model.body_inertia[body] = mass_kg, _ball(mass_kg)
        _derive(stage.model)


def _ball(mass_kg: float) -> float:
    """Moment of inertia of a ball, kg*m^2."""
    return 0.4 * mass_kg * PAYLOAD_RADIUS_M**2


def _derive(model: mujoco.MjModel) -> None:
    """Update what is derived from masses, without changing the state that the episode starts from."""
    mujoco.mj_setConst(model, mujoco.MjData(model))
