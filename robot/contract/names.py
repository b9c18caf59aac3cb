"""The names under which a robot's values are commanded and measured."""

from __future__ import annotations

from robot.contract.contract import Contract
from robot.description.action import ActionSpec
from robot.description.loading import RobotDescription


def component_names(description: RobotDescription, spec: ActionSpec) -> tuple[str, ...]:
    """One name per component of the action, as maps use them.

    A joint's own name where the component is that joint's angle (`arm.joints`, `hand.joints`), so that a commanded
    joint and the same joint measured share their line in a map; else the component's (`gripper.width`).
    """
    joints: dict[str, str] = {}
    for limb in description.limbs:
        command = limb.tool.command
        fields = [(limb.field("arm.joints"), limb.arm.joints)]
        if command.kind == "joint" and (command.scale, command.offset) == (1.0, 0.0):
            fields.append((limb.field(command.name), limb.tool.joints))
        for field, names in fields:
            components = [field] if len(names) == 1 else [f"{field}.{index}" for index in range(len(names))]
            joints.update(zip(components, map(limb.element, names)))
    return tuple(joints.get(name, name) for name in spec.component_names)


def stream_names(contract: Contract, name: str) -> tuple[str, ...]:
    """Names of the values in every message of a stream that measure the robot: joints, or `tcp.position` and
    `tcp.rotation`; empty for streams that measure something else.

    Raises:
        KeyError: the contract has no such stream.
    """
    stream = contract.state[name]
    if stream.type == "pose":
        return f"{stream.field}.position", f"{stream.field}.rotation"
    return tuple(joint.name for joint in contract.maps[stream.map] if not joint.mimic) if stream.map else ()


def measured_names(contract: Contract) -> tuple[str, ...]:
    """Names of the values of all streams together, but those that are only recorded."""
    return tuple(value for name in contract.policy_streams for value in stream_names(contract, name))


def effort_name(joint: str) -> str:
    """The name under which the effort of a joint or component is measured."""
    return f"{joint}.effort"
