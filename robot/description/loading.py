"""Robots by name: the files of `configs/robot`, read into descriptions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml

from robot.description.action import ActionField, ActionSpec
from robot.description.limb import Arm, Limb, RobotFile, Tool
from robot.description.record import from_json
from robot.description.robot import JointGroup, RobotSpec
from robot.errors import InputError, nearest, one_line
from robot.folders import configs_folder

T = TypeVar("T")

CONTROLS = ("cartesian", "joint")


@dataclass(frozen=True)
class JointVector:
    """Joints that are one vector of observations and actions: `scale * joints + offset`.

    Args:
        field: name of the vector.
        joints: names of its joints in the robot's model.
        scale, offset: of a tool's command; those of an arm's angles are 1 and 0.
        of_arm: whether they are an arm's.
    """

    field: str
    joints: tuple[str, ...]
    scale: float = 1.0
    offset: float = 0.0
    of_arm: bool = False


@dataclass(frozen=True)
class RobotDescription:
    """A robot with all that is needed to build and to control it.

    Args:
        spec: joints, limits, frames, rest posture.
        limbs: arms with their tools, in the order of the action.
    """

    spec: RobotSpec
    limbs: tuple[Limb, ...]

    def action_spec(self, period_s: float, control: str = "cartesian") -> ActionSpec:
        """The fields of an action of this robot.

        Args:
            period_s: seconds for which an action is in force.
            control: `cartesian` (pose of each tcp) or `joint` (angles of each arm).

        Raises:
            InputError: no such control, or a period that is not above 0.
        """
        if control not in CONTROLS:
            raise InputError(
                "control",
                expected=f"one of {', '.join(CONTROLS)}",
                got=f"'{control}'",
                way_out=nearest(control, CONTROLS),
            )
        fields: list[ActionField] = []
        for limb in self.limbs:
            if control == "cartesian":
                fields.append(ActionField(limb.field("tcp.position"), 3, "m", "pose"))
                fields.append(ActionField(limb.field("tcp.rotation"), 6, "1", "pose"))
            else:
                fields.append(ActionField(limb.field("arm.joints"), len(limb.arm.joints), "rad", "joint"))
            command = limb.tool.command
            fields.append(ActionField(limb.field(command.name), len(limb.tool.joints), command.unit, command.kind))
        return ActionSpec(tuple(fields), period_s)

    @cached_property
    def vectors(self) -> tuple[JointVector, ...]:
        """What joints are joined to: of each limb `arm.joints`, rad, and the tool's own field."""
        vectors = []
        for limb in self.limbs:
            arm, tool = (tuple(map(limb.element, part.joints)) for part in (limb.arm, limb.tool))
            command = limb.tool.command
            vectors.append(JointVector(limb.field("arm.joints"), arm, of_arm=True))
            vectors.append(JointVector(limb.field(command.name), tool, command.scale, command.offset))
        return tuple(vectors)


def robot_folder() -> Path:
    """The folder of the robots' files."""
    return configs_folder() / "robot"


def robot_names() -> tuple[str, ...]:
    """Names of the robots in `configs/robot`."""
    return tuple(sorted(file.stem for file in robot_folder().glob("*.yaml")))


@cache
def load_robot(name: str) -> RobotDescription:
    """Read a robot.

    Args:
        name: of a file in `configs/robot`, or the path of such a file elsewhere; arms and tools that it names are
            searched beside it first.

    Raises:
        InputError: no such robot, or a file is wrong: a key, a limit that the rest posture breaks.
    """
    known = robot_folder() / f"{name}.yaml"
    file = known if known.exists() else Path(name)
    if not file.is_file():
        raise InputError(
            "robot",
            expected=f"one of {', '.join(robot_names())}, or a file",
            got=f"'{name}'",
            way_out=_robot_of_contract(name) or nearest(name, robot_names()),
        )
    description = _read(RobotFile, file)
    limbs = tuple(
        Limb(
            each.name,
            _part(Arm, "arm", each.arm, file),
            _part(Tool, "tool", each.tool, file),
            each.position,
            each.yaw,
            each.payload,
        )
        for each in description.limbs
    )
    names = [limb.name for limb in limbs]
    if len(set(names)) != len(names) or not names:
        raise InputError(f"robot {file}: limbs", expected="one or more with different names", got=str(names))
    return RobotDescription(_spec(file.stem, limbs), limbs)


def _robot_of_contract(name: str) -> str | None:
    """A sentence that names the robot of a contract, where its name was given for a robot's."""
    try:
        contract = yaml.safe_load((configs_folder() / "contract" / f"{name}.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    robot = contract.get("robot") if isinstance(contract, dict) else None
    if not robot:
        return None
    beside = configs_folder() / "contract" / "robot" / f"{robot}.yaml"
    return f"'{name}' is a contract; its robot is '{beside if beside.is_file() else robot}'"


def with_impedance(description: RobotDescription, **changes: Any) -> RobotDescription:
    """The same robot with another impedance: fields of `Impedance` by name."""
    limbs = tuple(
        replace(limb, arm=replace(limb.arm, impedance=replace(limb.arm.impedance, **changes)))
        for limb in description.limbs
    )
    return replace(description, limbs=limbs)


def _spec(name: str, limbs: tuple[Limb, ...]) -> RobotSpec:
    groups: list[JointGroup] = []
    for limb in limbs:
        arm, tool = limb.arm, limb.tool
        groups.append(
            JointGroup(
                limb.element("arm"),
                tuple(map(limb.element, arm.joints)),
                arm.position,
                arm.velocity,
                arm.effort,
                arm.acceleration,
            )
        )
        coupling = tuple(
            replace(each, joint=limb.element(each.joint), leader=limb.element(each.leader)) for each in tool.coupling
        )
        groups.append(
            JointGroup(
                limb.element(tool.group),
                tuple(map(limb.element, tool.joints)),
                tool.position,
                tool.velocity,
                tool.effort,
                coupling=coupling,
            )
        )
    return RobotSpec(
        name,
        tuple(groups),
        tcps={limb.element("arm"): limb.tcp for limb in limbs},
        rest={joint: position for limb in limbs for joint, position in limb.rest.items()},
        payload={limb.element("arm"): limb.payload for limb in limbs if limb.payload.mass_kg},
    )


def _part(kind: type[T], group: str, name: str, robot: Path) -> T:
    for folder in (robot.parent / group, robot_folder() / group):
        if (folder / f"{name}.yaml").is_file():
            return _read(kind, folder / f"{name}.yaml")
    known = [file.stem for file in sorted((robot_folder() / group).glob("*.yaml"))]
    raise InputError(
        f"robot {robot}: {group}", expected=f"one of {', '.join(known)}", got=f"'{name}'", way_out=nearest(name, known)
    )


def _read(kind: type[T], file: Path) -> T:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"robot file {file}", expected="a YAML file", got=one_line(error)) from error
    try:
        return from_json(kind, values, where=str(file))
    except InputError as error:
        if str(file) in error.thing:
            raise
        # A description's own error does not know its file.
        raise InputError(
            f"{file}: {error.thing}", expected=error.expected, got=error.got, way_out=error.way_out
        ) from error
