"""The streams of a contract that carry the keys of an observation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robot.contract.contract import CAMERA_TYPES, Contract
from robot.contract.loading import stream_names
from robot.control.observation.alignment import StreamSource
from robot.control.observation.streams import gathered
from robot.description.loading import RobotDescription
from robot.description.observation import ObservationField, ObservationSpec


def streams_of(contract: Contract, description: RobotDescription, field: ObservationField) -> tuple[str, ...]:
    """Names of the streams that may carry a key, in the contract's order."""

    def carries(name: str) -> bool:
        stream = contract.state[name]
        if stream.type in CAMERA_TYPES:
            return field.name == f"{name}.{stream.type}"
        if stream.type == "values":
            return not field.is_image
        if stream.type == "joint_state":
            return field.name in gathered(description, dict.fromkeys(stream_names(contract, name), np.zeros(1)))
        return stream.type == "pose" and field.name in stream_names(contract, name)

    return tuple(name for name in contract.state if carries(name))


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
            if own_sizes and stream.type in CAMERA_TYPES and stream.size:
                field = replace(field, shape=(*stream.size, *field.shape[2:]))
            fields.append(field)
    return ObservationSpec(tuple(fields))


def stream_sources(contract: Contract, description: RobotDescription, spec: ObservationSpec) -> dict[str, StreamSource]:
    """The streams of a contract that carry keys of an observation: stream -> its keys.

    A twin's task publishes all numbers that the policy was trained with, to the bit, on `values`: it comes first.
    """
    carried = {field.name: streams_of(contract, description, field) for field in spec}
    sources = {}
    for name, stream in sorted(contract.state.items(), key=lambda item: item[1].type != "values"):
        keys = tuple(key for key, streams in carried.items() if name in streams)
        if keys:
            sources[name] = StreamSource(
                keys,
                interpolate=stream.type not in CAMERA_TYPES,
                latency_ns=round(stream.latency_s * 1e9),
                tolerance_ns=round(stream.ages(contract.staleness).hold_s * 1e9),
            )
    return sources
