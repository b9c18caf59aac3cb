"""One request for a plan: the same whoever asks, answered alike alone and in a batch, whenever the answer comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.control.ensembling import TemporalEnsemble
from robot.control.plan_request import PlanRequest, best_continuation, decide_plans, sample_plans
from robot.control.runner import ChunkRunner
from robot.description import ActionField, ActionSpec, Decision, ObservationField, ObservationSpec, Task, TaskPrompt
from robot.description.specs import PolicySpec, SamplerSpec
from robot.errors import InputError, TillerError

ACTION = ActionSpec((ActionField("point", 2, "m", "joint"),), 0.1)
SPEC = PolicySpec(
    ObservationSpec((ObservationField("point", (2,), "float32", "m", "state"),)), ACTION, 16, 6, SamplerSpec("x", 1)
)
STRAIGHT = np.stack([0.1 * np.arange(16.0), np.zeros(16)], axis=1)


class Noisy:
    """Plans that all of a request decides, and nothing of its batch mates."""

    spec = SPEC
    noise_shape = (16, 2)

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def sample(
        self,
        observation: Any,
        *,
        task: Task = None,
        noise: np.ndarray | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: np.ndarray | None = None,
        prefix_weight: np.ndarray | None = None,
    ) -> np.ndarray:
        self.calls.append({"task": task, "samples": samples, "seeds": seeds, "prefix_weight": prefix_weight})
        rows = len(observation["point"])
        if noise is None:
            assert seeds is not None
            noise = np.stack([np.random.default_rng(seed).normal(size=(samples, 16, 2)) for seed in seeds])
        plans = noise + observation["point"][:, -1][:, None, None]
        if prefix is not None and prefix_weight is not None:
            weight = prefix_weight[:, None, :, None]
            plans = weight * prefix[:, None] + (1 - weight) * plans
        assert plans.shape == (rows, samples, 16, 2)
        return plans

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Noisy:
        return self


def runner(*rows: int, delay_steps: int = 3) -> ChunkRunner:
    """One that follows the straight plan and has seen the points of these rows of it."""
    made = ChunkRunner(SPEC, delay_steps=delay_steps)
    for row in rows:
        made.observe({"point": STRAIGHT[row].astype(np.float32)}, row * ACTION.period_ns)
        if made.chunk is None:
            made.accept(STRAIGHT)
    return made


@given(
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5),
    delay_steps=st.integers(0, 6),
    gaps=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_a_request_is_answered_alike_alone_and_in_a_batch_with_rows_that_nobody_asked_for(
    seeds: list[int], delay_steps: int, gaps: list[bool]
) -> None:
    requests: list[PlanRequest | None] = []
    for row, seed in enumerate(seeds):
        requests += [None] * gaps[row] + [runner(0, row + 1, delay_steps=delay_steps).request(seed=seed)]
    together = sample_plans(Noisy(), requests)
    assert together.shape == (len(requests), 8 if delay_steps else 1, 16, 2)
    for row, request in enumerate(requests):
        if request is not None:
            np.testing.assert_array_equal(together[row], sample_plans(Noisy(), [request])[0])


def test_noise_that_is_given_decides_the_plan() -> None:
    asks = runner(0, 6, delay_steps=0)
    noise = np.full((1, 16, 2), 2.0)
    plans = sample_plans(Noisy(), [asks.request(noise=noise)])
    np.testing.assert_allclose(plans[0, 0], np.tile(2.0 + STRAIGHT[6].astype(np.float32), (16, 1)), rtol=1e-6)


def test_the_first_request_of_an_episode_is_of_the_same_kind_as_the_others() -> None:
    """As many samples, and a prefix that weighs nothing: an evaluation and a robot's node draw the same first plan."""
    first = ChunkRunner(SPEC, delay_steps=3)
    first.observe({"point": np.zeros(2, np.float32)}, 0)
    prompt = TaskPrompt("push")
    request = first.request(seed=1, prompt=prompt)
    assert (request.samples, request.number, request.stamp_ns) == (8, 0, 0)
    assert request.prefix is not None and request.prefix.shape == (16, 2)
    assert request.prefix_weight is not None and not request.prefix_weight.any()
    policy = Noisy()
    chunk = first.take(decide_plans(policy, [request]).row(0), request)
    np.testing.assert_array_equal(chunk.values, sample_plans(Noisy(), [request])[0, 0])
    assert policy.calls[0]["task"] is prompt and policy.calls[0]["seeds"] == [1]


