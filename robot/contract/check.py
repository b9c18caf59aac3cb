"""Check of a contract against its robot: all differences in one table."""

from __future__ import annotations

from typing import Iterator

from robot.contract.contract import Contract, Sink
from robot.contract.names import component_names, measured_names, stream_names
from robot.description.action import ActionSpec
from robot.description.comparison import Row, table
from robot.description.loading import RobotDescription
from robot.description.robot import RobotSpec
from robot.errors import InputError

KINDS = {
    "forward": ("joint", "width"),
    "jtc": ("joint",),
    "crisp_joint": ("joint",),
    "jointstate": ("joint", "width"),
    "gripper": ("width", "joint"),
    "crisp_stiffness": ("stiffness",),
}


def require_agreement(contract: Contract, description: RobotDescription) -> None:
    """Refuse a contract that does not fit its robot.

    Raises:
        InputError: with a table of every point in which they differ.
    """
    rows = disagreements(contract, description)
    if rows:
        raise InputError(
            f"contract '{contract.name}' and robot '{description.spec.name}' do not fit:\n"
            f"{table(rows, 'contract', 'robot')}"
        )


def disagreements(contract: Contract, description: RobotDescription) -> list[Row]:
    """Rows (what, the contract's, the robot's); empty when they fit."""
    spec = description.action_spec(contract.period_s, contract.control)
    return [
        *_sinks(contract, description, spec),
        *_streams(contract, description, spec),
        *_limits(contract, description, spec),
    ]


def group_fields(description: RobotDescription, spec: ActionSpec) -> dict[str, tuple[str, ...]]:
    """A mapping of groups of the robot (`arm`, `gripper`, `left_arm`) to their fields in the action."""
    result: dict[str, tuple[str, ...]] = {}
    for limb in description.limbs:
        tool = limb.field(limb.tool.command.name)
        own = [limb.field(name) for name in ("tcp.position", "tcp.rotation", "arm.joints")]
        result[limb.element("arm")] = tuple(each.name for each in spec.fields if each.name in own)
        result[limb.element(limb.tool.group)] = (tool,)
    return result


def _sinks(contract: Contract, description: RobotDescription, spec: ActionSpec) -> Iterator[Row]:
    known = {field.name: field for field in spec.fields}
    names = component_names(description, spec)
    commanded = [field for sink in contract.sinks.values() for field in sink.fields]
    for field in known:
        if field not in commanded:
            yield f"action field {field}", "no sink", "in the action"
    for name, sink in contract.sinks.items():
        unknown = [field for field in sink.fields if field not in known]
        for field in unknown:
            yield f"sink '{name}': field", field, f"one of {', '.join(known)}"
        if unknown:
            continue
        yield from _form(name, sink, spec)
        if sink.map:
            components = [names[index] for field in sink.fields for index in range(spec.dim)[spec.slices[field]]]
            mapped = [joint.name for joint in contract.maps[sink.map] if not joint.mimic]
            for joint in components:
                if joint not in mapped:
                    yield f"sink '{name}': map '{sink.map}'", f"no {joint}", joint
            for joint in mapped:
                if joint not in components:
                    yield f"sink '{name}': map '{sink.map}'", joint, f"not in {', '.join(sink.fields)}"


def _form(name: str, sink: Sink, spec: ActionSpec) -> Iterator[Row]:
    kinds = {field.name: field.kind for field in spec.fields}
    if sink.via == "twin" and sink.fields != tuple(kinds):
        yield f"sink '{name}': fields via twin", ", ".join(sink.fields), f"all, in order: {', '.join(kinds)}"
    if sink.via == "crisp_pose":
        tcp = sink.fields[0].removesuffix(".position")
        pose = (f"{tcp}.position", f"{tcp}.rotation")
        if sink.fields != pose or not set(pose) <= set(kinds):
            yield f"sink '{name}': fields via crisp_pose", ", ".join(sink.fields), "position and rotation of one tcp"
    for field in sink.fields:
        if kinds[field] not in KINDS.get(sink.via, (kinds[field],)):
            yield f"sink '{name}': {field} via {sink.via}", " or ".join(KINDS[sink.via]), kinds[field]
    size = sum(field.size for field in spec.fields if field.name in sink.fields)
    if sink.via == "gripper" and size != 1:
        yield f"sink '{name}': via gripper", "1 number", str(size)


