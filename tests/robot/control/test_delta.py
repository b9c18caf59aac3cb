from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.control.bounds import action_bounds
from robot.control.delta import STEP_JOINT_RAD, STEP_M, STEP_RAD, DeltaAction
from robot.control.rotation import angle_between, matrix_from_6d, rotation_6d_from_matrix
from robot.description import ActionField, ActionSpec
from robot.description.loading import load_robot
from robot.errors import InputError
from tests.robot.strategies import POSE, rotations

LIMBS = load_robot("panda").limbs
LOW, HIGH = action_bounds(LIMBS, POSE, (np.array([0.15, -0.6, -0.05]), np.array([1.05, 0.6, np.inf])))
LAW = DeltaAction(POSE, LOW, HIGH, tools=["gripper.width"])
JOINT = load_robot("panda").action_spec(0.05, "joint")
JOINT_LOW, JOINT_HIGH = action_bounds(LIMBS, JOINT)
JOINT_LAW = DeltaAction(JOINT, JOINT_LOW, JOINT_HIGH, tools=["gripper.width"])

share = st.floats(0.0, 1.0)


@st.composite
def states(draw: st.DrawFn) -> np.ndarray:
    """A measured state (10,) within the box."""
    inside = [low + draw(share) * (high - low) for low, high in zip(LOW, HIGH)]
    return np.concatenate([inside[:3], rotation_6d_from_matrix(draw(rotations())), inside[9:]])


def units(size: int = LAW.dim, largest: float = 1.0) -> st.SearchStrategy[np.ndarray]:
    return st.lists(st.floats(-largest, largest), min_size=size, max_size=size).map(np.array)


def turn(first: np.ndarray, second: np.ndarray) -> float:
    return float(angle_between(matrix_from_6d(first[3:9]), matrix_from_6d(second[3:9])))


@given(states())
def test_no_change_holds_the_measured_pose(measured):
    target = LAW.decode(np.zeros(7), measured)
    np.testing.assert_allclose(target[:9], measured[:9], atol=1e-12)
    assert target[9] == pytest.approx(HIGH[9] / 2), "a width is absolute: 0 is the middle of its range"


@given(units(largest=5.0), states())
def test_a_step_is_bounded_whatever_the_action_and_stays_in_the_box(unit, measured):
    target = LAW.decode(unit, measured)
    assert (np.abs(target - measured)[:3] <= STEP_M + 1e-12).all()
    assert turn(target, measured) <= np.sqrt(3) * STEP_RAD + 1e-9
    assert (target >= LOW - 1e-12).all() and (target <= HIGH + 1e-12).all()


@given(units(), states())
def test_the_action_that_leads_to_a_target_is_the_one_it_came_from(unit, measured):
    target = LAW.decode(unit, measured)
    again = LAW.encode(target, measured)
    np.testing.assert_allclose(LAW.decode(again, measured), target, atol=1e-9)
    free = (target[:3] > LOW[:3]) & (target[:3] < HIGH[:3])  # a step that the box has cut short is another one
    np.testing.assert_allclose(again[:3][free], unit[:3][free], atol=1e-9)
    np.testing.assert_allclose(again[3:], unit[3:], atol=1e-6)


@given(states(), states())
def test_steps_towards_a_target_reach_it_and_each_is_as_long_as_the_rest_needs(measured, target):
    needed = max(
        np.abs(target - measured)[:3].max() / STEP_M,
        turn(target, measured) / STEP_RAD,  # a component is not longer than the whole
    )
    state = measured
    for _ in range(int(np.ceil(needed)) + 1):
        state = LAW.decode(LAW.encode(target, state), state)
    np.testing.assert_allclose(state, target, atol=1e-6)


@given(units(), st.floats(0.1, 0.9), states())
def test_two_parts_of_a_step_one_after_the_other_are_the_whole(unit, part, measured):
    # A width is absolute, so that only the pose composes.
    between = LAW.decode(part * unit, measured)
    np.testing.assert_allclose(LAW.decode((1 - part) * unit, between)[:9], LAW.decode(unit, measured)[:9], atol=1e-9)


@given(units(size=8), st.lists(share, min_size=8, max_size=8))
def test_joints_change_by_a_bounded_angle_within_their_limits(unit, shares):
    measured = JOINT_LOW + np.array(shares) * (JOINT_HIGH - JOINT_LOW)
    target = JOINT_LAW.decode(unit, measured)
    expected = np.clip(measured + STEP_JOINT_RAD * unit, JOINT_LOW, JOINT_HIGH)
    np.testing.assert_array_equal(target[:7], expected[:7])
    np.testing.assert_allclose(JOINT_LAW.decode(JOINT_LAW.encode(target, measured), measured), target, atol=1e-12)


def test_a_gripper_is_shut_at_minus_one_and_open_at_one_whatever_it_was():
    measured = np.array([0.5, 0, 0.3, 1, 0, 0, 0, -1, 0, 0.03])
    assert [LAW.decode(np.array([0, 0, 0, 0, 0, 0, end]), measured)[9] for end in (-1, 1)] == [0.0, 0.08]


@given(st.lists(st.tuples(units(), states()), min_size=1, max_size=4))
def test_a_batch_is_its_rows(pairs):
    unit, measured = (np.stack(each) for each in zip(*pairs))
    target = LAW.decode(unit, measured)
    for row in range(len(pairs)):
        np.testing.assert_array_equal(target[row], LAW.decode(unit[row], measured[row]))


def test_wrong_actions_and_fields_that_have_no_change_are_refused():
    measured = np.zeros(10)
    with pytest.raises(InputError, match=r"expected \(\.\.\., 7\): tcp.position.0"):
        LAW.decode(np.zeros(10), measured)
    with pytest.raises(InputError, match="finite"):
        LAW.decode(np.full(7, np.nan), measured)
    wrench = ActionSpec((ActionField("wrench", 6, "N N N N*m N*m N*m", "wrench"),), 0.05)
    with pytest.raises(InputError, match="change of 'wrench'"):
        DeltaAction(wrench, np.zeros(6), np.ones(6), tools=[])
    with pytest.raises(InputError, match=r"bounds of 'gripper\.width'"):
        DeltaAction(POSE, LOW, np.full(10, np.inf), tools=["gripper.width"])


@pytest.mark.parametrize("robot", ["panda", "ur5e", "two_panda", "panda_inspire", "panda_robotiq"])
@pytest.mark.parametrize("control", ["cartesian", "joint"])
def test_every_robots_targets_have_finite_bounds_that_hold_its_rest(robot, control):
    description = load_robot(robot)
    spec = description.action_spec(0.05, control)
    low, high = action_bounds(description.limbs, spec)
    assert np.isfinite(low).all() and (low < high).all() and np.isfinite(high).all()
    for limb in description.limbs:
        command = limb.tool.command
        rest = command.scale * np.array(limb.tool.rest) + command.offset
        part = spec.slices[limb.field(command.name)]
        assert (low[part] <= rest).all() and (rest <= high[part]).all()
