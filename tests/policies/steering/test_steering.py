"""What steers: by the laws that all share, and what needs no critic by its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from policies.actors.checkpoint import save_actor
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_noise.medoid import Medoid, medoids
from policies.steering.by_noise.noise import fixed_noises
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.by_noise.random_noise import RandomNoise
from policies.steering.execution import Executed, Resampled
from policies.steering.prompted import Prompted
from policies.steering.registry import STEERINGS, steer
from policies.steering.steered import Steered
from robot.control.runner import ChunkRunner
from robot.description import DecidingPolicy, Policy, Query, TaskPrompt, decide
from robot.errors import InputError
from tests.policies.points import make_policy, observe
from tests.policies.steering.actors import BASE, SETTINGS, made_actor
from tests.policies.steering.known_critics import save_learnt

pytestmark = pytest.mark.filterwarnings("ignore::policies.steering.by_critic.value.SteeringWarning")
SEEDS = [3, 1, 4, 1, 5]


@pytest.fixture(scope="module")
def policy(store: Path) -> DiffusionPolicy:
    made = make_policy(store, recipe())
    made.fingerprint = BASE
    return made


def recipe(objective: str = "flow") -> PolicyRecipe:
    return PolicyRecipe(
        network={"name": "mlp", "width": 32, "depth": 1, "features": 16},
        objective={"name": objective},
        observation=("point.state", "goal"),
        horizon=6,
        n_action_steps=3,
    )


PLAIN: dict[str, dict[str, Any]] = {
    "noise_scale": {},
    "ticket": {"seed": 7, "scale": 0.5},
    "codebook": {"actor": None},
    "noise_actor": {"actor": None},
    "residual": {"actor": None, "critic": None},
    "guidance": {"critic": None, "beta": 0.1},
    "value": {"critic": None, "samples": 4},
    "medoid": {},
    "random_choice": {"samples": 4},
    "random_noise": {"shape": "knots", "knots": 3, "entries": 0},
    "sampler": {"steps": 3},
    "execution": {"n_action_steps": 2},
    "prompt": {"guidance": 1.0},
}


@pytest.fixture(scope="module")
def learnt(policy: DiffusionPolicy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a critic, and of an actor of each kind."""
    folder = tmp_path_factory.mktemp("learnt")
    save_learnt(policy, folder / "critic")
    for kind in SETTINGS:
        save_actor(made_actor(policy, kind), folder / kind)
    return folder


def plain(name: str, learnt: Path) -> dict[str, Any]:
    """Name and options of what steers, with the critic and the actor where it needs one."""
    return with_parts({"name": name, **PLAIN[name]}, learnt)


def with_parts(options: dict[str, Any], learnt: Path) -> dict[str, Any]:
    parts = {"critic": str(learnt / "critic"), "actor": str(learnt / options["name"])}
    return {**options, **{name: path for name, path in parts.items() if name in options}}


@pytest.mark.parametrize("name", STEERINGS)
def test_what_steers_is_a_policy_that_tells_its_decisions(policy: DiffusionPolicy, learnt: Path, name: str) -> None:
    steered = steer(policy, plain(name, learnt))
    assert isinstance(steered, Policy) and isinstance(steered, DecidingPolicy)
    observation = observe(policy, 5)
    chunk = steered.sample(observation, samples=2, seeds=SEEDS)
    assert chunk.shape == (5, 2, 6, 2)
    decision = steered.decide(observation, samples=2, seeds=SEEDS)
    np.testing.assert_array_equal(decision.chunk, chunk)
    if steered.noise_shape is None:
        assert decision.noise is None
    else:
        assert decision.noise is not None and decision.noise.shape == (5, 2, *steered.noise_shape)
        seeds = None if steered.deterministic else SEEDS
        again = steered.decide(observation, samples=2, noise=decision.noise, seeds=seeds)
        np.testing.assert_array_equal(again.chunk, chunk, "the noise of a decision repeats it, to the bit")
    settings = steered.settings
    anew = steer(policy, with_parts(settings, learnt))
    assert anew.settings == settings and anew.fingerprint == policy.fingerprint


