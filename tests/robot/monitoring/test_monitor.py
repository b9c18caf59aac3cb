"""A monitor takes decisions one by one: what it averages, when it raises an alarm, whom it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.control.plan_request import PlanRequest
from robot.description import Decision
from robot.errors import InputError
from robot.monitoring.band import Band
from robot.monitoring.moment import Moment
from robot.monitoring.monitor import Monitor, curve_of
from robot.monitoring.scores import Disagreement

PERIOD_NS = 100_000_000
some = st.integers(0, 2**32 - 1)


def moment(chunk: np.ndarray, row: int) -> Moment:
    return Moment(row * PERIOD_NS, {}, chunk, PERIOD_NS)


class Given:
    """A score that is what the observation says."""

    meaning, needs_features = "what it is given", False

    def __init__(self, name: str = "given") -> None:
        self.name = name

    def of(self, moment: Moment, before: Moment | None) -> float:
        return float(moment.window[self.name][0])


def monitor(memory: int | None = None, quantile: float = 1.0, **scores: float) -> Monitor:
    """One of scores with their centres; modulations are 1, and the centre falls by 1 per decision, twice."""
    centre = np.array(list((scores or {"given": 0.0}).values())) - np.arange(3.0)[:, None]
    band = Band(centre, np.ones_like(centre), quantile, 0.1, 30)
    return Monitor(tuple(map(Given, scores or ["given"])), band, memory, 4, "hash", about={"checkpoint": "runs/a"})


def seen(**values: float) -> Moment:
    return Moment(0, {name: np.array([value]) for name, value in values.items()}, np.zeros((1, 1)), PERIOD_NS)


@given(some, st.integers(1, 8), st.integers(1, 30))
def test_a_chunk_that_goes_on_as_planned_does_not_disagree(seed: int, passed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    plan = random.normal(size=(rows + passed, 3))
    before, after = moment(plan[:rows], 0), moment(plan[passed : passed + rows], passed)
    score = Disagreement(np.ones(3))
    assert score.of(before, None) == 0 and score.of(after, before) == 0


@given(some, st.integers(1, 6), st.floats(0.01, 100))
@settings(deadline=None)
def test_disagreement_is_in_deviations_of_the_actions(seed: int, passed: int, unit: float) -> None:
    random = np.random.default_rng(seed)
    first, second, spread = random.normal(size=(8, 3)), random.normal(size=(8, 3)), random.uniform(0.1, 2, 3)
    score = Disagreement(spread).of(moment(second, passed), moment(first, 0))
    scaled = Disagreement(unit * spread).of(moment(unit * second, passed), moment(unit * first, 0))
    assert scaled == pytest.approx(score)
    shifted = first.copy()
    shifted[passed:] = second[: 8 - passed] + spread  # each by its deviation
    assert Disagreement(spread).of(moment(second, passed), moment(shifted, 0)) == pytest.approx(1.0)


def test_components_that_never_change_and_plans_that_do_not_overlap_say_nothing() -> None:
    first, second = np.zeros((4, 2)), np.full((4, 2), 5.0)
    assert Disagreement(np.array([0.0, 0.0])).of(moment(second, 1), moment(first, 0)) == 0
    assert Disagreement(np.array([0.0, 5.0])).of(moment(second, 1), moment(first, 0)) == pytest.approx(1.0)
    assert Disagreement(np.ones(2)).of(moment(second, 4), moment(first, 0)) == 0
    assert Disagreement(np.ones(2)).of(moment(second, 0), moment(first, 9)) == 0, "time has jumped"


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), st.one_of(st.none(), st.integers(1, 25)))
def test_the_score_is_the_mean_of_the_newest_decisions(values: list[float], memory: int | None) -> None:
    watch = monitor(memory, quantile=np.inf).watch()
    curve = [watch.add(seen(given=value)).scores[0] for value in values]
    newest = len(values) if memory is None else memory
    expected = [np.mean(values[max(0, end - newest) : end]) for end in range(1, len(values) + 1)]
    np.testing.assert_allclose(curve, expected, atol=1e-9)
    np.testing.assert_array_equal(curve_of(np.array(values)[:, None], memory)[:, 0], curve, "as it was calibrated")
    watch.reset()
    assert watch.decisions == 0 and watch.add(seen(given=values[0])).scores == (values[0],)


def test_an_alarm_is_a_score_above_the_edge_of_its_decision() -> None:
    watch = monitor(1, one=0.0, two=10.0).watch()
    within = watch.add(seen(one=0.9, two=10.8))
    assert not within.alarm and within.name == "one" and within.threshold == 1.0
    beyond = watch.add(seen(one=0.0, two=10.5))  # the edges are 0 and 10 now
    assert beyond.alarm and (beyond.name, beyond.score, beyond.threshold) == ("two", 10.5, 10.0)
    assert "two 10.5 at decision 1 is above 10" in beyond.reason and "90%" in beyond.reason
    assert not watch.add(seen(one=-1.0, two=9.0)).alarm, "the edge itself is within"
    assert not watch.add(seen(one=-1.0, two=9.0)).alarm, "the last edge holds"


def test_a_score_that_is_no_number_is_an_alarm() -> None:
    verdict = monitor(1, one=0.0, two=10.0).watch().add(seen(one=9.0, two=float("nan")))
    assert verdict.alarm and verdict.name == "two" and "no number" in verdict.reason


def test_two_watches_of_one_monitor_do_not_share_their_past() -> None:
    both = monitor(None, quantile=np.inf)
    one, two = both.watch(), both.watch()
    one.add(seen(given=100.0))
    assert two.add(seen(given=1.0)).scores == (1.0,)


def test_the_plan_that_is_executed_is_the_one_that_is_judged() -> None:
    chunks, features = np.arange(12.0).reshape(3, 2, 2), np.arange(6.0).reshape(3, 2)
    made = Moment.of(PlanRequest({}, 7), Decision(chunks, features=features), 2, PERIOD_NS)
    np.testing.assert_array_equal(made.chunk, chunks[2])
    np.testing.assert_array_equal(made.features, features[2])
    assert made.stamp_ns == 7 and Moment.of(PlanRequest({}, 7), Decision(chunks), 0, 1).features is None


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        ((4, "other"), r"the policy that it was made for, hash \('runs/a'.*got one of hash other"),
        ((5, "hash"), "4 rows executed per plan, as in the episodes that it was made from, got 5"),
    ],
)
def test_another_policy_is_refused(words: tuple[Any, ...], saying: str) -> None:
    with pytest.raises(InputError, match=saying):
        monitor().require(*words)
    monitor().require(4, "hash")
    monitor().require(4)
