"""Guidance by a critic's gradient: closed solutions on a Gaussian, what bounds it, what it leaves as it is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from policies.model.guide import Drawing
from policies.model.noise import RowStreams
from policies.model.policy import DiffusionPolicy
from policies.objectives import DDPM, EDM, FlowMatching, Objective, make_objective
from policies.objectives.ddpm import alpha_bar
from policies.objectives.samplers import ODE_SAMPLERS, ancestral
from policies.objectives.sigmas import SCHEDULES
from policies.recipe.recipe import NormalisationConfig, PolicyRecipe
from policies.steering.by_critic.guidance import SPREAD_SEED, ValueGuided, noise_share
from policies.steering.by_noise.medoid import Medoid
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.by_noise.ticket import Ticket
from policies.steering.execution import Resampled
from robot.description import CriticBase
from robot.errors import InputError
from tests.policies.exact import SPREAD, exact
from tests.policies.points import make_policy, observe
from tests.policies.steering.known_critics import KnownCritic, LinearCritic, learnt_critic

SEEDS = [3, 1, 4, 1, 5]
SLOPE = np.array([2.0, -1.0])
SAMPLERS = [(name, sampler) for name in ("flow", "edm", "ddpm") for sampler in make_objective(name).samplers]


def recipe(objective: str = "flow", **options: Any) -> PolicyRecipe:
    return PolicyRecipe(
        network={"name": "mlp", "width": 32, "depth": 1, "features": 16},
        objective={"name": objective, **options},
        observation=("point.state", "goal"),
        horizon=6,
        n_action_steps=3,
        normalisation=NormalisationConfig("gaussian"),
    )


@pytest.fixture(scope="module")
def policies(store: Path) -> dict[str, DiffusionPolicy]:
    return {name: make_policy(store, recipe(name)) for name in ("flow", "edm", "ddpm")}


class Exact(nn.Module):
    """The network that is right for actions from N(MEAN, SPREAD^2), whatever is seen."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.right, self.device = exact(objective), nn.Parameter(torch.zeros(()))  # a policy asks where it lies

    def forward(self, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        return self.right(x, level, condition)


def gaussian(store: Path, name: str, **options: Any) -> DiffusionPolicy:
    """A policy whose normalised chunks are exactly N(MEAN, SPREAD^2)."""
    policy = make_policy(store, recipe(name, **options))
    policy.model.network = Exact(policy.model.objective)
    return policy


def pulled_by(policy: DiffusionPolicy) -> np.ndarray:
    """The gradient of a `LinearCritic` of SLOPE in normalised space."""
    scale: np.ndarray = policy.model.normaliser["action"].scale.numpy()
    return SLOPE / scale


def normalised(policy: DiffusionPolicy, chunk: np.ndarray) -> np.ndarray:
    field = policy.model.normaliser["action"]
    result: np.ndarray = field(torch.from_numpy(chunk)).numpy()
    return result


def share_of_pull(spread: float, largest_sigma: float = math.inf) -> float:
    """By how much the guided ODE moves a Gaussian's samples, over the deviation and the pull: the integral of
    dt / sqrt((1 - t)^2 + spread^2 t^2) over the times t = 1 / (1 + sigma) that are integrated.
    """
    a = 1 + spread**2
    first = 1 / (1 + largest_sigma)
    return (math.asinh(spread) - math.asinh((a * first - 1) / spread)) / math.sqrt(a)


# With D = E[action | x] of N(m, s^2) the guided ODE is linear in x. On a flow it is dx/dt = v(x, t) + c / beta, and
# y = x - t m obeys y' = V'/(2 V) y + c / beta with V = (1 - t)^2 + s^2 t^2: so x(1) = m + s noise + s c / beta I, with
# I the integral of 1 / sqrt(V). In sigma, with t = 1 / (1 + sigma), it is the same one, from the largest sigma on.
CLOSED = [
    ("flow", "euler", {}, 400, 0.02),
    ("flow", "heun", {}, 200, 0.002),
    ("edm", "ddim", {"sigma_max": 80.0, "schedule": "karras"}, 600, 0.02),
    ("edm", "heun", {"sigma_max": 80.0, "schedule": "karras"}, 200, 0.005),
    ("edm", "dpm++2m", {"sigma_max": 80.0, "schedule": "karras"}, 300, 0.01),
]


@pytest.mark.parametrize(("name", "sampler", "options", "steps", "tolerance"), CLOSED)
def test_a_gaussian_is_moved_as_the_closed_solution_says(
    store: Path, name: str, sampler: str, options: dict[str, Any], steps: int, tolerance: float
) -> None:
    policy = gaussian(store, name, **options).with_sampler(sampler, steps)
    guided = ValueGuided(policy, LinearCritic(policy.spec, SLOPE), beta=5.0, cap=1e6)
    observation = observe(policy, 2)
    base, moved = (normalised(policy, each.sample(observation, samples=8, seeds=[1, 2])) for each in (policy, guided))
    np.testing.assert_allclose(base[:, :, 3:], moved[:, :, 3:], atol=1e-5)  # what is not executed has no gradient
    shift = (moved - base)[:, :, :3]
    expected = SPREAD * pulled_by(policy) / 5.0 * share_of_pull(SPREAD, options.get("sigma_max", math.inf))
    np.testing.assert_allclose(shift, np.broadcast_to(expected, shift.shape), rtol=tolerance)


@pytest.mark.parametrize(("spread", "ratio"), [(0.2, 12.3), (0.4, 4.73), (1.0, 1.25), (2.0, 0.43)])
def test_guidance_goes_further_than_the_tilted_gaussian_where_the_base_is_narrow(spread: float, ratio: float) -> None:
    """p(a) exp(Q(a) / beta) has the mean m + s^2 c / beta. Without the denoiser's Jacobian the ODE ends at
    m + s I c / beta, of the base's own width: I / s times as far. The figures stand in docs/steering.md.
    """
    assert share_of_pull(spread) / spread == pytest.approx(ratio, rel=0.01)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_the_chain_of_ddpm_is_pulled_by_the_same_law(store: Path, sampler: str) -> None:
    """The difference of guided and base is the answer of the linear sampler to the pull, whatever the noise."""
    policy = gaussian(store, "ddpm", clip=None).with_sampler(sampler, 50)
    objective = policy.model.objective
    assert isinstance(objective, DDPM)
    guided = ValueGuided(policy, LinearCritic(policy.spec, SLOPE), beta=5.0, cap=1e6)
    observation = observe(policy, 2)
    base, moved = (normalised(policy, each.sample(observation, samples=8, seeds=[1, 2])) for each in (policy, guided))
    shift = (moved - base)[:, :, :3]
    sigmas = [*(objective.sigma_of(level) for level in objective.levels(50)), 0.0]
    pull = pulled_by(policy) / 5.0

    def answer(x: Tensor, sigma: float) -> Tensor:
        return SPREAD**2 / (SPREAD**2 + sigma**2) * x + noise_share(sigma) * torch.from_numpy(pull)

    walk = {"ddim": lambda x: ODE_SAMPLERS["ddim"](answer, x, sigmas)}.get(
        sampler, lambda x: ancestral(answer, x, sigmas, torch.zeros_like)
    )
    expected = walk(torch.zeros(1, 1, 2, dtype=torch.float64)).numpy()[0]
    np.testing.assert_allclose(shift, np.broadcast_to(expected, shift.shape), rtol=0.02)


def test_ancestral_steps_are_pulled_by_the_same_law(store: Path) -> None:
    policy = gaussian(store, "edm").with_sampler("ancestral", 40)
    guided = ValueGuided(policy, LinearCritic(policy.spec, SLOPE), beta=5.0, cap=1e6)
    observation = observe(policy, 2)
    base, moved = (normalised(policy, each.sample(observation, samples=4, seeds=[1, 2])) for each in (policy, guided))
    sigmas = SCHEDULES["cosine"](40, 10.0, 0.005)

    def answer(x: Tensor, sigma: float) -> Tensor:
        pull = torch.from_numpy(pulled_by(policy) / 5.0)
        return SPREAD**2 / (SPREAD**2 + sigma**2) * x + noise_share(sigma) * pull

    expected = ancestral(answer, torch.zeros(1, 1, 2, dtype=torch.float64), sigmas, torch.zeros_like).numpy()[0]
    shift = (moved - base)[:, :, :3]
    np.testing.assert_allclose(shift, np.broadcast_to(expected, shift.shape), rtol=0.01)


@pytest.mark.parametrize(("name", "sampler"), SAMPLERS)
def test_weight_zero_is_the_policy_to_the_bit(policies: dict[str, DiffusionPolicy], name: str, sampler: str) -> None:
    policy = policies[name].with_sampler(sampler, 5)
    prefix, weight = np.full((5, 6, 2), 0.3), np.tile([1.0, 0.8, 0.3, 0, 0, 0], (5, 1))
    off = ValueGuided(policy, learnt_critic(policy), weight=0.0)
    for more in ({}, {"prefix": prefix, "prefix_weight": weight}):
        for samples in (1, 3):
            plain = policy.decide(observe(policy, 5), samples=samples, seeds=SEEDS, **more)
            decision = off.decide(observe(policy, 5), samples=samples, seeds=SEEDS, **more)
            np.testing.assert_array_equal(decision.chunk, plain.chunk)
            np.testing.assert_array_equal(decision.noise, plain.noise)


@pytest.mark.parametrize(("name", "sampler"), SAMPLERS)
def test_a_vanishing_weight_is_the_policy_and_the_prefix_stays(
    policies: dict[str, DiffusionPolicy], name: str, sampler: str
) -> None:
    policy, observation = policies[name].with_sampler(sampler, 6), observe(policies[name], 5)
    prefix, weight = np.full((5, 6, 2), 0.3), np.tile([1.0, 1.0, 0.4, 0, 0, 0], (5, 1))
    more = {"seeds": SEEDS, "prefix": prefix, "prefix_weight": weight}
    critic = LinearCritic(policy.spec, SLOPE)
    base = policy.sample(observation, **more)
    np.testing.assert_allclose(ValueGuided(policy, critic, weight=1e-6).sample(observation, **more), base, atol=1e-4)
    moved = ValueGuided(policy, critic, beta=0.1).sample(observation, **more)
    np.testing.assert_allclose(moved[:, 0, :2], 0.3, atol=1e-4)
    assert (np.abs(moved - base)[:, 0, 2] > 1e-4).any()


@pytest.mark.parametrize(("name", "sampler"), SAMPLERS)
def test_a_guided_decision_is_repeated_and_knows_no_batch_mates(
    policies: dict[str, DiffusionPolicy], name: str, sampler: str
) -> None:
    policy, observation = policies[name].with_sampler(sampler, 4), observe(policies[name], 5)
    guided = ValueGuided(policy, learnt_critic(policy), beta=0.05)
    decision = guided.decide(observation, samples=2, seeds=SEEDS)
    seeds = None if guided.deterministic else SEEDS
    again = guided.decide(observation, samples=2, noise=decision.noise, seeds=seeds)
    np.testing.assert_array_equal(again.chunk, decision.chunk)
    alone = guided.sample({key: value[2:3] for key, value in observation.items()}, samples=2, seeds=SEEDS[2:3])
    np.testing.assert_allclose(alone[0], decision.chunk[2], atol=1e-4)
    assert np.abs(decision.chunk - policy.sample(observation, samples=2, seeds=SEEDS)).max() > 1e-4


def drawing(policy: DiffusionPolicy, batch: int, samples: int) -> Drawing:
    """What a policy would hand its guide."""
    held: list[Drawing] = []

    class Keeps:
        def pull(self, drawing: Drawing) -> Any:
            held.append(drawing)
            return lambda clean, sigma: torch.zeros_like(clean)

    policy.with_guide(Keeps()).sample(observe(policy, batch), samples=samples)
    return held[0]


def test_a_step_is_the_gradient_within_a_share_of_the_spread(policies: dict[str, DiffusionPolicy]) -> None:
    policy = policies["flow"]
    seen = drawing(policy, batch=4, samples=3)
    noise = RowStreams([SPREAD_SEED], 1, 8).normal((6, 2)).numpy()
    chunks = normalised(policy, policy.sample(observe(policy, 4), noise=np.tile(noise, (4, 1, 1, 1)), samples=8))
    rows = chunks[:, :, :3]
    spread = np.sqrt(np.square(rows - rows.mean(axis=1, keepdims=True)).mean(axis=(1, 2)))  # (batch, D)
    clean = torch.randn(12, 6, 2, generator=torch.Generator().manual_seed(0))
    slope = pulled_by(policy)

    def pull(beta: float, cap: float, sigma: float) -> np.ndarray:
        guided = ValueGuided(policy, LinearCritic(policy.spec, SLOPE), beta=beta, cap=cap)
        with torch.no_grad():
            step = guided.pull(seen)(clean, sigma).numpy().reshape(4, 3, 6, 2)
        np.testing.assert_array_equal(step[:, :, 3:], 0)
        result: np.ndarray = step[:, :, :3]
        return result

    small = pull(1000.0, 0.5, math.inf)
    np.testing.assert_allclose(small, np.broadcast_to(slope / 1000, small.shape), rtol=1e-5)
    np.testing.assert_allclose(pull(1000.0, 0.5, 0.25), small * 0.2, rtol=1e-5)
    large = pull(1e-4, 0.5, math.inf)
    most = np.broadcast_to(0.5 * spread[:, None, None], large.shape)
    np.testing.assert_allclose(np.abs(large), most, rtol=1e-4)
    np.testing.assert_array_equal(np.sign(large), np.sign(np.broadcast_to(slope, large.shape)))
    np.testing.assert_allclose(pull(1e-4, 0.1, math.inf), large / 5, rtol=1e-5)


def test_a_learnt_critic_pulls_along_its_own_gradient(policies: dict[str, DiffusionPolicy]) -> None:
    policy = policies["flow"]
    critic, observation = learnt_critic(policy), observe(policy, 3)
    seen, clean = drawing(policy, batch=3, samples=1), torch.zeros(3, 6, 2)
    with torch.no_grad():
        step = ValueGuided(policy, critic, cap=1e6).pull(seen)(clean, math.inf).numpy()
    field = policy.model.normaliser["action"]

    def value(at: np.ndarray) -> np.ndarray:
        raw = field.inverse(torch.from_numpy(at)).numpy()[:, None, :3]
        return critic.value(observation, raw)[:, 0].astype(np.float64)

    for row in range(3):
        for component in range(2):
            moved = np.zeros((3, 6, 2), np.float32)
            moved[:, row, component] = 0.02
            slope = (value(moved) - value(-moved)) / 0.04
            np.testing.assert_allclose(step[:, row, component], slope, atol=2e-3)
    assert np.abs(step).max() > 1e-2


def test_guided_chunks_have_a_larger_value(policies: dict[str, DiffusionPolicy]) -> None:
    for name, policy in policies.items():
        critic, observation = learnt_critic(policy), observe(policy, 5)
        base = policy.sample(observation, samples=16, seeds=SEEDS)
        moved = ValueGuided(policy, critic, beta=0.02).sample(observation, samples=16, seeds=SEEDS)
        values = [critic.value(observation, chunk[:, :, :3]).mean() for chunk in (base, moved)]
        assert values[1] > values[0] + 1e-3, name


def test_the_clip_comes_after_the_gradient(store: Path) -> None:
    policy = make_policy(store, replace(recipe("ddpm"), normalisation=NormalisationConfig("limits")))
    guided = ValueGuided(policy, LinearCritic(policy.spec, 1e3 * SLOPE), beta=0.01, cap=1e6)
    chunk = normalised(policy, guided.sample(observe(policy, 5), samples=4, seeds=SEEDS))[:, :, :3]
    np.testing.assert_allclose(chunk, np.broadcast_to(np.sign(pulled_by(policy)), chunk.shape), atol=1e-4)


def test_it_stands_with_what_steers_noise_and_sampler(policies: dict[str, DiffusionPolicy]) -> None:
    policy, observation = policies["flow"], observe(policies["flow"], 3)
    critic = LinearCritic(policy.spec, SLOPE)
    noise = np.random.default_rng(0).normal(size=(3, 1, 6, 2)).astype(np.float32)
    half = ValueGuided(policy, critic).sample(observation, noise=np.float32(0.5) * noise)
    for stack in (
        ValueGuided(NoiseScaled(policy, noise_scale=0.5), critic),
        NoiseScaled(ValueGuided(policy, critic), noise_scale=0.5),
    ):
        np.testing.assert_array_equal(stack.sample(observation, noise=noise), half)
    ticket = Ticket(policy, seed=3, scale=0.5)
    np.testing.assert_array_equal(
        ValueGuided(ticket, critic).sample(observation),
        Ticket(ValueGuided(policy, critic), seed=3, scale=0.5).sample(observation),
    )
    fewer = ValueGuided(policy, critic).with_sampler("heun", 3)
    np.testing.assert_array_equal(
        fewer.sample(observation, noise=noise),
        ValueGuided(Resampled(policy, "heun", steps=3), critic).sample(observation, noise=noise),
    )
    best = Medoid(ValueGuided(policy, critic), candidates=4)
    np.testing.assert_array_equal(
        best.decide(observation, seeds=[1, 2, 3]).candidates[:, 0],
        ValueGuided(policy, critic).sample(observation, samples=4, seeds=[1, 2, 3]),
    )


def test_the_critic_of_a_base_sees_its_zero_noise_plan(policies: dict[str, DiffusionPolicy]) -> None:
    policy = policies["flow"].with_sampler(None, 10)
    policy.fingerprint = "0123456789abcdef"
    critic = LinearCritic(policy.spec, SLOPE, CriticBase(policy.fingerprint, policy.spec.sampler))
    observation = observe(policy, 4)
    ValueGuided(NoiseScaled(policy, noise_scale=0.5), critic).sample(observation, samples=2, seeds=SEEDS[:4])
    zero = policy.sample(observation, noise=np.zeros((4, 1, 6, 2)))[:, 0, :3]
    assert len(critic.references) == 10
    for reference in critic.references:
        assert reference is not None
        np.testing.assert_allclose(reference.numpy(), zero, atol=1e-5)


@pytest.mark.parametrize("objective", ["regression", "mip"])
def test_what_does_not_start_from_noise_is_refused(store: Path, objective: str) -> None:
    policy = make_policy(store, recipe(objective))
    with pytest.raises(InputError, match=rf"guidance of a policy of objective '{objective}'.*flow, ddpm or edm"):
        ValueGuided(policy, LinearCritic(policy.spec, SLOPE))


def test_what_cannot_be_guided_is_refused_with_the_reason(policies: dict[str, DiffusionPolicy]) -> None:
    policy = policies["flow"]
    critic = LinearCritic(policy.spec, SLOPE)
    with pytest.raises(InputError, match="guidance inside, the choice outside"):
        ValueGuided(Medoid(policy), critic)
    with pytest.raises(InputError, match="one critic that pulls, got two"):
        ValueGuided(NoiseScaled(ValueGuided(policy, critic)), critic)
    with pytest.raises(InputError, match=r"one with gradients.*a KnownCritic without.*steering=value"):
        ValueGuided(policy, KnownCritic(policy.spec, lambda chunk: chunk.sum(axis=(-1, -2))))

    class Foreign:
        spec, noise_shape = policy.spec, policy.noise_shape

        def sample(self, observation: Any, **more: Any) -> np.ndarray:
            return np.zeros((len(observation["goal"]), 1, 6, 2))

        def with_sampler(self, name: str | None = None, steps: int | None = None) -> Any:
            return self

    with pytest.raises(InputError, match=r"a learnt policy, whose chunks are pulled.*got a Foreign"):
        ValueGuided(Foreign(), critic)


def test_every_sampler_tells_its_edit_the_level_of_noise() -> None:
    def levels(objective: Objective, sampler: str, steps: int) -> Sequence[float]:
        sigmas: list[float] = []

        def edit(clean: Tensor, sigma: float) -> Tensor:
            sigmas.append(sigma)
            return clean

        objective.sample(
            exact(objective), torch.zeros(1, 1, 1), torch.zeros(1, 1), sampler, steps, [torch.Generator()], edit
        )
        return sigmas

    assert levels(FlowMatching(), "euler", 4) == pytest.approx([math.inf, 3.0, 1.0, 1 / 3])
    assert levels(EDM(), "ddim", 3) == pytest.approx(SCHEDULES["cosine"](3, 10.0, 0.005)[:3])
    ddpm = DDPM()
    kept = alpha_bar(100)[ddpm.levels(5)].numpy()
    np.testing.assert_allclose(levels(ddpm, "ddim", 5), np.sqrt((1 - kept) / kept), rtol=1e-6)
