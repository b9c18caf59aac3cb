"""The runner's contract, sentence by sentence, with a policy that writes down what it saw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.control.ensembling import TemporalEnsemble
from robot.control.runner import ChunkRunner
from robot.description import (
    ActionField,
    ActionSpec,
    Decision,
    History,
    ObservationField,
    ObservationSpec,
    Policy,
    PolicySpec,
    SamplerSpec,
)
from robot.errors import InputError, TillerError

T = 100_000_000
TWO_ROWS = History(2)
ACTION = ActionSpec((ActionField("target", 1, "m", "joint"),), period_s=0.1)


def policy_spec(history=TWO_ROWS, horizon=8, n_action_steps=4):
    field = ObservationField("state", (1,), "float32", "m", "state", history)
    return PolicySpec(ObservationSpec((field,)), ACTION, horizon, n_action_steps, SamplerSpec("oracle", 1))


class RowCounter:
    """Plans the row numbers themselves: row i of a plan made at row t is t + i, so that alignment can be read off."""

    noise_shape = None

    def __init__(self, spec):
        self.spec = spec
        self.seen = []
        self.calls = []

    def sample(self, observation, *, task=None, noise=None, samples=1, seeds=None, prefix=None, prefix_weight=None):
        self.seen.append(observation["state"][0, :, 0].tolist())
        self.calls.append({"seeds": seeds, "prefix": prefix, "prefix_weight": prefix_weight})
        newest = observation["state"][:, -1, 0]
        return (newest[:, None, None, None] + np.arange(self.spec.horizon)[None, None, :, None]).repeat(samples, 1)

    def with_sampler(self, name=None, steps=None):
        return self


def run(runner, policy, rows, seed=None):
    """Drive the runner over rows 0..rows-1 and return the executed actions."""
    actions = []
    for t in range(rows):
        runner.observe({"state": np.array([t], dtype=np.float32)}, t * T)
        runner.maybe_plan(policy, seed=seed)
        actions.append(float(runner.action(t * T)[0]))
    return actions


def test_the_test_policy_is_a_policy():
    assert isinstance(RowCounter(policy_spec()), Policy)


@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 3))
def test_the_executed_action_at_row_t_is_the_one_planned_for_row_t(n_action_steps, steps, stride):
    spec = policy_spec(History(steps, stride), n_action_steps=n_action_steps)
    assert run(ChunkRunner(spec), RowCounter(spec), 20) == list(range(20))


def test_a_chunk_starts_at_the_stamp_of_the_newest_observation_and_has_no_past_steps():
    spec = policy_spec()
    runner, policy = ChunkRunner(spec), RowCounter(spec)
    run(runner, policy, 5)
    assert runner.chunk.start_ns == 4 * T
    assert runner.chunk.values[0, 0] == 4
    assert runner.chunk.chunk_id == 1
    assert runner.chunk.end_ns == (4 + 8) * T


def test_a_plan_is_made_every_n_action_steps():
    spec = policy_spec(n_action_steps=3)
    runner, policy = ChunkRunner(spec), RowCounter(spec)
    run(runner, policy, 10)
    assert [seen[-1] for seen in policy.seen] == [0, 3, 6, 9]
    assert runner.plans == 4


def test_history_is_oldest_first_and_repeats_the_first_row_at_the_edge():
    spec = policy_spec(History(3, stride=2), n_action_steps=1)
    policy = RowCounter(spec)
    run(ChunkRunner(spec), policy, 6)
    assert policy.seen == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 5]]


def test_each_key_has_its_own_history():
    fields = (
        ObservationField("image", (1, 1, 3), "uint8", "1", "image", History(1)),
        ObservationField("wrench", (6,), "float32", "N N N N*m N*m N*m", "wrench", History(4)),
    )
    runner = ChunkRunner(PolicySpec(ObservationSpec(fields), ACTION, 8, 4, SamplerSpec("x", 1)))
    runner.observe({"image": np.zeros((1, 1, 3), np.uint8), "wrench": np.ones(6, np.float32)}, 0)
    window = runner.window()
    assert window["image"].shape == (1, 1, 1, 3)
    assert window["wrench"].shape == (4, 6)


def test_observations_are_copied_so_that_the_sender_may_reuse_its_memory():
    runner = ChunkRunner(policy_spec())
    row = np.array([1.0], dtype=np.float32)
    runner.observe({"state": row}, 0)
    row[0] = 99
    assert runner.window()["state"].ravel().tolist() == [1, 1]


def test_a_reset_forgets_the_past_and_the_plan():
    spec = policy_spec()
    runner, policy = ChunkRunner(spec), RowCounter(spec)
    run(runner, policy, 3)
    runner.reset()
    assert runner.plans == 0
    with pytest.raises(TillerError, match="no observation"):
        runner.window()
    with pytest.raises(TillerError, match="no plan"):
        runner.action(0)
    assert run(runner, policy, 2) == [0, 1]


def test_the_last_row_is_held_when_no_plan_comes():
    spec = policy_spec()
    runner, policy = ChunkRunner(spec), RowCounter(spec)
    run(runner, policy, 1)
    assert runner.action(100 * T)[0] == 7


def test_the_seed_reaches_the_policy():
    spec = policy_spec()
    policy = RowCounter(spec)
    run(ChunkRunner(spec), policy, 1, seed=17)
    assert policy.calls[0]["seeds"] == [17]


def test_overlapping_chunks_that_agree_ensemble_to_what_each_says():
    spec = policy_spec()
    runner = ChunkRunner(spec, ensemble=TemporalEnsemble(rate=0.1))
    assert np.allclose(run(runner, RowCounter(spec), 20), range(20))
    assert runner.plans == 20


def test_ensembling_weighs_old_plans_by_exp_of_minus_m_i():
    spec = policy_spec(horizon=2, n_action_steps=1)
    runner = ChunkRunner(spec, ensemble=TemporalEnsemble(rate=0.5))
    runner.observe({"state": np.zeros(1, np.float32)}, 0)
    runner.accept(np.array([[0.0], [10.0]]))
    runner.observe({"state": np.ones(1, np.float32)}, T)
    runner.accept(np.array([[20.0], [0.0]]))
    oldest, newest = 1.0, np.exp(-0.5)
    assert np.isclose(runner.action(T)[0], (oldest * 10 + newest * 20) / (oldest + newest))


def test_a_delayed_plan_is_asked_early_enough_and_is_offered_the_committed_rows():
    spec = policy_spec(horizon=8, n_action_steps=4)
    runner, policy = ChunkRunner(spec, delay_steps=2), RowCounter(spec)
    run(runner, policy, 5)
    assert policy.seen[1][-1] == 4
    prefix, weight = policy.calls[1]["prefix"][0], policy.calls[1]["prefix_weight"][0]
    assert prefix[:4, 0].tolist() == [4, 5, 6, 7]
    assert weight[:2].tolist() == [1, 1]
    assert (np.diff(weight) <= 0).all() and weight[4:].max() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_action_steps": 9}, "n_action_steps"),
        ({"n_action_steps": 0}, "n_action_steps"),
        ({"delay_steps": 5}, "delay_steps"),
    ],
)
def test_more_rows_than_the_horizon_holds_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        ChunkRunner(policy_spec(), **options)


def test_an_observation_that_lacks_a_key_or_has_another_shape_is_refused_by_name():
    runner = ChunkRunner(policy_spec())
    with pytest.raises(InputError, match=r"'state'.*got only wrist"):
        runner.observe({"wrist": np.zeros(1)}, 0)
    with pytest.raises(InputError, match=r"'state'.*\(1,\).*\(2,\)"):
        runner.observe({"state": np.zeros(2)}, 0)


def test_time_must_move_forward():
    runner = ChunkRunner(policy_spec())
    runner.observe({"state": np.zeros(1)}, T)
    with pytest.raises(TillerError, match="not newer"):
        runner.observe({"state": np.zeros(1)}, T)


def test_a_plan_that_is_not_finite_never_reaches_the_robot():
    runner = ChunkRunner(policy_spec())
    runner.observe({"state": np.zeros(1)}, 0)
    with pytest.raises(TillerError, match="not finite"):
        runner.accept(np.full((8, 1), np.nan))
    with pytest.raises(TillerError, match="no plan"):
        runner.action(0)


def test_a_plan_of_another_shape_is_refused():
    runner = ChunkRunner(policy_spec())
    runner.observe({"state": np.zeros(1)}, 0)
    with pytest.raises(InputError, match=r"\(8, 1\)"):
        runner.accept(np.zeros((7, 1)))


def test_plans_that_are_not_executed_are_dropped_and_the_next_one_continues_none():
    spec = policy_spec(horizon=8, n_action_steps=4)
    for held, row, weight in ((None, 0.0, 0.0), (np.array([7.0]), 7.0, 1.0)):
        runner, policy = ChunkRunner(spec, delay_steps=2), RowCounter(spec)
        run(runner, policy, 2)
        runner.interrupt(held)
        assert runner.chunk is None and runner.needs_plan(T)
        runner.observe({"state": np.array([2], dtype=np.float32)}, 2 * T)
        runner.maybe_plan(policy)
        assert policy.calls[1]["prefix"][0][:2, 0].tolist() == [row, row]
        assert policy.calls[1]["prefix_weight"][0].tolist() == [weight, weight, *[0.0] * 6]
        assert runner.prefix()[0][:2, 0].tolist() == [2, 3], "the plan after it continues it"


def test_a_held_command_counts_until_a_plan_is_made_and_no_longer():
    spec = policy_spec(horizon=8, n_action_steps=4)
    runner, policy = ChunkRunner(spec, delay_steps=2), RowCounter(spec)
    runner.interrupt(np.array([7.0]))
    runner.reset()
    run(runner, policy, 1)
    assert not policy.calls[0]["prefix_weight"].any()
    runner.interrupt(np.array([7.0]))
    runner.interrupt()
    assert not runner.prefix()[1].any()
    with pytest.raises(InputError, match="held command"):
        runner.interrupt(np.zeros(2))


def test_where_plans_come_at_once_an_interruption_offers_nothing():
    spec = policy_spec()
    runner, policy = ChunkRunner(spec), RowCounter(spec)
    runner.interrupt(np.array([7.0]))
    run(runner, policy, 1)
    assert policy.calls[0]["prefix"] is None


def begun() -> ChunkRunner:
    """A runner that has seen row 0."""
    one = ChunkRunner(policy_spec())
    one.observe({"state": np.zeros(1, np.float32)}, 0)
    return one


def test_the_value_of_the_chosen_plan_is_the_chunks():
    one, plans = begun(), np.zeros((1, 8, 1))
    assert one.take(Decision(plans, value=np.array([0.25])), one.request()).value == 0.25
    assert one.take(Decision(plans), one.request()).value is None


def test_a_fork_has_the_same_past_and_a_future_of_its_own():
    one = begun()
    one.accept(np.zeros((8, 1)))
    other = one.fork()
    other.observe({"state": np.ones(1, np.float32)}, T)
    other.accept(np.ones((8, 1)))
    assert (one.plans, other.plans) == (1, 2)
    assert (one.chunk.values == 0).all() and (other.chunk.values == 1).all()
    one.observe({"state": np.full(1, 5, np.float32)}, T)
    assert [each.window()["state"][:, 0].tolist() for each in (one, other)] == [[0, 5], [0, 1]]
