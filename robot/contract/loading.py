"""Contracts by name: files of `configs/contract`, read, checked against the robot's description, hashed, compared."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Mapping

import yaml

from robot.contract.check import require_agreement
from robot.contract.contract import Contract, MappedJoint, Sink, Stream
from robot.contract.names import component_names, stream_names
from robot.description.action import ActionSpec
from robot.description.comparison import Row, table
from robot.description.loading import RobotDescription, load_robot
from robot.description.record import fingerprint, from_json, to_json
from robot.errors import InputError, nearest, one_line
from robot.folders import configs_folder

__all__ = [
    "action_spec",
    "component_names",
    "contract_folder",
    "contract_names",
    "contract_of_twin",
    "describe",
    "difference",
    "hashes",
    "load_contract",
    "operational",
    "operational_hash",
    "require_same",
    "semantic",
    "semantic_hash",
    "stream_names",
]

Parts = Mapping[str, Any]
LATER_KEYS = {"use": "policy", "serial": "", "intrinsics": None, "mount": None, "encoding": ""}
"""Keys of a stream that came later, and the value with which each says nothing."""


def contract_folder() -> Path:
    """The folder of the contracts."""
    return configs_folder() / "contract"


def contract_names() -> tuple[str, ...]:
    """Names of the contracts in `configs/contract`."""
    return tuple(sorted(file.stem for file in contract_folder().glob("*.yaml")))


@cache
def load_contract(name: str) -> Contract:
    """Read a contract and check it against the description of its robot.

    Args:
        name: of a file in `configs/contract`, or the path of such a file elsewhere. Its robot may be in a folder
            `robot` beside it.

    Returns:
        The contract; a budget or a robot whose file is beside it is named by its path.

    Raises:
        InputError: no such contract, the file is wrong, or it does not agree with the robot: all differences at once.
    """
    known = contract_folder() / f"{name}.yaml"
    file = known if known.exists() else Path(name)
    if not file.is_file():
        raise InputError(
            "contract",
            expected=f"one of {', '.join(contract_names())}, or a file",
            got=f"'{name}'",
            way_out=nearest(name, contract_names()),
        )
    contract = _read(file)
    sinks = {
        name: replace(sink, energy=replace(sink.energy, budget=str(file.parent / sink.energy.budget)))
        if (file.parent / sink.energy.budget).is_file()
        else sink
        for name, sink in contract.sinks.items()
    }
    contract = replace(contract, sinks=sinks)
    beside = file.parent / "robot" / f"{contract.robot}.yaml"
    if beside.is_file():
        contract = replace(contract, robot=str(beside))
    require_agreement(contract, describe(contract))
    return contract


def describe(contract: Contract) -> RobotDescription:
    """The description of a contract's robot.

    Raises:
        InputError: there is no such robot, or one of its files is wrong.
    """
    return load_robot(contract.robot)


def action_spec(contract: Contract) -> ActionSpec:
    """Fields, units, order and period of the contract's action.

    Raises:
        InputError: as `describe`.
    """
    return describe(contract).action_spec(contract.period_s, contract.control)


def contract_of_twin(robot: str, action: ActionSpec) -> Contract | None:
    """The shipped contract of the twin that takes an action as the simulation does, with nothing in between.

    Args:
        robot: name of its description.
        action: with its period.

    Returns:
        The first one by name; None where no contract is shipped for it.

    Raises:
        InputError: a shipped contract is wrong.
    """
    for name in contract_names():
        contract = load_contract(name)
        if (
            contract.plant == "twin"
            and contract.robot == robot
            and action_spec(contract) == action
            and all(sink.via == "twin" for sink in contract.sinks.values())
        ):
            return contract
    return None


def semantic(contract: Contract) -> dict[str, Any]:
    """The part of a contract that must be the same for data, checkpoint and robot, as plain values.

    The robot and its joints in order, the action with units, order and kinds, its period, the frames, the cameras
    that a policy may see, and the kind of controller below each field: a spring yields where a position drive does
    not. A twin and a robot behind the same kind of controller are the same here; how a driver names and counts its
    joints is not.

    Returns:
        `robot`, `joints`, `control`, `action`, `controller` (field -> `impedance` or `position`), `period_s`, `frames`
        and `cameras` (name -> type and size).

    Raises:
        InputError: as `describe`.
    """
    description = describe(contract)
    spec = action_spec(contract)
    tools = {limb.field(limb.tool.command.name) for limb in description.limbs}
    springs = {
        field
        for sink in contract.sinks.values()
        if sink.via in ("twin", "crisp_pose", "crisp_joint")
        for field in sink.fields
    } - tools
    return {
        "robot": description.spec.name,
        "joints": list(description.spec.joint_names),
        "control": contract.control,
        "action": [to_json(field) for field in spec.fields],
        "controller": {field.name: "impedance" if field.name in springs else "position" for field in spec.fields},
        "period_s": contract.period_s,
        "frames": to_json(contract.frames),
        "cameras": {
            name: {"type": stream.type, "size": list(stream.size)}
            for name, stream in sorted(contract.policy_streams.items())
            if stream.is_camera
        },
    }


def operational(contract: Contract) -> dict[str, Any]:
    """The rest of a contract, as plain values: topics, maps, rates, latencies, staleness, limits, energy, what is only
    recorded. Keys that contracts did not always have are left out where they say nothing: hashes on record stay.
    """
    values: dict[str, Any] = to_json(contract)
    for name in ("name", "robot", "control", "period_s", "frames"):
        del values[name]
    for name, stream in values["state"].items():
        for key, silent in LATER_KEYS.items():
            if stream[key] == silent:
                del stream[key]
        if contract.state[name].is_camera and name in contract.policy_streams:
            del stream["size"], stream["type"]
    return values


def semantic_hash(contract: Contract) -> str:
    """The hash of `semantic`, 16 hexadecimal digits.

    Raises:
        InputError: as `describe`.
    """
    return fingerprint(semantic(contract))


def operational_hash(contract: Contract) -> str:
    """The hash of `operational`, 16 hexadecimal digits."""
    return fingerprint(operational(contract))


def hashes(contract: Contract) -> dict[str, str]:
    """The record of a contract in data and checkpoints made with it.

    Returns:
        `name`, `semantic_hash` and `operational_hash`.

    Raises:
        InputError: as `describe`.
    """
    return {
        "name": contract.name,
        "semantic_hash": semantic_hash(contract),
        "operational_hash": operational_hash(contract),
    }


def difference(expected: Parts, offered: Parts) -> list[Row]:
    """Rows (what, expected, offered) in which two sides differ.

    Args:
        expected, offered: both as `semantic` or `operational` returns them.

    Returns:
        One row per dotted key whose texts differ, `-` for a side without it; an empty list or mapping counts as none.
    """
    ours, theirs = _flat(expected), _flat(offered)
    return [
        (key, ours.get(key, "-"), theirs.get(key, "-"))
        for key in dict.fromkeys((*ours, *theirs))
        if ours.get(key) != theirs.get(key)
    ]


def require_same(expected: Parts, offered: Parts, *, left: str, right: str) -> None:
    """Refuse two sides of different meaning.

    Args:
        expected: `semantic` of the contract of a checkpoint or data.
        offered: of the robot.
        left, right: names of the sides, for example a checkpoint's path and a contract's name.

    Raises:
        InputError: with a table of every row that differs.
    """
    rows = difference(expected, offered)
    if rows:
        raise InputError(
            f"{left} and {right} mean different things:\n{table(rows, left, right)}\n"
            "Take a checkpoint that was trained for this robot, or the contract that it was trained with"
        )


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Nested values as dotted names with a text each; empty parts are left out."""
    if isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        parts = ((key, item) for key, item in value.items() if item not in ({}, [], ()))
        return {name: text for key, item in parts for name, text in _flat(item, f"{prefix}{key}.").items()}
    return {prefix[:-1]: ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)}


