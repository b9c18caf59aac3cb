"""What has to hold of the quality of any store: no unit, no order, nothing from copies, noise is seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from data.quality.measure import Quality, measure
from data.quality.options import QualityOptions
from data.store.dataset import Dataset
from tests.data.quality.conftest import WriteStore, drive, noisy

MEASURES = ("action_divergence", "transition_diversity", "coverage", "idle", "jerk", "clipping", "outlier",
            "start_distance", "score")  # fmt: skip
few = settings(
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
seeds = st.integers(0, 2**16)


def four(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[list[float]]:
    return st.lists(numbers, min_size=4, max_size=4)


def same(one: Quality, other: Quality, order: np.ndarray | slice = slice(None), tolerance: float = 1e-3) -> None:
    for name in MEASURES:
        first, second = getattr(one.episodes, name)[order], getattr(other.episodes, name)
        np.testing.assert_allclose(first, second, rtol=tolerance, atol=tolerance, err_msg=name)
    for name, value in one.figures.items():
        if value is None:
            assert other.figures[name] is None, name
        else:
            assert value == pytest.approx(other.figures[name], rel=tolerance, abs=tolerance), name


@given(seeds, four(st.floats(1e-3, 1e3)), four(st.floats(-10, 10)))
@few
def test_neither_unit_nor_origin_matters(
    write_store: WriteStore, seed: int, gains: list[float], origins: list[float]
) -> None:
    paths = [noisy(drive(seed + number, system_noise=0.1), number, 0.1) for number in range(6)]
    gain, origin = np.array(gains), np.array(origins)
    moved = [(gain[:2] * (state + origin[:2]), gain[2:] * (action + origin[2:])) for state, action in paths]
    same(measure(write_store(paths)), measure(write_store(moved)), tolerance=5e-3)


@given(seeds, st.permutations(range(7)))
@few
def test_the_order_of_episodes_does_not_matter(write_store: WriteStore, seed: int, order: list[int]) -> None:
    paths = [noisy(drive(seed + number), number, 0.1) for number in range(5)]
    paths += [drive(seed, start=(0.5, -0.5)), drive(seed, start=(0.5, -0.5), system_noise=0.02)]  # ties at the start
    success = [bool(number % 3) for number in range(7)]
    first = measure(write_store(paths, success=success))
    second = measure(write_store([paths[number] for number in order], success=[success[number] for number in order]))
    same(first, second, np.array(order))


@given(seeds, st.integers(0, 5), st.integers(1, 3))
@few
def test_copies_lower_diversity_and_share_a_score(write_store: WriteStore, seed: int, which: int, copies: int) -> None:
    paths = [noisy(drive(seed + number), number, 0.05) for number in range(6)]
    alone, more = measure(write_store(paths)), measure(write_store(paths + [paths[which]] * copies))
    assert more.figures["saco"] < alone.figures["saco"]
    members = [which, *range(6, 6 + copies)]
    np.testing.assert_allclose(more.episodes.score[members], alone.episodes.score[which] / (1 + copies), rtol=1e-9)
    others = [number for number in range(6) if number != which]
    np.testing.assert_allclose(more.episodes.score[others], alone.episodes.score[others], rtol=1e-9)
    assert (more.episodes.copies[members] == 1 + copies).all() and more.figures["copies"] == copies
    assert (more.episodes.coverage[members] < alone.episodes.coverage[which]).all()


@given(seeds, st.floats(0.2, 2.0))
@few
def test_noise_in_the_actions_raises_action_divergence(write_store: WriteStore, seed: int, deviation: float) -> None:
    paths = [drive(seed + number) for number in range(24)]
    clean = measure(write_store(paths))
    one = measure(write_store([noisy(paths[0], seed, deviation), *paths[1:]]))
    everywhere = measure(write_store([noisy(path, number, deviation) for number, path in enumerate(paths)]))
    assert one.episodes.action_divergence[0] > clean.episodes.action_divergence[0]
    assert one.episodes.action_divergence.argmax() == 0
    assert one.episodes.score[0] < 0.5 * np.median(one.episodes.score)
    assert everywhere.figures["action_divergence"] > clean.figures["action_divergence"]
    assert everywhere.figures["jerk"] > clean.figures["jerk"]


def test_actions_that_say_nothing_diverge_by_one_and_those_that_a_state_decides_by_nothing(
    write_store: WriteStore,
) -> None:
    random = np.random.default_rng(0)
    states = [drive(number, system_noise=0.1)[0] for number in range(40)]
    drawn = measure(write_store([(state, random.normal(size=state.shape)) for state in states]))
    assert drawn.figures["action_divergence"] == pytest.approx(1, abs=0.1)
    linear = measure(write_store([(state, state @ [[1, 2], [3, -1]]) for state in states]))
    assert linear.figures["action_divergence"] < 0.02


@given(seeds)
@few
def test_noise_in_the_system_is_transition_diversity_and_no_action_divergence(
    write_store: WriteStore, seed: int
) -> None:
    sure, shaken = ([drive(seed + number, system_noise=noise) for number in range(16)] for noise in (0, 0.05))
    unsure = [noisy(path, number, 1.0) for number, path in enumerate(shaken)]
    of_none, of_system, of_both = (measure(write_store(paths)).figures for paths in (sure, shaken, unsure))
    assert of_system["transition_diversity"] > 2 * of_none["transition_diversity"]  # type: ignore[operator]
    assert of_system["action_divergence"] < 0.6 * of_both["action_divergence"]  # type: ignore[operator]


@given(seeds)
@few
def test_starts_that_are_one_are_at_no_distance(write_store: WriteStore, seed: int) -> None:
    paths = [drive(seed + number, start=(0.7, -0.2), system_noise=0.05) for number in range(5)]
    same_start = measure(write_store(paths))
    assert same_start.figures["start_spread"] == same_start.figures["start_distance"] == 0
    assert not same_start.episodes.start_distance.any()
    spread = measure(write_store([drive(seed + number) for number in range(5)]))
    assert spread.figures["start_spread"] > 0 and (spread.episodes.start_distance > 0).all()


def test_what_stands_still_is_slow_or_strays_is_found(write_store: WriteStore) -> None:
    paths = [drive(number, system_noise=0.01, rows=20) for number in range(12)]
    still = [np.insert(part, [10] * 15, part[9], axis=0) for part in paths[0]]
    far = (paths[1][0] + [6.0, 6.0], paths[1][1])
    quality = measure(write_store([tuple(still), far, *paths[2:]]))  # type: ignore[list-item]
    table = quality.episodes
    assert table.idle[0] == pytest.approx(15 / 34, abs=0.1) and table.idle.argmax() == 0
    assert table.penalty["idle"][0] == 4 and table.penalty["length"][0] > 2
    assert table.outlier.argmax() == 1 and table.penalty["outlier"][1] == 4 and quality.figures["outliers"] == 1
    assert set(np.argsort(table.score)[:2]) == {0, 1}


def test_clipped_actions_are_counted_but_neither_extremes_nor_switches(write_store: WriteStore) -> None:
    paths = [drive(number) for number in range(8)]
    assert not measure(write_store(paths)).episodes.clipping.any()
    clipped = [(state, np.clip(action, -0.5, 0.5)) for state, action in paths]
    shares = measure(write_store(clipped)).episodes.clipping
    expected = [np.mean(np.abs(action) >= 0.5, axis=0).max() for _, action in paths]
    np.testing.assert_allclose(shares, expected)
    switched = [(state, np.stack([action[:, 0], np.sign(action[:, 1])], axis=1)) for state, action in paths]
    assert not measure(write_store(switched)).episodes.clipping.any()


def test_failures_and_low_returns_lower_the_score(write_store: WriteStore) -> None:
    paths = [drive(number) for number in range(8)]
    success = [number != 3 for number in range(8)]
    known, unknown = measure(write_store(paths, success=success)), measure(write_store(paths))
    assert known.figures["tq"] == 7 / 8 and unknown.figures["tq"] is None
    assert known.episodes.score[3] == pytest.approx(0.1 * unknown.episodes.score[3])
    np.testing.assert_allclose(np.delete(known.episodes.score, 3), np.delete(unknown.episodes.score, 3))


def test_episodes_are_compared_with_those_of_their_instruction(write_store: WriteStore) -> None:
    there = [drive(number) for number in range(24)]
    back = [(state, -action) for state, action in (drive(100 + number) for number in range(24))]
    apart = measure(write_store(there + back, instruction=["there"] * 24 + ["back"] * 24))
    mixed = measure(write_store(there + back))
    assert apart.tasks == ("back", "there")
    assert apart.figures["action_divergence"] < 0.4 < 0.8 < mixed.figures["action_divergence"]
    rare = measure(write_store(there + back, instruction=[f"take {number}" for number in range(48)]))
    assert rare.tasks == ("",) and rare.figures["action_divergence"] == mixed.figures["action_divergence"]


def test_a_sample_measures_what_all_rows_do(write_store: WriteStore) -> None:
    paths = [noisy(drive(number, rows=200), number, 0.3) for number in range(30)]
    dataset = write_store(paths)
    whole, part = (measure(dataset, QualityOptions(rows=rows)) for rows in (6000, 1500))
    assert any("1,500 of 6,000 rows" in note for note in part.notes) and not any("Compared" in n for n in whole.notes)
    for name in ("action_divergence", "saco"):
        assert part.figures[name] == pytest.approx(whole.figures[name], rel=0.25), name
    np.testing.assert_array_equal(part.episodes.idle, whole.episodes.idle)
    many = measure(dataset, QualityOptions(rows=100))  # more episodes than rows for four of each
    assert np.isfinite(many.episodes.score).all() and (many.episodes.score > 0).all()


def test_two_episodes_and_short_ones_have_a_score(write_store: WriteStore) -> None:
    for rows in (1, 2, 3, 5):
        quality = measure(write_store([drive(0, rows=rows), drive(1, rows=rows)]))
        assert np.isfinite(quality.episodes.score).all() and (quality.episodes.score > 0).all()
    alike = measure(write_store([drive(0), drive(0)]))
    assert alike.figures["action_divergence"] is None and (alike.episodes.score < 0.5).all()
    standing = [(np.zeros((5, 2)), np.zeros((5, 2))), (np.zeros((6, 2)), np.zeros((6, 2)))]
    assert np.isfinite(measure(write_store(standing)).episodes.score).all()


def test_measuring_changes_nothing(write_store: WriteStore) -> None:
    dataset = write_store([drive(number) for number in range(3)])
    before = dataset.fingerprint
    one, two = measure(dataset), measure(dataset)
    assert Dataset.open(dataset.path).fingerprint == before == one.fingerprint
    np.testing.assert_array_equal(one.episodes.score, two.episodes.score)
