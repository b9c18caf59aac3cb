"""The world around a robot: a table, light, cameras, and whatever a task adds.

The origin is the robot's base frame, x to the front, z up; the top of the table is at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Callable, Mapping

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_rotvec, quat_wxyz_from_matrix
from robot.description.loading import RobotDescription
from robot.errors import InputError, nearest
from sim.twin.model.assembly import SCENE_BIT, SEEN, attach_robot

TABLE_CENTRE = (0.6, 0.0, -0.02)
TABLE_HALF = (0.45, 0.6, 0.02)
WRIST_VIEW_DEG = 75.0
FRONT_VIEW_DEG = 50.0


def new_scene(timestep: float) -> mujoco.MjSpec:
    """A table under a light, seen by the camera `front`.

    Args:
        timestep: s, of physics and inner loop.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "twin"
    spec.compiler.degree = False
    spec.option.timestep = timestep
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    spec.visual.map.znear = 0.01
    # Together with the lamp no more than white: a wrist's camera shall see its table, not glare.
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.25, 0.25, 0.25]
    spec.visual.headlight.specular = [0.1, 0.1, 0.1]
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.85, 0.9, 0.95],
        rgb2=[0.5, 0.6, 0.7],
        width=64,
        height=64,
    )
    world = spec.worldbody
    world.add_light(
        name="lamp",
        pos=[0.4, 0.4, 2.0],
        dir=[0.1, -0.2, -1.0],
        diffuse=[0.5, 0.5, 0.5],
        specular=[0.1, 0.1, 0.1],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
    )
    table = world.add_body(name="table", pos=list(TABLE_CENTRE))
    table.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=list(TABLE_HALF),
        rgba=[0.76, 0.66, 0.52, 1],
        contype=SCENE_BIT,
        conaffinity=SCENE_BIT,
        friction=[1.0, 0.005, 0.0001],
        group=SEEN,
    )
    world.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[3, 3, 0.1],
        pos=[0, 0, -0.75],
        rgba=[0.55, 0.57, 0.6, 1],
        # It catches what is pushed off the table: a body that fell for ever and spun would gain energy from the
        # semi-implicit step, and diverge after some ten seconds.
        contype=SCENE_BIT,
        conaffinity=SCENE_BIT,
        group=SEEN,
    )
    add_camera(world, "front", eye=(1.2, 0.0, 0.75), at=(0.46, 0.0, 0.07), view_deg=FRONT_VIEW_DEG)
    return spec


def add_camera(
    body: Any,
    name: str,
    *,
    eye: tuple[float, ...],
    at: tuple[float, ...],
    view_deg: float,
    up: tuple[float, ...] = (0, 0, 1),
) -> None:
    """Add a camera to a body that looks from one point at another, both (3,) m in the body's frame."""
    back = np.array(eye, dtype=float) - np.array(at, dtype=float)
    z = back / np.linalg.norm(back)
    x = np.cross(np.array(up, dtype=float), z)
    x /= np.linalg.norm(x)
    quat = quat_wxyz_from_matrix(np.stack([x, np.cross(z, x), z], axis=1))
    body.add_camera(name=name, pos=list(eye), quat=quat.tolist(), fovy=view_deg)


@dataclass(frozen=True, eq=False)
class Scene:
    """A compiled scene.

    Args:
        model, data: MuJoCo's.
        description: of the robot in it.
    """

    model: mujoco.MjModel
    data: mujoco.MjData
    description: RobotDescription

    @property
    def above_table(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest position (3,) m above the table; there is no ceiling."""
        x, y, _ = TABLE_CENTRE
        length, width, _ = TABLE_HALF
        return (
            np.array([x - length, y - width, self.table_z]),
            np.array([x + length, y + width, np.inf]),
        )

    @property
    def table_z(self) -> float:
        """Height of the table's top, m: 0 unless an episode has moved it. Heights above the table count from it."""
        return float(self.model.body_pos[self._table, 2]) + TABLE_HALF[2]

    @cached_property
    def _table(self) -> int:
        return self.id("body", "table")

    def id(self, kind: str, name: str) -> int:
        """The number of an element, such as `id("body", "cube")`.

        Raises:
            InputError: the scene has none of that name.
        """
        number = mujoco.mj_name2id(self.model, getattr(mujoco.mjtObj, f"mjOBJ_{kind.upper()}"), name)
        if number < 0:
            raise InputError(
                f"{kind} '{name}'",
                expected=f"a {kind} of the scene",
                got="none of that name",
                way_out=nearest(name, self.names(kind)),
            )
        return int(number)

    def names(self, kind: str) -> list[str]:
        """All names of one kind of element."""
        kinds = getattr(mujoco.mjtObj, f"mjOBJ_{kind.upper()}")
        count = {
            "body": self.model.nbody,
            "joint": self.model.njnt,
            "geom": self.model.ngeom,
            "site": self.model.nsite,
            "camera": self.model.ncam,
            "actuator": self.model.nu,
            "sensor": self.model.nsensor,
        }[kind]
        each_name = (mujoco.mj_id2name(self.model, kinds, number) for number in range(count))
        return [name for name in each_name if name]

    @cached_property
    def _free_joints(self) -> Mapping[str, int]:
        """Body -> first qpos of its free joint."""
        model = self.model
        return {
            model.body(model.jnt_bodyid[joint]).name: int(model.jnt_qposadr[joint])
            for joint in range(model.njnt)
            if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE
        }

    def put(self, body: str, position: np.ndarray, yaw: float = 0.0, quat_wxyz: np.ndarray | None = None) -> None:
        """Place a free body: position (3,) m, orientation by a yaw (rad) or a quaternion (4,), w first."""
        start = self._free_joints[body]
        turn = quat_wxyz_from_matrix(matrix_from_rotvec(np.array([0.0, 0.0, yaw]))) if quat_wxyz is None else quat_wxyz
        self.data.qpos[start : start + 3] = position
        self.data.qpos[start + 3 : start + 7] = turn


def compile_scene(
    spec: mujoco.MjSpec,
    description: RobotDescription,
    extend: Callable[[mujoco.MjSpec, RobotDescription], None] | None = None,
) -> Scene:
    """Add the robot, with a camera on each wrist, and compile; `extend` may add more once the robot is there.

    Raises:
        InputError: MuJoCo refuses the scene; its reason is in the message.
    """
    attach_robot(spec, description)
    for limb in description.limbs:
        flange = spec.body(limb.element(limb.arm.flange))
        for camera in list(flange.cameras):
            spec.delete(camera)
        add_camera(
            flange,
            limb.element("wrist"),
            eye=limb.tool.wrist_camera.eye,
            at=limb.tool.wrist_camera.at,
            view_deg=WRIST_VIEW_DEG,
            up=(-1, 0, 0),
        )
    if extend is not None:
        extend(spec, description)
    try:
        model = spec.compile()
    except ValueError as error:
        raise InputError(
            f"scene with {description.spec.name}", expected="one that MuJoCo compiles", got=str(error)
        ) from error
    return Scene(model, mujoco.MjData(model), description)
