"""Scripted experts: they succeed, in several ways, and what they record can be replayed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import sim
from data.store.dataset import Dataset
from data.store.episode import Episode
from robot.control.rotation import angle_between, matrix_from_6d, rotation_6d_from_matrix
from robot.errors import InputError, TillerError
from sim.evaluation.collect import collect, record, schema
from sim.experts import expert_ids, make_expert
from sim.experts.lift import grasp_yaw
from sim.experts.motion import ACCELERATION, LEAD, Glide
from sim.experts.waypoints import hand_down

LIFT, CAN = "robosuite/Lift", "robosuite/PickPlaceCan"


@pytest.fixture(scope="module")
def lifts() -> list[Episode]:
    return list(collect(LIFT, episodes=6, seed=40, workers=2))


def strategy(episode: Episode) -> dict[str, object]:
    return json.loads(episode.meta["strategy"])


def test_lift_succeeds_on_every_seed(lifts: list[Episode]) -> None:
    assert [each.meta["seed"] for each in lifts] == [40, 41, 42, 43, 44, 45]
    assert all(each.meta["success"] for each in lifts)
    assert all(20 < len(each) < 90 for each in lifts)
    assert all(each.data["reward"][-1] == 1 and not each.data["reward"][:-1].any() for each in lifts)


def test_place_can_succeeds() -> None:
    episodes = list(collect(CAN, episodes=2, seed=14, workers=2, keep_failures=True))
    assert all(each.meta["success"] for each in episodes)
    assert all(70 < len(each) < 220 for each in episodes)


def test_episodes_go_different_ways(lifts: list[Episode]) -> None:
    assert len({each.meta["strategy"] for each in lifts}) == len(lifts)
    assert len({strategy(each)["approach"] for each in lifts}) > 1
    assert {"faces", "approach", "side", "speed", "hover", "pause"} <= set(strategy(lifts[0]))


def test_one_worker_records_what_two_do(lifts: list[Episode]) -> None:
    alone = list(collect(LIFT, episodes=2, seed=40, workers=1))
    assert [each.digest() for each in alone] == [each.digest() for each in lifts[:2]]


def test_a_recorded_episode_replays_to_the_bit(lifts: list[Episode]) -> None:
    episode, env = lifts[0], sim.make(LIFT)
    observation, _ = env.reset(seed=episode.meta["seed"])
    for row, action in enumerate(episode.data["action"]):
        for name in env.observation_spec.names:
            np.testing.assert_array_equal(observation[name], episode.data[name][row])
        observation, _, terminated, _, _ = env.step(action)
    assert terminated
    env.close()


def test_episodes_fit_the_schema_and_can_be_stored(lifts: list[Episode], tmp_path: Path) -> None:
    env = sim.make(LIFT)
    dataset = Dataset.create(tmp_path / "lifts", schema(env))
    for episode in lifts[:2]:
        dataset.append(episode)
    assert dataset.episode(1).digest() == lifts[1].digest()
    assert dataset.schema.period_s == env.task.period_s
    env.close()


def test_actions_run_ahead_of_the_hand_by_little_and_never_jump(lifts: list[Episode]) -> None:
    """Speed and acceleration of the command stay those of a person, so that a small network can follow it."""
    for episode in lifts:
        target = episode.data["action"][:, :3]
        ahead = np.linalg.norm(target - episode.data["tcp.position"], axis=1)
        assert ahead.max() < LEAD + 1e-3
        assert np.linalg.norm(np.diff(target, axis=0), axis=1).max() < 0.035
        rotation = matrix_from_6d(episode.data["action"][:, 3:9])
        turned = angle_between(rotation[1:], rotation[:-1])
        assert turned.max() < 0.11
        assert set(np.unique(episode.data["action"][:, 9])) == {-1.0, 1.0}


def test_the_hand_closes_at_the_cube_and_lifts_with_closed_fingers(lifts: list[Episode]) -> None:
    for episode in lifts:
        closing = np.flatnonzero(episode.data["action"][:, 9] > 0)
        assert np.linalg.norm(episode.data["cube.from_tcp"][closing[0]]) < 0.016
        height = episode.data["cube.position"][:, 2]
        rising = (height > height[5] + 0.005) & (np.arange(len(height)) > 5)  # it drops 1 cm on the table at first
        assert rising.any()
        assert (episode.data["gripper.width"][rising] < 0.05).all()


def test_a_lost_cube_is_grasped_again() -> None:
    env = sim.make(LIFT)
    observation, _ = env.reset(seed=2)
    expert = make_expert(LIFT)
    expert.reset(observation, np.random.default_rng(0))
    snatched = success = ended = False
    while not ended:
        action = expert.act(observation)
        if action[9] > 0 and not snatched:
            scene = env._env.sim
            joint = env._env.cube.joints[0]
            place = scene.data.get_joint_qpos(joint)
            place[:2] += [0.04, 0.06]
            scene.data.set_joint_qpos(joint, place)
            snatched = True
        observation, _, terminated, truncated, info = env.step(action)
        success, ended = info["success"], terminated or truncated
    assert snatched
    assert success
    env.close()


def test_failures_are_seen_but_dropped_unless_asked_for() -> None:
    """With too little time for Lift, every episode fails: all are tried in order, none is yielded."""
    seen: list[Episode] = []
    with pytest.raises(TillerError, match="succeeded in only 0 of"):
        list(collect(LIFT, episodes=2, options={"max_steps": 3}, on_episode=seen.append))
    assert [(each.meta["seed"], len(each)) for each in seen] == [(seed, 3) for seed in range(len(seen))]
    assert not any(each.meta["success"] for each in seen)


def test_a_wrong_question_is_refused_before_and_in_the_worker() -> None:
    with pytest.raises(InputError, match="Did you mean 'robosuite/Lift'"):
        list(collect("robosuite/lift", episodes=1))
    with pytest.raises(InputError, match="at least one episode"):
        list(collect(LIFT, episodes=0))
    with pytest.raises(InputError, match="Did you mean 'cameras'"):
        list(collect(LIFT, episodes=1, options={"camera": "agentview"}))
    assert {LIFT, CAN} <= set(expert_ids())


@pytest.mark.parametrize("yaw", np.linspace(-3.1, 3.1, 9))
def test_fingers_close_flat_on_the_cube(yaw: float) -> None:
    """Whichever pair of faces is taken, the hand differs from the cube by whole quarter turns."""
    for crossed in (False, True):
        hand = grasp_yaw(yaw, crossed=crossed)
        quarters = (hand - yaw) / (np.pi / 2)
        assert quarters == pytest.approx(round(quarters), abs=1e-9)
        assert abs(hand) <= np.pi / 2
    assert abs(grasp_yaw(yaw, crossed=False)) <= np.pi / 4


def test_the_glide_arrives_and_keeps_its_limits() -> None:
    period_s, speed = 0.05, 0.4
    glide = Glide(np.zeros(3), hand_down(0.0), period_s)
    goal, turned = np.array([0.3, -0.2, 0.1]), hand_down(1.0)
    positions, hand = [glide.position], np.zeros(3)
    for _ in range(60):
        glide.towards(goal, turned, speed, hand)
        positions.append(glide.position)
        hand = hand + 0.5 * (glide.position - hand)
    velocity = np.diff(positions, axis=0) / period_s
    assert np.linalg.norm(velocity, axis=1).max() <= speed + 1e-9
    assert np.linalg.norm(np.diff(velocity, axis=0), axis=1).max() / period_s <= ACCELERATION * 1.05
    np.testing.assert_allclose(glide.position, goal, atol=1e-3)
    np.testing.assert_allclose(rotation_6d_from_matrix(glide.rotation), rotation_6d_from_matrix(turned), atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("task_id, least", [(LIFT, 0.98), (CAN, 0.97)])
def test_success_over_many_seeds(task_id: str, least: float) -> None:
    env = sim.make(task_id)
    outcomes = [record(env, seed).meta["success"] for seed in range(100)]
    env.close()
    assert np.mean(outcomes) >= least


def test_an_expert_of_metaworld_goes_its_own_way_each_episode() -> None:
    pytest.importorskip("metaworld", reason="Meta-World is not installed: tiller[metaworld]")
    env, seen = sim.make("metaworld/drawer-open"), []
    for way in range(4):
        expert = make_expert("metaworld/drawer-open")
        observation, _ = env.reset(seed=0)
        expert.reset(observation, np.random.default_rng(way))
        for _ in range(12):
            observation, *_ = env.step(expert.act(observation))
        seen.append(observation["hand.position"])
    apart = np.linalg.norm(np.array(seen)[:, None] - np.array(seen)[None], axis=-1)
    assert apart[np.triu_indices(4, 1)].min() > 0.005
    again = record(env, 3), record(env, 3)
    assert again[0].digest() == again[1].digest() and again[0].digest() != record(env, 4).digest()
    assert {"first", "pace", "unsteady"} <= set(strategy(again[0]))
