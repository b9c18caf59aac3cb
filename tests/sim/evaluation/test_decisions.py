"""Decisions that rollouts hand out: whole, repeatable to the bit, and of no influence on what they tell of."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import sim
from robot.control.ensembling import TemporalEnsemble
from robot.control.runner import ChunkRunner, query_seed
from robot.errors import InputError
from sim.evaluation.decisions import DecisionRecord, decided_again
from sim.evaluation.env_runner import EnvConfig
from sim.evaluation.experience import decisions
from sim.evaluation.order import Order, orders
from sim.evaluation.rollout import evaluate_policy
from sim.evaluation.rounds import Rollout
from sim.evaluation.session import EnvSession
from sim.statistics.records import EpisodeRecord
from tests.sim.evaluation.test_rollout import children
from tests.sim.untrained_policy import untrained_policy
from tests.sim.wanderer import Wanderer

TASK, SHORT = "pusht/state", {"max_steps": 40}


def rolled_out(
    policy: Any, episodes: int | None, *, environments: int = 4, batch: int = 4, seed: int = 7, **more: Any
) -> tuple[list[DecisionRecord], list[EpisodeRecord]]:
    """All decisions and records of a rollout on PushT; the first 6 episodes where `episodes` is None."""
    runner = {key: more.pop(key) for key in ("n_action_steps", "ensemble", "delay_steps") if key in more}
    decisions: list[DecisionRecord] = []
    records: list[EpisodeRecord] = []

    def ended(order: Order, record: EpisodeRecord) -> None:
        records.append(record)
        if episodes is None and len(records) >= 6:
            rollout.stop()

    rollout = Rollout(
        policy,
        EnvConfig(TASK, SHORT, policy.spec.observation.names, 2, traced=True),
        [
            EnvSession(env, ChunkRunner(policy.spec, **runner), orders(seed, env, environments, episodes))
            for env in range(environments)
        ],
        batch=batch,
        on_episode=ended,
        on_decision=decisions.append,
        **more,
    )
    rollout.run(2)
    return decisions, records


@pytest.mark.parametrize(
    "execution",
    [{}, {"n_action_steps": 3}, {"ensemble": TemporalEnsemble(0.1, every=2)}, {"delay_steps": 3}],
    ids=str,
)
def test_decisions_tell_the_whole_episode_and_repeat_to_the_bit(execution: dict[str, Any]) -> None:
    policy = untrained_policy()
    decisions, records = rolled_out(policy, 4, **execution)
    plain = evaluate_policy(
        policy, TASK, episodes=4, seed=7, batch=4, environments=4, options=SHORT, workers=2, **execution
    )
    assert sorted(record.result for record in records) == sorted(record.result for record in plain.records)
    by_episode: dict[int, list[DecisionRecord]] = defaultdict(list)
    for each in decisions:
        by_episode[each.order.seed].append(each)
    for seed, told in by_episode.items():
        assert [each.request.number for each in told] == list(range(len(told)))
        assert [each.request.seed for each in told] == [query_seed(seed, number) for number in range(len(told))]
        actions = np.concatenate([each.executed for each in told])
        rows = {name: np.concatenate([each.trace.rows[name] for each in told]) for name in told[0].trace.rows}
        rewards = np.concatenate([each.trace.reward for each in told])
        env = sim.make(TASK, **SHORT)
        observation, _ = env.reset(seed=seed)
        for row, action in enumerate(actions):
            for name, value in observation.items():
                np.testing.assert_array_equal(value, rows[name][row])
            observation, reward, terminated, truncated, _ = env.step(action)
            assert rewards[row] == np.float32(reward)
        assert (terminated, truncated) == (told[-1].trace.terminated[-1], told[-1].trace.truncated[-1]) == (False, True)
        assert not any(each.trace.truncated[:-1].any() for each in told)
        for name, value in told[-1].trace.last.items():
            np.testing.assert_array_equal(value, observation[name])
        for before, after in pairwise(told):
            for name, window in before.next_window.items():
                np.testing.assert_array_equal(window, after.request.window[name])
    for each in decisions:
        again = decided_again(policy, each)
        np.testing.assert_array_equal(again.chunk, each.decision.chunk)
        assert each.decision.noise is not None
        np.testing.assert_array_equal(again.noise, each.decision.noise)


def test_an_endless_supply_ends_when_it_is_told_to() -> None:
    decisions, records = rolled_out(Wanderer(TASK), None)
    assert 6 <= len(records) < 12 and {record.length for record in records} == {40}
    assert len({record.seed for record in records}) == len(records)
    assert all(each.episode.length <= 40 for each in decisions)


def test_the_seed_of_the_noise_and_the_seed_of_the_start_come_apart() -> None:
    policy = untrained_policy()

    def first_rows(noise_seeds: list[int | None]) -> list[DecisionRecord]:
        decisions: list[DecisionRecord] = []
        supply = (Order(4 * number, 3, noise) for number, noise in enumerate(noise_seeds))
        Rollout(
            policy,
            EnvConfig(TASK, SHORT, policy.spec.observation.names, 2, traced=True),
            [EnvSession(0, ChunkRunner(policy.spec), supply)],
            batch=4,
            on_decision=decisions.append,
        ).run(1)
        return decisions

    decisions = first_rows([None, 3, 4])
    starts = [each for each in decisions if each.request.number == 0]
    for each in starts[1:]:
        for name, window in each.request.window.items():
            np.testing.assert_array_equal(window, starts[0].request.window[name])
    np.testing.assert_array_equal(starts[0].executed, starts[1].executed, "the seed of the start is its default")
    assert (starts[0].executed != starts[2].executed).any()


def test_orders_count_on_without_an_end() -> None:
    endless, some = orders(5, 1, 3), orders(5, 1, 3, 8)
    assert [order.seed for order, _ in zip(endless, range(4))] == [6, 9, 12, 15]
    assert [(order.number, order.noise) for order in some] == [(1, 6), (4, 9), (7, 12)]


def test_decisions_come_one_by_one_and_closing_them_ends_the_workers() -> None:
    stream = decisions(Wanderer(TASK), TASK, seed=3, options=SHORT, batch=4)
    before = children()
    first = [next(stream) for _ in range(9)]
    assert len({each.order.seed for each in first}) == 4 and len(children()) == len(before) + 1
    stream.close()
    assert children() == before
    whole = list(
        decisions(Wanderer(TASK), TASK, seed=3, episodes=3, options=SHORT, batch=4, n_action_steps=8, save=True)
    )
    assert len(whole) == 3 * 5 and {each.order.seed for each in whole} == {3, 4, 5}
    assert all(each.branch is not None and each.branch.runner.plans == each.request.number for each in whole)


def test_decisions_of_environments_that_tell_no_steps_are_refused() -> None:
    policy = Wanderer(TASK)
    with pytest.raises(InputError, match="on_decision: expected a traced EnvConfig"):
        Rollout(policy, EnvConfig(TASK, {}, ("state",), 1), [], batch=4, on_decision=lambda record: None)
