"""Critics that bootstrap learn what the mathematics says, whatever the mistake that could be made on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.learning.later import Later
from data.learning.windows import Windows
from data.store.dataset import Dataset
from policies.critics.cal_ql import pushed_down
from policies.critics.checkpoint import load_critic
from policies.critics.iql import expectile_loss
from policies.critics.train import train_critic
from tests.policies.critics.chains import (
    CONFIG,
    GAMMA,
    LENGTH,
    SCHEMA,
    episode,
    metric,
    recipe,
    values_along,
    write_chain,
)

IQL = {"name": "iql", "target_rate": 0.1, "width": 32, "depth": 1}
GOAL = LENGTH - 1
THROUGH = (0, GOAL, True, True)
POWERS = GAMMA ** np.arange(GOAL, -1, -1)


def learnt(store: Path, output: Path, **objective: object) -> np.ndarray:
    result = train_critic(store, recipe({**IQL, **objective}), CONFIG, output, device="cpu")
    return values_along(load_critic(result.checkpoint))


def test_values_along_a_chain_are_powers_of_gamma_and_timeouts_bootstrap(tmp_path: Path) -> None:
    """Half of the episodes are cut off half way: were that a failure, the first places would be worth half."""
    store = write_chain(tmp_path / "store", [THROUGH, (0, 3, False, False), (1, 4, False, False)])
    np.testing.assert_allclose(learnt(store, tmp_path / "run"), POWERS, atol=1e-2)
    run = tmp_path / "run"
    assert metric(run, "td_error") < 0.02 and metric(run, "value_less_return") > 0.05  # returns end with the time
    assert metric(run, "q") == pytest.approx(metric(run, "v"), abs=0.05)


def test_what_ends_without_success_is_worth_nothing(tmp_path: Path) -> None:
    """Half of the episodes end at the fourth place: from it and the one before the goal is reached half as often."""
    store = write_chain(tmp_path / "store", [THROUGH, (0, 3, False, True)])
    values = learnt(store, tmp_path / "run", expectile=0.5)
    half = POWERS[2:4] / 2
    np.testing.assert_allclose(values, [*(GAMMA**2 * half), *half, *POWERS[4:]], atol=1e-2)


def shifted(later: Later) -> Later:
    """The window that follows is taken one row too early."""
    return replace(later, window=np.where(later.alive & (later.rows == 2), later.window - 1, later.window))


def one_row_less(later: Later) -> Later:
    """One executed row is not counted."""
    return replace(later, rows=later.rows - 1, reward=np.where(later.reward > 0, later.reward / GAMMA, 0))


def ending_with_the_time(later: Later) -> Later:
    """What was cut off counts as the end."""
    cut = later.alive & (later.rows < 2)
    return replace(later, alive=later.alive & ~cut, known=np.ones_like(later.known))


@pytest.mark.parametrize("mistake", [shifted, one_row_less, ending_with_the_time])
def test_the_law_of_the_chain_notices_a_mistake(
    mistake: Callable[[Later], Later], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Windows.later
    monkeypatch.setattr(Windows, "later", lambda self, rows, gamma: mistake(right(self, rows, gamma)))
    store = write_chain(tmp_path / "store", [THROUGH, (0, 3, False, False), (1, 4, False, False)])
    assert np.abs(learnt(store, tmp_path / "run") - POWERS).max() > 0.05


def test_v_of_two_arms_is_their_expectile(tmp_path: Path) -> None:
    """One arm in four pays. e solves tau p (1 - e) = (1 - tau) (1 - p) e."""
    arms = [
        episode([0], [[1 if seed % 4 == 0 else -1, 0]], success=seed % 4 == 0, terminated=True, seed=seed)
        for seed in range(32)
    ]
    with Dataset.create(tmp_path / "store", SCHEMA) as dataset:
        dataset.extend(arms)
    tau, share = 0.7, 0.25
    train_critic(tmp_path / "store", recipe({**IQL, "expectile": tau}, steps=1), CONFIG, tmp_path / "run", device="cpu")
    expectile = tau * share / (tau * share + (1 - tau) * (1 - share))
    assert metric(tmp_path / "run", "v") == pytest.approx(expectile, abs=0.02)
    assert metric(tmp_path / "run", "q") == pytest.approx(share, abs=0.01)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0.05, 0.95))
@settings(deadline=None)
def test_the_expectile_loss_is_least_at_the_expectile(values: list[float], tau: float) -> None:
    sample = torch.tensor(values, dtype=torch.float64)
    low, high = sample.min().item(), sample.max().item()
    for _ in range(60):  # bisection: e where tau E[(x - e)+] = (1 - tau) E[(e - x)+]
        middle = (low + high) / 2
        above, below = (sample - middle).clamp(min=0).mean(), (middle - sample).clamp(min=0).mean()
        low, high = (middle, high) if tau * above > (1 - tau) * below else (low, middle)
    least = expectile_loss(sample - low, tau).mean()
    for step in (-1e-3, 1e-3):
        assert expectile_loss(sample - (low + step), tau).mean() >= least - 1e-12


@given(st.integers(0, 3), st.integers(1, 4), st.floats(0.1, 2.0), st.integers(0, 2**31))
@settings(deadline=None)
def test_without_a_return_cal_ql_is_cql_and_with_an_endless_one_nothing_is_pushed(
    random: int, drawn: int, temperature: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand((2, 5, random + drawn), generator=generator, requires_grad=True)
    density = torch.rand((5, random + drawn), generator=generator)

    def gradient(low: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        pushed = pushed_down(values, random, low, density, temperature)
        return pushed.detach(), torch.autograd.grad(pushed.sum(), values)[0]

    plain, bounded = gradient(None), gradient(torch.full((5,), -torch.inf))
    assert torch.equal(plain[0], bounded[0]) and torch.equal(plain[1], bounded[1])
    assert (plain[1] > 0).all()
    endless = gradient(torch.full((5,), torch.inf))[1]
    assert endless.isfinite().all() and (endless[..., random:] == 0).all()
    between = gradient(torch.full((5,), 0.5))[1]
    assert ((between[..., random:] == 0) == (values[..., random:] < 0.5)).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0.05, 5))
@settings(deadline=None)
def test_what_is_pushed_down_lies_between_the_mean_and_the_most(values: list[float], temperature: float) -> None:
    pushed = pushed_down(torch.tensor(values, dtype=torch.float64)[None, None], 0, None, 0.0, temperature).item()
    assert np.mean(values) - 1e-9 <= pushed <= max(values) + 1e-9
