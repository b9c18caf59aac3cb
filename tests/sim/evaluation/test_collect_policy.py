"""Episodes of policies: the same whatever the workers, replayable, and in groups that share a state."""

from __future__ import annotations

import json
from itertools import count, islice
from typing import Any

import numpy as np
import pytest

import sim
from data.store.episode import Episode
from robot.errors import InputError
from sim.evaluation.action_noise import ActionNoise
from sim.evaluation.collect import record
from sim.evaluation.collect_policy import PolicySource, policy_episodes
from sim.evaluation.rollout import evaluate_policy
from tests.sim.untrained_policy import untrained_policy
from tests.sim.wanderer import Wanderer

LIFT, SHORT = "twin/lift", {"max_steps": 24}


def source(policy: Any, **more: Any) -> PolicySource:
    return PolicySource(policy, "abc", "a policy of this test", **more)


class NearRest(Wanderer):
    """Wanders about where the twin's arm rests."""

    def __init__(self) -> None:
        super().__init__(LIFT)
        rest = np.array([0.45, 0.0, 0.25, 1, 0, 0, 0, -1, 0, 0.04])
        reach = np.array([0.1, 0.1, 0.1, 0, 0, 0, 0, 0, 0, 0.02])
        self.low, self.high = rest - reach, rest + reach


def replays(task: str, episode: Episode, **options: Any) -> bool:
    """Whether the actions of an episode give its rows and rewards again from its seed, to the bit."""
    env = sim.make(task, **options)
    observation, _ = env.reset(seed=episode.meta["seed"])
    for row, action in enumerate(episode.data["action"]):
        if any(not np.array_equal(observation[name], episode.data[name][row]) for name in observation):
            return False
        observation, reward, terminated, truncated, _ = env.step(action)
        told = [episode.data[name][row] for name in ("reward", "terminated", "truncated")]
        if told != [np.float32(reward), terminated, truncated]:
            return False
    return bool(terminated or truncated)


@pytest.mark.parametrize(
    "noise", [pytest.param({}, marks=pytest.mark.slow), {"tcp.position": 0.01, "tcp.rotation": 0.05}], ids=str
)
def test_episodes_replay_and_do_not_depend_on_the_workers(noise: dict[str, float]) -> None:
    acting = source(NearRest(), noise=ActionNoise(noise))
    one, two = (
        list(islice(policy_episodes(acting, LIFT, count(5), workers=workers, options=SHORT, batch=4), 6))
        for workers in (1, 2)
    )
    assert [each.meta["seed"] for (each,) in one] == [5, 6, 7, 8, 9, 10]
    assert [each.digest() for (each,) in one] == [each.digest() for (each,) in two]
    assert all(replays(LIFT, each, **SHORT) for (each,) in one)
    for (each,) in one:
        assert (each.meta["policy"], each.meta["noise_seed"]) == ("abc", each.meta["seed"])
        assert json.loads(each.meta["strategy"]) == ({"action_noise": noise} if noise else {})


def test_what_is_collected_is_what_an_evaluation_measures() -> None:
    policy = untrained_policy()
    ask = {"max_steps": 60}
    found = [each for (each,) in policy_episodes(source(policy), "pusht/state", iter(range(4)), options=ask, batch=4)]
    measured = evaluate_policy(policy, "pusht/state", episodes=4, seed=0, batch=4, options=ask).records
    assert [(len(each), bool(each.meta["success"])) for each in found] == [(r.length, r.success) for r in measured]
    np.testing.assert_allclose([each.data["reward"].sum() for each in found], [r.episode_return for r in measured])


@pytest.mark.parametrize("task", [LIFT, "pusht/state", "gym/Pendulum-v1"])
def test_a_group_shares_its_rows_up_to_where_it_branches(task: str) -> None:
    policy = NearRest() if task == LIFT else Wanderer(task)
    options = SHORT | ({"perturbations": {"action_latency": 2, "observation_noise": 3}} if task == LIFT else {})
    groups = {
        workers: list(
            policy_episodes(source(policy), task, iter((3, 9, 4)), workers=workers, options=options, group=3, batch=4)
        )
        for workers in (1, 2)
    }
    assert [[e.digest() for e in g] for g in groups[1]] == [[e.digest() for e in g] for g in groups[2]]
    branched = []
    for number, group in enumerate(groups[1]):
        at = {episode.meta["branched_at"] for episode in group}
        assert len(at) == 1 and {episode.meta["group"] for episode in group} == {number}
        assert len({episode.meta["noise_seed"] for episode in group}) == 3
        (row,) = at
        branched.append(row)
        for name in group[0].data:
            for other in group[1:]:
                np.testing.assert_array_equal(group[0].data[name][:row], other.data[name][:row])
        assert all((group[0].data["action"][row] != other.data["action"][row]).any() for other in group[1:])
        for name in policy.spec.observation.names:  # the state, and not just the rows before it
            assert len({episode.data[name][row].tobytes() for episode in group}) == 1
        assert all(replays(task, episode, **options) for episode in group), "as if it had never been left"
    assert all(row % policy.spec.n_action_steps == 0 for row in branched) and len(set(branched)) > 1


