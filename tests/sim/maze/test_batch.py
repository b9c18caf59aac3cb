"""Rows of mazes: seeds decide them, batch mates do not, and what is told is what happened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import InputError
from robot.safety.energy import load_budget
from sim.maze import ACTION_REACH_M, HELD_OUT, TRAINING, MazeBatch, MazeOptions, decode, encode
from sim.maze.follower import Follower
from sim.maze.options import LONGEST_DELAY_S
from sim.maze.sensing import OBSERVED, SCALE

ROOT = Path(__file__).parents[3]
BUDGET = load_budget("maze")


def made(
    count: int = 6,
    *,
    seed: int = 0,
    enforce: bool = True,
    layouts: Any = TRAINING,
    restart: bool = True,
    trace: bool = False,
    **options: Any,
) -> MazeBatch:
    return MazeBatch(
        count,
        layouts=layouts,
        seed=seed,
        budget=BUDGET,
        enforce=enforce,
        restart=restart,
        trace=trace,
        options=MazeOptions(**options),
    )


def played(batch: MazeBatch, steps: int = 60, *, seed: int = 0) -> np.ndarray:
    """Observations (count, steps + 1, d) of actions that each row draws for itself."""
    randoms = [np.random.default_rng([seed, row]) for row in range(batch.count)]
    found = [batch.reset()]
    for _ in range(steps):
        unit = np.stack([random.uniform(-1, 1, 4) for random in randoms])
        found.append(batch.step(decode(unit, batch.position)).observation)
    return np.stack(found, axis=1)


def test_the_seed_decides_everything() -> None:
    first = played(made(jitter_s=0.1, drift_n=1.0))
    np.testing.assert_array_equal(first, played(made(jitter_s=0.1, drift_n=1.0)))
    assert not np.array_equal(first, played(made(seed=1, jitter_s=0.1, drift_n=1.0)))
    batch = made(seed=9, jitter_s=0.1, drift_n=1.0)
    played(batch)
    batch.seed(0)
    np.testing.assert_array_equal(first, played(batch))


def test_rows_do_not_depend_on_one_another() -> None:
    """With more rows beside them, and with rows that act otherwise."""
    few, many = played(made(2, max_steps=25)), played(made(5, max_steps=25))
    np.testing.assert_array_equal(few, many[:2])
    one, other = made(3, restart=False), made(3, restart=False)
    one.reset(), other.reset()
    for _ in range(20):
        same = decode(np.full((3, 4), 0.5), one.position)
        changed = same.copy()
        changed[1] = decode(np.full((1, 4), -0.9), other.position[1:2])[0]
        a, b = one.step(same), other.step(changed)
    np.testing.assert_array_equal(a.observation[[0, 2]], b.observation[[0, 2]])
    assert not np.array_equal(a.observation[1], b.observation[1])


def test_observations_are_blind_scaled_and_say_what_their_names_say() -> None:
    batch = made(restart=False, noise_n=0.0)
    first = batch.reset()
    assert first.shape == (6, batch.observation_size) == (6, len(OBSERVED)) and first.dtype == np.float32
    unit = np.random.default_rng(0).uniform(-1, 1, (6, 4))
    for _ in range(8):
        step = batch.step(decode(unit, batch.position))
    seen = dict(zip(OBSERVED, (step.observation * SCALE).T))
    for axis, name in enumerate("xy"):
        np.testing.assert_allclose(seen[f"position.{name}"], batch.position[:, axis], rtol=1e-6)
        np.testing.assert_allclose(seen[f"goal.{name}"], (batch.goal - batch.position)[:, axis], atol=1e-7)
        np.testing.assert_allclose(seen[f"wrench.{name}"], batch.wrench[:, axis], atol=1e-5)
        np.testing.assert_allclose(seen[f"action.{name}"], unit[:, axis], atol=1e-6)
        np.testing.assert_allclose(seen[f"action.stiffness.{name}"], unit[:, 2 + axis], atol=1e-6)
    np.testing.assert_allclose(seen["energy.tank"], batch.ledger.level_j / BUDGET.initial_j, rtol=1e-6)
    assert (seen["energy.tank"] != 1).all()


def test_the_wrench_has_the_noise_asked_for() -> None:
    quiet = made(1, noise_n=0.3)
    quiet.reset()
    hold = decode(np.zeros((1, 4)), quiet.position)
    noise = np.array([quiet.step(hold).observation[0, :2] * 10 for _ in range(390)])
    assert np.abs(noise.std(axis=0) - 0.3).max() < 0.05
    slow = made(1, noise_n=0.0, drift_n=2.0, drift_s=0.5)
    slow.reset()
    drift = np.array([slow.step(hold).observation[0, :2] * 10 for _ in range(390)])
    together = np.corrcoef(drift[1:, 0], drift[:-1, 0])[0, 1]
    assert together == pytest.approx(np.exp(-0.1), abs=0.06)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4), st.floats(0, 0.3), st.floats(0, 0.2))
def test_decoding_undoes_encoding(unit: list[float], x: float, y: float) -> None:
    position = np.array([[x, y]])
    action = decode(np.array([unit]), position)
    assert (np.abs(action[:, :2] - position) <= ACTION_REACH_M + 1e-12).all()
    assert (action[:, 2:] >= 100 - 1e-9).all() and (action[:, 2:] <= 1500 + 1e-9).all()
    np.testing.assert_allclose(encode(action, position)[0], unit, atol=1e-9)


def test_what_lies_beyond_reach_is_encoded_as_the_nearest() -> None:
    np.testing.assert_array_equal(encode(np.array([[1.0, -1.0, 1e6, 0.0]]), np.zeros((1, 2))), [[1, -1, 1, -1]])


def test_what_was_executed_is_what_was_asked_for_where_nothing_was_changed() -> None:
    batch = made(restart=False)
    batch.reset()
    for _ in range(5):
        asked = decode(np.tile([0.2, -0.2, -0.5, -0.3], (6, 1)), batch.position)
        step = batch.step(asked)
        assert (step.changed == 0).all()
        np.testing.assert_allclose(step.executed, asked, rtol=1e-9)


def test_what_was_executed_is_nearer_where_the_leash_held() -> None:
    batch = made(restart=False)
    batch.reset()
    position = batch.position
    asked = np.concatenate([position + [0.1, 0.0], np.full((6, 2), 1500.0)], axis=1)
    step = batch.step(asked)
    assert (step.changed == 1).all()
    assert (step.executed[:, 0] < asked[:, 0] - 0.05).all()
    assert (step.executed[:, 0] > position[:, 0]).all()


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.15])
def test_a_command_is_in_force_after_its_delay_and_not_before(delay_s: float) -> None:
    batch = made(1, restart=False, trace=True, delay_s=delay_s)
    batch.reset()
    asked = decode(np.array([[0.5, 0.0, 0.0, 0.0]]), batch.position)
    forces = []
    for _ in range(5):
        batch.step(asked)
        forces.append(batch.ticks[0, :, 2])
    assert int(np.flatnonzero(np.concatenate(forces))[0]) == round(delay_s / 0.001)


def test_commands_that_are_late_by_chance_never_overtake_one_another() -> None:
    batch = made(8, restart=False, jitter_s=LONGEST_DELAY_S)
    batch.reset()
    start, order = batch.position, []
    for k in range(60):
        asked = np.concatenate([start + [1e-5 * k, 0.0], np.full((8, 2), 300.0)], axis=1)
        batch.step(asked)
        order.append(batch._control.setpoint[:, 0] - start[:, 0])
    waits = np.diff(np.stack(order), axis=0)
    assert (waits >= -1e-12).all()
    assert (waits == 0).any() and (waits > 1.5e-5).any(), "some come together"
    assert (batch._control.queued[:, 1] < 12).all()


def test_rows_that_end_begin_anew_and_the_last_observation_is_kept() -> None:
    batch = made(4, max_steps=10, noise_n=0.0)
    batch.reset()
    for k in range(25):
        step = batch.step(decode(np.tile([0.9, 0.3, 0.5, 0.5], (4, 1)), batch.position))
        ended = step.terminated | step.truncated
        assert (step.truncated == ((k + 1) % 10 == 0)).all()
        for value in step.episode.values():
            np.testing.assert_array_equal(np.isnan(value), ~ended)
        fresh = np.isclose(step.observation[:, 6], 1.0) & (step.observation[:, :2] == 0).all(axis=1)
        np.testing.assert_array_equal(fresh & ended, ended)
        same = (step.observation == step.last_observation).all(axis=1)
        np.testing.assert_array_equal(same, ~ended)
        np.testing.assert_allclose(step.observation[:, 2:4] * SCALE[2:4], batch.position, rtol=1e-6)
    assert set(step.episode) == {
        "return",
        "success",
        "steps",
        "energy_j",
        "overdrafts",
        "overdraft_j",
        "changed",
        "peak_force_n",
        "layout",
    }


def test_the_goal_terminates_and_pays_ten_and_the_way_costs() -> None:
    batch = made(1, layouts=[1], restart=False)
    batch.reset()
    follower, total = Follower(batch), 0.0
    for _ in range(400):
        step = batch.step(follower.act())
        way = batch.distance_m[0]
        assert step.reward[0] == pytest.approx(-10 * way - 0.1 + 10 * step.success[0])
        assert bool(step.success[0]) == (np.hypot(*(batch.goal - batch.position)[0]) <= 0.010)
        total += step.reward[0]
        if step.terminated[0]:
            break
    assert step.success[0] and not step.truncated[0]
    assert step.episode["return"][0] == pytest.approx(total)
    assert 0.3 / (0.25 * 0.05) < step.episode["steps"][0] < 200  # 0.3 m at 0.25 m/s at most


def test_episodes_are_drawn_from_the_layouts_given() -> None:
    batch = made(24, layouts=HELD_OUT)
    batch.reset()
    assert set(batch.layout) == set(HELD_OUT)


@pytest.mark.parametrize("enforce, least", [(False, 1.0), (True, 0.95)])
@pytest.mark.parametrize("layouts", [TRAINING, HELD_OUT])
def test_a_follower_of_the_way_arrives(layouts: tuple[int, ...], enforce: bool, least: float) -> None:
    batch = made(24, layouts=layouts, enforce=enforce)
    batch.reset()
    follower, found = Follower(batch), []
    for _ in range(400):
        step = batch.step(follower.act())
        follower.note(step)
        found.extend(step.episode["success"][~np.isnan(step.episode["success"])])
    assert len(found) >= 24
    assert np.mean(found) >= least


def test_half_of_the_speed_is_left_with_a_delay_of_50_ms() -> None:
    """A budget that is never overdrawn because nothing moves would be none."""
    steps = []
    for delay_s in (0.0, 0.05):
        batch = made(12, layouts=range(1, 13), delay_s=delay_s, restart=False)
        batch.reset()
        follower, arrived = Follower(batch), np.full(12, np.nan)
        for k in range(400):
            step = batch.step(follower.act())
            arrived[step.success & np.isnan(arrived)] = k + 1
        steps.append(arrived)
    assert np.isfinite(steps).all()
    assert (steps[1] < 2 * steps[0]).all()


def varied() -> np.ndarray:
    """Observations of six rows with everything that moves, for twelve steps."""
    return played(made(6, layouts=range(1, 13), delay_s=0.03, gate=True, removal_s=0.3), 12)


def test_the_compiled_loop_is_the_python_that_it_is_written_in(tmp_path: Path) -> None:
    code = (
        f"import sys, numpy; sys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom test_batch import varied\n"
        f"numpy.save({str(tmp_path / 'seen.npy')!r}, varied())"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
    )
    np.testing.assert_allclose(np.load(tmp_path / "seen.npy"), varied(), atol=1e-6)


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(wall=10.0), "at least 1000 and at most 100000"),
        (dict(delay_s=0.5), "delay_s"),
        (dict(delay_s=0.3, jitter_s=0.3), "jitter_s"),
        (dict(friction=(0.4, 0.2)), "lowest and highest"),
        (dict(removal_s=-1.0), "removal_s"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        MazeOptions(**options)


def test_wrong_shapes_and_empty_batches_are_refused() -> None:
    with pytest.raises(InputError, match="one row"):
        made(0)
    with pytest.raises(InputError, match="one layout"):
        made(1, layouts=[])
    batch = made(2)
    batch.reset()
    with pytest.raises(InputError, match=r"\(2, 4\)"):
        batch.step(np.zeros((3, 4)))
