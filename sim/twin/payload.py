"""Identify the payload of a twin from the torques that hold it."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from robot.description.robot import Payload
from robot.safety.energy.payload import identify_payload
from sim.twin.inner_loop import Plant
from sim.twin.model.scene import Scene


@dataclass(frozen=True)
class Carried:
    """A payload that was declared.

    Args:
        time_ns: of the twin.
        limb: whose.
        payload: all that it has carried since.
    """

    time_ns: int
    limb: int
    payload: Payload


def felt_payload(scene: Scene, plant: Plant, torque: np.ndarray, limb: int) -> Payload:
    """Identify the payload of a limb at rest beyond the declared one, from the torque of its impedance law.

    Args:
        scene, plant: of the twin.
        torque: (joints,) N*m of the impedance law, without gravity.
        limb: its index.

    Raises:
        TillerError: the tool moves, touches something sideways, is held by more than it could carry, or carries
            nothing more.
    """
    model, data, site = scene.model, scene.data, plant.tcps[limb]
    _, at, n = (int(each) for each in plant.joints[limb])
    jacobian, inertia = np.zeros((6, model.nv)), np.zeros((model.nv, model.nv))
    mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], site)
    mujoco.mj_fullM(model, inertia, data.qM)
    own = jacobian[:, at : at + n]
    # The wrench of the torques at the tcp; the null space's part exerts none there.
    moved = np.linalg.solve(inertia[at : at + n, at : at + n], own.T)
    wrench = np.linalg.solve(own @ moved + 1e-6 * np.eye(6), moved.T @ torque[:n])
    velocity = np.zeros(6)
    mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_SITE, site, velocity, 0)
    orientation = data.site_xmat[site].reshape(3, 3).copy()
    return identify_payload(wrench, orientation, float(np.linalg.norm(velocity[3:])), gravity=plant.gravity)