def test_maybe_plan_makes_the_same_plan_as_a_request() -> None:
    for rows in ((0, 6), (0, 3, 7)):
        one, other = runner(*rows), runner(*rows)
        request = one.request(seed=5)
        made = one.take(decide_plans(Noisy(), [request]).row(0), request)
        planned = other.maybe_plan(Noisy(), seed=5)
        assert planned is not None
        np.testing.assert_array_equal(planned.values, made.values)


def test_without_a_delay_nothing_is_committed_and_one_plan_is_drawn() -> None:
    request = runner(0, 6, delay_steps=0).request(seed=0)
    assert request.samples == 1 and request.prefix is None and request.prefix_weight is None


def test_a_delay_that_is_found_on_the_way_draws_several_plans_from_then_on() -> None:
    """The runner begins without a delay where it is to be measured, and drew one plan for ever."""
    measured = runner(0, 6, delay_steps=0)
    assert measured.request(seed=0).samples == 1
    measured.delay_steps = 4
    request = measured.request(seed=0)
    assert request.samples == 8
    assert request.prefix_weight is not None and (request.prefix_weight[:4] == 1).all()
    measured.delay_steps = 0
    assert measured.request(seed=0).samples == 1


@pytest.mark.parametrize("delay_steps", [-1, 7])
def test_a_delay_beyond_the_executed_rows_is_refused_later_too(delay_steps: int) -> None:
    measured = runner(0)
    with pytest.raises(InputError, match="delay_steps: expected 0 to 6"):
        measured.delay_steps = delay_steps
    assert measured.delay_steps == 3


def test_an_ensemble_has_no_delay() -> None:
    assert ChunkRunner(SPEC, ensemble=TemporalEnsemble()).most_delay_steps == 0


def test_the_same_plan_is_taken_whenever_the_answer_comes() -> None:
    """What was seen meanwhile shifts the committed rows; the plans are measured against those they were drawn with."""
    for seed in range(20):
        request = runner(0, 6).request(seed=seed)
        plans = sample_plans(Noisy(), [request])[0]
        early, delayed = runner(0, 6).take(Decision(plans), request), runner(0, 6)
        for row in (7, 8, 9):
            delayed.observe({"point": STRAIGHT[row].astype(np.float32)}, row * ACTION.period_ns)
        np.testing.assert_array_equal(delayed.take(Decision(plans), request).values, early.values)


def test_a_late_plan_starts_where_its_observation_was() -> None:
    asks = runner(0, 6)
    request = asks.request(seed=0)
    asks.observe({"point": np.zeros(2, np.float32)}, 9 * ACTION.period_ns)
    assert asks.take(decide_plans(Noisy(), [request]).row(0), request).start_ns == 6 * ACTION.period_ns


def test_of_several_plans_the_one_is_taken_that_goes_on_as_the_last_one_did() -> None:
    first = ChunkRunner(SPEC, delay_steps=3)
    first.observe({"point": np.zeros(2, np.float32)}, 0)
    turning = STRAIGHT + np.outer(np.maximum(np.arange(16) - 5, 0), [0.0, 0.3])
    plans = np.stack([turning, STRAIGHT])
    assert best_continuation(plans, first.request()) == 0, "nothing to continue yet"
    request = runner(0, 6).request()
    onward = STRAIGHT + STRAIGHT[6]
    back = onward - np.outer(np.maximum(np.arange(16) - 2, 0), [0.2, 0.0])
    jerky = onward + np.outer(np.arange(16) % 2, [0.0, 0.1])
    assert best_continuation(np.stack([back, jerky, onward, back]), request) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"samples": 2},
        {"seed": None},
        {"prefix": None},
        {"noise": np.zeros((8, 16, 2))},
    ],
)
def test_requests_of_two_kinds_are_no_batch(change: dict[str, Any]) -> None:
    request = runner(0, 6).request(seed=0)
    with pytest.raises(ValueError, match="requests of one batch"):
        sample_plans(Noisy(), [request, replace(request, **change)])


