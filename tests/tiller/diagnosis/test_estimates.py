"""What is estimated: gains without the luck of the choice, concordance of chunks, distances from demonstrations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.description import ObservationField, ObservationSpec
from robot.errors import TillerError
from tiller.diagnosis.chunks import SIZE
from tiller.diagnosis.coverage import components, failing_auc, nearest_of_others
from tiller.diagnosis.critic import judged
from tiller.diagnosis.nearest import Coverage, nearest_distances, own_distances
from tiller.diagnosis.settings import best_gain, failures_of

SPEC = ObservationSpec(
    (
        ObservationField("cube.position", (3,), "float32", "m", "pose"),
        ObservationField("cube.from_tcp", (3,), "float32", "m", "state"),
    )
)


def test_settings_that_are_all_alike_gain_nothing_however_many_are_tried() -> None:
    random = np.random.default_rng(0)
    gains, naive = [], []
    for _ in range(200):
        outcomes = {str(number): (random.random(64) < 0.5).astype(int) for number in range(7)}
        gains.append(best_gain(outcomes).estimate)
        rates = [each.mean() for each in outcomes.values()]
        naive.append(max(rates) - rates[0])
    assert abs(np.mean(gains)) < 4 * np.std(gains) / np.sqrt(len(gains))
    assert np.mean(naive) > 0.05, "the best of them looks better than it is"


def test_a_setting_that_is_better_gains_what_it_gains() -> None:
    random = np.random.default_rng(1)
    outcomes = {name: (random.random(256) < rate).astype(int) for name, rate in (("base", 0.4), ("a", 0.4), ("b", 0.8))}
    gain = best_gain(outcomes)
    assert gain.low > 0.2 and gain.estimate == pytest.approx(outcomes["b"].mean() - outcomes["base"].mean())


def test_failures_are_counted_on_the_base() -> None:
    outcomes = {"base": np.array([1, 0, 0, 0]), "other": np.array([1, 1, 0, 0])}
    failures = failures_of(outcomes, np.array([10, 50, 50, 30]), np.array([0, 1, 1, 0]))
    assert failures.failed.estimate == 0.75 and failures.time_limit == pytest.approx(2 / 3)
    assert (failures.steps_failed, failures.steps_succeeded, failures.starts_decided) == (50, 10, 0.75)


def some_states(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    successes = random.integers(0, SIZE.continuations + 1, (40, SIZE.chunks))
    return successes, np.repeat(np.arange(20), 2)


def test_values_that_are_the_chances_rank_rightly_and_constants_like_a_coin() -> None:
    random = np.random.default_rng(2)
    successes, start = some_states(random)
    right = judged(successes.astype(float), successes, start, 8, 100).concordance
    coin = judged(np.zeros(successes.shape), successes, start, 8, 100).concordance
    noise = judged(random.normal(size=successes.shape), successes, start, 8, 100).concordance
    assert coin.estimate == 0.5 and coin.low == coin.high == 0.5
    assert right.low > 0.7 > noise.high and noise.low < 0.5 < noise.high


def test_that_a_state_is_good_says_nothing_of_its_chunks() -> None:
    random = np.random.default_rng(3)
    chance = np.repeat([0.1, 0.9], 20)[:, None] * np.ones(SIZE.chunks)
    successes = random.binomial(SIZE.continuations, chance)
    figures = judged(chance, successes, np.arange(40), 8, 100)
    assert figures.concordance.estimate == 0.5 and figures.auc.low > 0.8


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_only_the_order_of_values_at_a_state_counts(seed: int) -> None:
    random = np.random.default_rng(seed)
    successes, start = some_states(random)
    values = random.normal(size=successes.shape)
    one = judged(values, successes, start, 8, 100).concordance
    other = judged(np.exp(values) + 100 * start[:, None], successes, start, 8, 100).concordance
    assert one.estimate == pytest.approx(other.estimate, abs=1e-12)
    opposite = judged(-values, successes, start, 8, 100).concordance
    assert one.estimate + opposite.estimate == pytest.approx(1)


def test_where_nothing_can_be_ranked_it_says_so() -> None:
    with pytest.raises(TillerError, match="nothing to rank"):
        judged(np.zeros((2, SIZE.chunks)), np.zeros((2, SIZE.chunks), int), np.arange(2), 8, 100)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_distances_do_not_depend_on_units(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    shown, rows = random.normal(size=(20, 3)), random.normal(size=(7, 3))
    plain = Coverage.of(shown, shown.std(axis=0))
    scales = np.array([scale, 1.0, 1.0])
    other = Coverage.of(shown * scales, shown.std(axis=0) * scales)
    assert other.distances(rows * scales) == pytest.approx(plain.distances(rows))
    assert plain.distances(shown) == pytest.approx(np.zeros(20))
    assert other.radius == pytest.approx(plain.radius)


def test_starts_like_the_demonstrated_ones_are_inside_and_shifted_ones_outside() -> None:
    random = np.random.default_rng(4)
    coverage = Coverage.of(random.uniform(size=(150, 3)), np.ones(3))
    assert (coverage.distances(random.uniform(size=(400, 3))) > coverage.radius).mean() < 0.06
    assert (coverage.distances(random.uniform(size=(400, 3)) + [1.5, 0, 0]) > coverage.radius).all()


def test_what_never_varied_at_the_start_is_measured_by_how_it_moves() -> None:
    random = np.random.default_rng(5)
    shown = np.column_stack([random.uniform(size=60), np.full(60, 0.3)])
    coverage = Coverage.of(shown, np.array([0.3, 0.1]))
    near, far = coverage.distances(np.array([[0.5, 0.3001], [0.5, 0.6]]))
    assert near < coverage.radius < far


def test_own_distances_are_those_from_others_groups() -> None:
    random = np.random.default_rng(6)
    rows, group = random.normal(size=(30, 4)), np.arange(30) // 3
    for number, distance in enumerate(own_distances(rows, group)):
        assert distance == pytest.approx(nearest_distances(rows[number : number + 1], rows[group != group[number]])[0])
    near = nearest_of_others(rows, group, rows, group)
    assert (group[near] != group).all()
    assert np.linalg.norm(rows - rows[near], axis=1) == pytest.approx(own_distances(rows, group))


def test_distance_tells_failures_where_it_does_and_else_not() -> None:
    random = np.random.default_rng(7)
    distance = random.random(200)
    sharp = failing_auc(distance, {"base": (distance < 0.5).astype(int)})
    blind = failing_auc(distance, {name: random.integers(0, 2, 200) for name in ("base", "other")})
    assert sharp.estimate == 1 and blind.low < 0.5 < blind.high


def test_the_component_that_is_shifted_is_named_with_where() -> None:
    random = np.random.default_rng(8)
    shown = random.uniform(-0.1, 0.1, (100, 3))
    starts = random.uniform(-0.1, 0.1, (200, 3))
    starts[:, 1] *= 3
    failing = np.abs(starts[:, 1]) > 0.1
    both = [np.concatenate([each, each + [0.5, 0, 0.2]], axis=1) for each in (shown, starts)]  # one says the other
    (number, first), (_, second), *_ = components(SPEC, *both, failing)
    assert (number, first.name, first.unit) == (1, "cube.position.y", "m"), "the pose stands for what is derived"
    assert first.outside > 0.8 and second.outside < 0.05 and second.name != "cube.from_tcp.y"
    assert first.failing_low < first.low and first.failing_high > first.high
