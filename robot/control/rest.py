"""The rest posture of a robot, as a target of its action."""

from __future__ import annotations

import mujoco
import numpy as np
import yaml

from robot.control.rotation import rotation_6d_from_matrix
from robot.description.action import ActionSpec
from robot.description.loading import RobotDescription
from robot.errors import InputError
from robot.folders import configs_folder


def rest_target(description: RobotDescription, spec: ActionSpec) -> np.ndarray:
    """The target (dim,) of arms and tools at rest.

    In joint control those are the angles of the description. In cartesian control it is the pose of each tcp there,
    from the kinematics of the robot's capsules (`configs/capsules`); the arm's posture for it is free.

    Raises:
        InputError: the action is cartesian, and the robot has no file of capsules.
    """
    target = np.empty(spec.dim)
    poses = None
    for limb in description.limbs:
        command = limb.tool.command
        target[spec.slices[limb.field(command.name)]] = [
            command.scale * value + command.offset for value in limb.tool.rest
        ]
        if limb.field("arm.joints") in spec.slices:
            target[spec.slices[limb.field("arm.joints")]] = limb.arm.rest
            continue
        poses = poses or _poses(description)
        position, rotation = poses[limb.tcp]
        target[spec.slices[limb.field("tcp.position")]] = position
        target[spec.slices[limb.field("tcp.rotation")]] = rotation_6d_from_matrix(rotation)
    return target


def _poses(description: RobotDescription) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Tcp -> position (3,) m and orientation (3, 3) in the base frame."""
    name = description.spec.name
    file = configs_folder() / "capsules" / f"{name}.yaml"
    if not file.is_file():
        raise InputError(
            f"rest pose of '{name}'",
            expected=str(file),
            got="no such file",
            way_out="Make it: python -m sim.twin.model.capsules",
        )
    model = mujoco.MjModel.from_xml_string(yaml.safe_load(file.read_text(encoding="utf-8"))["model"])
    data = mujoco.MjData(model)
    for joint, joint_position in description.spec.rest.items():
        number = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, joint)
        if number >= 0:  # the model has no joints of tools
            data.qpos[model.jnt_qposadr[number]] = joint_position
    mujoco.mj_kinematics(model, data)
    return {
        limb.tcp: (data.site(limb.tcp).xpos.copy(), data.site(limb.tcp).xmat.reshape(3, 3).copy())
        for limb in description.limbs
    }
