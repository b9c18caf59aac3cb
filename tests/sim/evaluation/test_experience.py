"""Decisions of rollouts in a replay: whole, linked, and what learning draws of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.learning.replay.demonstrations import add_episodes
from data.learning.replay.replay import Replay
from data.learning.replay.schema import DEMONSTRATION, ReplaySchema
from data.learning.replay.transitions import transitions
from data.store.dataset import Dataset
from data.store.names import REWARD, SUCCESS, TERMINATED
from data.store.schema import Schema
from robot.errors import InputError
from sim.evaluation.decisions import DecisionRecord
from sim.evaluation.experience import Experience, decisions
from tests.policies.points import episode
from tests.policies.points import schema as points
from tests.sim.wanderer import Wanderer

TASK, SHORT = "pusht/state", {"max_steps": 21}


@pytest.fixture(scope="module")
def records() -> list[DecisionRecord]:
    return list(decisions(Wanderer(TASK), TASK, seed=3, episodes=5, options=SHORT, n_action_steps=8, batch=3))


def filled(records: list[DecisionRecord], **changes: Any) -> Replay:
    policy = Wanderer(TASK)
    replay = Replay(ReplaySchema.of(policy.spec, rows=8, **changes), 100)
    experience = Experience(replay, version=4)
    for record in records:
        experience.add(record)
    return replay


def test_decisions_come_back_as_they_were_made(records: list[DecisionRecord]) -> None:
    replay = filled(records)
    assert len(replay) == len(records) == 5 * 3
    whole = replay.read(np.arange(len(replay)), core=False)
    for row, record in zip(whole, records):
        k = len(record.executed)
        assert row["length"] == k and row["version"] == 4
        np.testing.assert_array_equal(row["executed"][:k], record.executed.astype(np.float32))
        np.testing.assert_array_equal(row["reward"][:k], record.trace.reward.astype(np.float32))
        np.testing.assert_array_equal(row["planned"], record.decision.chunk[0].astype(np.float32))
        assert (row["terminated"], row["truncated"]) == (record.trace.terminated[-1], record.trace.truncated[-1])
        for name, value in record.request.window.items():
            np.testing.assert_array_equal(row["window." + name], np.asarray(value, row["window." + name].dtype))


def test_a_decision_is_followed_by_the_next_one_of_its_episode(records: list[DecisionRecord]) -> None:
    replay = filled(records)
    following = replay.following(np.arange(len(replay)))
    for row, record in enumerate(records):
        after = [
            number
            for number, other in enumerate(records)
            if other.order.seed == record.order.seed and other.request.number == record.request.number + 1
        ]
        assert following[row] == (after[0] if after else -1)
        if after:
            seen = transitions(replay, np.array([row, after[0]]), gamma=0.9)
            for name in seen.observation:
                np.testing.assert_array_equal(seen.next_observation[name][0], seen.observation[name][1])
    whole = transitions(replay, np.flatnonzero([r.request.number == 0 for r in records]), gamma=1.0, n_steps=10)
    assert sorted(whole.reward) == pytest.approx(
        sorted(sum(r.trace.reward.sum() for r in records if r.order.seed == seed) for seed in range(3, 8))
    )


def test_a_replay_of_fewer_rows_refuses_longer_decisions(records: list[DecisionRecord]) -> None:
    replay = Replay(ReplaySchema.of(Wanderer(TASK).spec, rows=4), 10)
    with pytest.raises(InputError, match=r"rows: expected 8 or more"):
        Experience(replay).add(records[0])


def test_recorded_episodes_are_decisions_at_every_row(tmp_path: Path) -> None:
    plain = points()
    schema = Schema(plain.observation, plain.action, plain.period_s, (SUCCESS,), (), (REWARD, TERMINATED))
    with Dataset.create(tmp_path / "store", schema) as dataset:
        for seed, done in ((0, True), (1, False)):
            made = episode(seed, 11)
            ended = np.arange(11) == 10 if done else np.zeros(11, bool)
            data = {**made.data, "reward": np.arange(11, dtype=np.float32), "terminated": ended}
            dataset.append(replace(made, data=data, meta={"success": done}))
    data = Dataset.open(tmp_path / "store")
    spec = replace(Wanderer(TASK).spec, observation=plain.observation, action=plain.action, horizon=4, n_action_steps=4)
    replay = Replay(ReplaySchema.of(spec), 100)
    assert add_episodes(replay, data, spec) == 11 + 10
    first = transitions(replay, np.array([0, 7, 8, 10]), gamma=1.0)
    assert first.reward.tolist() == [0 + 1 + 2 + 3, 7 + 8 + 9 + 10, 8 + 9 + 10, 10]
    assert first.alive.tolist() == [1, 0, 0, 0] and (first.version == DEMONSTRATION).all()
    states = data.read("point.state", 0, 22)
    np.testing.assert_array_equal(first.observation["point.state"][:, 0], states[[0, 7, 8, 10]])
    np.testing.assert_array_equal(first.next_observation["point.state"][0, 0], states[4])
    assert replay.following(np.array([0, 3, 4, 8])).tolist() == [4, 7, 8, -1]
    cut = transitions(replay, np.arange(11, 21), gamma=1.0)
    assert cut.alive.all(), "an episode that was cut off might have gone on"
    assert cut.length.tolist() == [4] * 7 + [3, 2, 1]
    np.testing.assert_array_equal(cut.next_observation["point.state"][-4:, 0], states[[21] * 4])
    whole = transitions(replay, np.array([0]), gamma=1.0, n_steps=3)
    assert whole.reward.tolist() == [55.0] and whole.discount.tolist() == [1.0]
    with pytest.raises(InputError, match=r"every: expected a divisor of 4"):
        add_episodes(replay, data, spec, every=3)
