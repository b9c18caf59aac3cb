"""What a twin's actions may be: bounds that hold all that is commanded, and changes in place of targets."""

from __future__ import annotations

from typing import Any, Iterator, cast

import numpy as np
import pytest

import sim
from robot.errors import InputError
from sim.evaluation.collect import collect, record
from sim.evaluation.rollout import evaluate_policy
from sim.tasks import suite_ids
from tests.sim.untrained_policy import untrained_near_rest

OPEN = np.array([0, 0, 0, 0, 0, 0, 1.0])


@pytest.fixture(scope="module")
def delta() -> Iterator[Any]:
    made = sim.make("twin/lift", action="delta", reward="native")
    yield made
    made.close()


@pytest.fixture(scope="module")
def absolute() -> Iterator[Any]:
    made = sim.make("twin/lift", reward="native")
    yield made
    made.close()


@pytest.mark.parametrize("task_id", suite_ids("twin"))
def test_every_action_of_an_expert_is_within_the_bounds(task_id: str) -> None:
    env: Any = sim.make(task_id)
    assert env.action_space.is_bounded()
    for seed in (60, 61):
        actions = np.asarray(record(env, seed).data["action"], dtype=np.float32)
        beyond = np.abs(actions - np.clip(actions, env.action_space.low, env.action_space.high)).max(axis=0)
        if task_id == "twin/hand_grasp":
            # A firm grip commands the thumb beyond its stop, where its drive brings the set-point back.
            assert beyond[13] < 0.06
            drive = env.scene.model.actuator("thumb_proximal_2_drive")
            assert drive.ctrlrange[1] == pytest.approx(env.action_space.high[13])
            beyond[13] = 0
        assert not beyond.any(), beyond


def test_the_bounds_are_the_reach_the_table_and_the_limits_of_joints_and_fingers(absolute: Any) -> None:
    low, high = absolute.action_space.low, absolute.action_space.high
    np.testing.assert_allclose(low, [0.15, -0.6, -0.05, *[-1] * 6, 0], atol=1e-6)
    np.testing.assert_allclose(high, [0.952, 0.6, 1.285, *[1] * 6, 0.08], atol=1e-6)
    joint = sim.make("twin/lift", control="joint")
    arm = joint.robot.description.limbs[0].arm
    np.testing.assert_allclose(joint.action_space.low, [*(low for low, _ in arm.position), 0], atol=1e-6)


def test_actions_beyond_the_bounds_are_still_taken_as_they_are(absolute: Any) -> None:
    first, _ = absolute.reset(seed=0)
    action = absolute.holding(first)
    action[9] = 0.2
    absolute.step(action)
    assert absolute.robot.target[9] == 0.2


@pytest.mark.parametrize("options", [{}, {"control": "joint"}, {"perturbations": {"action_latency": 3, "mass": 2}}])
def test_the_absolute_action_of_each_change_does_the_same_again_from_the_measured_pose(options: dict[str, Any]) -> None:
    changes, targets = (sim.make("twin/lift", action=each, **options) for each in ("delta", "absolute"))
    robot = cast(Any, targets).robot
    assert (changes.action_space.low == -1).all() and (changes.action_space.high == 1).all()
    assert changes.action_spec == targets.action_spec
    random = np.random.default_rng(0)
    for env in (changes, targets):
        env.reset(seed=4)
    for _ in range(30):
        seen, *rest, info = changes.step(random.uniform(-1, 1, changes.action_space.shape))
        robot.stop()
        again, *rest_again, _ = targets.step(info["action"])
        assert targets.action_space.contains(info["action"].astype(np.float32))
        assert rest == rest_again
        for name in seen:
            np.testing.assert_array_equal(seen[name], again[name])


def test_no_change_holds_the_hand_and_a_change_moves_it_that_way(delta: Any) -> None:
    first, _ = delta.reset(seed=2)
    for _ in range(20):
        seen, *_ = delta.step(OPEN)
    np.testing.assert_allclose(seen["tcp.position"], first["tcp.position"], atol=2e-4)
    for axis in range(3):
        before, _ = delta.reset(seed=2)
        for _ in range(6):
            seen, *_ = delta.step(OPEN + np.eye(7)[axis])
        moved = seen["tcp.position"] - before["tcp.position"]
        assert 0.06 < moved[axis] < 0.09 and np.abs(np.delete(moved, axis)).max() < 0.005


