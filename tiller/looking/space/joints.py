"""Where a store has the joints of its robot: in which fields, under which names."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Any, Mapping

from robot.contract.loading import contract_names, load_contract, stream_names
from robot.description.loading import RobotDescription, load_robot, robot_names
from robot.errors import TillerError
from tiller.looking.fields import Field
from tiller.looking.snapshot import Snapshot


@dataclass(frozen=True)
class JointSource:
    """A field that measures joints.

    Args:
        field: of rows or a stream.
        names: of its components, as `RobotLinks.poses` takes them.
    """

    field: Field
    names: tuple[str, ...]


def robot_of(attributes: Mapping[str, Any]) -> RobotDescription | None:
    """The robot that a store names, where tiller has its description. A name is looked up and never a path."""
    contract = _mapping(attributes.get("contract"))
    names = [_mapping(contract.get("semantic")).get("robot"), attributes.get("robot")]
    if isinstance(contract.get("name"), str) and contract["name"] in contract_names():
        with suppress(TillerError):
            names.append(load_contract(contract["name"]).robot)
    known = robot_names()
    name = next((each for each in names if isinstance(each, str) and each in known), None)
    return load_robot(name) if name is not None else None


def joint_sources(snapshot: Snapshot, description: RobotDescription) -> tuple[JointSource, ...]:
    """The fields that measure joints of a robot: rows before streams, each name once."""
    names = dict(_row_names(description))
    sources, seen = [], set[str]()
    for field in snapshot.fields:
        own = names.get(field.name, ()) if field.stream is None else _stream_names(snapshot, field.stream)
        fits = field.kind == "numbers" and own and prod(field.shape) == len(own)
        if field.role in ("observation", "stream") and fits and not seen & set(own):
            sources.append(JointSource(field, own))
            seen |= set(own)
    return tuple(sources)


def _row_names(description: RobotDescription) -> list[tuple[str, tuple[str, ...]]]:
    """Field of rows -> names of its components."""
    rows = []
    for limb in description.limbs:
        tool = limb.field(limb.tool.command.name)
        count = len(limb.tool.joints)
        rows.append((limb.field("arm.joints"), tuple(map(limb.element, limb.arm.joints))))
        rows.append((tool, (tool,) if count == 1 else tuple(f"{tool}.{index}" for index in range(count))))
    return rows


def _stream_names(snapshot: Snapshot, stream: str) -> tuple[str, ...]:
    """Names of a stream's components by the contract with which it was recorded."""
    contract = _mapping(snapshot.contents.attributes.get("contract"))
    operational = _mapping(contract.get("operational"))
    state = _mapping(_mapping(operational.get("state")).get(stream))
    mapped = _mapping(operational.get("maps")).get(str(state.get("map")))
    if isinstance(mapped, (list, tuple)):
        joints = [_mapping(each) for each in mapped[:256]]
        return tuple(str(each.get("name")) for each in joints if not each.get("mimic"))
    if not operational and contract.get("name") in contract_names():
        try:
            return stream_names(load_contract(str(contract["name"])), stream)
        except (TillerError, KeyError):
            return ()
    return ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
