"""Demonstrations are made worse in the way that is said, and halves are halves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.quality import ARMS, correlation, degraded, halves, noisy, ranked, slow, still


def data(rows: int) -> dict[str, np.ndarray]:
    at = np.arange(rows, dtype=np.float32)
    return {"state": np.stack([at, 2 * at], axis=1), "action": np.stack([at, -at, at], axis=1), "flag": at > 3}


@given(st.integers(2, 40), st.integers(0, 2**16))
@settings(deadline=None, max_examples=40)
def test_each_kind_of_damage_does_what_it_says(rows: int, seed: int) -> None:
    clean, random = data(rows), np.random.default_rng(seed)
    slower = slow(clean, np.ones(3), random)
    for name, values in slower.items():
        assert len(values) == 2 * rows - 1 and values.dtype == clean[name].dtype
        np.testing.assert_array_equal(values[::2], clean[name])
    np.testing.assert_allclose(
        np.diff(slower["state"], axis=0), np.diff(clean["state"], axis=0)[:1] / 2 + 0 * slower["state"][1:]
    )
    held = still(clean, np.ones(3), random)
    assert len(held["action"]) == rows + round(rows / 3)
    assert (np.diff(held["state"][:, 0]) == 0).sum() == round(rows / 3)
    shaken = noisy(clean, np.array([1.0, 0.0, 1.0]), random)
    np.testing.assert_array_equal(shaken["state"], clean["state"])
    np.testing.assert_array_equal(shaken["action"][:, 1], clean["action"][:, 1])
    assert (shaken["action"][:, 0] != clean["action"][:, 0]).any()


def test_the_best_and_the_worst_half_share_nothing_and_are_what_they_are_called() -> None:
    values = np.random.default_rng(0).permutation(21) / 21
    chosen = halves(values)
    assert tuple(chosen) == ARMS and {len(part) for part in chosen.values()} == {10}
    assert not set(chosen["best"]) & set(chosen["worst"])
    assert values[chosen["best"]].min() > values[chosen["worst"]].max()
    assert ranked(np.array([0.0 if degraded(number) else 1.0 for number in range(9)])) == 1


def test_the_correlation_is_within_tasks() -> None:
    table = [
        {"task": task, "mean_score": score, "success": base + slope * score, "score": base + slope * score}
        for task, base, slope in (("twin/lift", 0.8, 0.2), ("pusht/state", 0.1, 0.2))
        for score in (0.2, 0.4, 0.6)
    ]
    assert correlation(table) == 1
    assert correlation([{**row, "success": 0.0, "score": 0.0} for row in table]) is None
    assert correlation(table[:3] + [{**row, "score": -row["score"]} for row in table[3:]]) == pytest.approx(0)
