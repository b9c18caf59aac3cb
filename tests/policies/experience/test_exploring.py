"""How a frozen policy acts while it is learnt from."""

from __future__ import annotations

import numpy as np
import pytest

from policies.experience.exploring import ANY, ZERO, Exploring
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_noise.noise import fixed_noises
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.choosing import RandomChoice
from robot.description import Query
from robot.errors import InputError
from tests.policies.points import make_policy, observe, write_store

SEEDS = [3, 1, 4, 1, 5, 9, 2, 6]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> DiffusionPolicy:
    store = write_store(tmp_path_factory.mktemp("exploring") / "store")
    network = {"name": "mlp", "width": 16, "depth": 1}
    return make_policy(store, PolicyRecipe(network=network, horizon=6, n_action_steps=3))


def query(policy: DiffusionPolicy, rows: int = 8, first: int = 0) -> Query:
    return Query(observe(policy, rows), seeds=[seed + first for seed in SEEDS[:rows]])


def numbered(query: Query, chunks: np.ndarray) -> np.ndarray:
    """A scorer that likes the third chunk best."""
    return np.tile(np.arange(chunks.shape[1]) == 2, (len(chunks), 1)).astype(float)


def test_the_first_candidate_is_the_zero_noise_plan(policy: DiffusionPolicy) -> None:
    decision = Exploring(policy, samples=4, scale=0.5).answer(query(policy))
    zero = NoiseScaled(policy, noise_scale=0.0).sample(observe(policy, 8), seeds=SEEDS)
    assert decision.candidates is not None and decision.candidates.shape[:3] == (8, 1, 4)
    np.testing.assert_allclose(decision.candidates[:, 0, 0], zero[:, 0], atol=1e-5)
    spread = decision.candidates[:, 0, 1:].std(axis=1).mean()
    assert spread > 1e-3, "the others are drawn"


def test_nothing_known_is_the_rung_below(policy: DiffusionPolicy) -> None:
    zero = Exploring(policy, samples=4, otherwise=ZERO).answer(query(policy))
    assert zero.index is not None and not zero.index.any()
    chosen = np.concatenate(
        [
            Exploring(policy, samples=4, otherwise=ANY).answer(query(policy, first=10 * number)).index  # type: ignore[list-item]
            for number in range(40)
        ]
    )
    counts = np.bincount(chosen.ravel(), minlength=4)
    assert counts[0] == 0 and (counts[1:] > 0.2 * counts.sum()).all(), "any of those that were drawn, alike"


def test_a_scorer_decides_its_share(policy: DiffusionPolicy) -> None:
    whole = Exploring(policy, samples=4, scorer=numbered, greedy=1.0, temperature=0).answer(query(policy))
    assert whole.index is not None and (whole.index == 2).all()
    np.testing.assert_array_equal(whole.value, 1.0)
    assert whole.candidates is not None
    np.testing.assert_array_equal(whole.chunk[:, 0], whole.candidates[:, 0, 2])
    half = [
        Exploring(policy, samples=4, scorer=numbered, greedy=0.5, temperature=0).answer(
            query(policy, first=10 * number)
        )
        for number in range(40)
    ]
    share = np.mean([each.index == 2 for each in half if each.index is not None])
    assert 0.4 < share < 0.6, "else the zero-noise plan"


def test_values_that_are_no_numbers_are_the_lowest(policy: DiffusionPolicy) -> None:
    def broken(query: Query, chunks: np.ndarray) -> np.ndarray:
        values = np.full(chunks.shape[:2], np.nan)
        values[:, 1] = -5
        return values

    decision = Exploring(policy, samples=4, scorer=broken, greedy=1.0, temperature=0).answer(query(policy))
    assert decision.index is not None and (decision.index == 1).all()


def test_the_seed_of_the_row_decides(policy: DiffusionPolicy) -> None:
    exploring = Exploring(policy, samples=4, scorer=numbered, temperature=1.0)
    first, again = exploring.answer(query(policy)), exploring.answer(query(policy))
    np.testing.assert_array_equal(first.chunk, again.chunk)
    np.testing.assert_array_equal(first.index, again.index)


def test_fixed_noises_are_those_of_the_codebook(policy: DiffusionPolicy) -> None:
    assert policy.noise_shape is not None
    noises = fixed_noises(policy.noise_shape, entries=4, scale=0.5, seed=7)
    decision = Exploring(policy, samples=4, noises=noises).answer(query(policy))
    given = policy.sample(observe(policy, 8), noise=np.tile(noises, (8, 1, 1, 1)), samples=4)
    assert decision.candidates is not None
    np.testing.assert_array_equal(decision.candidates[:, 0], given)
    np.testing.assert_array_equal(noises[0], 0)


def test_what_cannot_be_explored_is_refused(policy: DiffusionPolicy) -> None:
    with pytest.raises(InputError, match="chooses among chunks"):
        Exploring(RandomChoice(policy))
    with pytest.raises(InputError, match="2 or more"):
        Exploring(policy, samples=1, otherwise=ANY)
    with pytest.raises(InputError, match="noises"):
        Exploring(policy, samples=4, noises=np.zeros((3, 6, 2), np.float32))
    with pytest.raises(InputError, match="otherwise"):
        Exploring(policy, otherwise="nothing")
