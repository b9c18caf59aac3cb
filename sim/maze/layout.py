"""A maze as numbers: the boxes of its walls, where the pin starts, the goal, and the blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from robot.errors import InputError
from sim.maze.plans import PLANS

SIZE_M = (0.30, 0.20)
CELLS = (7, 5)
WALL_M = 0.010  # thickness; corridors are 32.9 mm wide across x and 30 mm across y
FRAME_M = 0.030  # how far the outer walls reach beyond the maze
PIN_RADIUS_M = 0.008
BLOCK_RADIUS_M = 0.006  # beside the pin in a corridor there is room for it
MOST_BLOCKS = 2

FIXED, LOOSE, GATE = range(3)
"""Kinds of boxes: a wall, a wall that can be taken away, and what closes an opening."""


@dataclass(frozen=True, eq=False)
class Layout:
    """One maze, m.

    Args:
        number: 1 to 12.
        boxes: (k, 4) lowest x and y, highest x and y.
        kinds: (k,) `FIXED`, `LOOSE` or `GATE`; a gate's box is at its closed position.
        start, goal: (2,) centres of their cells.
        blocks: (b, 2) initial positions of the blocks.
    """

    number: int
    boxes: np.ndarray
    kinds: np.ndarray
    start: np.ndarray
    goal: np.ndarray
    blocks: np.ndarray

    @property
    def walls(self) -> np.ndarray:
        """(k, 4) the boxes that block a path: all but gates."""
        return self.boxes[self.kinds != GATE]


@cache
def layout(number: int) -> Layout:
    """One of the twelve mazes.

    Raises:
        InputError: there is no such maze.
    """
    if number not in PLANS:
        raise InputError("maze layout", expected=f"1 to {len(PLANS)}", got=str(number))
    return read_plan(number, PLANS[number])


def read_plan(number: int, plan: str) -> Layout:
    """Turn a drawing into boxes.

    A wall along x takes the posts where it meets walls along y, which end at its faces: boxes never overlap, so that a
    face is as stiff where walls meet as elsewhere.
    """
    rows = [list(row) for row in plan.strip("\n").split("\n")]
    columns, lines = 2 * CELLS[0] + 1, 2 * CELLS[1] + 1
    if [len(row) for row in rows] != [columns] * lines:
        raise InputError(
            f"plan of maze {number}", expected=f"{lines} lines of {columns} signs", got=f"{len(rows)} lines"
        )
    signs = np.array(rows[::-1])  # from below, as y counts
    across = _posts_of_runs(signs == "-")
    along = _posts_of_runs((signs == "|").T).T & ~across
    boxes = [
        *_frame(),
        *((FIXED, box) for box in _boxes(across[1:-1], 1)),
        *((FIXED, box) for box in _boxes(along[:, 1:-1].T, 1, turned=True)),
    ]
    taken = across | along
    for j, i in np.argwhere(np.isin(signs, ("=", "!", "g"))):
        kind = GATE if signs[j, i] == "g" else LOOSE
        flat = j % 2 == 0
        first, last = (i, i) if flat else (j, j)
        if kind == LOOSE:
            first -= not (taken[j, i - 1] if flat else taken[j - 1, i])
            last += not (taken[j, i + 1] if flat else taken[j + 1, i])
        span, thick = _span(first, last, 0 if flat else 1), _span(j if flat else i, j if flat else i, 1 if flat else 0)
        boxes.append((kind, (span[0], thick[0], span[1], thick[1]) if flat else (thick[0], span[0], thick[1], span[1])))
    return Layout(
        number,
        np.array([box for _, box in boxes]),
        np.array([kind for kind, _ in boxes]),
        _centres(signs, "S")[0],
        _centres(signs, "G")[0],
        _centres(signs, "o")[:MOST_BLOCKS],
    )


def distance_to_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Distances (...,) of points (..., 2) to the nearest of boxes (k, 4), 0 inside of one."""
    points = np.asarray(points, dtype=np.float64)[..., None, :]
    outside = np.maximum(np.maximum(boxes[:, :2] - points, points - boxes[:, 2:]), 0.0)
    distances: np.ndarray = np.hypot(outside[..., 0], outside[..., 1]).min(axis=-1)
    return distances


def _posts_of_runs(walls: np.ndarray) -> np.ndarray:
    """Signs (lines, columns) of walls that run along the second axis, with the posts at the ends of each."""
    runs = walls.copy()
    runs[:, :-1] |= walls[:, 1:]
    runs[:, 1:] |= walls[:, :-1]
    return runs


def _boxes(taken: np.ndarray, first_line: int, *, turned: bool = False) -> list[tuple[float, float, float, float]]:
    """A box for each run of signs (lines, columns) along the second axis; inside of the frame alone."""
    boxes, axis = [], 1 if turned else 0
    for line, row in enumerate(taken, first_line):
        inside = row[1:-1]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
        for begin, end in zip(edges[::2], edges[1::2]):
            span, thick = _span(begin + 1, end, axis), _span(line, line, 1 - axis)
            box = (span[0], thick[0], span[1], thick[1])
            boxes.append((box[1], box[0], box[3], box[2]) if turned else box)
    return boxes


def _span(first: int, last: int, axis: int) -> tuple[float, float]:
    """The interval from sign `first` to sign `last` of a drawing, m: even signs are as thick as a wall."""
    pitch = SIZE_M[axis] / CELLS[axis]
    begin = first // 2 * pitch + (WALL_M / 2 if first % 2 else -WALL_M / 2)
    end = last // 2 * pitch + (pitch - WALL_M / 2 if last % 2 else WALL_M / 2)
    return begin, end


def _frame() -> list[tuple[int, tuple[float, float, float, float]]]:
    wide, high = SIZE_M
    inner, outer = WALL_M / 2, -FRAME_M
    return [
        (FIXED, box)
        for box in (
            (outer, outer, inner, high - outer),
            (wide - inner, outer, wide - outer, high - outer),
            (inner, outer, wide - inner, inner),
            (inner, high - inner, wide - inner, high - outer),
        )
    ]


def _centres(signs: np.ndarray, sign: str) -> np.ndarray:
    """(n, 2) centres of the cells with a sign, m."""
    cells = np.argwhere(signs == sign)[:, ::-1] / 2
    return cells * np.array(SIZE_M) / np.array(CELLS)