def test_groups_of_both_outcomes_are_kept_and_numbered_whatever_the_workers() -> None:
    line = "gym/tests.sim.line_env:Line-v0"
    policy = Wanderer(line, reach=0.4)

    def kept(workers: int, **more: object) -> list[list[Episode]]:
        groups = policy_episodes(
            source(policy), line, iter(range(40)), workers=workers, group=4, first_group=7, batch=4, decisions=2, **more
        )
        return list(groups)

    every, mixed, again = kept(1), kept(1, mixed=True), kept(2, mixed=True)
    assert [[each.digest() for each in group] for group in mixed] == [[e.digest() for e in group] for group in again]
    assert 0 < len(mixed) < len(every) == 40
    assert {each.meta["branched_at"] for group in every for each in group} == {0, policy.spec.n_action_steps}
    for number, group in enumerate(mixed):
        assert {each.meta["group"] for each in group} == {7 + number} and len(group) == 4
        assert {bool(each.meta["success"]) for each in group} == {False, True}
    whole = {group[0].meta["seed"]: [each.data["action"].tobytes() for each in group] for group in every}
    assert all(whole[group[0].meta["seed"]] == [each.data["action"].tobytes() for each in group] for group in mixed)
    first_half = [[bool(each.meta["success"]) for each in group[:2]] for group in every]
    assert len(mixed) == sum(one != other for one, other in first_half), "given up where the first half ended alike"


def test_a_group_on_a_task_that_does_not_repeat_is_refused() -> None:
    task = "gym/tests.sim.restless_env:Restless-v0"
    with pytest.raises(InputError, match="another observation this time"):
        list(policy_episodes(source(Wanderer(task)), task, iter((1,)), group=2, batch=4))


def test_noise_on_actions_is_of_its_size_and_keeps_rotations_whole() -> None:
    spec = sim.make(LIFT).action_spec
    action = np.array([0.4, 0, 0.2, 1, 0, 0, 0, -1, 0, 0.04])
    noise, random = ActionNoise({"tcp.position": 0.01, "tcp.rotation": 0.2}), np.random.default_rng(0)
    noisy = np.array([noise.apply(spec, action, random) for _ in range(2000)])
    np.testing.assert_allclose(noisy[:, :3].std(axis=0), 0.01, rtol=0.1)
    first, second = noisy[:, 3:6], noisy[:, 6:9]
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-12)
    np.testing.assert_allclose((first * second).sum(axis=1), 0, atol=1e-12)
    turned = np.arccos(np.clip(first[:, 0], -1, 1))
    assert 0.2 < turned.mean() < 0.3  # two of the three components tilt the first column
    assert (noisy[:, 9] == 0.04).all() and action[0] == 0.4


@pytest.mark.parametrize("size", [-1.0, float("nan"), float("inf")])
def test_noise_of_no_size_and_of_no_field_is_refused(size: float) -> None:
    with pytest.raises(InputError, match=r"action_noise\.tcp\.position: expected a finite number"):
        ActionNoise({"tcp.position": size})
    with pytest.raises(InputError, match=r"Did you mean 'tcp\.position'"):
        record(sim.make(LIFT), 0, ActionNoise({"tcp.positon": 0.1}))
    with pytest.raises(InputError, match=r"Did you mean 'tcp\.position'"):
        next(policy_episodes(source(NearRest(), noise=ActionNoise({"tcp.positon": 0.1})), LIFT, count()))


def test_an_episode_of_a_drawer_to_be_closed_is_told_so() -> None:
    class Held(Wanderer):
        def __init__(self) -> None:
            super().__init__("twin/drawer")

        def sample(self, observation: Any, *, task: Any, seeds: Any, **_: Any) -> np.ndarray:
            return np.tile(np.array([0.4, 0, 0.3, 1, 0, 0, 0, -1, 0, 0.04]), (len(seeds), 1, 8, 1))

    episodes = [
        each for (each,) in policy_episodes(source(Held()), "twin/drawer", iter(range(6)), options={"max_steps": 4})
    ]
    told = {(each.meta["instruction"], bool(each.data["drawer.wanted"][0, 0] > 0)) for each in episodes}
    assert told == {("pull the drawer open", True), ("push the drawer shut", False)}
