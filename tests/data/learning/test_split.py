"""Held-out episodes are whole, disjoint from those trained on, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.learning.split import split_episodes
from robot.errors import InputError


@given(n=st.integers(1, 500), validation=st.floats(0, 0.99), seed=st.integers(0, 100))
def test_every_episode_is_on_one_side_and_training_is_never_empty(n, validation, seed):
    train, held_out = split_episodes(n, validation, seed)
    assert sorted([*train, *held_out]) == list(range(n))
    assert len(train) >= 1
    assert (len(held_out) >= 1) == (validation > 0 and n > 1)
    assert np.all(np.diff(train) > 0) and np.all(np.diff(held_out) > 0)


def test_share_and_seed_decide_the_draw():
    train, held_out = split_episodes(206, 0.02, seed=0)
    assert (len(train), len(held_out)) == (202, 4)
    assert np.array_equal(held_out, split_episodes(206, 0.02, seed=0)[1])
    assert any(not np.array_equal(held_out, split_episodes(206, 0.02, seed=seed)[1]) for seed in range(1, 4))


@pytest.mark.parametrize(("n", "validation"), [(0, 0.1), (10, 1.0), (10, -0.1)])
def test_impossible_splits_are_refused(n, validation):
    with pytest.raises(InputError):
        split_episodes(n, validation)
