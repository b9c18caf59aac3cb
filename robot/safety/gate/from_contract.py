"""The gate's settings from a contract and the description of its robot: the tighter of two limits applies.

More than three hundred lines in one file, so that where a number of the gate comes from is found in one place.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Iterator, Mapping

import numpy as np
import yaml

from robot.contract.contract import Contract
from robot.contract.names import component_names, effort_name, stream_names
from robot.description.action import ActionField, ActionSpec
from robot.description.limb import Limb
from robot.description.loading import RobotDescription
from robot.errors import InputError
from robot.folders import configs_folder
from robot.safety.energy.budget import load_budget
from robot.safety.gate.settings import (
    UNLIMITED,
    CapsuleSettings,
    GateSettings,
    GroupSettings,
    LeashSettings,
    PartSettings,
    StreamSettings,
)

LEVER_M = 0.25  # from the axis about which a tool turns
SETTLE_S = 0.1  # before the first command
# How far an arm may be from its command while no source is followed, where its contract sets no tracking error.
APART_M, APART_TURN, APART_JOINT = 0.05, 0.5, 0.1  # m, rad, rad


def gate_settings(contract: Contract, description: RobotDescription, *, lock_step: bool = False) -> GateSettings:
    """The settings of the gate.

    Args:
        contract: read by `load_contract`.
        description: of its robot.
        lock_step: a tick takes exactly the row that is due, on twins.

    Raises:
        InputError: nothing measures an arm, or the file with its capsules is missing.
    """
    spec = description.action_spec(contract.period_s, contract.control)
    names = component_names(description, spec)
    streams = {name: stream_names(contract, name) for name in contract.policy_streams}
    measured = {name for values in streams.values() for name in values}
    lead_s = _lead(contract, description)
    groups = [group for limb in description.limbs for group in _groups(contract, limb, spec, names, measured, lead_s)]
    if lock_step:
        groups = [_unlimited(group) for group in groups]
    pressing = {name for group in groups if group.force is not None for name in group.measured}
    streams = {
        name: (*values, *(effort_name(each) for each in values if each in pressing)) for name, values in streams.items()
    }
    blind = [group for group in groups if not group.measured]
    limits, staleness = contract.limits, contract.staleness
    drivers = [stream for stream in contract.policy_streams.values() if stream.type == "driver_state"]
    return GateSettings(
        fields=spec.fields,
        period_s=contract.period_s,
        groups=tuple(groups),
        streams={
            name: StreamSettings(values, ages.warn_s, ages.hold_s, ages.fault_s)
            for name, values in streams.items()
            if values
            for ages in (contract.state[name].ages(staleness),)
        },
        rest=_rest(description, spec, blind) if blind else (),
        zeros=_zeros(contract, spec, names),
        resets=contract.plant == "twin",
        tick_s=1 / contract.tick_hz,
        settle_s=0.0 if lock_step else SETTLE_S,
        lead_s=lead_s,
        tail_s=limits.tail_s,
        future_s=staleness.future_s,
        person_s=staleness.person_s,
        alive_s=staleness.alive_s,
        enable_hold_s=staleness.enable_hold_s,
        enable_fault_s=staleness.enable_fault_s,
        operator=contract.operator,
        driver_s=max(stream.ages(staleness).fault_s for stream in drivers) if drivers else None,
        lock_step=lock_step,
        capsules=_capsules(description, spec, measured) if limits.capsules else None,
        leashes=() if lock_step else tuple(_leashes(contract, description, groups)),
    )


def _unlimited(group: GroupSettings) -> GroupSettings:
    """The group without limits: its targets reach the twin unchanged, as they reach its environment, so that an
    evaluation shows what the policy does, wild plans included.
    """
    return replace(
        group, parts=tuple(PartSettings(part.field) for part in group.parts), tracking=(), apart=(), force=None
    )


def _groups(
    contract: Contract, limb: Limb, spec: ActionSpec, names: tuple[str, ...], measured: set[str], lead_s: float
) -> list[GroupSettings]:
    """Arm and tool of a limb."""
    latency_s = {field: sink.latency_s for sink in contract.sinks.values() for field in sink.fields}
    arm, tool = [], []
    for field in spec.fields:
        if field.name == limb.field(limb.tool.command.name):
            tool.append((field, _tool_part(contract, limb, field)))
        elif field.name in (limb.field("tcp.position"), limb.field("tcp.rotation")):
            arm.append((field, _tcp_part(contract, field)))
        elif field.name == limb.field("arm.joints"):
            arm.append((field, _joint_part(contract, limb, field)))
    groups = []
    for name, parts, finishes in ((limb.element("arm"), arm, False), (limb.element(limb.tool.group), tool, True)):
        values = [
            value
            for field, _ in parts
            for value in ([field.name] if field.kind == "pose" else names[spec.slices[field.name]])
        ]
        known = measured.issuperset(values)
        groups.append(
            GroupSettings(
                name,
                tuple(part for _, part in parts),
                tuple(values) if known else (),
                contract.limits.tracking.get(name) or (),
                apart=() if finishes or not known else contract.limits.tracking.get(name) or _apart(parts),
                finishes=finishes,
                force=contract.limits.tool.force if finishes and known else None,
                ahead_s=latency_s[parts[0][0].name] - lead_s if finishes else 0.0,
            )
        )
    return groups


def _apart(parts: list[tuple[ActionField, PartSettings]]) -> tuple[float, ...]:
    return tuple(
        APART_TURN if field.is_rotation else APART_M if field.kind == "pose" else APART_JOINT for field, _ in parts
    )


def _tcp_part(contract: Contract, field: ActionField) -> PartSettings:
    limits = contract.limits.tcp
    if limits is None:
        return PartSettings(field.name)
    tail_s = contract.limits.tail_s
    if field.is_rotation:
        stop = limits.turn_deceleration or max(limits.turn_acceleration, limits.turn_speed / tail_s)
        return PartSettings(
            field.name,
            (limits.turn_speed,),
            (limits.turn_acceleration,),
            (stop,),
            start=UNLIMITED if limits.turn_start is None else limits.turn_start,
        )
    stop = limits.deceleration or max(limits.acceleration, limits.speed / tail_s)
    box = limits.workspace
    return PartSettings(
        field.name,
        (limits.speed,),
        (limits.acceleration,),
        (stop,),
        box.low if box else (),
        box.high if box else (),
        UNLIMITED if limits.start is None else limits.start,
    )


def _joint_part(contract: Contract, limb: Limb, field: ActionField) -> PartSettings:
    limits, arm = contract.limits.joints, limb.arm
    speed = tuple(limits.speed_scale * each for each in arm.velocity)
    known = arm.acceleration or (UNLIMITED,) * len(arm.joints)
    go = tuple(min(each, limits.acceleration or UNLIMITED) for each in known)
    stop = tuple(limits.deceleration or max(a, v / contract.limits.tail_s) for a, v in zip(go, speed))
    return PartSettings(
        field.name,
        speed,
        go,
        stop,
        tuple(low + limits.margin for low, _ in arm.position),
        tuple(high - limits.margin for _, high in arm.position),
        UNLIMITED if limits.start is None else limits.start,
    )


def _tool_part(contract: Contract, limb: Limb, field: ActionField) -> PartSettings:
    limits, command = contract.limits.tool, limb.tool.command
    speed, go = limits.speed or UNLIMITED, limits.acceleration or UNLIMITED
    ends = [
        sorted(command.scale * position + command.offset for position in positions) for positions in limb.tool.position
    ]
    stop = UNLIMITED if math.isinf(go) else max(go, speed / contract.limits.tail_s)
    # One number per component: each finger has its own drive, they are no vector.
    each = field.size
    return PartSettings(
        field.name,
        (speed,) * each,
        (go,) * each,
        (stop,) * each,
        tuple(low for low, _ in ends),
        tuple(high for _, high in ends),
    )


def _lead(contract: Contract, description: RobotDescription) -> float:
    """The latency of the arms' sinks; a tool has its own on top of it."""
    tools = {limb.field(limb.tool.command.name) for limb in description.limbs}
    late = [sink.latency_s for sink in contract.sinks.values() if set(sink.fields) - tools]
    return max(late, default=0.0)


