"""Arms on a bare table, and ways to push them, for tests of the twin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_6d, rotvec_from_matrix
from robot.description.loading import RobotDescription, load_robot
from sim.twin.model.scene import compile_scene, new_scene
from sim.twin.robot import TwinRobot

PERIOD_S = 0.05


def make_twin(
    robot: str | RobotDescription = "panda",
    *,
    control: str = "cartesian",
    inner_hz: int = 500,
    period_s: float = PERIOD_S,
    **changes: Any,
) -> TwinRobot:
    """A twin alone with its table; `changes` are fields of every arm."""
    description = load_robot(robot) if isinstance(robot, str) else robot
    limbs = tuple(replace(limb, arm=replace(limb.arm, **changes)) for limb in description.limbs)
    description = replace(description, limbs=limbs)
    scene = compile_scene(new_scene(1.0 / inner_hz), description)
    return TwinRobot(scene, description.action_spec(period_s, control))


def impedance(robot: str = "panda", **changes: Any) -> dict[str, Any]:
    """Changes of an arm that give it another impedance."""
    return {"impedance": replace(load_robot(robot).limbs[0].arm.impedance, **changes)}


def tcp_pose(twin: TwinRobot, limb: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) m and orientation (3, 3), in full precision."""
    site = twin.scene.id("site", twin.description.limbs[limb].tcp)
    return twin.scene.data.site_xpos[site].copy(), twin.scene.data.site_xmat[site].reshape(3, 3).copy()


def arm_only(twin: TwinRobot, count: int) -> None:
    """Take away what else moves or brakes: contacts, friction and damping of the joints, the play of the fingers.

    Args:
        twin: with one arm, which comes first in the model.
        count: joints of the arm.
    """
    model = twin.scene.model
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
    model.dof_damping[:], model.dof_frictionloss[:] = 0.0, 0.0
    model.dof_armature[count:] = 1e9


def push(twin: TwinRobot, wrench: np.ndarray, limb: int = 0) -> None:
    """From now on, a wrench (6,) N and N*m acts on the tcp, in the base frame."""
    own = twin.description.limbs[limb]
    body = twin.scene.id("body", own.element(own.arm.flange))
    position, _ = tcp_pose(twin, limb)
    lever = position - twin.scene.data.xipos[body]  # MuJoCo takes it at the body's centre of mass
    twin.scene.data.xfrc_applied[body] = [*wrench[:3], *(wrench[3:] + np.cross(lever, wrench[:3]))]


def push_for(twin: TwinRobot, wrench: np.ndarray, seconds: float, limb: int = 0) -> None:
    """Let time pass under a wrench that follows the tcp."""
    for _ in range(round(seconds / PERIOD_S)):
        push(twin, wrench, limb)
        twin.run_for(round(PERIOD_S * 1e9))


def deflection(twin: TwinRobot, limb: int = 0) -> np.ndarray:
    """(6,) m and rad by which the tcp is off its set-point."""
    parts = twin.action_spec.unpack(twin.target)
    field = twin.description.limbs[limb].field
    position, orientation = tcp_pose(twin, limb)
    turned = rotvec_from_matrix(orientation @ matrix_from_6d(parts[field("tcp.rotation")]).T)
    return np.concatenate([position - parts[field("tcp.position")], turned])


def move(twin: TwinRobot, target: np.ndarray, seconds: float) -> None:
    """Lead the set-point to a target (dim,) and let the arm settle there."""
    start, steps = twin.target, round(seconds / PERIOD_S)
    for step in range(1, steps + 1):
        twin.hold(start + (target - start) * step / steps)
    twin.run_for(2_000_000_000)
