"""What a contract can record, and what of it a policy is offered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robot.contract.contract import Contract, MappedJoint
from robot.contract.loading import contract_names, describe, load_contract
from robot.control.observation.alignment import Alignment
from robot.control.observation.recordable import recordable
from robot.control.observation.sources import offered, recording_sources, stream_sources
from robot.control.observation.streams import StreamReader, motion, stream_readers
from robot.description import from_json, to_json
from robot.description.observation import ObservationField, ObservationSpec
from robot.errors import InputError

MORE: dict[str, dict[str, Any]] = {
    "force": {"topic": "force", "type": "wrench", "rate_hz": 500.0, "use": "record"},
    "skin": {"topic": "skin", "type": "vector", "rate_hz": 50.0, "size": [16], "use": "record"},
    "above": {"topic": "above/image", "type": "image", "rate_hz": 30.0, "size": [48, 64], "use": "record"},
    "deep": {"topic": "deep/image", "type": "depth", "rate_hz": 30.0, "use": "record"},
}


def with_more(name: str, **changes: Any) -> Contract:
    """A shipped contract with sensors that are only recorded."""
    values = to_json(load_contract(name))
    values["state"] |= {stream: {**keys, **changes} for stream, keys in MORE.items()}
    return from_json(Contract, values)


def everything(contract: Contract, **options: Any) -> ObservationSpec:
    return recordable(contract, describe(contract), sizes={"deep": (30, 40)}, **options)


@pytest.mark.parametrize("name", contract_names())
def test_every_stream_of_every_shipped_contract_can_be_recorded(name: str) -> None:
    contract = with_more(name)
    spec = everything(contract, velocities=contract.state, efforts=contract.state)
    sources = recording_sources(contract, describe(contract), spec)
    Alignment(spec, sources)  # each key has its stream
    assert set(sources) == {
        stream for stream, each in contract.state.items() if each.type not in ("values", "driver_state")
    }
    carried = [key for source in sources.values() for key in source.keys]
    assert sorted(carried) == sorted(spec.names), "each key is of one stream"
    assert sources["force"].period_ns == 2_000_000 and not sources["above"].interpolate


def test_what_can_be_recorded_has_its_size_and_unit() -> None:
    spec = everything(with_more("ur5e_jtc"), velocities=["arm"], efforts=["gripper"])
    facts = {field.name: (field.shape, field.dtype, field.unit, field.kind) for field in spec}
    assert facts == {
        "arm.joints": ((6,), "float32", "rad", "joint"),
        "arm.velocities": ((6,), "float32", "rad/s", "state"),
        "tcp.position": ((3,), "float32", "m", "pose"),
        "tcp.rotation": ((6,), "float32", "1", "pose"),
        "gripper.width": ((1,), "float32", "m", "width"),
        "gripper.efforts": ((1,), "float32", "1", "state"),
        "front.image": ((480, 640, 3), "uint8", "1", "image"),
        "wrist.image": ((480, 640, 3), "uint8", "1", "image"),
        "tcp.wrench": ((6,), "float32", "N N N N*m N*m N*m", "wrench"),
        "skin": ((16,), "float32", "1", "state"),
        "above.image": ((48, 64, 3), "uint8", "1", "image"),
        "deep.depth": ((30, 40), "uint16", "mm", "depth"),
    }


def test_a_size_that_nobody_says_is_asked_for() -> None:
    contract = with_more("ur5e_jtc")
    with pytest.raises(InputError, match=r"state 'deep' of .* expected the height and width of its images, got none"):
        recordable(contract, describe(contract))
    skin = replace(contract, state={"skin": replace(contract.state["skin"], size=())})
    with pytest.raises(InputError, match="expected the length of its vector"):
        recordable(skin, describe(skin))


def test_a_policy_is_never_offered_what_is_only_recorded() -> None:
    contract = with_more("panda_twin")
    description, spec = describe(contract), everything(contract)
    seen = offered(contract, description, spec)
    assert not {"tcp.wrench", "skin", "above.image", "deep.depth"} & set(seen.names)
    assert {"arm.joints", "front.image"} <= set(seen.names)
    assert not set(MORE) & set(stream_sources(contract, description, seen))
    with pytest.raises(InputError, match="a key that a stream carries"):
        Alignment(spec, stream_sources(contract, description, spec))
    felt = with_more("panda_twin", use="policy")
    assert set(offered(felt, description, spec).names) == set(spec.names)
    sources = stream_sources(felt, description, spec)
    assert sources["force"].keys == ("tcp.wrench",) and "tcp.wrench" not in sources["task"].keys


def test_the_numbers_of_a_task_are_recorded_as_the_task_has_them() -> None:
    contract = load_contract("panda_twin")
    task = ObservationSpec(
        (
            ObservationField("tcp.position", (3,), "float64", "m", "pose"),
            ObservationField("object.position", (3,), "float32", "m", "pose"),
        )
    )
    spec = recordable(contract, describe(contract), values=task)
    assert spec.names[:2] == task.names and spec["tcp.position"].dtype == "float64"
    alignment = Alignment(spec, recording_sources(contract, describe(contract), spec, task))
    assert "task" in alignment.streams and "pose" in alignment.streams
    alignment.add("pose", {"tcp.position": np.ones(3), "tcp.rotation": np.ones(6)}, 0)
    alignment.add("task", {"tcp.position": np.zeros(3), "object.position": np.zeros(3), "tcp.rotation": np.zeros(6)}, 0)
    assert alignment.lacking == ()
    assert "task" not in recording_sources(contract, describe(contract), recordable(contract, describe(contract)))


def test_velocities_turn_with_their_joint_and_efforts_keep_their_unit() -> None:
    contract = load_contract("ur5e_jtc")
    description = describe(contract)
    turned = tuple(
        MappedJoint(joint.name, joint.ros, sign=-1, offset=0.5, scale=0.01745) for joint in contract.maps["arm"]
    )
    reader = StreamReader(
        replace(contract, maps={**contract.maps, "arm": turned}), "arm", velocities=True, efforts=True
    )
    names = [joint.ros for joint in reversed(turned)]
    velocities, efforts = reader.read_motion(names, np.arange(6.0), np.arange(6.0) * 10)
    found = motion(description, velocities, efforts)
    assert found["arm.velocities"] == pytest.approx(-0.01745 * np.arange(5, -1, -1))
    assert found["arm.efforts"] == pytest.approx(-10.0 * np.arange(5, -1, -1))
    assert motion(description, *reader.read_motion(names[1:], np.arange(5.0), np.empty(0))) == {}
    deaf = StreamReader(contract, "arm")
    assert deaf.read_motion(names, np.arange(6.0), np.arange(6.0)) == ({}, {})


def test_velocities_and_efforts_are_read_where_the_observation_asks_for_them() -> None:
    contract = load_contract("ur5e_jtc")
    spec = recordable(contract, describe(contract), velocities=["arm"])
    for asked, expected in ((None, (False, False)), (spec, (True, False))):
        readers = stream_readers(contract, asked)
        assert set(readers) == set(contract.state)
        assert {(reader.velocities, reader.efforts) for reader in readers.values()} == {expected}
