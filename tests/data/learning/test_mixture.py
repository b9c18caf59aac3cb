"""Several datasets behind one order, and episodes that come more often: shares and weights hold in every epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.learning.episode_weights import episode_returns, expected_returns, make_order, weights_of
from data.learning.sources.mixture import Mixture
from data.learning.sources.weighted import Weighted
from data.learning.split import split_episodes
from data.learning.windows import Batch, Windows
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import GROUP, REWARD, SUCCESS
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError

ACTION = ActionSpec((ActionField("tip", 1, "m", "native"),), 0.1)
SEEN = ObservationSpec((ObservationField("tip.position", (1,), "float32", "m", "pose"),))


class Spec:
    observation, horizon = SEEN, 3


class Numbers:
    """Windows that are their own numbers, `per` of each episode."""

    def __init__(self, count: int, per: int = 1) -> None:
        self.count, self.per = count, per

    def __len__(self) -> int:
        return self.count

    def gather(self, windows: np.ndarray) -> Batch:
        numbers = windows.astype(np.float32)
        return Batch(
            {"x": numbers[:, None]}, numbers[:, None, None], np.zeros((len(windows), 1), bool), windows // self.per
        )

    def order(self, generator: np.random.Generator) -> np.ndarray:
        return generator.permutation(self.count)

    def shuffled(self, windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return generator.permutation(windows)

    @property
    def episode_of(self) -> np.ndarray:
        return np.arange(self.count) // self.per


@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.data())
@settings(deadline=None, max_examples=60)
def test_members_come_in_their_shares_in_every_batch(lengths: list[int], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.05, 5), min_size=len(lengths), max_size=len(lengths)))
    mixture = Mixture([Numbers(n) for n in lengths], weights, np.cumsum([0, *lengths])[:-1].tolist())
    order = mixture.order(np.random.default_rng(0))
    starts = np.cumsum([0, *lengths])
    assert len(order) == len(mixture) == starts[-1]
    of = np.searchsorted(starts, order, side="right") - 1
    share = np.array(weights) / sum(weights)
    assert np.abs(np.bincount(of, minlength=len(lengths)) - share * len(order)).max() < 1
    for first in range(0, len(order) - 8, 8):
        counts = np.bincount(of[first : first + 8], minlength=len(lengths))
        expected = mixture.counts / len(order)
        assert (np.abs(counts - 8 * expected) <= 1 + expected * len(lengths)).all()
    for member, length in enumerate(lengths):  # all of a member before one comes again
        own = order[of == member] - starts[member]
        for first in range(0, len(own), length):
            assert len(np.unique(own[first : first + length])) == len(own[first : first + length])


def test_without_weights_every_window_comes_once() -> None:
    mixture = Mixture([Numbers(7), Numbers(20)], None, [0, 7])
    assert sorted(mixture.order(np.random.default_rng(3))) == list(range(27))


def test_a_gathered_batch_keeps_its_order_and_tells_episodes_apart() -> None:
    mixture = Mixture([Numbers(6, per=2), Numbers(4, per=2)], None, [0, 10])
    batch = mixture.gather(np.array([9, 0, 5, 6, 9]))
    assert batch.action[:, 0, 0].tolist() == [3, 0, 5, 0, 3]
    assert batch.episode.tolist() == [11, 0, 2, 10, 11]
    assert mixture.episode_of.tolist() == [0, 0, 1, 1, 2, 2, 10, 10, 11, 11]
    with pytest.raises(InputError, match=r"0 to 9"):
        mixture.gather(np.array([10]))


@given(st.lists(st.floats(0, 10), min_size=3, max_size=12), st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_windows_come_as_often_as_their_weight_says(weights: list[float], seed: int) -> None:
    if sum(weights) < 1e-6:
        weights[0] = 1.0
    source = Weighted(Numbers(4 * len(weights), per=4), np.array(weights))
    order = source.order(np.random.default_rng(seed))
    expected = len(source) * np.repeat(weights, 4) / np.repeat(weights, 4).sum()
    counts = np.bincount(order, minlength=len(source))
    assert len(order) == len(source) and (np.abs(counts - expected) < 1 + 1e-9).all()


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, float("nan")], [1.0, -1.0], [1.0, float("inf")]])
def test_weights_that_nothing_can_be_drawn_by_are_refused(weights: list[float]) -> None:
    with pytest.raises(InputError, match=r"weights.*2 finite numbers"):
        Weighted(Numbers(2), np.array(weights))
    with pytest.raises(InputError, match=r"mixture: weights.*2 finite numbers above 0"):
        Mixture([Numbers(2), Numbers(2)], weights, [0, 2])


def test_a_mixture_wants_a_weight_of_each_member_and_a_member() -> None:
    with pytest.raises(InputError, match=r"2 finite numbers"):
        Mixture([Numbers(2), Numbers(2)], [1.0], [0, 2])
    with pytest.raises(InputError, match=r"at least one dataset"):
        Mixture([], None, [])


def store(path: Path, returns: list[float], groups: list[int] | None = None, reward: bool = True) -> Dataset:
    """Episodes of four rows that start at their return times ten, give or take."""
    facts = (SUCCESS, GROUP) if groups is not None else (SUCCESS,)
    columns = (REWARD,) if reward else ()
    schema = Schema(SEEN, ACTION, 0.1, facts, (), columns)
    random = np.random.default_rng(0)
    with Dataset.create(path, schema) as dataset:
        for number, value in enumerate(returns):
            x = (10 * value + random.normal(0, 0.01, (4, 1))).astype(np.float32)
            data = {"tip.position": x, "action": x}
            if reward:
                data["reward"] = np.array([0, 0, 0, value], np.float32)
            meta = {"success": value > 0.5, **({"group": groups[number]} if groups is not None else {})}
            dataset.append(Episode(data=data, meta=meta))
    return Dataset.open(path)


def test_returns_are_sums_of_rewards_or_successes(tmp_path: Path) -> None:
    assert episode_returns(store(tmp_path / "a", [0.2, 1.0, 0.7])) == pytest.approx([0.2, 1.0, 0.7])
    assert episode_returns(store(tmp_path / "b", [0.2, 1.0, 0.7], reward=False)).tolist() == [0, 1, 1]


def test_orders_weigh_episodes_as_the_paper_does(tmp_path: Path) -> None:
    data = store(tmp_path / "a", [0.0, 1.0, 0.5])
    weights = weights_of(data, make_order({"name": "return_weighted", "temperature": 0.1}))
    assert weights is not None and weights / weights[0] == pytest.approx(np.exp([0, 10, 5]))
    assert weights_of(data, make_order({"name": "top", "share": 0.34})).tolist() == [0, 1, 0]  # type: ignore[union-attr]
    assert weights_of(data, make_order({"name": "uniform"})) is None
    assert weights_of(data, make_order({"name": "fact", "key": "success"})).tolist() == [0, 1, 0]  # type: ignore[union-attr]
    for order, named in (
        ({"name": "return_weighted", "temperature": 0.0}, "temperature"),
        ({"name": "top", "share": 0.0}, "share"),
        ({"name": "fact", "key": "successs"}, "success"),
        ({"name": "fact"}, "key"),
        ({"name": "uniform", "share": 1.0}, "share"),
    ):
        with pytest.raises(InputError, match=named):
            weights_of(data, make_order(order))


def test_an_advantage_is_what_the_start_does_not_explain(tmp_path: Path) -> None:
    """Where starts decide returns no episode is better than it had to be; within a group only luck and choice are."""
    random = np.random.default_rng(0)
    returns = random.random(60)
    lucky = np.zeros(60)
    lucky[7] = 0.4
    data = store(tmp_path / "a", returns.tolist())
    starts = np.array([data.read("tip.position", 4 * e, 4 * e + 1)[0] for e in range(60)], np.float64)
    gained = returns + lucky - expected_returns(returns + lucky, np.full(60, -1), starts)
    assert np.argmax(gained) == 7 and np.abs(np.delete(gained, 7)).max() < 0.1 < gained[7]
    groups = np.array([0, 0, 0, 1, 1])
    expected = expected_returns(np.array([1.0, 0, 0, 1, 1]), groups, np.zeros((5, 0)))
    assert expected.tolist() == [0, 0.5, 0.5, 1, 1]


def test_leaving_one_out_is_done_without_doing_it() -> None:
    random = np.random.default_rng(1)
    starts, returns = random.normal(size=(12, 2)), random.normal(size=12)
    fast = expected_returns(returns, np.full(12, -1), starts)
    for left in range(12):
        changed = returns.copy()
        changed[left] += 100  # what an episode earned itself has no say in what it was to earn
        assert expected_returns(changed, np.full(12, -1), starts)[left] == pytest.approx(fast[left], abs=1e-6)


def test_groups_are_held_out_whole() -> None:
    groups = np.array([-1, 0, 0, 0, 1, 1, 1, -1, 2, 2, 2])
    for seed in range(20):
        training, held_out = split_episodes(11, 0.4, seed, groups)
        assert sorted([*training, *held_out]) == list(range(11)) and len(held_out)
        assert not set(groups[training][groups[training] >= 0]) & set(groups[held_out][groups[held_out] >= 0])
    plain = [part.tolist() for part in split_episodes(11, 0.4, 3)]
    assert [part.tolist() for part in split_episodes(11, 0.4, 3, np.full(11, -1))] == plain


def test_windows_of_a_store_are_weighted_by_their_episodes(tmp_path: Path) -> None:
    windows = Windows(store(tmp_path / "a", [0.0, 1.0, 0.5]), Spec(), np.array([0, 2]))
    assert windows.episode_of.tolist() == [0] * 4 + [2] * 4
    order = Weighted(windows, np.array([1.0, 0.0, 3.0])).order(np.random.default_rng(0))
    assert np.bincount(order // 4).tolist() == [2, 6]
