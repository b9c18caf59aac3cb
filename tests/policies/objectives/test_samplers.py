"""Laws of the samplers: exact denoisers, orders of convergence, levels and sigmas."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from policies.objectives import DDPM, EDM, FlowMatching, Objective
from policies.objectives.ddpm import alpha_bar
from policies.objectives.samplers import ODE_SAMPLERS, ancestral, ddim
from policies.objectives.sigmas import SCHEDULES, exponential
from robot.errors import InputError
from tests.policies.exact import CONDITION, MEAN, SPREAD, exact, exact_ddpm, exact_denoiser, exact_flow, row_generators

GENERATIVE = [
    FlowMatching(),
    EDM(),
    EDM(schedule="karras"),
    EDM(schedule="exponential"),
    DDPM(clip=None),
    DDPM(prediction="sample", clip=None),
    DDPM(prediction="v", clip=None),
]
ODE = [
    (objective, sampler)
    for objective in GENERATIVE
    for sampler in objective.samplers
    if objective.deterministic(sampler)
]
STOCHASTIC = [(EDM(), "ancestral"), (DDPM(clip=None), "ddpm")]


@pytest.mark.parametrize(("objective", "sampler"), ODE, ids=lambda value: str(value))
def test_the_exact_network_carries_noise_to_the_action_of_the_same_rank(objective: Objective, sampler: str) -> None:
    noise = torch.linspace(-2, 2, 9).view(-1, 1, 1)
    action = objective.sample(exact(objective), noise, CONDITION, sampler, 90)
    torch.testing.assert_close(action, MEAN + SPREAD * noise, atol=0.04, rtol=0)


@pytest.mark.parametrize(("objective", "sampler"), STOCHASTIC, ids=lambda value: str(value))
def test_stochastic_samplers_end_in_the_right_distribution(objective: Objective, sampler: str) -> None:
    noise = torch.randn(16, 512, 1, generator=torch.Generator().manual_seed(0))
    action = objective.sample(exact(objective), noise, CONDITION, sampler, 100, row_generators(16))
    assert abs(action.mean().item() - MEAN) < 0.02
    assert abs(action.std().item() - SPREAD) < 0.02


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("euler", 1), ("heun", 2), ("dpm++2m", 2)])
def test_a_sampler_converges_with_its_order(name: str, order: int) -> None:
    largest, smallest = 10.0, 0.05
    start = torch.tensor([-7.0, 4.0, 12.0], dtype=torch.float64).view(-1, 1, 1)
    truth = MEAN + (start - MEAN) * math.sqrt((SPREAD**2 + smallest**2) / (SPREAD**2 + largest**2))

    def error(steps: int) -> float:
        sigmas = exponential(steps + 1, largest, smallest)[:-1]
        return (ODE_SAMPLERS[name](exact_denoiser, start, sigmas) - truth).abs().max().item()

    errors = [error(steps) for steps in (40, 80, 160)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2)])
def test_a_flow_sampler_converges_with_its_order(name: str, order: int) -> None:
    noise = torch.tensor([-1.5, 0.2, 2.0], dtype=torch.float64).view(-1, 1, 1)

    def error(steps: int) -> float:
        action = FlowMatching().sample(exact_flow, noise, CONDITION, name, steps)
        return (action - (MEAN + SPREAD * noise)).abs().max().item()

    errors = [error(steps) for steps in (40, 80, 160)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 50, 93])
def test_ddim_is_the_same_walk_in_ddpm_and_edm(steps: int) -> None:
    """Without noise DDPM's x is EDM's, scaled by sqrt(a): the schedulers of diffusers must agree with ours."""
    objective = DDPM(clip=None)
    noise = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(1))
    kept = alpha_bar(objective.train_steps)[objective.levels(steps)].double()
    sigmas = [*((1 - kept) / kept).sqrt().tolist(), 0.0]
    walk = ddim(exact_denoiser, noise / kept[0].sqrt(), sigmas)
    action = objective.sample(exact_ddpm(objective), noise, CONDITION, "ddim", steps)
    torch.testing.assert_close(action, walk.float(), atol=2e-4, rtol=1e-4)


def test_ancestral_steps_keep_the_level_of_noise() -> None:
    """With D = 0 nothing but noise is left: after each step its standard deviation is that step's sigma."""
    generator = torch.Generator().manual_seed(0)
    x = 10 * torch.randn(20_000, 1, 1, generator=generator)
    reached = ancestral(
        lambda x, sigma: torch.zeros_like(x),
        x,
        [10.0, 4.0, 1.5],
        lambda like: torch.randn(like.shape, generator=generator),
    )
    assert reached.std().item() == pytest.approx(1.5, rel=0.03)


@given(steps=st.integers(1, 100))
def test_levels_fall_strictly_from_the_first_that_shows_the_action(steps: int) -> None:
    levels = DDPM().levels(steps)
    assert len(levels) == steps and all(high > low >= 0 for high, low in pairwise(levels))
    if steps <= 93:
        assert alpha_bar(100)[levels[0]] >= 0.01 > alpha_bar(100)[levels[0] + 1]


def test_ddpm_walks_its_whole_chain_by_default() -> None:
    assert DDPM().choose("ddpm", None) == ("ddpm", 100)
    assert DDPM().levels(100) == list(range(99, -1, -1))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_sigmas_fall_strictly_from_the_largest_to_zero(schedule: str, steps: int) -> None:
    sigmas = SCHEDULES[schedule](steps, 10.0, 0.005)
    assert len(sigmas) == steps + 1 and sigmas[-1] == 0
    assert sigmas[0] == pytest.approx(10.0)
    assert all(high > low for high, low in pairwise(sigmas))


@pytest.mark.parametrize(("objective", "sampler"), STOCHASTIC, ids=lambda value: str(value))
@pytest.mark.parametrize("generators", [None, row_generators(1)])
def test_stochastic_samplers_want_a_generator_a_row(objective: Objective, sampler: str, generators) -> None:
    with pytest.raises(InputError, match="one a row"):
        objective.sample(exact(objective), torch.zeros(2, 1, 1), CONDITION, sampler, 3, generators)
