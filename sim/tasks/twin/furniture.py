"""Shared by the tasks with furniture: solid parts, their pose on the table, joint readings."""

from __future__ import annotations

from typing import Any, Sequence

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_rotvec, quat_wxyz_from_matrix
from sim.twin.model.assembly import SCENE_BIT, SEEN
from sim.twin.model.scene import FRONT_VIEW_DEG, Scene, add_camera

BOX, CAPSULE, CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER
WOOD, FRONT, METAL = (0.55, 0.40, 0.27, 1.0), (0.86, 0.84, 0.78, 1.0), (0.62, 0.64, 0.67, 1.0)
# Time constant (s) and damping ratio of contacts: twice as stiff as MuJoCo's own, so that no part yields visibly.
STIFF = (0.008, 1.0)
# Friction and stops of joints as hard as the time step allows: what is pushed with less than its friction hardly
# creeps, a spring that pushes a part against its stop does not push it through.
_HARD = {"solref": [0.004, 1.0], "solimp": [0.99, 0.99, 0.001, 0.5, 2.0]}
HARD = {f"{parameter}_{kind}": value for parameter, value in _HARD.items() for kind in ("friction", "limit")}


def solid(
    body: Any,
    name: str,
    shape: Any,
    size: Sequence[float],
    at: Sequence[float],
    colour: Sequence[float],
    *,
    mass_kg: float = 0.1,
    friction: float = 0.5,
    axis: str = "z",
) -> None:
    """Add a part that collides and is visible.

    Args:
        body: of the specification.
        name: of the geom.
        shape: `BOX`, `CAPSULE` or `CYLINDER`.
        size: m, half edges, or radius and half the length along `axis`.
        at: (3,) m, its centre in the body's frame.
        colour: (4,), red, green, blue and opacity, 0 to 1.
        mass_kg: matters where the body moves.
        friction: sliding; the larger one of two parts counts where they touch.
        axis: of a capsule or cylinder, `x`, `y` or `z` of the body.
    """
    half = np.sqrt(0.5)
    quat = {"x": (half, 0.0, half, 0.0), "y": (half, half, 0.0, 0.0), "z": (1.0, 0.0, 0.0, 0.0)}[axis]
    body.add_geom(
        name=name,
        type=shape,
        size=[*size, 0.0, 0.0][:3],
        pos=list(at),
        quat=list(quat),
        rgba=list(colour),
        mass=mass_kg,
        contype=SCENE_BIT,
        conaffinity=SCENE_BIT,
        friction=[friction, 0.005, 0.0001],
        solref=list(STIFF),
        condim=4,
        group=SEEN,
    )


def stand(scene: Scene, body: str, x: float, y: float, yaw: float) -> None:
    """Put a body without joints on the table: its origin at (x, y) m, turned by yaw (rad) about the vertical."""
    number = scene.id("body", body)
    scene.model.body_pos[number] = [x, y, 0.0]
    scene.model.body_quat[number] = quat_wxyz_from_matrix(matrix_from_rotvec(np.array([0.0, 0.0, yaw])))


def look_from_the_side(spec: mujoco.MjSpec) -> None:
    """Move the camera `front` to the robot's right, where it sees the side of the furniture that the robot works on."""
    spec.delete(spec.camera("front"))
    add_camera(spec.worldbody, "front", eye=(0.05, -0.72, 0.58), at=(0.52, 0.0, 0.12), view_deg=FRONT_VIEW_DEG)


class JointReading:
    """One joint of the furniture, m or rad."""

    def __init__(self, scene: Scene, joint: str) -> None:
        element = scene.model.joint(joint)
        self._position = scene.data.qpos[element.qposadr[0] :][:1]
        self.velocity = scene.data.qvel[element.dofadr[0] :][:1]

    @property
    def value(self) -> float:
        return float(self._position[0])

    def put(self, value: float) -> None:
        """Set it, for a start."""
        self._position[0] = value

    def row(self) -> np.ndarray:
        """(1,) float32."""
        return self._position.astype(np.float32)
