"""The actions of rows are the targets that the commands between them followed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.control.observation.action_rows import HOLE_NS, action_rows
from robot.control.rotation import angle_between, matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix
from robot.control.trajectory import Trajectory
from robot.description import ActionChunk, ActionField, ActionSpec
from robot.errors import InputError
from tests.robot.strategies import POSE

MS = 1_000_000
T = POSE.period_ns
TICK = 5 * MS
NATIVE = ActionSpec((ActionField("action", 2, "1", "native"),), period_s=0.05)


def poses(seed: int, count: int) -> np.ndarray:
    """Targets (count, dim) a step apart, as a policy gives them."""
    random = np.random.default_rng(seed)
    turn, rows = np.eye(3), []
    for position in np.cumsum(random.normal(scale=0.02, size=(count, 3)), axis=0):
        turn = matrix_from_rotvec(random.normal(scale=0.3, size=3)) @ turn
        rotation = rotation_6d_from_matrix(turn)
        rows.append(
            POSE.pack({"tcp.position": position, "tcp.rotation": rotation, "gripper.width": random.uniform(0, 0.08, 1)})
        )
    return np.array(rows)


def followed(values: np.ndarray, start_ns: int, spec: ActionSpec = POSE) -> Trajectory:
    chunk = ActionChunk(values, start_ns, spec.period_s, 0, spec)
    return Trajectory.hold(spec, values[0], start_ns).spliced(chunk, start_ns)


@given(seed=st.integers(0, 2**31), count=st.integers(1, 12), start_ns=st.integers(0, 2**60))
def test_commands_that_followed_a_chunk_give_back_its_values(seed: int, count: int, start_ns: int) -> None:
    values = poses(seed, count)
    path = followed(values, start_ns)
    times = start_ns + np.arange(0, count * T + 1, TICK)
    stamps = start_ns + np.arange(count) * T
    actions, found = action_rows(POSE, times, path.at(times), stamps, T)
    assert found.all()
    np.testing.assert_allclose(actions, values, atol=1e-9)


@given(seed=st.integers(0, 2**31), tick_offset=st.integers(0, TICK - 1), row_offset=st.integers(0, T - 1))
def test_rows_beside_the_chunk_have_what_was_commanded_at_their_end(
    seed: int, tick_offset: int, row_offset: int
) -> None:
    values = poses(seed, 8)
    path = followed(values, 0)
    times = tick_offset + np.arange(0, 8 * T, TICK)
    stamps = row_offset + np.arange(0, 6) * T
    actions, found = action_rows(POSE, times, path.at(times), stamps, T)
    assert found.all()
    expected = path.at(stamps + T)
    step = np.abs(np.diff(values[:, :3], axis=0)).max() * TICK / T
    assert np.abs(actions[:, :3] - expected[:, :3]).max() <= step + 1e-12
    angles = [angle_between(matrix_from_6d(a), matrix_from_6d(b)) for a, b in zip(actions[:, 3:9], expected[:, 3:9])]
    turns = [angle_between(matrix_from_6d(a), matrix_from_6d(b)) for a, b in zip(values[:-1, 3:9], values[1:, 3:9])]
    assert max(angles) <= max(turns) * TICK / T + 1e-7


@given(seed=st.integers(0, 2**31), count=st.integers(1, 12), start_ns=st.integers(0, 2**60))
def test_in_lock_step_an_action_is_the_message_of_its_row_to_the_bit(seed: int, count: int, start_ns: int) -> None:
    values, stamps = poses(seed, count), start_ns + np.arange(count) * T
    actions, found = action_rows(POSE, stamps, values, stamps, T, holds=True)
    assert found.all() and actions.tobytes() == values.tobytes()


def test_in_lock_step_a_row_without_its_message_has_no_action() -> None:
    values, stamps = poses(0, 6), np.arange(6) * T
    there = np.array([True, True, False, True, False, True])
    actions, found = action_rows(POSE, stamps[there], values[there], stamps, T, holds=True)
    np.testing.assert_array_equal(found, there)
    assert np.array_equal(actions[there], values[there]) and np.isnan(actions[~there]).all()


def test_a_native_action_is_that_of_its_own_interval() -> None:
    values = np.random.default_rng(1).normal(size=(6, 2))
    path = followed(values, 0, NATIVE)
    # The command that is reached at the end of a tick is the one in force during it.
    times = np.arange(TICK, 6 * T + 1, TICK)
    actions, found = action_rows(NATIVE, times, path.at(times - 1), np.arange(6) * T, T)
    assert found.all() and np.array_equal(actions, values)


@pytest.mark.parametrize(("hole_ms", "kept"), [(40, True), (50, True), (55, False), (400, False)])
def test_a_row_in_a_hole_of_the_commands_has_no_action(hole_ms: int, kept: bool) -> None:
    assert HOLE_NS == 50 * MS
    values = poses(3, 20)
    times = np.arange(0, 20 * T + 1, TICK)
    begin = 10 * T + TICK
    times = times[(times <= begin) | (times >= begin + hole_ms * MS)]
    actions, found = action_rows(POSE, times, followed(values, 0).at(times), [9 * T + TICK, 9 * T + 4 * TICK], T)
    assert found.tolist() == [True, kept], "the command itself is one, whatever follows it"
    assert np.isnan(actions[1]).all() != kept


def test_before_the_first_command_and_after_the_last_there_is_no_action() -> None:
    values = poses(4, 4)
    times = np.arange(0, 4 * T + 1, TICK)
    commands = followed(values, 0).at(times)
    stamps = np.array([-T - 1, -T, 3 * T, 3 * T + 1])
    assert action_rows(POSE, times, commands, stamps, T)[1].tolist() == [False, True, True, False]
    for holds in (False, True):
        actions, found = action_rows(POSE, [], np.empty((0, POSE.dim)), stamps, T, holds=holds)
        assert not found.any() and actions.shape == (4, POSE.dim)
    assert not action_rows(POSE, times, commands, stamps[:1], T, holds=True)[1].any()


def test_commands_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match=r"commands: expected \(2, 10\) targets, got \(2, 3\)"):
        action_rows(POSE, [0, 1], np.zeros((2, 3)), [0], T)
    with pytest.raises(InputError, match="each later than the one before"):
        action_rows(POSE, [5, 5], np.zeros((2, POSE.dim)), [0], T)
