"""Twelve mazes that a pin can pass, and lengths of ways that lead it round walls and not through them."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from robot.errors import InputError
from sim.maze.assembly import gate_opening
from sim.maze.follower import CLEARANCE_M
from sim.maze.geodesic import SPACING_M, distance_at, field_of
from sim.maze.layout import (
    BLOCK_RADIUS_M,
    GATE,
    LOOSE,
    PIN_RADIUS_M,
    SIZE_M,
    distance_to_boxes,
    layout,
    read_plan,
)
from sim.maze.plans import HELD_OUT, PLANS, TRAINING

NUMBERS = tuple(PLANS)


def fine(way: np.ndarray) -> np.ndarray:
    """Points on a way (n, 2), a quarter of a millimetre apart at most."""
    return np.concatenate([np.linspace(a, b, 24) for a, b in pairwise(way)])


def test_there_are_eight_mazes_to_train_on_and_four_others() -> None:
    assert (len(TRAINING), len(HELD_OUT)) == (8, 4)
    assert sorted(TRAINING + HELD_OUT) == list(NUMBERS) == list(range(1, 13))
    shapes = {layout(number).boxes.tobytes() for number in NUMBERS}
    assert len(shapes) == 12
    assert len({tuple(layout(number).goal) for number in TRAINING}) == 8


@pytest.mark.parametrize("number", NUMBERS)
def test_a_pin_finds_a_way_from_start_to_goal_without_touching_a_wall(number: int) -> None:
    maze = layout(number)
    for radius in (PIN_RADIUS_M, PIN_RADIUS_M + CLEARANCE_M):
        way = field_of(number, radius).path(maze.start)
        assert np.hypot(*(way[0] - maze.start)) < SPACING_M and np.hypot(*(way[-1] - maze.goal)) < SPACING_M
        # Between nodes a diagonal may come nearer to a corner by a part of the grid.
        assert distance_to_boxes(fine(way), maze.walls).min() > radius - 0.3 * SPACING_M
        assert distance_to_boxes(way, maze.walls).min() >= radius


@pytest.mark.parametrize("number", NUMBERS)
def test_a_straight_line_never_leads_to_the_goal(number: int) -> None:
    maze = layout(number)
    points = np.linspace(maze.start, maze.goal, 500)
    assert distance_to_boxes(points, maze.walls).min() == 0
    d = distance_at(field_of(number).distance_m[None], np.zeros(1, int), maze.start[None])[0]
    assert 1.1 * np.hypot(*(maze.goal - maze.start)) < d < 1.2


@pytest.mark.parametrize("number", NUMBERS)
def test_start_goal_and_blocks_stand_free(number: int) -> None:
    maze = layout(number)
    assert 1 <= len(maze.blocks) <= 2
    for point, radius in [(maze.start, PIN_RADIUS_M), (maze.goal, PIN_RADIUS_M)] + [
        (block, BLOCK_RADIUS_M) for block in maze.blocks
    ]:
        assert distance_to_boxes(point, maze.boxes) > radius
    for block in maze.blocks:
        assert np.hypot(*(block - maze.start)) > BLOCK_RADIUS_M + PIN_RADIUS_M


@pytest.mark.parametrize("number", NUMBERS)
def test_walls_do_not_overlap_and_corridors_are_30_mm_wide(number: int) -> None:
    boxes = layout(number).boxes
    for a, b in combinations(boxes, 2):
        common = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        assert (common < 1e-9).any(), (a, b)
    inside = boxes[4:]  # but for the frame
    assert np.allclose(np.minimum(*(inside[:, 2:] - inside[:, :2]).T), 0.010)


@pytest.mark.parametrize("number", NUMBERS)
def test_each_maze_has_a_loose_wall_and_a_gate_that_is_out_of_the_way_when_open(number: int) -> None:
    maze = layout(number)
    assert (maze.kinds == LOOSE).sum() == (maze.kinds == GATE).sum() == 1
    way = field_of(number).path(maze.start)
    closed = maze.boxes[maze.kinds == GATE]
    opened = closed + np.tile(gate_opening(maze), 2)
    assert distance_to_boxes(way, opened).min() > PIN_RADIUS_M - SPACING_M
    assert distance_to_boxes(way, closed).min() == 0, "a gate that nobody has to pass"


@pytest.mark.parametrize("number", NUMBERS)
def test_lengths_of_ways_are_at_least_straight_and_change_no_faster_than_one_goes(number: int) -> None:
    field, maze = field_of(number), layout(number)
    nodes = np.argwhere(field.towards >= 0)
    straight = np.hypot(*(nodes * SPACING_M - maze.goal).T)
    assert (field.distance_m[tuple(nodes.T)] >= straight - 2 * SPACING_M).all()
    way = field.path(maze.start)
    lengths = np.hypot(*np.diff(way, axis=0).T)
    along = distance_at(field.distance_m[None], np.zeros(len(way), int), way)
    np.testing.assert_allclose(-np.diff(along), lengths, atol=1e-9)
    np.testing.assert_allclose(along[0], lengths.sum(), atol=1e-9)


def test_a_pin_that_is_pressed_into_a_wall_is_as_far_as_its_own_corridor() -> None:
    """Maze 11 turns back: behind the wall below the start the goal is much nearer."""
    field, maze = field_of(11), layout(11)
    at = distance_at(field.distance_m[None], np.zeros(2, int), np.array([maze.start, maze.start - [0.0, 0.011]]))
    assert abs(at[1] - at[0]) < 0.02
    other_side = distance_at(field.distance_m[None], np.zeros(1, int), np.array([[maze.start[0], 0.1]]))
    assert other_side[0] < at[0] - 0.05


def test_lengths_outside_of_the_maze_are_those_of_its_border() -> None:
    fields = field_of(1).distance_m[None]
    far, near = np.array([[-1.0, 0.1], [9.0, 9.0]]), np.array([[0.0, 0.1], SIZE_M])
    np.testing.assert_allclose(
        distance_at(fields, np.zeros(2, int), far), distance_at(fields, np.zeros(2, int), near), atol=1e-6
    )


def test_a_maze_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="1 to 12"):
        layout(13)
    with pytest.raises(InputError, match="11 lines of 15 signs"):
        read_plan(99, PLANS[1][:50])
