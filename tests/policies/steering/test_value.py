"""A choice by a critic's values: by its laws, what it asks for, what it refuses and what it doubts."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_critic.guidance import ValueGuided
from policies.steering.by_critic.judged import HeldOut, doubts
from policies.steering.by_critic.value import SteeringWarning, ValueSteered, chosen, softmax
from policies.steering.by_noise.medoid import Medoid
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.by_noise.ticket import Ticket
from policies.steering.choosing import RandomChoice
from policies.steering.execution import Executed, Resampled
from policies.steering.registry import steer
from robot.description import (
    CriticBase,
    History,
    ObservationSpec,
    PolicySpec,
    PromptSpec,
    Query,
    SamplerSpec,
    TaskPrompt,
)
from robot.errors import InputError
from tests.policies.points import make_policy, observe
from tests.policies.steering.known_critics import KnownCritic, LinearCritic, critic_spec, learnt_critic, save_learnt

SEEDS = [3, 1, 4, 1, 5]
TARGET = np.array([0.2, -0.1])
THREE = History(3)


def recipe(**changes: Any) -> PolicyRecipe:
    return PolicyRecipe(
        **{
            "network": {"name": "mlp", "width": 32, "depth": 1, "features": 16},
            "objective": {"name": "flow"},
            "observation": ("point.state", "goal"),
            "horizon": 6,
            "n_action_steps": 3,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def policy(store: Path) -> DiffusionPolicy:
    made = make_policy(store, recipe())
    made.fingerprint = "0123456789abcdef"  # as a loaded one has
    return made


def nearness(chunk: np.ndarray) -> np.ndarray:
    """The nearer the executed rows to the target, the larger."""
    return -np.square(chunk - TARGET).sum(axis=(-1, -2))


def based(policy: DiffusionPolicy) -> KnownCritic:
    return KnownCritic(policy.spec, nearness, CriticBase(str(policy.fingerprint), policy.spec.sampler))


class Counted:
    """A policy that counts its decisions."""

    def __init__(self, policy: DiffusionPolicy) -> None:
        self.policy, self.spec, self.noise_shape = policy, policy.spec, policy.noise_shape
        self.fingerprint, self.samples = policy.fingerprint, []

    def decide(self, observation: Any, **more: Any) -> Any:
        self.samples.append(more["samples"])
        return self.policy.decide(observation, **more)

    def sample(self, observation: Any, **more: Any) -> np.ndarray:
        return self.decide(observation, **more).chunk

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("beside", [False, True])
def test_one_chunk_to_choose_from_is_the_policy_to_the_bit(policy: DiffusionPolicy, samples: int, beside: bool) -> None:
    critic = based(policy) if beside else KnownCritic(policy.spec, nearness)
    observation = observe(policy, 5)
    steered = ValueSteered(policy, critic, samples=1, selection_temperature=0.7)
    prefix, weight = np.full((5, 6, 2), 0.3), np.tile([1.0, 0.8, 0.3, 0, 0, 0], (5, 1))
    for more in ({}, {"prefix": prefix, "prefix_weight": weight}):
        decision = steered.decide(observation, samples=samples, seeds=SEEDS, **more)
        plain = policy.decide(observation, samples=samples, seeds=SEEDS, **more)
        np.testing.assert_array_equal(decision.chunk, plain.chunk)
        np.testing.assert_array_equal(decision.noise[:, :, 0], plain.noise)
        np.testing.assert_allclose(decision.value, nearness(plain.chunk[:, :, :3]), rtol=1e-6)
    assert steered.deterministic


@pytest.mark.parametrize("beside", [False, True])
def test_the_chunk_of_the_largest_value_is_taken(policy: DiffusionPolicy, beside: bool) -> None:
    critic = based(policy) if beside else KnownCritic(policy.spec, nearness)
    observation = observe(policy, 5)
    decision = ValueSteered(policy, critic, samples=8).decide(observation, samples=2, seeds=SEEDS)
    drawn = policy.sample(observation, samples=16, seeds=SEEDS).reshape(5, 2, 8, 6, 2)
    np.testing.assert_allclose(decision.candidates, drawn, atol=1e-5)
    values = nearness(drawn[..., :3, :])
    np.testing.assert_array_equal(decision.index, values.argmax(axis=-1))
    np.testing.assert_allclose(decision.value, values.max(axis=-1), atol=1e-4)
    rows, columns = np.indices((5, 2))
    np.testing.assert_array_equal(decision.chunk, decision.candidates[rows, columns, decision.index])
    assert not decision.fell_back.any()
    row = decision.row(2)
    np.testing.assert_array_equal(row.chunk[0], row.candidates[0, row.index[0]])


def test_a_decision_asks_the_policy_and_the_critic_once(policy: DiffusionPolicy) -> None:
    for critic, drawn in ((KnownCritic(policy.spec, nearness), 8), (based(policy), 9)):
        counted, encoded = Counted(policy), []
        handle = policy.model.encoder.register_forward_hook(lambda *_, seen=encoded: seen.append(1))
        ValueSteered(counted, critic, samples=4).decide(observe(policy, 5), samples=2, seeds=SEEDS)
        handle.remove()
        assert counted.samples == [drawn] and len(encoded) == 1
        assert [chunk.shape for chunk in critic.chunks] == [(5, 8, 3, 2)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_choice_does_not_depend_on_batch_mates(policy: DiffusionPolicy, temperature: float) -> None:
    steered = ValueSteered(policy, based(policy), samples=8, selection_temperature=temperature)
    observation, others = observe(policy, 5), observe(policy, 5, seed=9)
    mixed = {name: np.concatenate([value[2:3], others[name][1:]]) for name, value in observation.items()}
    mixed = {name: np.roll(value, 2, axis=0) for name, value in mixed.items()}  # the row keeps its place
    first = steered.decide(observation, seeds=SEEDS)
    second = steered.decide(mixed, seeds=[9, 8, SEEDS[2], 7, 6])
    np.testing.assert_array_equal(first.row(2).chunk, second.row(2).chunk)
    assert first.index[2] == second.index[2]
    alone = steered.decide({name: value[2:3] for name, value in observation.items()}, seeds=SEEDS[2:3])
    assert alone.index[0] == first.index[2]
    np.testing.assert_allclose(alone.chunk[0], first.chunk[2], atol=1e-5)


values_of_k = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 7)), elements=st.floats(-1e6, 1e6)
)


def query(rows: int, samples: int = 1, seeds: Any = None) -> Query:
    return Query({"x": np.zeros((rows, 1))}, samples=samples, seeds=range(rows) if seeds is None else seeds)


@given(values_of_k, st.randoms(use_true_random=False))
def test_permuted_candidates_permute_the_choice(values: np.ndarray, random: Any) -> None:
    order = np.array(random.sample(range(values.shape[-1]), values.shape[-1]))
    rows = query(values.shape[0], values.shape[1])
    one, other = chosen(values, 0.0, rows)[0], chosen(values[..., order], 0.0, rows)[0]
    best = np.take_along_axis(values, one[..., None], -1)
    np.testing.assert_array_equal(np.take_along_axis(values, order[other][..., None], -1), best)
    np.testing.assert_array_equal(best[..., 0], values.max(axis=-1))
    np.testing.assert_allclose(softmax(values[..., order], 0.5), softmax(values, 0.5)[..., order], atol=1e-9)


def test_permuted_noise_permutes_the_choice(policy: DiffusionPolicy) -> None:
    steered, observation = ValueSteered(policy, KnownCritic(policy.spec, nearness), samples=6), observe(policy, 4)
    noise = np.random.default_rng(0).normal(size=(4, 1, 6, 6, 2)).astype(np.float32)
    order = np.array([4, 0, 5, 2, 1, 3])
    one, other = (steered.decide(observation, noise=each) for each in (noise, noise[:, :, order]))
    np.testing.assert_allclose(one.chunk, other.chunk, atol=1e-5)
    np.testing.assert_array_equal(order[other.index], one.index)


@given(values_of_k, st.floats(0.1, 1e3), st.floats(-1e3, 1e3), st.floats(0.05, 10))
def test_a_temperature_means_the_same_in_every_unit_of_value(
    values: np.ndarray, scale: float, shift: float, temperature: float
) -> None:
    shares = softmax(values, temperature)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-9)
    assert (np.diff(np.take_along_axis(shares, values.argsort(axis=-1), -1), axis=-1) >= -1e-12).all()
    if (values.std(axis=-1) > 1e-2).all():
        np.testing.assert_allclose(softmax(scale * values + shift, temperature), shares, atol=1e-6)
    np.testing.assert_allclose(softmax(np.zeros_like(values), temperature), 1 / values.shape[-1])


def test_choices_have_the_frequencies_of_the_softmax() -> None:
    rows, values = 4_000, np.array([0.0, 1.0, 1.5, -2.0])
    z = (values - values.mean()) / values.std()
    expected = np.exp(z / 0.8) / np.exp(z / 0.8).sum()
    index, _ = chosen(np.tile(values, (rows, 2, 1)), 0.8, query(rows, 2))
    for sample in range(2):
        counts = np.bincount(index[:, sample], minlength=4)
        assert (np.square(counts - rows * expected) / (rows * expected)).sum() < 16.3, "chi-square, 3 degrees, 0.1 %"
    assert abs(np.corrcoef(index.T)[0, 1]) < 0.06, "the samples of a row choose apart"
    again, _ = chosen(np.tile(values, (rows, 2, 1)), 0.8, query(rows, 2))
    np.testing.assert_array_equal(again, index)


def test_a_choice_at_random_follows_the_seed_and_nothing_else(policy: DiffusionPolicy) -> None:
    observation, steered = observe(policy, 5), RandomChoice(policy, samples=4)
    decision = steered.decide(observation, samples=50, seeds=SEEDS)
    assert decision.index.shape == (5, 50) and decision.value is None and not steered.deterministic
    counts = np.bincount(decision.index.ravel(), minlength=4)
    assert counts.sum() == 250 and counts.min() > 35
    np.testing.assert_array_equal(decision.index[1], decision.index[3], "rows 1 and 3 have one seed")
    np.testing.assert_array_equal(
        decision.index, steered.decide(observe(policy, 5, seed=7), samples=50, seeds=SEEDS).index
    )
    np.testing.assert_array_equal(
        RandomChoice(policy, samples=1).sample(observation, seeds=SEEDS), policy.sample(observation, seeds=SEEDS)
    )


def test_a_critic_with_a_base_sees_its_zero_noise_plan(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 5)
    prefix, weight = np.full((5, 6, 2), 0.3), np.tile([1.0, 1, 0, 0, 0, 0], (5, 1))
    learnt = LinearCritic(policy.spec, np.array([1.0, 0.0]))
    for more in ({}, {"prefix": prefix, "prefix_weight": weight}):
        zero = policy.sample(observation, noise=np.zeros((5, 1, 6, 2)), **more)[:, 0, :3]
        for below in (
            policy,
            NoiseScaled(policy, noise_scale=0.5),
            Medoid(policy, candidates=3),
            Executed(NoiseScaled(policy, noise_scale=0.5), n_action_steps=3),
            ValueGuided(policy, learnt, beta=0.1),
        ):
            critic = based(policy)
            ValueSteered(below, critic, samples=4).sample(observation, seeds=SEEDS, **more)
            (reference,) = critic.references
            np.testing.assert_allclose(reference, zero, atol=1e-5)


def test_a_committed_prefix_stays_exact(policy: DiffusionPolicy) -> None:
    prefix, weight = np.full((5, 6, 2), 0.3), np.tile([1.0, 1, 0, 0, 0, 0], (5, 1))
    for below in (policy, NoiseScaled(policy, noise_scale=0.5)):
        steered = ValueSteered(below, based(policy), samples=8)
        decision = steered.decide(observe(policy, 5), seeds=SEEDS, prefix=prefix, prefix_weight=weight)
        np.testing.assert_allclose(decision.candidates[..., :2, :], 0.3, atol=1e-5)
        plain = below.sample(observe(policy, 5), samples=8, seeds=SEEDS, prefix=prefix, prefix_weight=weight)
        np.testing.assert_allclose(decision.candidates[:, 0], plain, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_values_that_are_no_numbers_are_never_chosen_and_none_left_falls_back(
    policy: DiffusionPolicy, temperature: float
) -> None:
    def broken(chunk: np.ndarray) -> np.ndarray:
        values = nearness(chunk)
        values[0] = np.nan
        values[1, ::2] = np.inf
        return values

    steered = ValueSteered(policy, KnownCritic(policy.spec, broken), samples=6, selection_temperature=temperature)
    decision = steered.decide(observe(policy, 5), seeds=SEEDS)
    np.testing.assert_array_equal(decision.fell_back, [True, False, False, False, False])
    assert decision.index[0] == 0 and decision.index[1] % 2 == 1
    np.testing.assert_allclose(
        decision.chunk[0, 0], policy.sample(observe(policy, 5), samples=6, seeds=SEEDS)[0, 0], atol=1e-5
    )


def test_a_learnt_critic_chooses_alike_from_its_path_and_as_an_object(policy: DiffusionPolicy, tmp_path: Path) -> None:
    path, observation = save_learnt(policy, tmp_path / "critic"), observe(policy, 5)
    with pytest.warns(SteeringWarning, match=r"no judgement.json beside it.*choose among 8.*random_choice"):
        steered = ValueSteered(policy, path, samples=8)
    other = ValueSteered(policy, learnt_critic(policy), samples=8)
    np.testing.assert_array_equal(steered.sample(observation, seeds=SEEDS), other.sample(observation, seeds=SEEDS))
    decision = steered.decide(observation, seeds=SEEDS)
    values = learnt_critic(policy).value(observation, decision.candidates[:, 0, :, :3])
    np.testing.assert_allclose(decision.value[:, 0], values.max(axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda spec: {"steps": 4}, r"critic: rows: expected 3, which the policy executes per plan, got 4"),
        (
            lambda spec: {"action": replace(spec.action, period_s=0.2)},
            r"critic: actions: expected those of the policy.*0\.1 s, got .*0\.2 s",
        ),
        (
            lambda spec: {"observation": ObservationSpec((replace(spec.observation.fields[1], unit="mm"),))},
            r"observation 'goal': expected what the policy sees.*in m, .*got .*in mm",
        ),
        (
            lambda spec: {"observation": ObservationSpec((replace(spec.observation.fields[1], name="gaol"),))},
            r"observation 'gaol': expected what the policy sees: nothing of that name",
        ),
        (
            lambda spec: {"observation": spec.observation.with_history(dict.fromkeys(spec.observation.names, THREE))},
            r"observation 'point.state': expected .*1 steps, got .*3 steps",
        ),
        (
            lambda spec: {"base": CriticBase("fedcba9876543210", spec.sampler)},
            r"critic: base: expected the policy that is steered, of hash 0123456789abcdef, got one of hash fedcba98",
        ),
        (
            lambda spec: {"base": CriticBase("0123456789abcdef", SamplerSpec("euler", 5))},
            r"sampler of its base: expected euler in 10 steps.*got euler in 5 steps. Add sampler=euler steps=5",
        ),
    ],
)  # fmt: skip
def test_a_critic_that_does_not_fit_is_refused_with_both_sides(
    policy: DiffusionPolicy, change: Any, message: str
) -> None:
    critic = LinearCritic(policy.spec, TARGET)
    critic.spec = critic_spec(policy.spec, **change(policy.spec))
    for kind in (ValueSteered, ValueGuided):
        with pytest.raises(InputError, match=message):
            kind(policy, critic)
        with pytest.raises(InputError, match=message):
            kind(NoiseScaled(policy, noise_scale=0.5), critic)


def test_a_base_without_a_hash_and_one_that_another_sampler_would_draw_are_refused(
    policy: DiffusionPolicy, store: Path
) -> None:
    unknown = make_policy(store, recipe())
    with pytest.raises(InputError, match=r"got one of hash 0123456789abcdef.*Load the policy from its checkpoint"):
        ValueSteered(unknown, based(policy))
    steered = ValueSteered(policy, based(policy))
    with pytest.raises(InputError, match=r"expected euler in 3 steps, as the policy is sampled, got euler in 10"):
        steered.with_sampler(None, 3)
    with pytest.raises(InputError, match=r"expected euler in 3 steps"):
        Resampled(steered, steps=3)
    assert ValueSteered(policy, KnownCritic(policy.spec, nearness)).with_sampler(None, 3).spec.sampler.steps == 3
    edm = make_policy(store, recipe(objective={"name": "edm"})).with_sampler("ancestral", 5)
    edm.fingerprint = policy.fingerprint
    with pytest.raises(InputError, match=r"the critic sees the zero-noise plan.*draws more noise"):
        ValueSteered(edm, based(edm))
    ValueSteered(edm, KnownCritic(edm.spec, nearness), samples=3).sample(observe(edm, 2))


def test_rows_that_the_critic_does_not_score_are_not_executed(policy: DiffusionPolicy) -> None:
    steered = ValueSteered(policy, KnownCritic(policy.spec, nearness), samples=2)
    for stack in (steered, Executed(steered, n_action_steps=3)):
        with pytest.raises(InputError, match=r"rows: expected 2, which the policy executes per plan, got 3"):
            Executed(stack, n_action_steps=2)
        with pytest.raises(InputError, match=r"rows: expected 1, which the policy executes"):
            Executed(stack, ensemble=0.1)
    shorter = KnownCritic(replace(policy.spec, n_action_steps=2), nearness)
    assert ValueSteered(Executed(policy, n_action_steps=2), shorter).spec.n_action_steps == 2
    one = KnownCritic(replace(policy.spec, n_action_steps=1), nearness)
    ValueSteered(Executed(policy, ensemble=0.1), one)


def test_an_instruction_that_the_critic_does_not_know_is_refused(policy: DiffusionPolicy) -> None:
    critic = KnownCritic(policy.spec, nearness)
    critic.spec = critic_spec(policy.spec, prompt=PromptSpec("instruction", ("open", "shut")))
    steered = ValueSteered(policy, critic, samples=2)
    observation = observe(policy, 2)
    pulls = LinearCritic(policy.spec, TARGET)
    pulls.spec = critic.spec
    for each in (steered, ValueGuided(policy, pulls)):
        each.sample(observation, task=[TaskPrompt("open"), TaskPrompt("shut")])
        with pytest.raises(InputError, match=r"critic: instruction: expected one.*'open', 'shut', got 'lift'"):
            each.sample(observation, task=TaskPrompt("lift"))

    class Follows(Counted):
        def __init__(self, base: DiffusionPolicy) -> None:
            super().__init__(base)
            self.spec = replace(base.spec, prompt=PromptSpec("instruction", ("open", "shut", "lift")))

    with pytest.raises(InputError, match=r"those of the policy: 'open', 'shut', 'lift', got 'open', 'shut'.*'lift'"):
        ValueSteered(Follows(policy), critic, samples=2)


def test_the_legal_order_of_noise_and_choice(policy: DiffusionPolicy) -> None:
    steered = ValueSteered(NoiseScaled(policy, noise_scale=0.5), KnownCritic(policy.spec, nearness), samples=4)
    for outside in (NoiseScaled, Ticket):
        with pytest.raises(InputError, match="noise steered inside, the choice outside: each of the chunks has noise"):
            outside(steered)
    with pytest.raises(InputError, match="one that always gives the same chunk"):
        ValueSteered(Ticket(policy), KnownCritic(policy.spec, nearness))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "value"}, r"steering value: critic: expected the checkpoint of a critic, got none.*steering.critic="),
        ({"name": "guidance", "critic": " "}, r"steering guidance: critic"),
        ({"name": "value", "critic": 7}, r"steering value: critic.*got 7"),
        ({"name": "value", "critic": "nowhere"}, r"checkpoint 'nowhere'.*nothing there"),
        ({"name": "value", "samples": 0}, r"samples.*at least 1"),
        ({"name": "value", "samples": 257}, r"samples.*at most 256"),
        ({"name": "random_choice", "samples": 0}, r"samples.*at least 1"),
        ({"name": "value", "selection_temperature": -0.1}, r"selection_temperature.*at least 0"),
        ({"name": "value", "temperature": 1}, r"option 'temperature'.*Did you mean 'selection_temperature'"),
        ({"name": "guidance", "beta": 0}, r"beta.*above 0"),
        ({"name": "guidance", "weight": -1}, r"weight.*at least 0"),
        ({"name": "guidance", "cap": 0}, r"cap.*above 0"),
        ({"name": "guidance", "spread_samples": 1}, r"spread_samples.*at least 2"),
        ({"name": "ticket", "scale": -1}, r"scale.*at least 0"),
        ({"name": "ticket", "seed": -1}, r"seed.*at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(policy: DiffusionPolicy, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        steer(policy, settings)


def test_a_choice_is_doubted_beyond_what_the_critic_was_judged_on(policy: DiffusionPolicy, tmp_path: Path) -> None:
    groups_of_eight = HeldOut(auc=0.7, low=0.6, states=10, pairs=160)
    assert groups_of_eight.largest_choice == 8
    assert doubts(groups_of_eight, 8) == () == doubts(None, 1)
    for held_out, samples, words in (
        (None, 2, "Nothing says"),
        (replace(groups_of_eight, low=0.5), 2, "no better than a coin"),
        (replace(groups_of_eight, low=float("nan")), 2, "no better than a coin"),
        (replace(groups_of_eight, states=9, low=1.0), 2, "9 states"),
        (groups_of_eight, 9, "judged on about 8 chunks of a state and is to choose among 9"),
    ):
        (sentence,) = doubts(held_out, samples)
        assert words in sentence
    run = tmp_path / "run"
    path = save_learnt(policy, run / "checkpoints" / "final")
    figures = {"auc_within_state": 0.7, "auc_within_state_low": 0.6, "states": 10.0, "pairs_within_state": 160.0}
    for folder in (run, path):  # of the run, then beside the weights, which counts first
        (folder / "judgement.json").write_text(json.dumps(figures))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert ValueSteered(policy, run, samples=8).doubts == ()
        with pytest.warns(SteeringWarning, match="judged on about 8"):
            ValueSteered(policy, run, samples=16)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            steer(policy, {"name": "value", "critic": str(run)}, pinned=True)  # it was measured so
    (path / "judgement.json").write_text("{")
    (run / "judgement.json").write_text("[]")
    with pytest.warns(SteeringWarning, match="Nothing says"):
        ValueSteered(policy, run, samples=2)


class Ensemble(KnownCritic):
    """Members that each value chunks by a function of their own; the critic by the mean."""

    def __init__(self, policy: PolicySpec, *functions: Any) -> None:
        super().__init__(policy, lambda chunk: np.mean([each(chunk) for each in functions], axis=0))
        self.functions = functions

    def member_values(self, observation: Any, chunk: np.ndarray, task: Any = None, reference: Any = None) -> np.ndarray:
        return np.stack([each(chunk) for each in self.functions])


@pytest.mark.parametrize("margin", [0.0, 0.02, 1e6])
def test_with_a_margin_all_members_agree_or_the_first_chunk_stays(policy: DiffusionPolicy, margin: float) -> None:
    other = np.array([-0.2, 0.3])
    critic = Ensemble(policy.spec, nearness, lambda chunk: -np.square(chunk - other).sum(axis=(-1, -2)))
    observation, samples = observe(policy, 40), 8
    steered = ValueSteered(policy, critic, samples=samples, margin=margin)
    decision = steered.decide(observation, seeds=range(40))
    plain = ValueSteered(policy, critic, samples=samples).decide(observation, seeds=range(40))
    members = critic.member_values({}, plain.candidates[:, 0, :, :3])
    row = np.arange(40)
    lead = (members[:, row, plain.index[:, 0]] - members[:, :, 0]).min(axis=0)
    agreed = lead > margin
    np.testing.assert_array_equal(decision.index[:, 0], np.where(agreed, plain.index[:, 0], 0))
    np.testing.assert_array_equal(decision.fell_back, ~agreed & (plain.index[:, 0] > 0))
    first = policy.sample(observation, seeds=range(40), samples=samples)[:, :1]
    np.testing.assert_allclose(decision.chunk[~agreed], first[~agreed], atol=1e-6)
    assert (~agreed).any(), "members that disagree"
    assert agreed.any() == (margin < 1e6)


def test_a_margin_wants_members(policy: DiffusionPolicy, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"margin: expected a critic of several members.*Leave margin= out"):
        ValueSteered(policy, KnownCritic(policy.spec, nearness), margin=0.0)
    learnt = learnt_critic(policy)
    rows = policy.sample(observe(policy, 4), samples=5, seeds=range(4))[:, :, :3]
    seen = {name: observe(policy, 4)[name] for name in learnt.spec.observation.names}
    members = learnt.member_values(seen, rows)
    np.testing.assert_allclose(members.mean(axis=0), learnt.value(seen, rows), atol=1e-6)
    steered = steer(policy, {"name": "value", "critic": str(save_learnt(policy, tmp_path / "c")), "margin": 0.01})
    assert steered.settings["margin"] == 0.01
    assert "margin" not in steer(policy, {"name": "value", "critic": str(tmp_path / "c")}).settings
