"""Checks that a robot's description agrees with its models: names, order, types, limits, frames.

A description may be tighter than a model, never wider. A URDF, such as the one that a lab's driver runs on, is compared
with the description's own model by forward kinematics.
"""

from __future__ import annotations

from typing import Sequence

import mujoco
import numpy as np

from robot.description.comparison import Row, table
from robot.description.limb import Limb
from robot.description.loading import RobotDescription
from robot.errors import InputError, nearest
from robot.model.assets import load_model

TOLERANCE = 1e-3  # rad, m, or of an effort: files round
ABSENT = "-"
_TURNING = {mujoco.mjtJoint.mjJNT_HINGE: "turns", mujoco.mjtJoint.mjJNT_SLIDE: "slides"}


def differences(description: RobotDescription) -> list[Row]:
    """Rows (what, description, model) in which a robot's description and the MJCF of its arms and tools disagree.

    Raises:
        InputError: a model's file is missing, or MuJoCo does not read it.
    """
    rows: list[Row] = []
    seen: list[tuple[object, object]] = []
    for limb in description.limbs:
        if (limb.arm, limb.tool) not in seen:
            seen.append((limb.arm, limb.tool))
            rows += [*_arm(limb), *_tool(limb)]
    return rows


def require_agreement(description: RobotDescription, rows: Sequence[Row] | None = None) -> None:
    """Refuse a robot whose description and models disagree, with all that differs in one table.

    Args:
        description: of the robot.
        rows: what differs; None compares it with its MJCF.

    Raises:
        InputError: something differs.
    """
    disagreements = differences(description) if rows is None else list(rows)
    if disagreements:
        raise InputError(
            f"robot '{description.spec.name}': its description and its model disagree:\n"
            f"{table(disagreements, 'description', 'model')}\nCorrect its files in configs/robot, or the model"
        )


def _arm(limb: Limb) -> list[Row]:
    arm, model = limb.arm, _compiled(limb.arm.model)
    rows: list[Row] = []
    present = []
    for name, limits, effort in zip(arm.joints, arm.position, arm.effort):
        joint = _joint(model, name)
        if joint is None:
            rows.append(_missing(model, "joint", name))
            continue
        present.append((joint, name))
        if model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_HINGE:
            rows.append((f"type of joint '{name}'", "turns", _type(model, joint)))
        rows += _range(model, joint, name, limits)
        strongest = _effort(model, joint)
        if effort > strongest * (1 + TOLERANCE):
            rows.append((f"effort of joint '{name}'", f"{effort:g} N*m", f"{strongest:g} N*m"))
    if sorted(present) != present:
        rows.append(
            (
                "order of the arm's joints",
                ", ".join(name for _, name in present),
                ", ".join(name for _, name in sorted(present)),
            )
        )
    flange = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, arm.flange)
    if flange < 0:
        rows.append(_missing(model, "body", arm.flange))
    elif present and not _carries(model, int(model.jnt_bodyid[max(present)[0]]), flange):
        rows.append((f"flange '{arm.flange}'", f"carried by joint '{max(present)[1]}'", "on another branch"))
    return rows


def _tool(limb: Limb) -> list[Row]:
    tool, model = limb.tool, _compiled(limb.tool.model)
    rows: list[Row] = []
    for name, limits in zip(tool.joints, tool.position):
        joint = _joint(model, name)
        if joint is None:
            rows.append(_missing(model, "joint", name))
            continue
        if model.jnt_type[joint] not in _TURNING:
            rows.append((f"type of joint '{name}'", "turns or slides", _type(model, joint)))
        rows += _range(model, joint, name, limits)
    for follower in tool.coupling:
        joint = _joint(model, follower.joint)
        if joint is None:
            rows.append(_missing(model, "joint", follower.joint))
            continue
        leader = tool.position[tool.joints.index(follower.leader)]
        ends = sorted(follower.ratio * position + follower.offset for position in leader)
        rows += _range(model, joint, follower.joint, (ends[0], ends[1]), led_by=follower.leader)
    return rows


def _compiled(name: str) -> mujoco.MjModel:
    try:
        return load_model(name).compile()
    except ValueError as error:
        raise InputError(f"model file {name}", expected="one that MuJoCo compiles", got=str(error)) from error


def _joint(model: mujoco.MjModel, name: str) -> int | None:
    number = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, name)
    return None if number < 0 else int(number)


def _missing(model: mujoco.MjModel, kind: str, name: str) -> Row:
    names = {
        "joint": [model.joint(number).name for number in range(model.njnt)],
        "body": [model.body(number).name for number in range(1, model.nbody)],
    }[kind]
    return f"{kind} '{name}'", "there", f"{ABSENT}. {nearest(name, names)}"


def _type(model: mujoco.MjModel, joint: int) -> str:
    return _TURNING.get(mujoco.mjtJoint(model.jnt_type[joint]), "is free or a ball")


def _range(
    model: mujoco.MjModel, joint: int, name: str, limits: tuple[float, float], led_by: str | None = None
) -> list[Row]:
    """A row where limits of the description go beyond those of the model."""
    if not model.jnt_limited[joint]:
        return []
    low, high = model.jnt_range[joint]
    if limits[0] >= low - TOLERANCE and limits[1] <= high + TOLERANCE:
        return []
    what = f"range of joint '{name}'" + (f", led by '{led_by}'" if led_by else "")
    return [(what, f"{limits[0]:g} .. {limits[1]:g}", f"{low:g} .. {high:g}")]


def _effort(model: mujoco.MjModel, joint: int) -> float:
    """The largest torque (N*m) that the model lets act on a joint; infinite where it sets no limit."""
    limits = [float(np.abs(model.jnt_actfrcrange[joint]).max())] if model.jnt_actfrclimited[joint] else []
    for number in range(model.nu):
        if model.actuator_trntype[number] != mujoco.mjtTrn.mjTRN_JOINT or model.actuator_trnid[number, 0] != joint:
            continue
        gear = abs(model.actuator_gear[number, 0])
        if model.actuator_forcelimited[number]:
            limits.append(gear * float(np.abs(model.actuator_forcerange[number]).max()))
        if model.actuator_ctrllimited[number] and not model.actuator_biasprm[number].any():
            gain = gear * abs(model.actuator_gainprm[number, 0])
            limits.append(gain * float(np.abs(model.actuator_ctrlrange[number]).max()))
    return min(limits, default=np.inf)


def _carries(model: mujoco.MjModel, ancestor: int, body: int) -> bool:
    while body > ancestor:
        body = int(model.body_parentid[body])
    return body == ancestor
