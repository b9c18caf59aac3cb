from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.control.rotation import (
    angle_between,
    matrix_from_6d,
    matrix_from_quat_wxyz,
    matrix_from_rotvec,
    quat_wxyz_from_matrix,
    rotation_6d_from_matrix,
    rotvec_from_matrix,
    slerp_6d,
)
from tests.robot.strategies import rotations, rotvecs


@given(rotations())
def test_every_form_comes_back_to_the_same_matrix(matrix):
    assert np.allclose(matrix_from_6d(rotation_6d_from_matrix(matrix)), matrix, atol=1e-12)
    assert np.allclose(matrix_from_quat_wxyz(quat_wxyz_from_matrix(matrix)), matrix, atol=1e-12)
    assert np.allclose(matrix_from_rotvec(rotvec_from_matrix(matrix)), matrix, atol=1e-9)


@given(rotvecs(largest_angle=np.pi - 1e-6))
def test_a_rotation_vector_below_half_a_turn_comes_back_itself(rotvec):
    assert np.allclose(rotvec_from_matrix(matrix_from_rotvec(rotvec)), rotvec, atol=1e-8)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0.8, 0), (0.5, -0.5, np.sqrt(0.5))])
def test_half_a_turn_is_exact(axis):
    rotvec = rotvec_from_matrix(matrix_from_rotvec(np.pi * np.array(axis)))
    assert np.isclose(np.linalg.norm(rotvec), np.pi, atol=1e-12)
    assert np.isclose(abs(rotvec @ np.array(axis)), np.pi, atol=1e-12)


def test_the_6d_form_is_the_first_two_columns_one_after_the_other():
    matrix = matrix_from_rotvec(np.array([0.1, -0.4, 0.7]))
    assert np.array_equal(rotation_6d_from_matrix(matrix), np.concatenate([matrix[:, 0], matrix[:, 1]]))


@given(st.lists(st.floats(-5, 5, allow_nan=False), min_size=6, max_size=6))
def test_any_two_vectors_that_are_not_parallel_give_a_rotation(numbers):
    vector = np.array(numbers)
    if np.linalg.norm(np.cross(vector[:3], vector[3:])) < 1e-2:
        return
    matrix = matrix_from_6d(vector)
    assert np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-8)
    assert np.isclose(np.linalg.det(matrix), 1.0)


@given(rotations(), rotations(), st.floats(0, 1))
def test_slerp_moves_at_constant_angular_speed(first, second, fraction):
    start, end = rotation_6d_from_matrix(first), rotation_6d_from_matrix(second)
    between = matrix_from_6d(slerp_6d(start, end, fraction))
    whole = angle_between(first, second)
    assert np.isclose(angle_between(first, between), fraction * whole, atol=1e-6)
    assert np.isclose(angle_between(between, second), (1 - fraction) * whole, atol=1e-6)


def test_batches_give_what_single_rotations_give():
    vectors = np.random.default_rng(0).normal(size=(4, 5, 3))
    batch = rotvec_from_matrix(matrix_from_rotvec(vectors))
    single = [[rotvec_from_matrix(matrix_from_rotvec(v)) for v in row] for row in vectors]
    assert np.allclose(batch, single)
