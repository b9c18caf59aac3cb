"""One noise for every decision, and the search for it: budgets, pairs, ties, and a winner that is measured afresh."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.by_noise.ticket import Ticket
from policies.steering.by_noise.tickets import SCALES, ZERO, Candidate, Round, draw_candidates, search
from robot.errors import InputError
from tests.policies.points import make_policy, observe

STARTS, FRESH = range(1000), range(5000, 5200)


@pytest.fixture(scope="module")
def policy(store: Path) -> DiffusionPolicy:
    network = {"name": "mlp", "width": 32, "depth": 1, "features": 16}
    observed = ("point.state", "goal")
    return make_policy(store, PolicyRecipe(network=network, observation=observed, horizon=6, n_action_steps=3))


def test_a_ticket_is_one_noise_for_every_row_sample_and_seed(policy: DiffusionPolicy) -> None:
    ticket, observation = Ticket(policy, seed=7, scale=0.5), observe(policy, 3)
    chunk = ticket.sample(observation, samples=2, seeds=[1, 2, 3])
    np.testing.assert_array_equal(chunk, ticket.sample(observation, samples=2, seeds=[4, 5, 6]))
    np.testing.assert_array_equal(chunk[:, 0], chunk[:, 1])
    drawn = policy.decide(observation, seeds=[7, 7, 7])
    np.testing.assert_array_equal(drawn.noise[0, 0] * np.float32(0.5), ticket.noise)
    half = NoiseScaled(policy, noise_scale=0.5).sample(observation, seeds=[7, 7, 7])
    np.testing.assert_allclose(chunk[:, :1], half, atol=1e-5)
    assert np.abs(Ticket(policy, seed=8, scale=0.5).sample(observation) - half).max() > 1e-3
    zero = NoiseScaled(policy, noise_scale=0.0).sample(observation)
    np.testing.assert_array_equal(Ticket(policy, seed=7, scale=0.0).sample(observation), zero)


def test_a_ticket_takes_no_other_noise(policy: DiffusionPolicy) -> None:
    ticket = Ticket(policy, seed=7)
    assert ticket.noise_shape is None and ticket.decide(observe(policy, 2)).noise is None
    with pytest.raises(InputError, match="noise for a ticket: expected none"):
        ticket.sample(observe(policy, 2), noise=np.zeros((2, 1, 6, 2)))
    for outside in (Ticket, NoiseScaled):
        with pytest.raises(InputError, match="one that always gives the same chunk"):
            outside(ticket)


class Rollouts:
    """Candidates that succeed from a start or not, by chances of their own; counts and keeps what was run."""

    def __init__(self, chances: dict[Candidate, float]) -> None:
        self.chances, self.runs = chances, []

    def __call__(self, candidates: Sequence[Candidate], starts: Sequence[int]) -> np.ndarray:
        self.runs.append((list(candidates), list(starts)))
        rows = [
            [np.random.default_rng([each.seed, round(100 * each.scale), start]).random() for start in starts]
            for each in candidates
        ]
        return np.array(rows) < np.array([[self.chances[each]] for each in candidates])


def test_the_usual_search_halves_thirty_two_to_one_on_paired_starts() -> None:
    candidates = draw_candidates(32, seed=0)
    assert candidates[0] == ZERO and {each.scale for each in candidates[1:]} == set(SCALES)
    rollouts, rounds = Rollouts(dict.fromkeys(candidates, 0.5)), list[Round]()
    rollouts.chances[candidates[17]] = 1.0
    result = search(rollouts, candidates, STARTS, FRESH, on_round=rounds.append)
    assert result.winner == candidates[17] and result.picked == (1.0, 128) and result.fresh.all()
    assert [(len(each), len(starts)) for each, starts in rollouts.runs] == [
        (32, 8), (16, 8), (8, 16), (4, 32), (2, 64), (2, 200),
    ]  # fmt: skip
    ran = [start for _, starts in rollouts.runs[:-1] for start in starts]
    assert ran == list(range(128)), "each round goes on from the starts of the one before"
    assert rollouts.runs[-1] == ([candidates[17], ZERO], list(FRESH))
    assert result.episodes == 32 * 8 + 16 * 8 + 8 * 16 + 4 * 32 + 2 * 64 + 400
    assert [(len(each.candidates), each.starts) for each in rounds] == [(32, 8), (16, 16), (8, 32), (4, 64), (2, 128)]
    assert tuple(rounds) == result.rounds and all(sorted(each.success)[::-1] == list(each.success) for each in rounds)


@given(st.integers(2, 40), st.integers(1, 9), st.integers(0, 10**6))
def test_no_candidate_that_always_succeeds_is_lost(count: int, first: int, seed: int) -> None:
    candidates = draw_candidates(count, seed=seed)
    best = candidates[seed % count]
    rollouts = Rollouts({each: 1.0 if each == best else 0.0 for each in candidates})
    result = search(rollouts, candidates, STARTS[: first * 64], FRESH, first)
    assert result.winner == best and result.fresh.all() and result.zero.all() == (best == ZERO)


def test_zero_noise_wins_a_tie_and_is_measured_once() -> None:
    candidates = draw_candidates(8, seed=3)
    result = search(Rollouts(dict.fromkeys(candidates, 1.0)), candidates, STARTS, FRESH)
    assert (result.winner == ZERO and result.fresh is result.zero) or np.array_equal(result.fresh, result.zero)
    assert result.episodes == 8 * 8 + 4 * 8 + 2 * 16 + 200


def test_the_score_at_which_a_winner_is_picked_is_too_high() -> None:
    """The winner's curse: all candidates are alike, and the best of 32 looks better than it is."""
    excess = []
    for seed in range(20):
        candidates = draw_candidates(32, seed=1000 * seed + 1)
        result = search(Rollouts(dict.fromkeys(candidates, 0.5)), candidates, STARTS, FRESH)
        excess.append(result.picked[0] - result.fresh.mean())
    assert np.mean(excess) > 0.03


