"""Laws of the objectives: what they teach, what decides a sample, what they refuse."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from policies.networks import ResidualMLP
from policies.objectives import DDPM, EDM, MIP, OBJECTIVES, FlowMatching, Objective, Regression, make_objective
from robot.errors import InputError
from tests.policies.exact import CONDITION, MEAN, SPREAD, exact, row_generators


def trained_like(horizon: int = 4, dim: int = 2, condition: int = 3) -> nn.Module:
    """A network whose last layer is not zero, as if it had learnt something."""
    torch.manual_seed(0)
    network = ResidualMLP(horizon, dim, condition, width=64, depth=2)
    nn.init.normal_(network.last.weight, std=0.1)
    return network.eval()


@given(log_sigma=st.floats(math.log(0.005), math.log(80)), sigma_data=st.floats(0.1, 2))
def test_edm_gives_the_network_inputs_and_targets_of_unit_variance(log_sigma: float, sigma_data: float) -> None:
    sigma = math.exp(log_sigma)
    skip, out, scale = EDM(sigma_data=sigma_data).preconditioning(sigma)
    assert scale**2 * (sigma_data**2 + sigma**2) == pytest.approx(1)
    assert ((1 - skip) ** 2 * sigma_data**2 + (skip * sigma) ** 2) / out**2 == pytest.approx(1)


def test_the_loss_of_edm_uses_that_preconditioning() -> None:
    seen = {}

    def network(scaled: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        seen.update(scaled=scaled, level=level)
        return torch.zeros_like(scaled)

    generator = torch.Generator().manual_seed(0)
    objective = EDM()
    action = objective.sigma_data * torch.randn(2000, 16, 2, generator=generator)
    loss = objective.loss(network, action, CONDITION, generator)
    assert loss.shape == action.shape
    assert loss.mean().item() == pytest.approx(1, abs=0.03)
    assert seen["scaled"].var().item() == pytest.approx(1, abs=0.03)
    sigma = torch.exp(4 * seen["level"])
    assert objective.sigma_min <= sigma.min().item() and sigma.max().item() <= objective.sigma_max
    assert sigma.median().log().item() == pytest.approx(objective.density_loc, abs=0.1)


@pytest.mark.parametrize(
    "objective", [FlowMatching(), FlowMatching("logit-normal"), FlowMatching("beta"), DDPM(), EDM()], ids=str
)
def test_the_exact_network_has_the_least_loss(objective: Objective) -> None:
    """No constant offset or scale does better than the conditional mean."""
    action = MEAN + SPREAD * torch.randn(4000, 2, 1, generator=torch.Generator().manual_seed(0))
    network = exact(objective)

    def loss(change) -> float:
        return (
            objective.loss(
                lambda x, level, condition: change(network(x, level, condition)),
                action,
                CONDITION,
                torch.Generator().manual_seed(1),
            )
            .mean()
            .item()
        )

    best = loss(lambda out: out)
    assert best < min(
        loss(lambda out: out + 0.05),
        loss(lambda out: out - 0.05),
        loss(lambda out: 1.05 * out),
        loss(lambda out: 0.95 * out),
    )


@pytest.mark.parametrize(
    ("time_sampling", "mean"), [("uniform", 0.5), ("logit-normal", 0.5), ("beta", 1 - 0.999 * 0.6)]
)
def test_flow_times_are_drawn_from_the_distribution_named(time_sampling: str, mean: float) -> None:
    times = []

    def network(x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        times.append(level)
        return x

    FlowMatching(time_sampling).loss(network, torch.zeros(20_000, 1, 1), CONDITION, torch.Generator().manual_seed(0))
    assert times[0].min().item() >= 0 and times[0].max().item() <= 1
    assert times[0].mean().item() == pytest.approx(mean, abs=0.01)


ALL = [(name, sampler) for name, kind in OBJECTIVES.items() for sampler in kind.samplers]


def sample(objective: Objective, network: nn.Module, noise: Tensor, condition: Tensor, sampler: str, **more) -> Tensor:
    """A few steps, where the objective leaves a choice."""
    with torch.inference_mode():
        return objective.sample(network, noise, condition, sampler, 6 if objective.uses_noise else None, **more)


@pytest.mark.parametrize(("name", "sampler"), ALL)
def test_a_row_does_not_depend_on_its_batch_mates(name: str, sampler: str) -> None:
    objective, network = make_objective(name), trained_like()
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(17, 4, 2, generator=generator)
    condition = torch.randn(17, 3, generator=generator)
    together = sample(objective, network, noise, condition, sampler, generators=row_generators(17))
    for row in (0, 5, 16):
        alone = sample(
            objective,
            network,
            noise[row : row + 1],
            condition[row : row + 1],
            sampler,
            generators=row_generators(17)[row : row + 1],
        )
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "sampler"), ALL)
def test_noise_and_generators_alone_decide_the_action(name: str, sampler: str) -> None:
    objective, network = make_objective(name), trained_like()
    noise, other = torch.randn(2, 3, 4, 2, generator=torch.Generator().manual_seed(0))
    condition = torch.ones(3, 3)

    def draw(start: Tensor, first_seed: int) -> Tensor:
        generators = [torch.Generator().manual_seed(first_seed + row) for row in range(3)]
        return sample(objective, network, start, condition, sampler, generators=generators)

    assert torch.equal(draw(noise, 0), draw(noise, 0))
    assert torch.equal(draw(noise, 0), draw(noise, 7)) == objective.deterministic(sampler)
    assert torch.equal(draw(noise, 0), draw(other, 0)) != objective.uses_noise


@pytest.mark.parametrize(("name", "sampler"), ALL)
def test_an_edited_prefix_stands_in_the_result(name: str, sampler: str) -> None:
    objective, network = make_objective(name), trained_like()

    def edit(clean: Tensor, sigma: float) -> Tensor:
        return torch.cat((torch.full_like(clean[:, :2], 0.25), clean[:, 2:]), dim=1)

    noise = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    action = sample(objective, network, noise, torch.ones(3, 3), sampler, generators=row_generators(3), edit=edit)
    torch.testing.assert_close(action[:, :2], torch.full_like(action[:, :2], 0.25), atol=1e-5, rtol=0)
    assert action[:, 2:].std() > 0.01


@pytest.mark.parametrize(("name", "sampler"), ALL)
def test_an_edit_that_changes_nothing_changes_nothing(name: str, sampler: str) -> None:
    objective, network = make_objective(name), trained_like()
    noise, condition = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0)), torch.ones(3, 3)
    plain, edited = (
        sample(objective, network, noise, condition, sampler, generators=row_generators(3), edit=edit)
        for edit in (None, lambda clean, sigma: clean)
    )
    torch.testing.assert_close(plain, edited, atol=1e-5, rtol=0)


def fit(objective: Objective, seed: int = 0) -> nn.Module:
    """A tiny network trained for seconds on actions that are -0.7 or 0.7, equally often."""
    torch.manual_seed(seed)
    network = ResidualMLP(1, 1, 1, width=64, depth=2)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(300):
        action = torch.randint(2, (256, 1, 1), generator=generator) * 1.4 - 0.7
        loss = objective.loss(network, action, torch.zeros(256, 1), generator).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


@pytest.mark.parametrize("name", ["flow", "edm", "ddpm"])
def test_diffusion_recovers_two_modes(name: str) -> None:
    objective = make_objective(name)
    network = fit(objective)
    noise = torch.randn(500, 1, 1, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        action = objective.sample(network, noise, torch.zeros(500, 1))
    assert ((action.abs() - 0.7).abs() < 0.15).float().mean() > 0.85
    assert 0.4 < (action > 0).float().mean() < 0.6


def test_regression_gives_the_mean_between_two_modes() -> None:
    action = Regression().sample(fit(Regression()), torch.zeros(1, 1, 1), torch.zeros(1, 1))
    assert action.abs().item() < 0.15


class Recorder:
    """A network that answers its level plus a constant and remembers what it was asked."""

    def __init__(self, constant: float = 0.5):
        self.constant, self.asked = constant, []

    def __call__(self, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        self.asked.append((x, level))
        return torch.zeros_like(x) + level[:, None, None] + self.constant


def test_two_step_regression_guesses_from_nothing_and_corrects_nine_tenths_of_the_guess() -> None:
    network = Recorder()
    action = MIP().sample(network, torch.randn(2, 3, 1), torch.zeros(2, 1))
    (first, level_1), (second, level_2) = network.asked
    assert first.eq(0).all() and level_1.eq(0).all() and level_2.eq(0.9).all()
    torch.testing.assert_close(second, torch.full_like(second, 0.9 * 0.5))
    torch.testing.assert_close(action, torch.full_like(action, 0.9 + 0.5))


def test_two_step_regression_learns_the_action_from_nothing_and_from_a_little_noise() -> None:
    network, action = Recorder(), torch.full((4000, 1, 1), 0.2)
    loss = MIP().loss(network, action, torch.zeros(4000, 1), torch.Generator().manual_seed(0))
    (first, _), (second, _) = network.asked
    assert first.eq(0).all()
    assert second.mean().item() == pytest.approx(0.9 * 0.2, abs=0.01)
    assert second.std().item() == pytest.approx(0.1, rel=0.05)
    torch.testing.assert_close(loss, torch.full_like(loss, (0.5 - 0.2) ** 2 + (1.4 - 0.2) ** 2))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_unknown_sampler_names_the_nearest(name: str) -> None:
    objective = make_objective(name)
    misspelt = objective.default_sampler[:-1]
    with pytest.raises(InputError, match=f"Did you mean '{objective.default_sampler}'"):
        objective.sample(Recorder(), torch.zeros(1, 1, 1), CONDITION, misspelt)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("flow", {"time_sampling": "unifrom"}),
        ("ddpm", {"prediction": "epsilom"}),
        ("ddpm", {"train_steps": 1}),
        ("edm", {"schedule": "cosin"}),
        ("edm", {"sigma_min": 2.0, "sigma_max": 1.0}),
        ("mip", {"level": 1.0}),
        ("edm", {"sigmamax": 2.0}),
        ("flw", {}),
    ],
)
def test_bad_settings_are_refused(name: str, options: dict) -> None:
    with pytest.raises(InputError):
        make_objective(name, **options)


@pytest.mark.parametrize(
    ("name", "sampler", "steps"),
    [
        ("flow", "euler", 0),
        ("ddpm", "ddim", 94),
        ("ddpm", "ddpm", 101),
        ("regression", "regression", 2),
        ("mip", "mip", 3),
    ],
)
def test_steps_that_a_sampler_cannot_take_are_refused(name: str, sampler: str, steps: int) -> None:
    with pytest.raises(InputError, match="steps"):
        make_objective(name).choose(sampler, steps)
