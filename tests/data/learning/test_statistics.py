"""One-pass statistics agree with numpy, whatever the blocks and the order of merging."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data.learning.statistics import FieldStatistics, RunningStatistics, hardly_changing, statistics_of
from robot.errors import InputError

ROWS = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 40), st.integers(1, 3)),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False),
)


def assert_close(ours: FieldStatistics, rows: np.ndarray) -> None:
    scale = np.abs(rows).max() + 1.0
    assert ours.count == len(rows)
    assert np.array_equal(ours.min, rows.min(axis=0)) and np.array_equal(ours.max, rows.max(axis=0))
    np.testing.assert_allclose(ours.mean, rows.mean(axis=0), atol=1e-12 * scale)
    np.testing.assert_allclose(ours.std, rows.std(axis=0), rtol=1e-9, atol=1e-10 * scale)


@given(rows=ROWS, cuts=st.lists(st.integers(0, 40), max_size=5))
def test_any_cut_into_blocks_gives_what_numpy_gives(rows, cuts):
    running = RunningStatistics(rows.shape[1:])
    for block in np.split(rows, sorted(min(cut, len(rows)) for cut in cuts)):
        running.update(block)
    assert_close(running.result(), rows)


@given(rows=ROWS, first=st.integers(0, 40), second=st.integers(0, 40))
def test_merging_is_associative(rows, first, second):
    a, b, c = np.split(rows, sorted((min(first, len(rows)), min(second, len(rows)))))

    def measured(*blocks: np.ndarray) -> RunningStatistics:
        running = RunningStatistics(rows.shape[1:])
        for block in blocks:
            running.update(block)
        return running

    left = measured(a).merge(measured(b)).merge(measured(c)).result()
    right = measured(a).merge(measured(b).merge(measured(c))).result()
    assert_close(left, rows)
    assert_close(right, rows)


def test_data_far_from_zero_keep_their_spread():
    rows = 1e9 + np.random.default_rng(0).normal(size=(10_000, 1))
    np.testing.assert_allclose(statistics_of(rows, block=100).std, rows.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.3, -7.7])
def test_a_constant_component_has_zero_spread_exactly(value):
    rows = np.stack([np.full(1000, value), np.arange(1000.0)], axis=1)
    result = statistics_of(rows, block=64)
    assert result.std[0] == 0 and result.range[0] == 0
    assert result.std[1] > 0 and result.range[1] == 999


def test_integers_do_not_overflow():
    rows = np.full((1000, 2), 255, dtype=np.uint8)
    assert statistics_of(rows).mean.tolist() == [255, 255]


def test_scalar_rows_and_matrices_keep_their_shape():
    assert statistics_of(np.arange(5.0)).mean.shape == ()
    assert statistics_of(np.zeros((5, 9, 2))).std.shape == (9, 2)


def test_wrong_shapes_nan_and_nothing_are_refused():
    running = RunningStatistics((2,))
    with pytest.raises(InputError, match="at least one row"):
        running.result()
    with pytest.raises(InputError, match=r"\(n, 2\)"):
        running.update(np.zeros((3, 4)))
    with pytest.raises(InputError, match="finite"):
        running.update(np.array([[0.0, np.nan]]))
    with pytest.raises(InputError, match="to merge"):
        running.merge(RunningStatistics((3,)))


@pytest.mark.parametrize(
    ("unit", "amplitude", "found"),
    [
        ("m", 2e-6, [1]),
        ("m", 1e-3, []),
        ("rad", 1e-4, [1]),
        ("rad", 1e-2, []),
        ("1 m", 1e-5, [1]),
        ("m 1", 1e-5, []),
        ("N", 1e-6, [1]),
        ("m", 0.0, []),
    ],
)
def test_components_that_hardly_change_are_known_by_their_unit(unit: str, amplitude: float, found: list[int]) -> None:
    noise = amplitude * np.random.default_rng(0).uniform(-1, 1, 400)
    rows = np.stack([np.sin(np.arange(400)), 0.5 + noise], axis=1)
    assert hardly_changing(statistics_of(rows), unit) == found