def _leashes(contract: Contract, description: RobotDescription, groups: list[GroupSettings]) -> Iterator[LeashSettings]:
    """The leashes of the sinks that are a passive spring with a budget."""
    for name, sink in contract.sinks.items():
        if sink.energy.mode != "setpoint" or not sink.fields:
            continue
        budget = load_budget(sink.energy.budget, robot=description.spec.name)
        if math.isinf(min(budget.spring_j, budget.force_n, budget.power_w)):
            continue
        _require_one_spring(contract, name)
        if min(sink.energy.stiffness) <= 0:
            raise InputError(
                f"sink '{name}': energy: stiffness", expected="6 numbers above 0", got=str(sink.energy.stiffness)
            )
        poses = [stream for stream in contract.policy_streams.values() if stream.type == "pose"]
        ages = [1 / stream.rate_hz + stream.latency_s for stream in poses]
        for group in groups:
            if group.parts[0].field not in sink.fields or group.finishes:
                continue
            if len(group.parts) != 2:
                raise InputError(
                    f"sink '{name}': energy: setpoint",
                    expected="poses of a tcp: control: cartesian",
                    got="joints, of whose springs nothing is declared",
                    way_out="Say mode: none",
                )
            if not group.measured:
                raise InputError(
                    f"sink '{name}': energy: setpoint",
                    got="none",
                    expected=f"a stream that measures {group.parts[0].field}",
                    way_out="Add one of type pose, or say mode: none",
                )
            # Under the leash no spring makes the tool faster than the budget allows, nor turns it faster than that
            # speed about a point LEVER_M away.
            linear = min(group.parts[0].speed[0], budget.speed_mps())
            angular = min(group.parts[1].speed[0], linear / LEVER_M)
            yield LeashSettings(
                group.name,
                sink.energy.stiffness,
                budget.spring_j,
                budget.force_n,
                budget.power_w,
                sink.latency_s + 1 / sink.rate_hz + max(ages),
                (linear, angular),
            )


