"""What a contract's streams can record, as the specification of an observation."""

from __future__ import annotations

from typing import Collection, Iterator, Mapping

import numpy as np

from robot.contract.contract import Contract
from robot.contract.loading import stream_names
from robot.control.observation.streams import gathered, motion
from robot.description.loading import RobotDescription
from robot.description.observation import ObservationField, ObservationSpec
from robot.errors import InputError

FLOAT = "float32"  # as the observations of twins have it
WRENCH_UNITS = "N N N N*m N*m N*m"


def recordable(
    contract: Contract,
    description: RobotDescription,
    *,
    sizes: Mapping[str, tuple[int, ...]] | None = None,
    values: ObservationSpec | None = None,
    velocities: Collection[str] = (),
    efforts: Collection[str] = (),
) -> ObservationSpec:
    """All keys of all streams of a contract, those that are only recorded among them.

    Joints are joined to the vectors of observations, such as `arm.joints`; a joint that no vector of its stream has
    stands by itself.

    Args:
        contract, description: of the robot.
        sizes: stream -> (height, width) px of a camera, or (n,) of a vector, where the contract does not fix it.
        values: keys of a twin's task, which a contract does not name; they come first, as they are. None leaves the
            streams of type `values` out.
        velocities, efforts: names of the streams of joints whose messages have them, which only a message can tell.

    Returns:
        The fields, without histories; numbers are float32, images uint8 RGB, depth uint16 in mm.

    Raises:
        InputError: neither the contract nor `sizes` says how large the images of a camera or a vector are.
    """
    fields = {field.name: field for field in values or ()}
    for name, stream in contract.state.items():
        if stream.type == "joint_state":
            own = _joints(contract, description, name, name in velocities, name in efforts)
        elif stream.type == "pose":
            position, rotation = stream_names(contract, name)
            own = iter((_numbers(position, 3, "m", "pose"), _numbers(rotation, 6, "1", "pose")))
        elif stream.type == "wrench":
            own = iter((_numbers(f"{stream.field}.wrench", 6, WRENCH_UNITS, "wrench"),))
        elif stream.type == "vector":
            own = iter((_numbers(name, _size(contract, name, sizes, 1)[0], "1", "state"),))
        elif stream.type == "image":
            shape = (*_size(contract, name, sizes, 2), 3)
            own = iter((ObservationField(f"{name}.image", shape, "uint8", "1", "image"),))
        elif stream.type == "depth":
            own = iter((ObservationField(f"{name}.depth", _size(contract, name, sizes, 2), "uint16", "mm", "depth"),))
        else:
            continue
        for field in own:
            fields.setdefault(field.name, field)
    return ObservationSpec(tuple(fields.values()))


def _joints(
    contract: Contract, description: RobotDescription, name: str, velocities: bool, efforts: bool
) -> Iterator[ObservationField]:
    """Vectors that the joints of a stream fill, and the joints that are in none of them."""
    each = dict.fromkeys(stream_names(contract, name), np.zeros(1))
    there = gathered(description, each)
    moving = motion(description, each if velocities else {}, each if efforts else {})
    covered: set[str] = set()
    for limb in description.limbs:
        command = limb.tool.command
        # Drivers of tools give efforts in N*m, in N or in the mA of a motor.
        groups = [
            (limb.field("arm.joints"), "arm", limb.arm.joints, "rad", "joint", "N*m"),
            (limb.field(command.name), limb.tool.group, limb.tool.joints, command.unit, command.kind, "1"),
        ]
        for field, group, joints, unit, kind, effort_unit in groups:
            if field not in there:
                continue
            covered |= {field, *map(limb.element, joints)}
            yield _numbers(field, len(joints), unit, kind)
            for word, own_unit in (("velocities", f"{unit}/s"), ("efforts", effort_unit)):
                if limb.field(f"{group}.{word}") in moving:
                    yield _numbers(limb.field(f"{group}.{word}"), len(joints), own_unit, "state")
    arms = {limb.element(joint) for limb in description.limbs for joint in limb.arm.joints}
    for joint in each:
        if joint not in covered:
            yield _numbers(joint, 1, "rad" if joint in arms else "1", "joint")


def _size(contract: Contract, name: str, sizes: Mapping[str, tuple[int, ...]] | None, axes: int) -> tuple[int, ...]:
    size = contract.state[name].size or (sizes or {}).get(name, ())
    if len(size) != axes:
        raise InputError(
            f"state '{name}' of contract '{contract.name}'",
            expected="the height and width of its images" if axes == 2 else "the length of its vector",
            got=str(size or "none"),
            way_out="Put `size` into the contract, or wait for its first message",
        )
    return tuple(size)


def _numbers(name: str, size: int, unit: str, kind: str) -> ObservationField:
    return ObservationField(name, (size,), FLOAT, unit, kind)
