"""A robot's description against a URDF: limits joint by joint, and the pose of the flange."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import mujoco
import numpy as np

from robot.control.rotation import rotvec_from_matrix
from robot.description.comparison import Row
from robot.description.limb import Arm
from robot.description.loading import RobotDescription
from robot.errors import InputError, nearest
from robot.model.assets import load_model
from sim.twin.checks.agreement import ABSENT, TOLERANCE

CONFIGURATIONS = 200
POSITION_MM, ROTATION_DEG = 1.0, 0.1  # what may differ

# Nothing is drawn or simulated: shapes may be missing, masses may be wrong, and no link may be merged into another.
_COMPILER = {"fusestatic": "false", "balanceinertia": "true", "boundmass": "0.001", "boundinertia": "0.000001"}


@dataclass(frozen=True)
class _Urdf:
    path: Path
    root: ElementTree.Element
    model: mujoco.MjModel

    @property
    def joints(self) -> list[str]:
        return [self.model.joint(number).name for number in range(self.model.njnt)]

    @property
    def links(self) -> list[str]:
        return [each.get("name", "") for each in self.root.iter("link")]


def urdf_differences(description: RobotDescription, path: Path | str, flange: str | None = None) -> list[Row]:
    """Rows (what, description, URDF) in which a robot's arm and a URDF disagree.

    Joints are matched by name, or by the end of it (`panda_joint1` is `joint1`). The flange's pose is compared with
    that of a link at 200 random configurations, from the root of the URDF.

    Args:
        description: of a robot with one arm.
        path: the URDF; its meshes are not needed.
        flange: the link that is the arm's flange; None takes the one of the flange's own name.

    Raises:
        InputError: the file is none, the robot has two arms, or no link has the flange's name.
    """
    if len(description.limbs) != 1:
        raise InputError(
            "urdf",
            expected="a robot with one arm",
            got=f"{len(description.limbs)} in '{description.spec.name}'",
            way_out="Compare a robot with one of its arms",
        )
    arm, urdf = description.limbs[0].arm, _read(Path(path))
    link = flange or arm.flange
    if link not in urdf.links:
        raise InputError(
            "urdf_flange",
            expected=f"the link of {path} that is the flange '{arm.flange}'",
            got=f"'{link}'",
            way_out=nearest(link, urdf.links),
        )
    names = {joint: _match(joint, urdf.joints) for joint in arm.joints}
    rows: list[Row] = [
        (f"joint '{joint}'", "there", f"{ABSENT}. {nearest(joint, urdf.joints)}")
        for joint, name in names.items()
        if name is None
    ]
    if rows:
        return rows
    matched = [str(name) for name in names.values()]
    for number, (joint, name) in enumerate(zip(arm.joints, matched)):
        rows += _limits(arm, number, joint, urdf, name)
    return rows + _kinematics(arm, urdf, matched, link)


def _read(path: Path) -> _Urdf:
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(f"urdf {path}", expected="a URDF file", got=str(error)) from error
    if root.tag != "robot":
        raise InputError(
            f"urdf {path}",
            expected="a file whose outermost element is <robot>",
            got=f"<{root.tag}>",
            way_out="Expand it first where it is a xacro",
        )
    for link in root.iter("link"):
        for shape in [*link.findall("visual"), *link.findall("collision")]:
            link.remove(shape)
    for extension in root.findall("mujoco"):
        root.remove(extension)
    ElementTree.SubElement(ElementTree.SubElement(root, "mujoco"), "compiler", _COMPILER)
    try:
        model = mujoco.MjModel.from_xml_string(ElementTree.tostring(root, encoding="unicode"))
    except ValueError as error:
        raise InputError(f"urdf {path}", expected="one that MuJoCo reads", got=str(error)) from error
    return _Urdf(path, root, model)


def _match(joint: str, names: list[str]) -> str | None:
    if joint in names:
        return joint
    near = [name for name in names if name.endswith(joint)]
    return near[0] if len(near) == 1 else None


def _limits(arm: Arm, number: int, joint: str, urdf: _Urdf, name: str) -> list[Row]:
    element = next(each for each in urdf.root.findall("joint") if each.get("name") == name)
    limit = element.find("limit")
    rows: list[Row] = []
    if element.get("type") not in ("revolute", "continuous"):
        rows.append((f"type of joint '{joint}'", "turns", f"{element.get('type')}"))
    if limit is None:
        return rows
    low, high = arm.position[number]
    lower, upper = float(limit.get("lower", 0)), float(limit.get("upper", 0))
    if element.get("type") == "revolute" and (low < lower - TOLERANCE or high > upper + TOLERANCE):
        rows.append((f"range of joint '{joint}'", f"{low:g} .. {high:g} rad", f"{lower:g} .. {upper:g} rad"))
    for what, value, unit in (("velocity", arm.velocity[number], "rad/s"), ("effort", arm.effort[number], "N*m")):
        largest = float(limit.get(what, np.inf))
        if value > largest * (1 + TOLERANCE):
            rows.append((f"{what} of joint '{joint}'", f"{value:g} {unit}", f"{largest:g} {unit}"))
    return rows


def _kinematics(arm: Arm, urdf: _Urdf, matched: list[str], link: str) -> list[Row]:
    ours = load_model(arm.model).compile()
    if any(mujoco.mj_name2id(ours, mujoco.mjtObj.mjOBJ_JOINT, joint) < 0 for joint in arm.joints):
        return []  # reported by the comparison with the model
    random = np.random.default_rng(0)
    low, high = np.array(arm.position).T
    angles = random.uniform(low, high, (CONFIGURATIONS, len(arm.joints)))
    first, second = _poses(ours, arm.joints, arm.flange, angles), _poses(urdf.model, matched, link, angles)
    mm = 1000 * np.linalg.norm(first[:, :3, 3] - second[:, :3, 3], axis=1)
    degrees = _turn_deg(np.linalg.inv(first) @ second)
    if mm.max() < POSITION_MM and degrees.max() < ROTATION_DEG:
        return []
    worst = f"off by up to {mm.max():.1f} mm, {degrees.max():.2f} deg"
    return [
        (
            f"pose of flange '{arm.flange}'",
            f"{CONFIGURATIONS} configurations",
            f"link '{link}': {worst}{_explanation(first, second)}",
        )
    ]


def _poses(model: mujoco.MjModel, joints: tuple[str, ...] | list[str], body: str, angles: np.ndarray) -> np.ndarray:
    """Poses (n, 4, 4) of a body, at angles (n, joints) in rad."""
    data = mujoco.MjData(model)
    number = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, body)
    addresses = [int(model.jnt_qposadr[mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, joint)]) for joint in joints]
    poses = np.tile(np.eye(4), (len(angles), 1, 1))
    for pose, row in zip(poses, angles):
        data.qpos[addresses] = row
        mujoco.mj_kinematics(model, data)
        pose[:3, 3], pose[:3, :3] = data.xpos[number], data.xmat[number].reshape(3, 3)
    return poses


def _turn_deg(poses: np.ndarray) -> np.ndarray:
    return np.degrees(np.linalg.norm([rotvec_from_matrix(pose[:3, :3]) for pose in poses], axis=1))


def _explanation(first: np.ndarray, second: np.ndarray) -> str:
    """A text naming the one frame whose change would make two sets of poses (n, 4, 4) equal, empty if none does."""
    for what, offset in (("flange", np.linalg.inv(first) @ second), ("base", second @ np.linalg.inv(first))):
        spread_mm = 1000 * np.linalg.norm(offset[:, :3, 3] - offset[0, :3, 3], axis=1).max()
        spread_deg = _turn_deg(np.linalg.inv(offset[:1]) @ offset).max()
        # Both files round, and each may be off by what is tolerated at its own end.
        if spread_mm < 3 * POSITION_MM and spread_deg < 3 * ROTATION_DEG:
            turn = np.degrees(rotvec_from_matrix(offset[0, :3, :3])).round(1) + 0.0
            shift = (1000 * offset[0, :3, 3]).round(1) + 0.0
            return f", all of it another {what}: {shift.tolist()} mm, turned by {turn.tolist()} deg"
    return ""
