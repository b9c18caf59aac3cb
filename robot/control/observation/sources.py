"""The streams of a contract that carry the keys of an observation."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

import numpy as np

from robot.contract.contract import Contract, Stream
from robot.contract.loading import stream_names
from robot.control.observation.alignment import StreamSource
from robot.control.observation.streams import gathered, motion
from robot.description.loading import RobotDescription
from robot.description.observation import ObservationField, ObservationSpec


def stream_keys(contract: Contract, description: RobotDescription, name: str) -> tuple[str, ...]:
    """Keys that a stream may carry; of `values` they are not known, and of a driver's state there are none."""
    stream = contract.state[name]
    if stream.is_camera:
        return (f"{name}.{stream.type}",)
    if stream.type == "vector":
        return (name,)
    if stream.type == "wrench":
        return (f"{stream.field}.wrench",)
    names = stream_names(contract, name)
    if stream.type != "joint_state":
        return names
    each = dict.fromkeys(names, np.zeros(1))
    return (*gathered(description, each), *motion(description, each, each))


def streams_of(contract: Contract, description: RobotDescription, field: ObservationField) -> tuple[str, ...]:
    """Names of the streams that may carry a key for a policy, in the contract's order.

    The numbers of a twin's task (`values`) are not named in a contract, and may be any but those that only the robot's
    own streams measure.
    """
    carrying = {name for name in contract.state if field.name in stream_keys(contract, description, name)}
    if not field.is_image and not (carrying and _is_of_robot(contract, description, field.name)):
        carrying |= {name for name, stream in contract.state.items() if stream.type == "values"}
    return tuple(name for name in contract.policy_streams if name in carrying)


def offered(
    contract: Contract, description: RobotDescription, spec: ObservationSpec, *, own_sizes: bool = True
) -> ObservationSpec:
    """The part of an observation that a contract offers: the keys that a stream carries.

    Args:
        contract, description: of the robot.
        spec: that is requested.
        own_sizes: whether images have the size of the contract's camera; else the requested size.
    """
    fields = []
    for field in spec:
        names = streams_of(contract, description, field)
        if names:
            stream = contract.state[names[0]]
            if own_sizes and stream.is_camera and stream.size:
                field = replace(field, shape=(*stream.size, *field.shape[2:]))
            fields.append(field)
    return ObservationSpec(tuple(fields))


def stream_sources(contract: Contract, description: RobotDescription, spec: ObservationSpec) -> dict[str, StreamSource]:
    """The streams of a contract that carry keys of a policy's observation: stream -> its keys.

    A twin's task publishes all numbers that the policy was trained with, to the bit, on `values`: it comes first.
    """
    carried = {field.name: streams_of(contract, description, field) for field in spec}
    return _sources(contract, lambda name: tuple(key for key, streams in carried.items() if name in streams))


def recording_sources(
    contract: Contract, description: RobotDescription, spec: ObservationSpec, values: ObservationSpec | None = None
) -> dict[str, StreamSource]:
    """The streams of a contract that carry keys of a recording, those that are only recorded among them.

    Args:
        contract, description: of the robot.
        spec: that is recorded.
        values: keys of a twin's task, as for `recordable`; they are taken from its `values`.
    """
    of_task = set(values.names if values is not None else ())

    def keys(name: str) -> tuple[str, ...]:
        own = of_task if contract.state[name].type == "values" else set(stream_keys(contract, description, name))
        return tuple(key for key in spec.names if key in own)

    return _sources(contract, keys)


def source_of(stream: Stream, keys: tuple[str, ...], tolerance_s: float) -> StreamSource:
    """How values are taken from a stream.

    Args:
        stream: of a contract.
        keys: that are taken.
        tolerance_s: how far from a row's moment a message may be.
    """
    return StreamSource(
        keys,
        interpolate=not stream.is_camera,
        latency_ns=round(stream.latency_s * 1e9),
        tolerance_ns=round(tolerance_s * 1e9),
        period_ns=round(1e9 / stream.rate_hz),
    )


def _sources(contract: Contract, keys: Callable[[str], tuple[str, ...]]) -> dict[str, StreamSource]:
    streams = sorted(contract.state.items(), key=lambda item: item[1].type != "values")
    return {
        name: source_of(stream, keys(name), stream.ages(contract.staleness).hold_s)
        for name, stream in streams
        if keys(name)
    }


def _is_of_robot(contract: Contract, description: RobotDescription, key: str) -> bool:
    """Whether only the robot's own streams measure a key: no task of a twin publishes angles of an arm or a wrench."""
    vectors = {name for name, stream in contract.state.items() if stream.type == "vector"}
    arms = {limb.field("arm.joints") for limb in description.limbs}
    return key in vectors | arms or key.rpartition(".")[2] in ("velocities", "efforts", "wrench")