def _streams(contract: Contract, description: RobotDescription, spec: ActionSpec) -> Iterator[Row]:
    tcps = [limb.field("tcp") for limb in description.limbs]
    known = {
        *component_names(description, spec),
        *description.spec.joint_names,
        *(limb.field(limb.tool.command.name) for limb in description.limbs if len(limb.tool.joints) == 1),
    }
    for name, stream in contract.policy_streams.items():
        if stream.type in ("pose", "wrench") and stream.field not in tcps:
            yield f"state '{name}': field", stream.field, f"one of {', '.join(tcps)}"
        for joint in stream_names(contract, name) if stream.map else ():
            if joint not in known:
                yield f"state '{name}': map '{stream.map}'", joint, "no such joint or component"
    # Those that are only recorded too: of two values of one name only one could be.
    measured = [value for name in contract.state for value in stream_names(contract, name)]
    measured += [f"{stream.field}.wrench" for stream in contract.state.values() if stream.type == "wrench"]
    for value in sorted({value for value in measured if measured.count(value) > 1}):
        yield f"measured {value}", f"by {measured.count(value)} streams", "one stream"


def _limits(contract: Contract, description: RobotDescription, spec: ActionSpec) -> Iterator[Row]:
    limits, groups = contract.limits, group_fields(description, spec)
    tools = [limb.element(limb.tool.group) for limb in description.limbs]
    measured = set(measured_names(contract))
    for group in limits.tracking:
        if group not in groups:
            yield "limits: tracking", group, f"one of {', '.join(groups)}"
    for group, fields in groups.items():
        if group not in limits.tracking:
            yield "limits: tracking", f"no {group}", f"{group}: distances, or null"
        distances = limits.tracking.get(group)
        if distances is not None and len(distances) != len(fields):
            yield f"limits: tracking of '{group}'", f"{len(distances)} distances", f"for {', '.join(fields)}"
        needed = _measures(fields, description, spec)
        missing = [name for name in needed if name not in measured]
        if missing and group in tools and limits.tool.force is not None:
            yield f"limits: tool: force, state of '{group}'", f"no {', '.join(missing)}", "a stream of their efforts"
        if missing and (distances is not None or group not in tools):
            yield f"state of '{group}'", f"no {', '.join(missing)}", f"measured for {', '.join(fields)}"
    if contract.control == "cartesian" and contract.plant == "robot" and (not limits.tcp or not limits.tcp.workspace):
        yield "limits: tcp: workspace", "none", "needed where the plant is a robot"
    yield from _stops(contract, description.spec)


def _measures(fields: tuple[str, ...], description: RobotDescription, spec: ActionSpec) -> list[str]:
    """Names of the values that measure some fields: a pose whole, joints one by one."""
    names = component_names(description, spec)
    poses = {field.name for field in spec.fields if field.kind == "pose"}
    return [
        value
        for field in fields
        for value in ([field] if field in poses else [names[i] for i in range(spec.dim)[spec.slices[field]]])
    ]


def _stops(contract: Contract, spec: RobotSpec) -> Iterator[Row]:
    """Limits that a stop within the tail breaks, or that are wider than the robot's."""
    limits, tail = contract.limits, contract.limits.tail_s
    joints = limits.joints
    pairs: list[tuple[str, float, float | None]] = []
    if limits.tcp:
        tcp = limits.tcp
        pairs = [
            ("tcp: deceleration", tcp.speed, tcp.deceleration),
            ("tcp: turn_deceleration", tcp.turn_speed, tcp.turn_deceleration),
        ]
    fastest = max((v for group in spec.groups if group.name.endswith("arm") for v in group.velocity), default=0.0)
    pairs.append(("joints: deceleration", joints.speed_scale * fastest, joints.deceleration))
    for name, speed, deceleration in pairs:
        if deceleration is not None and speed > deceleration * tail * (1 + 1e-9):
            yield f"limits: {name}", f"{deceleration:g}", f"{speed / tail:.3g}, to stop from {speed:g} in {tail:g} s"
    for group in (group for group in spec.groups if group.name.endswith("arm")):
        for joint, (low, high) in zip(group.names, group.position):
            if high - low <= 2 * joints.margin:
                yield f"limits: joints: margin at '{joint}'", f"{joints.margin:g}", f"{low:g} .. {high:g}"