def _require_one_spring(contract: Contract, name: str) -> None:
    """Refuse a sink that sets another stiffness: a leash relies on the spring that is in force."""
    for other, sink in contract.sinks.items():
        if sink.via == "crisp_stiffness" and (
            sink.fields or sink.energy.stiffness != contract.sinks[name].energy.stiffness
        ):
            raise InputError(
                f"sinks '{name}' and '{other}': energy: stiffness",
                expected="the same: the leash counts on it",
                got="one that a policy chooses"
                if sink.fields
                else f"{contract.sinks[name].energy.stiffness} and {sink.energy.stiffness}",
            )


def _zeros(contract: Contract, spec: ActionSpec, names: tuple[str, ...]) -> tuple[float, ...]:
    """The command (dim,) that zeros on the wire mean; empty where it is zeros too."""
    offsets = {joint.name: joint.offset for joints in contract.maps.values() for joint in joints if not joint.mimic}
    values = tuple(offsets.get(name, 0.0) for name in names)
    return values if any(values) else ()


def _rest(description: RobotDescription, spec: ActionSpec, blind: list[GroupSettings]) -> tuple[float, ...]:
    """The first values (dim,) of fields that nothing measures: the rest posture of a tool."""
    rest = np.zeros(spec.dim)
    for limb in description.limbs:
        command = limb.tool.command
        rest[spec.slices[limb.field(command.name)]] = [
            command.scale * position + command.offset for position in limb.tool.rest
        ]
    unknown = [
        part.field
        for group in blind
        for part in group.parts
        if part.field not in {limb.field(limb.tool.command.name) for limb in description.limbs}
    ]
    if unknown:
        raise InputError(
            f"state of {', '.join(unknown)}",
            expected="a stream that measures it",
            got="none",
            way_out="Add a stream of type pose, or of joints, to the contract",
        )
    return tuple(rest.tolist())


def _capsules(description: RobotDescription, spec: ActionSpec, measured: set[str]) -> CapsuleSettings:
    """The capsules of a robot, from `configs/capsules`."""
    joints = [limb.element(joint) for limb in description.limbs for joint in limb.arm.joints]
    lacking = [joint for joint in joints if joint not in measured]
    if lacking:
        raise InputError(
            "capsules",
            expected="streams that measure all joints of the arms",
            got=f"none for {', '.join(lacking)}",
            way_out="Add one, or say capsules: false",
        )
    file = configs_folder() / "capsules" / f"{description.spec.name}.yaml"
    if not file.is_file():
        raise InputError(
            f"capsules of '{description.spec.name}'",
            expected=str(file),
            got="no such file",
            way_out="Make it (python -m sim.twin.model.capsules), or say capsules: false in the contract",
        )
    shape: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    tcps = {limb.tcp: limb.field("tcp.position") for limb in description.limbs}
    arms = {limb.field("arm.joints"): tuple(map(limb.element, limb.arm.joints)) for limb in description.limbs}
    return CapsuleSettings(
        shape["model"],
        {joint: joint for joint in joints},
        tuple((first, second) for first, second in shape["pairs"]),
        {site: field for site, field in tcps.items() if field in spec.slices},
        {field: names for field, names in arms.items() if field in spec.slices},
    )