def test_scale_one_is_the_policy_and_scale_zero_forgets_the_seed(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 5)
    np.testing.assert_array_equal(
        NoiseScaled(policy, noise_scale=1.0).sample(observation, samples=3, seeds=SEEDS),
        policy.sample(observation, samples=3, seeds=SEEDS),
    )
    zero = NoiseScaled(policy, noise_scale=0.0)
    one, other = zero.sample(observation, seeds=SEEDS), zero.sample(observation, seeds=SEEDS[::-1])
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, policy.sample(observation, noise=np.zeros((5, 1, 6, 2))))


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
def test_a_scale_multiplies_the_noise(policy: DiffusionPolicy, scale: float) -> None:
    observation, noise = observe(policy, 4), np.random.default_rng(0).normal(size=(4, 2, 6, 2)).astype(np.float32)
    scaled = NoiseScaled(policy, noise_scale=scale).sample(observation, noise=noise, samples=2)
    np.testing.assert_array_equal(scaled, policy.sample(observation, noise=np.float32(scale) * noise, samples=2))
    twice = NoiseScaled(NoiseScaled(policy, noise_scale=scale), noise_scale=scale)
    np.testing.assert_allclose(
        twice.sample(observation, seeds=SEEDS[:4]),
        NoiseScaled(policy, noise_scale=scale**2).sample(observation, seeds=SEEDS[:4]),
        atol=1e-5,
    )


chunks = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(2, 4), st.integers(1, 3)), elements=st.floats(-5, 5)
)


@given(chunks, st.floats(-3, 3), st.floats(0.1, 10))
def test_the_medoid_follows_shifts_scales_and_permutations(candidates: np.ndarray, shift: float, scale: float) -> None:
    def costs(among: np.ndarray) -> np.ndarray:
        scaled = among / np.maximum(among.std(axis=(0, 1)), 1e-9)
        return np.array([sum(np.linalg.norm(one - other) for other in scaled) for one in scaled])

    chosen = int(medoids(candidates))
    assert costs(candidates)[chosen] == pytest.approx(costs(candidates).min(), rel=1e-9, abs=1e-9)
    moved = scale * candidates + shift
    if (moved.std(axis=(0, 1)) > 1e-3).all() and (candidates.std(axis=(0, 1)) > 1e-3).all():
        best = costs(candidates)
        assert best[int(medoids(moved))] == pytest.approx(best.min(), rel=1e-6, abs=1e-6)
        order = np.random.default_rng(0).permutation(len(candidates))
        assert best[order[int(medoids(candidates[order]))]] == pytest.approx(best.min(), rel=1e-6, abs=1e-6)


def test_the_medoid_is_one_of_the_chunks_and_k_of_one_is_the_policy(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 5)
    decision = Medoid(policy, candidates=8).decide(observation, samples=2, seeds=SEEDS)
    drawn = policy.sample(observation, samples=16, seeds=SEEDS).reshape(5, 2, 8, 6, 2)
    np.testing.assert_array_equal(decision.candidates, drawn)
    assert decision.index is not None
    for row in range(5):
        for sample in range(2):
            np.testing.assert_array_equal(decision.chunk[row, sample], drawn[row, sample, decision.index[row, sample]])
    np.testing.assert_array_equal(
        Medoid(policy, candidates=1).sample(observation, seeds=SEEDS), policy.sample(observation, seeds=SEEDS)
    )


def test_what_is_no_policy_is_not_steered() -> None:
    for kind, options in ((Medoid, {"candidates": 4}), (NoiseScaled, {}), (Prompted, {"instruction": "go"})):
        with pytest.raises(InputError, match=rf"steering {kind.name}.*expected a policy.*got a NoneType"):
            kind(None, **options)  # type: ignore[arg-type]


def test_one_outlier_is_never_the_medoid(policy: DiffusionPolicy) -> None:
    candidates = np.random.default_rng(0).normal(size=(7, 4, 2))
    candidates[3] += 100
    assert medoids(candidates) != 3


def test_noise_is_steered_inside_and_the_choice_stands_outside(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 3)
    inside = Medoid(NoiseScaled(policy, noise_scale=0.0), candidates=4)
    expected = NoiseScaled(policy, noise_scale=0.0).sample(observation)
    np.testing.assert_allclose(inside.sample(observation, seeds=SEEDS[:3]), expected, atol=1e-5)
    with pytest.raises(InputError, match="noise steered inside, the choice outside"):
        NoiseScaled(Medoid(policy), noise_scale=0.5)
    with pytest.raises(InputError, match="noise steered inside, the choice outside"):
        NoiseScaled(Executed(Medoid(policy), n_action_steps=2), noise_scale=0.5)


