from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.control.rotation import angle_between, matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix
from robot.control.trajectory import Trajectory
from robot.description import ActionChunk, ActionField, ActionSpec
from robot.errors import InputError
from tests.robot.strategies import POSE

JOINT = ActionSpec((ActionField("joints", 2, "rad", "joint"),), period_s=0.1)
T = JOINT.period_ns


def joint_chunk(values, start_ns=0, spec=JOINT):
    return ActionChunk(np.asarray(values, dtype=float), start_ns, spec.period_s, 0, spec)


def test_a_set_point_moves_from_the_previous_target_and_reaches_the_next_at_the_interval_end():
    path = Trajectory.hold(JOINT, [0.0, 0.0], 0).spliced(joint_chunk([[1, 10], [3, 30]]), 0)
    assert np.allclose(path.at(0), [0, 0])
    assert np.allclose(path.at(T // 2), [0.5, 5])
    assert np.allclose(path.at(T), [1, 10])
    assert np.allclose(path.at(T + T // 4), [1.5, 15])
    assert np.allclose(path.at(2 * T), [3, 30])


def test_the_last_target_is_held():
    path = Trajectory.hold(JOINT, [0.0, 0.0], 0).spliced(joint_chunk([[1, 10]]), 0)
    assert path.end_ns == T
    assert np.allclose(path.at(50 * T), [1, 10])


def test_a_native_action_holds_for_its_whole_interval():
    spec = ActionSpec((ActionField("action", 2, "1", "native"),), period_s=0.1)
    path = Trajectory.hold(spec, [0.0, 0.0], 0).spliced(joint_chunk([[1, 10], [3, 30]], spec=spec), 0)
    assert np.allclose(path.at([0, T // 2, T - 1]), [[1, 10]] * 3)
    assert np.allclose(path.at([T, 2 * T - 1, 9 * T]), [[3, 30]] * 3)


def test_rotations_follow_the_shorter_arc_and_stay_rotations():
    start = POSE.pack(
        {"tcp.position": np.zeros(3), "tcp.rotation": rotation_6d_from_matrix(np.eye(3)), "gripper.width": np.zeros(1)}
    )
    turned = matrix_from_rotvec(np.array([0, 0, 3.0]))
    end = POSE.pack(
        {"tcp.position": np.ones(3), "tcp.rotation": rotation_6d_from_matrix(turned), "gripper.width": np.ones(1)}
    )
    chunk = ActionChunk(end[None], 0, POSE.period_s, 0, POSE)
    middle = POSE.unpack(Trajectory.hold(POSE, start, 0).spliced(chunk, 0).at(POSE.period_ns // 2))
    assert np.isclose(angle_between(np.eye(3), matrix_from_6d(middle["tcp.rotation"])), 1.5)
    assert np.allclose(middle["tcp.position"], 0.5)


@given(st.integers(0, 4 * T), st.integers(0, 2**31))
def test_splicing_never_jumps_whatever_the_moment(now, seed):
    rng = np.random.default_rng(seed)
    path = Trajectory.hold(JOINT, rng.normal(size=2), 0).spliced(joint_chunk(rng.normal(size=(4, 2))), 0)
    spliced = path.spliced(joint_chunk(rng.normal(size=(4, 2)), start_ns=T), now)
    assert np.allclose(spliced.at(now), path.at(now))


@given(st.integers(0, 2**31))
def test_the_speed_between_knots_is_bounded_by_the_targets_steps(seed):
    values = np.random.default_rng(seed).normal(size=(5, 2))
    path = Trajectory.hold(JOINT, values[0], 0).spliced(joint_chunk(values), 0)
    times = np.linspace(0, 5 * T, 201).astype(np.int64)
    steps = np.abs(np.diff(path.at(times), axis=0)).max(axis=0)
    assert (steps <= np.abs(np.diff(values, axis=0)).max(axis=0) / 40 + 1e-9).all()


def test_stale_intervals_are_dropped_and_live_ones_keep_their_due_times():
    path = Trajectory.hold(JOINT, [0.0, 0.0], 0)
    late = path.spliced(joint_chunk([[1, 1], [2, 2], [3, 3]]), T + T // 2)
    assert np.allclose(late.at(T + T // 2), [0, 0])
    assert np.allclose(late.at(2 * T), [2, 2])
    assert np.allclose(late.at(3 * T), [3, 3])


def test_a_chunk_that_is_all_stale_changes_nothing():
    path = Trajectory.hold(JOINT, [5.0, 5.0], 0)
    assert path.spliced(joint_chunk([[1, 1]]), T) is path


def test_a_chunk_that_starts_later_waits_for_its_first_interval():
    path = Trajectory.hold(JOINT, [0.0, 0.0], 0).spliced(joint_chunk([[1, 1], [2, 2], [3, 3]]), 0)
    later = path.spliced(joint_chunk([[9, 9]], start_ns=2 * T), T // 2)
    times = np.linspace(T // 2, 2 * T, 20).astype(np.int64)
    assert np.allclose(later.at(times), path.at(times))
    assert np.allclose(later.at(3 * T), [9, 9])


def test_a_trajectory_is_never_changed_in_place():
    path = Trajectory.hold(JOINT, [0.0, 0.0], 0)
    path.spliced(joint_chunk([[1, 1]]), 0)
    assert np.allclose(path.at(10 * T), [0, 0])


def test_targets_of_another_width_are_refused():
    with pytest.raises(InputError, match=r"\(1, 2\)"):
        Trajectory(JOINT, np.array([0]), np.zeros((1, 3)))
