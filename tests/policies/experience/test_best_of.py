"""The value of the best of what a frozen policy draws, on tasks where it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.strategies import DataObject, booleans, data, integers, lists, tuples

from policies.critics.names import CANDIDATES, DISCOUNT, KNOWN, PLAN, RETURN, REWARD
from policies.experience.batches import Experience
from policies.model.batch import TensorBatch
from robot.errors import InputError
from tests.policies.experience.replays import GAMMA, K, add_episode, empty, learn, learner, values


def test_a_time_limit_is_no_end() -> None:
    """One state, a reward of .02 a step, cut off after ten steps: the value is that of no end, not of ten steps."""
    replay = empty(candidates=1)
    for seed in range(20):
        add_episode(replay, [0.0] * 5, rewards=[[0.02] * K] * 5, terminated=False, seed=seed)
    made, experience = learner(replay)
    learn(made, experience, 1500)
    endless, ten = 0.02 / (1 - GAMMA), 0.02 * (1 - GAMMA**10) / (1 - GAMMA)
    value = values(made, 0.0, 1)[0]
    assert value == pytest.approx(endless, abs=0.02) and abs(value - endless) < abs(value - ten) / 2


def test_success_inside_a_chunk_counts_its_steps() -> None:
    """A chunk that succeeds in its second row is worth gamma, one that succeeds in its first row 1."""
    replay = empty()
    for seed in range(20):
        add_episode(replay, [0.0], rewards=[[0, 1]], terminated=True, chosen=[1], seed=seed)
        add_episode(replay, [0.0], rewards=[[1, 0]], lengths=[1], terminated=True, chosen=[2], seed=100 + seed)
    made, experience = learner(replay)
    learn(made, experience, 600)
    assert values(made, 0.0)[1] == pytest.approx(GAMMA, abs=0.05)
    assert values(made, 0.0)[2] == pytest.approx(1.0, abs=0.05)


def test_the_best_of_the_next_candidates_is_what_follows() -> None:
    """At place 1 only chunk 2 ends well; at place 0 nothing was ever chosen well, but what follows can be."""
    replay = empty()
    for seed in range(20):
        for second, reward in ((0, 0), (1, 0), (2, 1)):
            add_episode(
                replay, [0.0, 1.0], rewards=[[0, 0], [0, reward]], terminated=True, chosen=[0, second], seed=seed
            )
    made, experience = learner(replay)
    learn(made, experience, 1500)
    assert values(made, 1.0).argmax() == 2 and values(made, 1.0)[2] == pytest.approx(GAMMA, abs=0.08)
    assert values(made, 0.0)[0] == pytest.approx(GAMMA ** (K + 1), abs=0.1), "gamma to the k of its rows"
    assert values(made, 1.0)[:2].max() < 0.2


def test_failures_that_were_cut_off_are_worth_nothing() -> None:
    replay = empty()
    for seed in range(10):
        add_episode(replay, [0.0, 0.0, 0.0], rewards=[[0, 0]] * 3, terminated=False, seed=seed)
    made, experience = learner(replay)
    learn(made, experience, 300)
    assert values(made, 0.0)[0] < 0.1


def test_batches_say_what_came_next() -> None:
    replay = empty()
    add_episode(replay, [0.0, 1.0], rewards=[[0, 0], [0, 1]], terminated=True, chosen=[1, 2])
    add_episode(replay, [2.0, 3.0], rewards=[[0, 0], [0, 0]], terminated=False, lengths=[2, 1], chosen=[0, 2])
    experience = Experience(replay, GAMMA)
    experience.refresh()
    assert experience.decisions.tolist() == [0, 1, 2, 3] and len(replay) == 5, "the cut is no decision"
    assert experience.steps() == 7 and experience.steps(2) == 3
    batch = experience.batch(np.arange(4))
    columns = {name: value.numpy() for name, value in batch.columns.items()}
    np.testing.assert_array_equal(columns[KNOWN], [1, 1, 1, 1])
    np.testing.assert_allclose(columns[REWARD], [0, GAMMA, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(columns[DISCOUNT], [GAMMA**2, 0, GAMMA**2, GAMMA], rtol=1e-6)
    np.testing.assert_allclose(columns[RETURN], [GAMMA**3, GAMMA, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(columns[PLAN], columns[CANDIDATES][:, 0])
    assert not batch.is_pad.any(), "a chunk is chosen as a whole"
    np.testing.assert_array_equal(batch.action[:, 0].numpy(), columns[CANDIDATES][np.arange(4), [1, 2, 0, 2], 0])
    np.testing.assert_array_equal(batch.action[3].numpy(), columns[CANDIDATES][3, 2], "also where one row was executed")
    assert batch.following is not None
    following = batch.following.columns[CANDIDATES].numpy()
    np.testing.assert_array_equal(following[[0, 2]], columns[CANDIDATES][[1, 3]])
    np.testing.assert_array_equal(following[3], replay.column("candidates", np.array([4]))[0, :, :K])
    np.testing.assert_array_equal(batch.following.observation["place"][:, 0, 0], [1, 1, 3, 3])


def test_shuffled_outcomes_teach_nothing() -> None:
    replay = empty()
    for seed in range(600):
        chosen = seed % 3
        add_episode(
            replay, [0.0], rewards=[[0, float(chosen == 2)]], terminated=chosen == 2, chosen=[chosen], seed=seed
        )
    made, experience = learner(replay)
    learn(made, experience, 400)
    # One that fails leads to the same place again, where the best is to be had: gamma^2 of it.
    assert values(made, 0.0)[2] - values(made, 0.0)[:2].max() == pytest.approx(GAMMA * (1 - GAMMA**2), abs=0.05)
    control, dealt = learner(replay, shuffled=0)
    learn(control, dealt, 400)
    assert abs(values(control, 0.0)[2] - values(control, 0.0)[:2].max()) < 0.08
    successes = [float(each.batch(np.arange(len(replay))).columns[REWARD].gt(0).sum()) for each in (experience, dealt)]
    assert successes[0] == successes[1] == 200, "as many, of others"


def test_cached_candidates_are_fresh_ones_in_distribution() -> None:
    """Targets by the candidates that were kept, and by others drawn anew from the same policy, are alike on average."""
    replay = empty()
    for seed in range(200):
        add_episode(replay, [0.0, 1.0], rewards=[[0, 0], [0, seed % 2]], terminated=bool(seed % 2), seed=seed)
    made, experience = learner(replay)
    learn(made, experience, 200)
    other = empty()
    for seed in range(200):
        add_episode(other, [0.0, 1.0], rewards=[[0, 0], [0, seed % 2]], terminated=bool(seed % 2), seed=1000 + seed)
    drawn = Experience(other, GAMMA)
    drawn.refresh()
    first = experience.decisions[::2]
    goals = [following(made, each.batch(first)) for each in (experience, drawn)]
    error = np.hypot(*[each.std() / np.sqrt(len(each)) for each in goals])
    assert abs(goals[0].mean() - goals[1].mean()) < 4 * error + 1e-4
    assert goals[0].std() == pytest.approx(goals[1].std(), rel=0.4)


def following(made: object, batch: TensorBatch) -> np.ndarray:
    from policies.critics.bootstrapped import Lesson
    from policies.experience.learner import ChunkLearner

    assert isinstance(made, ChunkLearner) and batch.following is not None
    model = made.model
    here, rows = model.executed(batch)
    there = model.at(batch.following.observation, None, batch.following.columns[PLAN])
    assert model.learning is not None
    lesson = Lesson(batch, here, there, rows, torch.zeros(2, len(batch)), torch.Generator().manual_seed(0))
    with torch.no_grad():
        goals: np.ndarray = model.learning.following(model, lesson).numpy()
    return goals


def test_a_restored_learner_goes_on_to_the_same_bits() -> None:
    replay = empty()
    for seed in range(30):
        add_episode(replay, [0.0, 1.0], rewards=[[0, 0], [0, seed % 2]], terminated=bool(seed % 2), seed=seed)
    made, experience = learner(replay)
    learn(made, experience, 20)
    kept, numbers = made.tensors(), made.numbers()
    again, _ = learner(replay)
    again.restore(kept, numbers)
    for each in (made, again):
        each.begin(1)
        learn(each, experience, 20)
    for name, tensor in made.tensors().items():
        torch.testing.assert_close(tensor, again.tensors()[name], rtol=0, atol=0)


def test_a_replay_without_candidates_is_refused() -> None:
    with pytest.raises(InputError, match="candidates"):
        Experience(empty(candidates=0), GAMMA)


@given(data())
def test_several_decisions_are_summed_as_by_hand(draw: DataObject) -> None:
    """R, what it is bootstrapped from and by how much, for episodes of any length, ended or cut off."""
    replay, n = empty(), draw.draw(integers(1, 5))
    episodes = draw.draw(lists(tuples(integers(1, 5), booleans()), min_size=1, max_size=4))
    steps: list[list[tuple[int, list[float]]]] = []
    for seed, (decisions, terminated) in enumerate(episodes):
        lengths = draw.draw(lists(integers(1, K), min_size=decisions, max_size=decisions))
        rewards = np.random.default_rng(seed).random((decisions, K)) / K * (np.arange(K) < np.array(lengths)[:, None])
        add_episode(
            replay, [0.0] * decisions, rewards=rewards.tolist(), terminated=terminated, lengths=lengths, seed=seed
        )
        steps.append([(length, row[:length].tolist()) for length, row in zip(lengths, rewards)])
    experience = Experience(replay, GAMMA, n_steps=n)
    experience.refresh()
    batch = experience.batch(experience.decisions)
    row = 0
    for (decisions, terminated), own in zip(episodes, steps):
        for first in range(decisions):
            part = own[first : first + n]
            flat = [reward for _, rewards in part for reward in rewards]
            ends = first + n >= decisions and terminated
            assert float(batch.columns[REWARD][row]) == pytest.approx(
                sum(GAMMA**j * reward for j, reward in enumerate(flat)), rel=1e-5, abs=1e-6
            )
            assert float(batch.columns[DISCOUNT][row]) == pytest.approx(0 if ends else GAMMA ** len(flat), rel=1e-5)
            assert float(batch.columns[KNOWN][row]) == 1
            row += 1


def test_rewards_that_are_no_success_are_refused() -> None:
    for rewards in ([[2.0, 0]], [[-1.0, 0]], [[0.7, 0.7]]):
        replay = empty()
        add_episode(replay, [0.0], rewards=rewards, terminated=True)
        with pytest.raises(InputError, match="rewards to learn from"):
            Experience(replay, GAMMA).refresh()
