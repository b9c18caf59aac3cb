from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.description import (
    ActionChunk,
    ActionField,
    ActionSpec,
    Coupling,
    History,
    JointGroup,
    ObservationField,
    ObservationSpec,
    Payload,
    PolicySpec,
    RobotSpec,
    SamplerSpec,
    fingerprint,
    from_json,
    require_match,
    to_json,
)
from robot.errors import InputError, MissingExtraError, nearest
from tests.robot.strategies import POSE

STATE = ObservationField("state", (5,), "float32", "px px px px rad", "state", History(2))
IMAGE = ObservationField("image", (96, 96, 3), "uint8", "1", "image")
ROBOT = RobotSpec(
    "arm_and_hand",
    (
        JointGroup("arm", ("j1", "j2"), ((-1.0, 1.0), (-2.0, 2.0)), velocity=(2.0, 2.0)),
        JointGroup("hand", ("f1", "f2"), ((0.0, 1.0), (0.0, 1.0)), coupling=(Coupling("f2", "f1", 0.9),)),
    ),
    tcps={"arm": "tool0"},
    rest={"j1": 0.5},
    payload={"arm": Payload(0.3, (0.0, 0.0, 0.05))},
)


@given(st.integers(0, 2**31), st.lists(st.integers(1, 4), max_size=3))
def test_pack_undoes_unpack(seed, batch):
    vector = np.random.default_rng(seed).normal(size=(*batch, POSE.dim))
    assert np.array_equal(POSE.pack(POSE.unpack(vector)), vector)


def test_fields_stand_in_the_vector_in_their_order():
    assert POSE.dim == 10
    assert POSE.slices == {"tcp.position": slice(0, 3), "tcp.rotation": slice(3, 9), "gripper.width": slice(9, 10)}
    assert POSE.component_names[0] == "tcp.position.0"
    assert POSE.component_names[-1] == "gripper.width"


def test_parts_that_are_missing_or_of_another_size_are_named():
    with pytest.raises(InputError, match=r"gripper\.width"):
        POSE.pack({"tcp.position": np.zeros(3)})
    parts = POSE.unpack(np.zeros(POSE.dim)) | {"tcp.position": np.zeros(2)}
    with pytest.raises(InputError, match=r"tcp\.position"):
        POSE.pack(parts)
    with pytest.raises(InputError, match=r"\(\.\.\., 10\)"):
        POSE.unpack(np.zeros(9))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ActionField("a", 2, "m", "joints"),
        lambda: ActionField("a", 0, "m", "joint"),
        lambda: ActionField("a", 4, "m", "pose"),
        lambda: ActionField("a", 3, "m rad", "joint"),
        lambda: ActionSpec((ActionField("a", 1, "m", "joint"),) * 2, 0.1),
        lambda: ActionSpec((ActionField("a", 1, "m", "joint"),), 0.0),
        lambda: ObservationField("o", (4, 4, 3), "float32", "1", "image"),
        lambda: ObservationField("o", (4, 4), "uint8", "mm", "depth"),
        lambda: ObservationField("o", (4,), "float32", "m", "nothing"),
        lambda: ObservationSpec((STATE, STATE)),
        lambda: History(0),
        lambda: SamplerSpec("euler", 0),
        lambda: PolicySpec(ObservationSpec((STATE,)), POSE, 8, 9, SamplerSpec("euler", 3)),
        lambda: ActionChunk(np.zeros((3, 9)), 0, 0.05, 0, POSE),
        lambda: JointGroup("g", ("a", "b"), ((0.0, 1.0),)),
        lambda: JointGroup("g", ("a",), ((1.0, 1.0),)),
        lambda: RobotSpec("r", ROBOT.groups, rest={"nowhere": 0.0}),
        lambda: RobotSpec("r", (ROBOT.groups[0], ROBOT.groups[0])),
    ],
)
def test_a_wrong_description_is_refused_when_it_is_made(wrong):
    with pytest.raises(InputError):
        wrong()


def test_history_offsets_end_at_now():
    assert History(3, 2).offsets.tolist() == [-4, -2, 0]
    assert History(3, 2).span == 5


def test_chunk_intervals_are_half_open():
    chunk = ActionChunk(np.zeros((4, 10)), 1_000, 0.05, 0, POSE)
    period = chunk.period_ns
    assert [chunk.index_at(1_000 + offset) for offset in (-1, 0, period - 1, period, 4 * period)] == [-1, 0, 0, 1, 4]


@pytest.mark.parametrize(
    "record", [POSE, ROBOT, PolicySpec(ObservationSpec((STATE, IMAGE)), POSE, 16, 8, SamplerSpec("euler", 10))]
)
def test_a_record_survives_json(record):
    assert from_json(type(record), json.loads(json.dumps(to_json(record)))) == record


def test_a_misspelt_key_names_the_nearest_right_one():
    values = to_json(POSE)
    values["perod_s"] = values.pop("period_s")
    with pytest.raises(InputError, match="Did you mean 'period_s'"):
        from_json(ActionSpec, values)


def test_a_missing_key_and_a_value_of_another_type_are_named_with_their_place():
    values = to_json(POSE)
    del values["fields"][1]["unit"]
    with pytest.raises(InputError, match=r"ActionSpec.fields\[1\].*nothing for unit"):
        from_json(ActionSpec, values)
    values = to_json(POSE)
    values["fields"][0]["size"] = "three"
    with pytest.raises(InputError, match=r"ActionSpec.fields\[0\].size.*int"):
        from_json(ActionSpec, values)


def test_fingerprints_change_with_content_and_not_with_the_order_of_keys():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint(POSE) != fingerprint(ActionSpec(POSE.fields, 0.1))


def test_joint_names_are_those_of_all_groups():
    assert ROBOT.joint_names == ("j1", "j2", "f1", "f2")


def match(observation, action):
    require_match(
        ObservationSpec((STATE, IMAGE)),
        observation,
        POSE,
        action,
        left="policy",
        right="task",
        way_out="Choose another task.",
    )


def test_what_fits_passes_and_more_keys_than_needed_do_no_harm():
    more = ObservationField("depth", (4, 4), "uint16", "mm", "depth")
    match(ObservationSpec((IMAGE, STATE, more)), POSE)


def test_histories_are_the_policys_own_choice():
    match(ObservationSpec((IMAGE, STATE)).with_history(History(7)), POSE)


def test_what_does_not_fit_is_shown_side_by_side():
    narrow = ObservationField("state", (4,), "float32", "px", "state")
    with pytest.raises(InputError) as caught:
        match(ObservationSpec((narrow,)), ActionSpec(POSE.fields[:2], 0.1))
    message = str(caught.value)
    for part in ("(5,)", "(4,)", "observation image", "gripper.width", "0.05 s", "0.1 s", "Choose another task"):
        assert part in message


def test_selecting_an_unknown_key_offers_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'state'"):
        ObservationSpec((STATE, IMAGE)).select(["stat"])


def test_messages_say_the_way_out():
    error = InputError("robot.yaml", expected="a mapping", got="a list", way_out="Write 'name: value' lines")
    assert str(error) == "robot.yaml: expected a mapping, got a list. Write 'name: value' lines"
    assert error.exit_code == 2
    assert "pip install 'tiller[ros]'" in str(MissingExtraError("rclpy", "ros"))
    assert nearest("zzz", ["b", "a"]) == "Choose from: a, b"