def test_requests_of_one_batch_may_have_a_prompt_each() -> None:
    policy, one, other = Noisy(), TaskPrompt("one"), TaskPrompt("other")
    request = runner(0, 6).request(seed=0, prompt=one)
    sample_plans(policy, [request, None, replace(request, prompt=other)])
    sample_plans(policy, [request, None, replace(request, seed=1)])
    assert policy.calls[0]["task"] == [one, one, other]
    assert policy.calls[1]["task"] is one


def test_another_number_of_plans_than_asked_for_is_named() -> None:
    class Short(Noisy):
        def sample(self, *args: Any, **more: Any) -> np.ndarray:
            return super().sample(*args, **more)[:, :1]

    with pytest.raises(TillerError, match=r"plans of shape \(1, 1, 16, 2\), asked for 8 for 1 rows"):
        sample_plans(Short(), [runner(0, 6).request(seed=0)])


def plans_of_several_costs() -> np.ndarray:
    """Plans that go on as the last one did, each with a larger tremor behind the committed rows."""
    onward = STRAIGHT + STRAIGHT[6]
    tremor = np.outer(np.where(np.arange(16) > 9, (-1.0) ** np.arange(16), 0), [0.0, 1.0])
    return np.stack([onward + size * tremor for size in (0.010, 0.011, 0.012, 0.05)])


def test_of_plans_that_are_nearly_as_smooth_the_one_of_highest_value_is_taken() -> None:
    request = runner(0, 6).request()
    plans = plans_of_several_costs()
    value = np.array([0.1, 0.7, 0.6, 0.9])
    assert best_continuation(plans, request) == 0
    assert best_continuation(plans, request, value) == 1, "the last one is too rough to be worth its value"
    assert best_continuation(plans, request, value, roughness=0.0) == 0
    assert best_continuation(plans, request, value, roughness=1e6) == 3
    assert best_continuation(plans, request, np.full(4, 0.5)) == 0, "of one value the smoothest"
    assert best_continuation(plans, request, np.array([np.nan, np.nan, 0.6, 0.9])) == 2
    assert best_continuation(plans, request, np.full(4, np.nan)) == 0
    shuffled = [2, 0, 3, 1]
    assert best_continuation(plans[shuffled], request, value[shuffled]) == 3


def test_where_nothing_is_committed_the_value_decides_alone() -> None:
    first = ChunkRunner(SPEC, delay_steps=3)
    first.observe({"point": np.zeros(2, np.float32)}, 0)
    request = first.request()
    plans = plans_of_several_costs()
    assert best_continuation(plans, request, np.array([0.1, 0.2, 0.3, 0.9])) == 3
    assert best_continuation(plans, request) == 0


def test_a_runner_takes_the_plan_that_a_critic_valued_among_the_smooth_ones() -> None:
    request = runner(0, 6).request()
    plans, value = plans_of_several_costs(), np.array([0.1, 0.7, 0.6, 0.9])
    chunk = runner(0, 6).take(Decision(plans, value=value), request)
    np.testing.assert_array_equal(chunk.values, plans[1])
    assert chunk.value == pytest.approx(0.7)
    patient = ChunkRunner(SPEC, delay_steps=3, roughness=1e6)
    patient.observe({"point": np.zeros(2, np.float32)}, 0)
    np.testing.assert_array_equal(patient.take(Decision(plans, value=value), request).values, plans[3])
    with pytest.raises(InputError, match="roughness"):
        ChunkRunner(SPEC, roughness=float("nan"))
