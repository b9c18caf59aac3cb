"""Laws of rotations one at a time, against the same rotations in batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.control.rotation import (
    angle_between,
    matrix_from_6d,
    matrix_from_rotvec,
    quat_wxyz_from_matrix,
    rotation_6d_from_matrix,
    rotvec_from_matrix,
    slerp_6d,
)
from robot.control.rotation_kernels import (
    write_6d_from_quat_xyzw,
    write_interpolated,
    write_matrix_from_6d,
    write_quat_xyzw_from_6d,
    write_rotvec_between,
    write_turned,
)
from robot.control.trajectory import Trajectory
from robot.description import ActionField, ActionSpec

SEED = st.integers(0, 2**31)
# Angles around the places where formulas break: nothing, half a turn, and all between.
ANGLE = st.one_of(st.floats(0, np.pi), st.sampled_from([0.0, 1e-13, 1e-9, 1e-5, 9.9e-5, 1.1e-4, np.pi - 1e-9, np.pi]))


def rotation(seed):
    return matrix_from_6d(np.random.default_rng(seed).normal(size=6))


def axis(seed):
    vector = np.random.default_rng(seed).normal(size=3)
    return vector / np.linalg.norm(vector)


def between(start, end):
    found = np.empty(3)
    write_rotvec_between(start, end, found)
    return found


def turned(vector, fraction, start):
    found = np.empty((3, 3))
    write_turned(vector, fraction, start, found)
    return found


@given(SEED)
def test_six_numbers_give_the_same_matrix_as_in_batches(seed):
    numbers, matrix = np.random.default_rng(seed).normal(size=6), np.empty((3, 3))
    write_matrix_from_6d(numbers, matrix)
    np.testing.assert_allclose(matrix, matrix_from_6d(numbers), atol=1e-12)


@given(SEED, ANGLE, st.floats(0.1, 10), st.sampled_from([1, -1]))
def test_a_quaternion_is_that_of_batches_and_of_any_length_and_sign_gives_the_rotation_back(seed, angle, length, sign):
    matrix = matrix_from_rotvec(axis(seed) * angle)
    told, quat, back = rotation_6d_from_matrix(matrix), np.empty(4), np.empty(6)
    write_quat_xyzw_from_6d(told, quat)
    assert quat[3] >= 0
    batch = quat_wxyz_from_matrix(matrix)[[1, 2, 3, 0]]
    assert min(np.abs(quat - batch).max(), np.abs(quat + batch).max()) < 1e-12
    write_6d_from_quat_xyzw(sign * length * quat, back)
    np.testing.assert_allclose(back, told, atol=1e-12)


@given(SEED, SEED, ANGLE)
def test_the_turn_between_two_orientations_takes_one_to_the_other(seed, axis_seed, angle):
    start = rotation(seed)
    end = matrix_from_rotvec(angle * axis(axis_seed)) @ start
    turn = between(start, end)
    assert np.linalg.norm(turn) <= np.pi + 1e-9
    np.testing.assert_allclose(np.linalg.norm(turn), angle, atol=1e-7)
    np.testing.assert_allclose(turned(turn, 1.0, start), end, atol=1e-7)


@given(SEED, SEED, ANGLE, st.floats(0, 1))
def test_turning_is_the_exponential_of_the_rotation_vector(seed, axis_seed, angle, fraction):
    start, vector = rotation(seed), angle * axis(axis_seed)
    wanted = matrix_from_rotvec(fraction * vector) @ start
    np.testing.assert_allclose(turned(vector, fraction, start), wanted, atol=1e-12)


@given(SEED, SEED, ANGLE.filter(lambda angle: angle < np.pi - 1e-3), st.floats(0, 1))
def test_between_two_targets_a_rotation_takes_the_shorter_arc_as_in_batches(seed, axis_seed, angle, fraction):
    first = rotation(seed)
    start = rotation_6d_from_matrix(first)
    end = rotation_6d_from_matrix(matrix_from_rotvec(angle * axis(axis_seed)) @ first)
    found = np.empty(8)
    write_interpolated(np.r_[0.0, start, 1.0], np.r_[2.0, end, -1.0], fraction, np.array([1]), found)
    np.testing.assert_allclose(found[1:7], slerp_6d(start, end, fraction), atol=1e-9)
    np.testing.assert_allclose(found[[0, 7]], [2 * fraction, 1 - 2 * fraction], atol=1e-12)


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -1, 1), (-0.2, 0.5, 0.1)])
def test_half_a_turn_is_half_a_turn_about_that_axis_one_way_or_the_other(direction):
    unit = np.array(direction) / np.linalg.norm(direction)
    start = rotation(5)
    turn = between(start, matrix_from_rotvec(np.pi * unit) @ start)
    np.testing.assert_allclose(np.abs(turn @ unit), np.pi, atol=1e-7)
    half = np.empty(6)
    write_interpolated(
        rotation_6d_from_matrix(start), rotation_6d_from_matrix(turned(turn, 1.0, start)), 0.5, np.array([0]), half
    )
    np.testing.assert_allclose(angle_between(matrix_from_6d(half), start), np.pi / 2, atol=1e-7)


@given(SEED)
def test_what_is_no_rotation_still_gives_numbers(seed):
    matrix, numbers = np.empty((3, 3)), np.zeros(6)
    write_matrix_from_6d(numbers, matrix)
    assert np.isfinite(between(matrix, rotation(seed))).all() and np.isfinite(between(rotation(seed), matrix)).all()


@given(SEED, st.lists(st.integers(-(10**8), 6 * 10**8), min_size=1, max_size=20))
def test_a_path_read_at_once_and_read_one_by_one_is_the_same_and_keeps_the_definition(seed, times):
    spec = ActionSpec(
        (
            ActionField("tcp.position", 3, "m", "pose"),
            ActionField("tcp.rotation", 6, "1", "pose"),
            ActionField("other", 2, "1", "native"),
        ),
        0.1,
    )
    random = np.random.default_rng(seed)
    knots = np.cumsum(random.integers(1, 10**8, 6))
    targets = random.normal(size=(6, spec.dim))
    path = Trajectory(spec, knots, targets)
    found = path.at(np.array(times))
    for time_ns, row in zip(times, found):
        np.testing.assert_array_equal(path.at(time_ns), row)
        after = min(int((knots <= time_ns).sum()), 5)
        before = max(after - 1, 0)
        share = np.clip((time_ns - knots[before]) / max(knots[after] - knots[before], 1), 0, 1)
        np.testing.assert_allclose(row[:3], targets[before, :3] + share * (targets[after, :3] - targets[before, :3]))
        np.testing.assert_array_equal(row[9:], targets[after, 9:])
        turn = rotvec_from_matrix(matrix_from_6d(targets[after, 3:9]) @ matrix_from_6d(targets[before, 3:9]).T)
        if np.linalg.norm(turn) < np.pi - 1e-3:
            np.testing.assert_allclose(row[3:9], slerp_6d(targets[before, 3:9], targets[after, 3:9], share), atol=1e-8)