def test_a_search_that_measures_nothing_is_refused() -> None:
    candidates, rollouts = draw_candidates(4, seed=0), Rollouts({})
    with pytest.raises(InputError, match="zero noise among them"):
        search(rollouts, candidates[1:], STARTS, FRESH)
    with pytest.raises(InputError, match="each once"):
        search(rollouts, [ZERO, ZERO], STARTS, FRESH)
    with pytest.raises(InputError, match="starts of a search: expected 16 or more, got 15"):
        search(rollouts, candidates, STARTS[:15], FRESH)
    with pytest.raises(InputError, match="starts that nothing is chosen on, got 7 among both"):
        search(rollouts, candidates, STARTS, range(7, 8))
    with pytest.raises(InputError, match="at least 2"):
        draw_candidates(1, seed=0)
    with pytest.raises(InputError, match=r"starts of a search: expected each once, got 32, of which 16 differ"):
        search(rollouts, candidates, [*STARTS[:16]] * 2, FRESH)
    with pytest.raises(InputError, match=r"fresh starts: expected each once"):
        search(rollouts, candidates, STARTS, [5000, 5000])
    with pytest.raises(InputError, match=r"starts of the first round"):
        search(rollouts, candidates, STARTS, FRESH, first=0)


@pytest.mark.parametrize(("count", "seed"), [("a", 0), (None, 0), (2.5, 0), (float("nan"), 0), (4, "a"), (4, -1)])
def test_candidates_that_cannot_be_drawn_are_refused(count: Any, seed: Any) -> None:
    with pytest.raises(InputError, match=r"candidates"):
        draw_candidates(count, seed=seed)


@pytest.mark.parametrize(
    ("value", "saying"),
    [
        (7.5, "expected 0 or 1 .*got .*7.5"),
        (float("nan"), "got .*nan"),
        (-1, "got .*-1"),
        ("yes", "got .*yes"),
        (None, "got None"),
        (1j, "got .*1j"),
    ],
)
def test_results_other_than_success_or_failure_are_not_believed(value: Any, saying: str) -> None:
    candidates = draw_candidates(4, seed=0)
    with pytest.raises(InputError, match=saying):
        search(lambda each, starts: np.full((len(each), len(starts)), value), candidates, STARTS, FRESH)


def test_results_of_another_shape_are_not_believed() -> None:
    candidates = draw_candidates(4, seed=0)
    for shaped, saying in (
        (np.zeros(4), r"\(4, 8\), got shape \(4,\)"),
        ([[0], [0, 1]], "different lengths"),
        (None, "shape"),
    ):
        with pytest.raises(InputError, match=saying):
            search(lambda each, starts, shaped=shaped: shaped, candidates, STARTS, FRESH)  # type: ignore[misc]
    for kind in (bool, int, float):
        result = search(
            lambda each, starts, kind=kind: np.ones((len(each), len(starts)), kind), candidates, STARTS, FRESH
        )
        assert result.fresh.dtype == bool and result.fresh.all()