def test_random_changes_decide_how_the_hand_moves(delta: Any) -> None:
    # A library that learns from nothing sees what its actions do: they explain most of the motion, and the hand, which
    # nothing brings back, does not tumble.
    random, actions, moves = np.random.default_rng(0), [], []
    for seed in range(3):
        seen, _ = delta.reset(seed=seed)
        for _ in range(60):
            action = random.uniform(-1, 1, 7)
            before = seen["tcp.position"]
            seen, *_ = delta.step(action)
            actions.append(action[:3])
            moves.append(seen["tcp.position"] - before)
        assert seen["tcp.rotation"][4] < -0.5, "y of the hand still points back, within 60 degrees"
    now, last, moved = np.array(actions[1:]), np.array(actions[:-1]), np.array(moves[1:])
    causes = np.hstack([now, last])
    rest = moved - causes @ np.linalg.lstsq(causes, moved, rcond=None)[0]
    assert (1 - rest.var(axis=0) / moved.var(axis=0) > 0.5).all()


def test_a_change_means_the_same_from_a_state_whatever_was_commanded_before(delta: Any) -> None:
    delta.reset(seed=2)
    for _ in range(3):
        delta.step(np.array([0.3, -0.2, -1, 0, 0.1, 0, 1]))
    state, measured = delta.save(), delta.robot.hold_target
    *_, info = delta.step(OPEN)
    np.testing.assert_allclose(info["action"][:9], measured[:9], atol=1e-6)
    delta.restore(state)
    *_, again = delta.step(OPEN)
    np.testing.assert_array_equal(again["action"], info["action"])


def test_the_reward_of_lift_is_bounded_pays_on_the_way_and_most_at_success(absolute: Any) -> None:
    for seed in range(3):
        episode = record(absolute, seed)
        rewards = np.asarray(episode.data["reward"]).ravel()
        assert episode.meta["success"] and rewards[-1] > 9 > 3 * np.abs(rewards[:-1]).max()
        assert rewards[:-1].sum() > 3, "earned on the way"


def test_the_reward_of_lift_is_lost_with_what_it_was_paid_for(delta: Any) -> None:
    # What is earned is a difference of two states: no loop through them earns anything but its cost.
    random = np.random.default_rng(1)
    delta.reset(seed=2)
    for _ in range(3):
        delta.step(OPEN)
    held = sum(delta.step(OPEN)[1] for _ in range(10))
    assert held == pytest.approx(-1.0, abs=0.02)
    delta.reset(seed=3)
    total = sum(delta.step(random.uniform(-1, 1, 7))[1] for _ in range(100))
    assert abs(total + 0.1 * 100) <= 10 + 2 + 4 + 4, "the whole range of what can be earned"


def test_the_reward_continues_where_a_state_was_saved(delta: Any) -> None:
    delta.reset(seed=2)
    delta.step(OPEN)
    state, down = delta.save(), OPEN - np.eye(7)[2]
    _, reward, *_ = delta.step(down)
    delta.step(down)
    delta.restore(state)
    assert delta.step(down)[1] == reward != 0


def test_an_unknown_kind_of_action_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'delta'"):
        sim.make("twin/lift", action="detla")


def test_what_acts_by_absolute_targets_refuses_changes(delta: Any) -> None:
    message = r"option action of twin/lift: expected absolute.*got delta"
    with pytest.raises(InputError, match=message):
        list(collect("twin/lift", episodes=1, options={"action": "delta"}))
    with pytest.raises(InputError, match=message):
        evaluate_policy(untrained_near_rest(), "twin/lift", episodes=1, seed=0, options={"action": "delta"})
    with pytest.raises(InputError, match=r"expected \(\.\.\., 7\)"):
        delta.step(np.zeros(10))
