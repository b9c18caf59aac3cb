"""Spread does not see where actions are, roughness not how fast they go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.control.rotation import matrix_from_rotvec, rotation_6d_from_matrix
from robot.description import ActionField, ActionSpec
from sim.statistics.motion import roughness, second_differences, spread, unit_of

SPEC = ActionSpec((ActionField("tcp.position", 3, "m", "pose"), ActionField("tcp.rotation", 6, "1", "pose")), 0.05)


def actions(positions: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Actions of positions (..., 3) and rotation vectors (..., 3)."""
    return np.concatenate([positions, rotation_6d_from_matrix(matrix_from_rotvec(turns))], axis=-1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_spread_scales_with_the_positions_and_not_with_their_mean(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    positions, turns = random.normal(size=(5, 8, 3)), np.zeros((5, 8, 3))
    one, other = spread(SPEC, actions(positions, turns)), spread(SPEC, actions(7 + scale * positions, turns))
    assert other["tcp.position"] == pytest.approx(scale * one["tcp.position"])
    assert one["tcp.rotation"] == pytest.approx(np.zeros(5), abs=1e-4)


def test_spread_is_the_deviation_of_a_known_distribution() -> None:
    random = np.random.default_rng(0)
    angles = np.radians(5) * random.normal(size=(4000, 1)) * [0, 0, 1]
    known = spread(SPEC, actions(0.01 * random.normal(size=(4000, 3)), angles)[:400])
    assert known["tcp.position"] == pytest.approx(0.01 * np.sqrt(3), rel=0.1)
    assert known["tcp.rotation"] == pytest.approx(5, rel=0.1), "degrees"
    assert [unit_of(field) for field in SPEC.fields] == ["m", "deg"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_goes_on_at_one_speed_is_smooth(seed: int) -> None:
    random = np.random.default_rng(seed)
    step, turn = random.normal(size=3), 0.1 * random.normal(size=3)
    steady = actions(np.arange(10)[:, None] * step, np.arange(10)[:, None] * turn)
    assert roughness(SPEC, [steady]) == pytest.approx({"tcp.position": 0, "tcp.rotation": 0}, abs=1e-3)


def test_a_parabola_has_its_own_second_difference_and_one_wild_episode_of_three_does_not_count() -> None:
    time = np.arange(12)[:, None]
    parabola = actions(0.005 * time**2 * [1, 0, 0], np.radians(1.0) * time**2 * [0, 0, 1])
    squares = second_differences(SPEC, parabola)
    assert squares["tcp.position"] == pytest.approx(np.full(10, 1e-4))
    assert squares["tcp.rotation"] == pytest.approx(np.full(10, 4.0), rel=1e-3), "two degrees"
    wild = actions(np.random.default_rng(0).normal(size=(12, 3)), np.zeros((12, 3)))
    assert roughness(SPEC, [parabola, wild, parabola])["tcp.position"] == pytest.approx(0.01)
    assert roughness(SPEC, [parabola[:2]]) == {"tcp.position": 0, "tcp.rotation": 0}
