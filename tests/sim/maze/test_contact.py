"""Contacts push, never pull, keep what is outside outside, and give no energy of their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.maze.contact import ABOVE, BELOW, LEFT, OUTSIDE, RIGHT, STICKING_MPS, contact_force, touch_box

BOX = np.array([0.1, 0.0, 0.11, 0.1])
RADIUS = 0.008
points = st.tuples(st.floats(0.05, 0.16), st.floats(-0.05, 0.15))
speeds = st.floats(-2, 2)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(points)
def test_depth_is_the_radius_less_the_distance_and_the_way_out_leads_out(point: tuple[float, float]) -> None:
    x, y = point
    nearest = np.clip(point, BOX[:2], BOX[2:])
    distance = np.hypot(*(np.array(point) - nearest))
    depth, out_x, out_y, face = touch_box(x, y, RADIUS, BOX, OUTSIDE)
    if distance >= RADIUS:
        assert depth == 0
        return
    assert np.hypot(out_x, out_y) == pytest.approx(1)
    if distance > 1e-12:
        assert (depth, face) == (pytest.approx(RADIUS - distance), OUTSIDE)
    else:
        ways = [x - BOX[0], BOX[2] - x, y - BOX[1], BOX[3] - y]
        assert depth == pytest.approx(RADIUS + min(ways)) and face != OUTSIDE
    after = np.array(point) + (depth + 1e-9) * np.array([out_x, out_y])
    assert np.hypot(*(after - np.clip(after, BOX[:2], BOX[2:]))) >= RADIUS


@pytest.mark.parametrize(
    "face, start, way, out", [(LEFT, (0.09, 0.05), (1, 0), (-1, 0)), (RIGHT, (0.12, 0.05), (-1, 0), (1, 0))]
)
def test_a_thin_wall_pushes_back_to_the_side_that_one_came_from(
    face: int, start: tuple[float, float], way: tuple[int, int], out: tuple[int, int]
) -> None:
    """Deeper is always harder, through the middle of the wall and beyond its other face."""
    now, before = OUTSIDE, 0.0
    for k in range(250):
        x, y = np.array(start) + k * 1e-4 * np.array(way)
        depth, out_x, out_y, now = touch_box(x, y, RADIUS, BOX, now)
        assert depth == pytest.approx(max(0.0, k * 1e-4 - 0.002), abs=1e-12)
        if depth > 0:
            assert (out_x, out_y) == out
        before = depth
    assert now == face and before > 0.02


def test_the_end_of_a_wall_lets_go() -> None:
    for face in (LEFT, RIGHT):
        assert touch_box(0.105, 0.12, RADIUS, BOX, face)[0] == 0
    for face in (BELOW, ABOVE):
        assert touch_box(0.12, 0.05, RADIUS, BOX, face)[0] == 0
    depth, _, out_y, face = touch_box(0.105, 0.105, RADIUS, BOX, LEFT)
    assert (depth, out_y, face) == (pytest.approx(0.003), 1.0, OUTSIDE)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.floats(1e-6, 0.02), st.floats(0, 2 * np.pi), speeds, speeds, st.floats(0, 1), st.floats(0, 50))
def test_contacts_push_within_the_cone_and_friction_and_damping_only_take(
    depth: float, angle: float, vx: float, vy: float, friction: float, damping: float
) -> None:
    out, v, stiffness = np.array([np.cos(angle), np.sin(angle)]), np.array([vx, vy]), 1e4
    force = np.array(contact_force(depth, *out, vx, vy, stiffness, damping, friction, 1e6))
    normal, across = force @ out, force - (force @ out) * out
    assert normal >= -1e-9
    assert np.hypot(*across) <= friction * normal + 1e-9
    assert across @ v <= 1e-12
    if normal > 0:
        # Beside the elastic part, which is given back, the power to the body is never positive.
        assert (force - stiffness * depth * out) @ v <= 1e-9


def test_friction_is_full_when_it_slips_and_viscous_when_it_sticks() -> None:
    force = contact_force(0.001, 1.0, 0.0, 0.0, 0.1, 1e4, 0.0, 0.3, 1e6)
    assert force == (pytest.approx(10.0), pytest.approx(-3.0))
    slow = contact_force(0.001, 1.0, 0.0, 0.0, STICKING_MPS / 4, 1e4, 0.0, 0.3, 1e6)
    assert slow[1] == pytest.approx(-0.75)
    gentle = contact_force(0.001, 1.0, 0.0, 0.0, 0.1, 1e4, 0.0, 0.3, 5.0)
    assert gentle[1] == pytest.approx(-0.5)