def test_random_noise_is_of_the_kind_that_an_actor_gives(policy: DiffusionPolicy) -> None:
    observation, noise = observe(policy, 4), np.random.default_rng(0).normal(size=(4, 2, 6, 2)).astype(np.float32)
    full = RandomNoise(policy, noise_scale=0.5)
    scaled = NoiseScaled(policy, noise_scale=0.5)
    np.testing.assert_array_equal(
        full.sample(observation, samples=2, seeds=SEEDS[:4]), scaled.sample(observation, samples=2, seeds=SEEDS[:4])
    )
    repeated = RandomNoise(policy, noise_scale=0.5, shape="repeated").sample(observation, noise=noise, samples=2)
    row = np.repeat(np.float32(0.5) * noise[:, :, :1], 6, axis=2)
    np.testing.assert_array_equal(repeated, policy.sample(observation, noise=row, samples=2))
    with pytest.raises(InputError, match=r"shape: expected one of full, repeated, knots"):
        RandomNoise(policy, shape="round")


def test_each_entry_of_a_codebook_is_drawn_as_often(policy: DiffusionPolicy) -> None:
    rows, steered = 4_000, RandomNoise(policy, noise_scale=0.5, entries=4, seed=7)
    one = {name: np.repeat(value, rows, axis=0) for name, value in observe(policy, 1).items()}
    chunk = steered.sample(one, seeds=range(rows))[:, 0]
    each = policy.sample(observe(policy, 1), noise=fixed_noises((6, 2), 4, 0.5, 7)[None], samples=4)[0]
    distance = np.abs(chunk[:, None] - each[None]).max(axis=(2, 3))
    assert distance.min(axis=1).max() < 1e-4, "every chunk is one of the entries'"
    counts = np.bincount(distance.argmin(axis=1), minlength=4)
    assert np.square(counts - rows / 4).sum() / (rows / 4) < 16.3, "chi-square, 3 degrees, 0.1 %"
    with pytest.raises(InputError, match="noise for a codebook"):
        steered.sample(observe(policy, 2), noise=np.zeros((2, 1, 6, 2)))


@pytest.mark.parametrize("scale", [-0.1, float("nan"), float("inf"), "much", True])
def test_a_scale_that_is_no_finite_number_from_zero_on_is_refused(policy: DiffusionPolicy, scale: Any) -> None:
    with pytest.raises(InputError, match=r"noise_scale.*expected a number, at least 0"):
        NoiseScaled(policy, noise_scale=scale)
    with pytest.raises(InputError, match=r"noise_scale.*expected a number, at least 0"):
        steer(policy, {"name": "noise_scale", "noise_scale": scale})


def test_what_noise_cannot_steer_is_refused_with_the_way_out(store: Path) -> None:
    regression = make_policy(store, recipe("regression"))
    for name in ("noise_scale", "medoid", "ticket", "random_choice", "random_noise"):
        with pytest.raises(InputError, match="objective flow, ddpm or edm"):
            steer(regression, {"name": name})
    ddpm = make_policy(store, recipe("ddpm"))
    NoiseScaled(ddpm)
    with pytest.raises(InputError, match=r"sampler 'ddpm'.*draws more noise"):
        NoiseScaled(ddpm.with_sampler("ddpm"))
    with pytest.raises(InputError, match=r"sampler 'ddpm'.*draws more noise"):
        NoiseScaled(ddpm).with_sampler("ddpm", 10)
    Medoid(ddpm.with_sampler("ddpm", 5)).sample(observe(ddpm, 2))


def test_noise_and_seeds_repeat_a_decision_of_a_stochastic_sampler(store: Path) -> None:
    policy = make_policy(store, recipe("ddpm")).with_sampler("ddpm", 5)
    observation = observe(policy, 5)
    decision = policy.decide(observation, samples=2, seeds=SEEDS)
    again = policy.sample(observation, samples=2, seeds=SEEDS, noise=decision.noise)
    np.testing.assert_array_equal(again, decision.chunk)


def test_execution_says_how_the_runner_executes(policy: DiffusionPolicy) -> None:
    assert ChunkRunner(Executed(policy, n_action_steps=5).spec).n_action_steps == 5
    ensemble = ChunkRunner(Executed(policy, ensemble=0.1).spec)
    assert ensemble.ensemble is not None and ensemble.ensemble.rate == 0.1 and ensemble.n_action_steps == 1
    assert ChunkRunner(Executed(policy, ensemble=0.1).spec, n_action_steps=2).ensemble is None, "who asks, decides"
    with pytest.raises(InputError, match="1 to the horizon 6"):
        Executed(policy, n_action_steps=7)
    with pytest.raises(InputError, match="or an ensemble"):
        Executed(policy, n_action_steps=2, ensemble=0.1)


