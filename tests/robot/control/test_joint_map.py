"""Laws of the joint map, of what sinks are told and of what streams say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.contract.contract import Contract, MappedJoint, Sink
from robot.contract.loading import action_spec, contract_names, describe, load_contract
from robot.control.joint_map import JointMap
from robot.control.observation.streams import StreamReader, gathered
from robot.control.rotation import matrix_from_6d, rotation_6d_from_matrix
from robot.control.sinks import POSE_NAMES, SinkEncoder, publishes_in
from robot.errors import InputError
from tests.robot.strategies import rotations

angles = st.floats(-7, 7)


@st.composite
def joint_maps(draw: st.DrawFn) -> JointMap:
    """Any signs, offsets, scales and mimics, in any order."""
    count = draw(st.integers(1, 6))
    joints = [
        MappedJoint(f"ours{i}", f"wire{i}", draw(st.sampled_from((1, -1))), draw(angles), draw(st.floats(0.01, 100)))
        for i in range(count)
    ]
    for i in range(draw(st.integers(0, 2))):
        leader = draw(st.sampled_from([joint.name for joint in joints]))
        joints.append(
            MappedJoint(
                leader,
                f"mimic{i}",
                draw(st.sampled_from((1, -1))),
                draw(angles),
                draw(st.floats(0.01, 100)),
                mimic=True,
            )
        )
    return JointMap(draw(st.permutations(joints)))


@given(joint_maps(), st.data())
def test_what_is_written_is_read(joints: JointMap, data: st.DataObject) -> None:
    ours = np.array(data.draw(st.lists(angles, min_size=len(joints.ours), max_size=len(joints.ours))))
    wire = joints.to_wire(ours)
    assert wire.shape == (len(joints.wire),)
    np.testing.assert_allclose(joints.from_wire(wire), ours, atol=1e-12)
    np.testing.assert_allclose(joints.rates_from_wire(joints.rates_to_wire(ours)), ours, atol=1e-12)


@given(joint_maps(), st.data())
def test_the_order_of_names_in_a_message_means_nothing(joints: JointMap, data: st.DataObject) -> None:
    said = {name: np.array([data.draw(angles)]) for name in joints.ours}
    names, values = joints.write(said)
    places = data.draw(st.permutations(range(len(names))))
    unscaled = joints.read(["else", *(names[place] for place in places)], np.array([9.0, *values[list(places)]]))
    assert set(unscaled) == set(said)
    for name, value in said.items():
        np.testing.assert_allclose(unscaled[name], value, atol=1e-12)


@given(joint_maps(), angles, angles)
def test_a_velocity_is_what_a_position_does_in_a_second(joints: JointMap, before: float, rate: float) -> None:
    first, second = (joints.to_wire(np.full(len(joints.ours), place)) for place in (before, before + rate))
    np.testing.assert_allclose(joints.rates_to_wire(np.full(len(joints.ours), rate)), second - first, atol=1e-9)


def test_ours_is_sign_times_scale_times_wire_plus_offset() -> None:
    joints = JointMap(
        [
            MappedJoint("thumb", "t", -1, 3.0, 2.0),
            MappedJoint("thumb", "tip", scale=0.5, mimic=True),
            MappedJoint("width", "finger", scale=2.0),
        ]
    )
    np.testing.assert_array_equal(joints.from_wire(np.array([0.5, 99.0, 0.04])), [2.0, 0.08])
    np.testing.assert_array_equal(joints.to_wire(np.array([2.0, 0.08])), [0.5, 4.0, 0.04])


def test_a_joint_without_a_map_of_its_own_numbers_goes_through_exactly() -> None:
    joints = JointMap([MappedJoint(name, name) for name in "abc"])
    values = np.array([np.pi, 0.1 + 0.2, 1e-300])
    np.testing.assert_array_equal(joints.to_wire(values), values)
    np.testing.assert_array_equal(joints.from_wire(values), values)


def test_a_missing_or_double_joint_is_never_made_up() -> None:
    joints = JointMap([MappedJoint(name, f"panda_{name}") for name in ("joint1", "joint2", "joint3")])
    unscaled = joints.read(["panda_joint3", "panda_joint1", "panda_joint3"], np.array([3.0, 1.0, 4.0]))
    assert set(unscaled) == {"joint1"} and unscaled["joint1"] == [1.0]


def test_missing_and_double_joints_give_one_message_and_another_order_none() -> None:
    joints = JointMap(
        [
            MappedJoint("joint1", "a"),
            MappedJoint("joint2", "b"),
            MappedJoint("joint3", "c"),
            MappedJoint("joint3", "d", mimic=True),
        ]
    )
    joints.require(["c", "else", "a", "b"], thing="joint_states")
    with pytest.raises(
        InputError,
        match=r"joint_states: joints: expected each once: a, b, c, got no b, a 2 times\. "
        r"The message has a, c, a; names on the wire are `ros`",
    ):
        joints.require(["a", "c", "a"], thing="joint_states")


def test_a_controller_in_another_order_is_told_with_the_place() -> None:
    joints = JointMap([MappedJoint(name, name) for name in "abc"])
    joints.require_order("abc", thing="controller")
    with pytest.raises(InputError, match="order of joints: expected 'b' in place 1, got 'c'"):
        joints.require_order("acb", thing="controller")
    with pytest.raises(InputError, match="expected 'c' in place 2, got 'nothing'"):
        joints.require_order("ab", thing="controller")


# -- sinks ------------------------------------------------------------------------------------------------------------


def a_target(contract: Contract, seed: int) -> np.ndarray:
    """Somewhere, with rotations that are rotations."""
    random, spec = np.random.default_rng(seed), action_spec(contract)
    target = random.uniform(-0.5, 0.5, spec.dim)
    for field in spec.fields:
        if field.is_rotation:
            where = spec.slices[field.name]
            target[where] = rotation_6d_from_matrix(matrix_from_6d(target[where]))
    return target


@pytest.mark.parametrize("name", contract_names())
def test_every_sink_of_every_contract_says_the_target_and_it_can_be_read_back(name: str) -> None:
    contract = load_contract(name)
    description, spec, target = describe(contract), action_spec(contract), a_target(contract, seed=3)
    unscaled = {}
    for sink in contract.sinks:
        encoder = SinkEncoder(contract, description, sink)
        command = encoder.encode(target)
        assert command.values.shape == (len(command.times_s), len(command.names)), sink
        unscaled.update(encoder.fields(command.values[0]))
    np.testing.assert_allclose(spec.pack(unscaled), target, atol=1e-12)


def test_the_twins_own_sink_is_exact() -> None:
    contract = load_contract("panda_twin")
    target = a_target(contract, seed=0)
    command = SinkEncoder(contract, describe(contract), "twin").encode(target)
    assert command.values[0].tobytes() == target.tobytes() and command.names == action_spec(contract).component_names
    assert command.values.base is not target, "a command stays what it was when the gate goes on"


@given(rotations())
def test_a_pose_goes_to_crisp_in_the_base_frame_and_comes_back(matrix: np.ndarray) -> None:
    contract = load_contract("fr3_crisp")
    encoder = SinkEncoder(contract, describe(contract), "arm")
    target = np.concatenate([[0.4, 0.1, 0.2], rotation_6d_from_matrix(matrix), [0.04]])
    command = encoder.encode(target)
    assert command.frame == contract.frames.base and command.names == POSE_NAMES
    assert abs(np.linalg.norm(command.values[0, 3:]) - 1) < 1e-12
    back = encoder.fields(command.values[0])
    np.testing.assert_allclose(np.concatenate(list(back.values())), target[:9], atol=1e-9)


def test_a_trajectory_ends_at_rest_where_a_constant_deceleration_stops_and_within_the_joints() -> None:
    contract = load_contract("ur5e_twin_jtc")
    description = describe(contract)
    encoder, tail = SinkEncoder(contract, description, "arm"), contract.limits.tail_s
    target = np.concatenate([description.limbs[0].arm.rest, [0.08]])
    velocity = np.array([0.4, -0.2, 0.0, 0.1, 0.0, 0.0, 0.0])
    command = encoder.encode(target, velocity)
    assert command.velocities is not None
    np.testing.assert_array_equal(command.times_s, [0.0, tail])
    np.testing.assert_array_equal(command.values[0], target[:6])
    np.testing.assert_array_equal(command.velocities, [velocity[:6], np.zeros(6)])
    np.testing.assert_allclose(command.values[1], target[:6] + velocity[:6] * tail / 2)
    target[0] = high = description.limbs[0].arm.position[0][1]
    assert encoder.encode(target, velocity).values[1, 0] == high, "the stop does not leave the joint's range"


def test_a_goal_is_told_once_and_a_stream_always() -> None:
    contract = load_contract("fr3_crisp")
    gripper, arm = (SinkEncoder(contract, describe(contract), name) for name in ("gripper", "arm"))
    target = np.concatenate([np.zeros(3), [1, 0, 0, 0, 1, 0], [0.04]])
    told = gripper.encode(target)
    np.testing.assert_allclose(told.values, [[0.5]])  # half of 0.08 m
    target[-1] += 0.001  # 0.0125 of the way
    assert not gripper.differs(gripper.encode(target), told) and gripper.differs(told, None)
    target[-1] += 0.001
    assert gripper.differs(gripper.encode(target), told)
    assert arm.differs(arm.encode(target), arm.encode(target))


def test_a_hand_that_lets_go_by_itself_is_told_nothing_after_a_fault() -> None:
    hand = load_contract("ability").sinks["hand"]
    assert [publishes_in(hand, mode) for mode in ("run", "hold", "fault", "inactive")] == [True, True, False, False]


def test_a_stiffness_is_set_as_the_contract_declares_it() -> None:
    contract = load_contract("fr3_crisp")
    energy = contract.sinks["arm"].energy
    stiffness = Sink("crisp_stiffness", "target_stiffness", (), 1.0, energy=energy)
    contract = replace(contract, sinks={**contract.sinks, "stiffness": stiffness})
    command = SinkEncoder(contract, describe(contract), "stiffness").encode(np.zeros(10))
    np.testing.assert_array_equal(command.values, [[600, 600, 600, 30, 30, 30]])


# -- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", contract_names())
def test_what_a_driver_says_of_a_robot_is_read_as_the_robot_is(name: str) -> None:
    contract = load_contract(name)
    description = describe(contract)
    for stream in contract.state:
        reader = StreamReader(contract, stream)
        if reader.map is not None:
            said = {value: np.array([0.1 * (index + 1)]) for index, value in enumerate(reader.names)}
            names, values = reader.write(said)
            unscaled = reader.read(names[::-1], values[::-1])
            assert set(unscaled) == set(said) == set(reader.names)
            np.testing.assert_allclose(
                np.concatenate([unscaled[key] for key in said]), np.concatenate(list(said.values())), atol=1e-12
            )
    joints = {joint: np.array([place]) for joint, place in description.spec.rest.items()}
    limb = description.limbs[0]
    whole = gathered(description, joints)
    np.testing.assert_array_equal(whole["arm.joints"], limb.arm.rest)
    told = limb.tool.command
    np.testing.assert_allclose(whole[told.name], told.scale * np.array(limb.tool.rest) + told.offset)


def test_joints_that_lack_one_make_no_vector() -> None:
    description = describe(load_contract("panda_inspire_twin"))
    joints = {joint: np.array([0.0]) for joint in description.spec.joint_names}
    del joints["joint_r_ring_proximal"]
    whole = gathered(description, joints)
    assert "arm.joints" in whole and "hand.joints" not in whole


@given(rotations())
def test_a_measured_pose_has_our_rotation_whatever_the_quaternions_sign_and_length(matrix: np.ndarray) -> None:
    reader = StreamReader(load_contract("fr3_crisp"), "pose")
    said = {"tcp.position": np.array([0.1, 0.2, 0.3]), "tcp.rotation": rotation_6d_from_matrix(matrix)}
    position, quat = reader.write_pose(said)
    for factor in (1.0, -1.0, 2.0):
        unscaled = reader.read_pose(position, factor * quat)
        for key, value in said.items():
            np.testing.assert_allclose(unscaled[key], value, atol=1e-9)


@pytest.mark.parametrize("quat", [(0.0, 0.0, 0.0, 0.0), (np.nan, 0.0, 0.0, 1.0), (0.0, 0.0, np.inf, 1.0)])
def test_an_orientation_that_is_none_is_not_made_into_one(quat: tuple[float, ...]) -> None:
    unscaled = StreamReader(load_contract("fr3_crisp"), "pose").read_pose(np.zeros(3), np.array(quat))
    assert not np.isfinite(unscaled["tcp.rotation"]).any()
