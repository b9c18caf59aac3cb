"""What stands round the robot in the twin on which a store was recorded; elsewhere a floor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Collection, Mapping

import numpy as np

from real.page.geometry import FLOOR
from robot.errors import TillerError
from robot.model.shapes import Shape, shapes_by_body


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Bodies that are not the robot's.

    Args:
        still_names: (n,) of those that never move.
        still_shapes: (n,) shapes of each.
        still_poses: (n, 3, 4) of each, m.
        shapes: of bodies that move, by name.
    """

    still_names: tuple[str, ...] = ("floor",)
    still_shapes: tuple[tuple[Shape, ...], ...] = ((FLOOR,),)
    still_poses: np.ndarray = field(default_factory=lambda: np.eye(3, 4)[None])
    shapes: Mapping[str, tuple[Shape, ...]] = field(default_factory=dict)


def surroundings_of(attributes: Mapping[str, Any], names: Collection[str]) -> Surroundings:
    """The surroundings of a store.

    Args:
        attributes: of its root; a task is looked up among the twins' and nowhere else.
        names: of bodies whose poses it has.
    """
    from sim.tasks.registry import suite_ids

    task = attributes.get("task")
    if not isinstance(task, str) or task not in suite_ids("twin"):
        return Surroundings()
    try:
        return _of_twin(task, names)
    except (TillerError, ValueError, ImportError):  # the files of the twin are not at hand
        return Surroundings()


def _of_twin(task: str, names: Collection[str]) -> Surroundings:
    import mujoco

    import sim

    env: Any = sim.make(task)
    try:
        scene = env.unwrapped.scene
        model, data = scene.model, scene.data
        joints = [scene.id("joint", name) for name in scene.description.spec.joint_names]
        robot = {int(model.body_rootid[model.jnt_bodyid[joint]]) for joint in joints}
        others = [body for body in range(model.nbody) if int(model.body_rootid[body]) not in robot]
        shapes = shapes_by_body(model, others)
        mujoco.mj_kinematics(model, data)
        still = [body for body in shapes if model.body_weldid[body] == 0 and model.body(body).name not in names]
        poses = np.zeros((len(still), 3, 4))
        poses[:, :, :3] = data.xmat[still].reshape(-1, 3, 3)
        poses[:, :, 3] = data.xpos[still]
        moving = {model.body(body).name: each for body, each in shapes.items() if body not in still}
        return Surroundings(
            tuple(model.body(body).name for body in still), tuple(shapes[body] for body in still), poses, moving
        )
    finally:
        env.close()
