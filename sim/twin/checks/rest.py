"""A robot alone at its table, looked at: does it hold its rest posture, what touches, what does it look like."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from robot.description.loading import RobotDescription
from sim.twin.model.assembly import FELT
from sim.twin.model.scene import Scene, add_camera, compile_scene, new_scene
from sim.twin.robot import TwinRobot

INNER_HZ, PERIOD_S = 500, 0.05
WHOLE, NEAR = "portrait", "portrait_tool"


@dataclass(frozen=True)
class RestFindings:
    """The result of `rest_for`.

    Args:
        tcps: limb -> position (3,) m and rotation (3, 3) of its tcp at rest, in the robot's base frame.
        drift_m: the farthest that a tcp moved while the posture was held.
        joint: whose position moved most.
        joint_drift: by how much, rad or m.
        contacts: pairs of bodies that touch at rest.
    """

    tcps: dict[str, tuple[np.ndarray, np.ndarray]]
    drift_m: float
    joint: str
    joint_drift: float
    contacts: tuple[tuple[str, str], ...]


def stand_up(description: RobotDescription) -> TwinRobot:
    """A twin of the robot in its rest posture, with cameras for its portrait.

    Raises:
        InputError: the description and its models do not make a robot.
    """
    scene = compile_scene(new_scene(1.0 / INNER_HZ), description, _add_portrait_cameras)
    return TwinRobot(scene, description.action_spec(PERIOD_S))


def rest_for(robot: TwinRobot, seconds: float = 1.0) -> RestFindings:
    """Let the robot hold its rest posture, and see how far it drifts.

    Args:
        robot: just reset.
        seconds: how long it is held.
    """
    model, data = robot.scene.model, robot.scene.data
    sites = {limb.name: robot.scene.id("site", limb.tcp) for limb in robot.description.limbs}
    tcps = {
        name: (data.site_xpos[site].copy(), data.site_xmat[site].reshape(3, 3).copy()) for name, site in sites.items()
    }
    contacts = tuple(
        sorted(
            {
                (model.body(model.geom_bodyid[each.geom1]).name, model.body(model.geom_bodyid[each.geom2]).name)
                for each in data.contact
            }
        )
    )
    joints = robot.spec.joint_names
    addresses = [int(model.joint(joint).qposadr[0]) for joint in joints]
    start, drift, moved = data.qpos[addresses].copy(), 0.0, np.zeros(len(joints))
    for _ in range(round(seconds / PERIOD_S)):
        robot.run_for(round(PERIOD_S * 1e9))
        drift = max(
            drift, *(float(np.linalg.norm(data.site_xpos[site] - tcps[name][0])) for name, site in sites.items())
        )
        moved = np.maximum(moved, np.abs(data.qpos[addresses] - start))
    most = int(moved.argmax())
    return RestFindings(tcps, drift, joints[most], float(moved[most]), contacts)


def portrait(robot: TwinRobot, side: int = 480) -> np.ndarray:
    """The whole robot and, beside it, each of its tools, (side, side * (1 + limbs), 3) uint8 RGB.

    Raises:
        TillerError: there is nothing to draw with.
    """
    from sim.rendering.backend import SceneRenderer

    scene = robot.scene
    renderer = SceneRenderer(scene.model, side, side, hidden_groups=(FELT, 3))
    try:
        names = [WHOLE, *(limb.element(NEAR) for limb in scene.description.limbs)]
        return np.concatenate([renderer.draw(scene.data, _camera(scene, name)) for name in names], axis=1)
    finally:
        renderer.close()


def _camera(scene: Scene, name: str) -> int:
    return scene.id("camera", name)


def _add_portrait_cameras(spec: mujoco.MjSpec, description: RobotDescription) -> None:
    limbs = description.limbs
    middle = np.mean([limb.position for limb in limbs], axis=0)
    apart = max(float(np.linalg.norm(np.array(limb.position) - middle)) for limb in limbs)
    away = 1.0 + apart
    add_camera(
        spec.worldbody,
        WHOLE,
        eye=tuple(middle + [0.25 + 1.0 * away, -1.0 * away, 0.75]),
        at=tuple(middle + [0.25, 0.0, 0.33]),
        view_deg=42.0,
    )
    for limb in limbs:
        add_camera(
            spec.body(limb.element(limb.arm.flange)),
            limb.element(NEAR),
            eye=(0.32, 0.26, 0.02),
            at=(0.0, 0.0, 0.09),
            view_deg=42.0,
            up=(0, 0, -1),
        )