def test_another_sampler_is_a_policy_of_its_own(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 3)
    steered = Resampled(policy, steps=2)
    np.testing.assert_array_equal(
        steered.sample(observation, seeds=SEEDS[:3]), policy.with_sampler(None, 2).sample(observation, seeds=SEEDS[:3])
    )
    assert (policy.spec.sampler.steps, steered.with_sampler("heun", 4).spec.sampler.steps) == (10, 4)
    with pytest.raises(InputError, match="Did you mean 'euler'"):
        Resampled(policy, sampler="eulr")


def test_a_pinned_sampler_is_kept(policy: DiffusionPolicy) -> None:
    pinned: Steered = NoiseScaled(policy, noise_scale=0.5, pinned=True)
    assert pinned.with_sampler() is pinned and pinned.with_sampler("euler", 10) is pinned
    with pytest.raises(InputError, match=r"euler in 10 steps, which it was steered with, got euler in 3 steps"):
        pinned.with_sampler(None, 3)
    assert replace(pinned, pinned=False).with_sampler(None, 3).spec.sampler.steps == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "noise_scal"}, "Did you mean 'noise_scale'"),
        ({"noise_scale": 0.5}, "Add steering= with one of noise_scale"),
        ({"name": "noise_scale", "scale": 0.5}, "option 'scale'.*Did you mean 'noise_scale'"),
        ({"name": "noise_scale", "policy": 1}, "option 'policy'"),
        ({"name": "execution"}, "n_action_steps or an ensemble.*neither"),
        ({"name": "sampler"}, "a sampler, or the number of its steps.*neither"),
        ({"name": "medoid", "candidates": 0}, "candidates.*at least 1"),
        ({"name": "medoid", "candidates": 1.5}, "candidates.*an integer"),
    ],
)
def test_settings_that_steer_nothing_are_refused(
    policy: DiffusionPolicy, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        steer(policy, settings)


def test_prompts_and_prefixes_reach_the_policy_below(policy: DiffusionPolicy, learnt: Path) -> None:
    observation = observe(policy, 2)
    prefix, weight = np.full((2, 6, 2), 0.3), np.repeat([[1.0, 1, 0, 0, 0, 0]], 2, axis=0)
    for name in STEERINGS:
        steered = steer(policy, plain(name, learnt))
        chunk = steered.sample(observation, task=TaskPrompt("go"), prefix=prefix, prefix_weight=weight)
        np.testing.assert_allclose(chunk[:, 0, :2], prefix[:, :2], atol=1e-4)


@pytest.mark.parametrize("samples", [0, -1, 2.5, True])
def test_no_number_of_samples_is_refused(policy: DiffusionPolicy, samples: Any) -> None:
    for each in (policy, NoiseScaled(policy, noise_scale=0.5), Medoid(policy, candidates=2)):
        with pytest.raises(InputError, match=r"samples.*at least 1"):
            each.sample(observe(policy, 2), samples=samples)


def test_what_is_no_batch_or_no_prompt_is_named_with_the_way_out(policy: DiffusionPolicy) -> None:
    rows = {name: value[0, -1] for name, value in observe(policy, 1).items()}
    with pytest.raises(InputError, match="That is one row: ObservationHistory"):
        policy.sample(rows)
    for wrong in ("lift the cube", ["lift the cube"]):
        with pytest.raises(InputError, match="a TaskPrompt, or one per row"):
            policy.sample(observe(policy, 1), task=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="seeds: expected 1 of them"):
        policy.sample(observe(policy, 1), seeds=0)  # type: ignore[arg-type]


def test_a_policy_that_tells_nothing_still_decides(policy: DiffusionPolicy) -> None:
    class Plain:
        spec, noise_shape = policy.spec, None

        def sample(self, observation: Any, **more: Any) -> np.ndarray:
            return np.zeros((len(observation["goal"]), 1, 6, 2))

    decision = decide(Plain(), Query(observe(policy, 3)))  # type: ignore[arg-type]
    assert decision.chunk.shape == (3, 1, 6, 2) and decision.noise is None and decision.row(1).chunk.shape == (1, 6, 2)