def _read(file: Path) -> Contract:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"contract {file}", expected="a YAML file", got=one_line(error)) from error
    if not isinstance(values, Mapping):
        raise InputError(f"contract {file}", expected="keys and values", got=repr(values)[:60])
    if "name" in values:
        raise InputError(f"{file}: name", expected="none: a contract has its file's name", got=f"'{values['name']}'")
    for group, kind in (("state", Stream), ("sinks", Sink)):
        # Each by itself first: a part's own error does not know its position in the file.
        for name, part in _mapping(values, group, file).items():
            _build(kind, part, f"{file}: {group} '{name}'")
    for name, joints in _mapping(values, "maps", file).items():
        for number, joint in enumerate(joints if isinstance(joints, list) else []):
            _build(MappedJoint, joint, f"{file}: maps '{name}'[{number}]")
    return _build(Contract, {**values, "name": file.stem}, str(file))


def _mapping(values: Parts, group: str, file: Path) -> Mapping[str, Any]:
    part = values.get(group, {})
    if not isinstance(part, Mapping):
        raise InputError(f"{file}: {group}", expected="names with their keys", got=repr(part))
    return part


def _build(kind: type[Any], values: Any, where: str) -> Any:
    try:
        return from_json(kind, values, where=where)
    except InputError as error:
        if where in error.thing:
            raise
        raise InputError(
            f"{where}: {error.thing}", expected=error.expected, got=error.got, way_out=error.way_out
        ) from error
