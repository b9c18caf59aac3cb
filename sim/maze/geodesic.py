"""The shortest path to the goal round the walls: its length from anywhere, and the path itself."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cache

import numpy as np

from robot.errors import InputError
from sim.maze.layout import PIN_RADIUS_M, SIZE_M, Layout, distance_to_boxes, layout

SPACING_M = 0.0025
NODES = (round(SIZE_M[0] / SPACING_M) + 1, round(SIZE_M[1] / SPACING_M) + 1)

# Steps to 16 neighbours; paths along them are longer than straight ones by 2.8 % at most.
_STEPS = [
    (x, y)
    for x in (-2, -1, 0, 1, 2)
    for y in (-2, -1, 0, 1, 2)
    if abs(x) + abs(y) in (1, 3) or (abs(x), abs(y)) == (1, 1)
]


@dataclass(frozen=True, eq=False)
class Field:
    """Lengths of the shortest paths to the goal.

    Args:
        distance_m: (121, 81) from each node of the grid; nodes within walls have that of free ones nearby.
        free: (121, 81) bool, where the centre of a disc of the given radius can be.
        towards: (121, 81) index, in the flattened grid, of the next node on the path; -1 where there is none.
    """

    distance_m: np.ndarray
    free: np.ndarray
    towards: np.ndarray

    def path(self, start: np.ndarray) -> np.ndarray:
        """The path (n, 2) m from the free node nearest to a point (2,) to the goal's node.

        Raises:
            InputError: there is none.
        """
        nodes = np.argwhere(self.towards >= 0)
        if len(nodes) == 0:
            raise InputError("way through the maze", expected="a goal that can be reached", got="none")
        here = int(np.ravel_multi_index(tuple(nodes[np.hypot(*(nodes * SPACING_M - start).T).argmin()]), NODES))
        path = [here]
        while self.towards.flat[path[-1]] != path[-1]:
            path.append(int(self.towards.flat[path[-1]]))
        return np.stack(np.unravel_index(path, NODES), axis=1) * SPACING_M


def solve(maze: Layout, radius_m: float = PIN_RADIUS_M) -> Field:
    """Search the shortest paths of a disc from everywhere to the goal (Dijkstra on a grid of 2.5 mm).

    Args:
        maze: with its walls, gates open, without its blocks: there is room beside them.
        radius_m: of the disc.
    """
    grid = np.stack(np.meshgrid(*(np.arange(n) * SPACING_M for n in NODES), indexing="ij"), axis=-1)
    free = distance_to_boxes(grid, maze.walls) >= radius_m
    distance = np.full(NODES, np.inf)
    towards = np.full(NODES, -1)
    near = np.argwhere(free)
    goal = tuple(int(i) for i in near[np.hypot(*(near * SPACING_M - maze.goal).T).argmin()])
    distance[goal], towards[goal] = 0.0, np.ravel_multi_index(goal, NODES)
    lengths = {step: SPACING_M * float(np.hypot(*step)) for step in _STEPS}
    queue: list[tuple[float, tuple[int, ...]]] = [(0.0, goal)]
    while queue:
        far, (x, y) = heapq.heappop(queue)
        if far > distance[x, y]:
            continue
        for (dx, dy), length in lengths.items():
            nx, ny = x + dx, y + dy
            if not (0 <= nx < NODES[0] and 0 <= ny < NODES[1] and free[nx, ny]) or far + length >= distance[nx, ny]:
                continue
            # A long step may not cut a corner.
            if abs(dx) + abs(dy) == 3 and not (free[x + dx // 2, y + dy // 2] and free[x - (-dx // 2), y - (-dy // 2)]):
                continue
            distance[nx, ny], towards[nx, ny] = far + length, x * NODES[1] + y
            heapq.heappush(queue, (far + length, (nx, ny)))
    return Field(_filled(distance), free, towards)


@cache
def field_of(number: int, radius_m: float = PIN_RADIUS_M) -> Field:
    """The field of one of the twelve mazes; computed once per process."""
    return solve(layout(number), radius_m)


def distance_at(fields: np.ndarray, which: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Path lengths (n,) m from points (n, 2) m to the goal, bilinear between nodes.

    Args:
        fields: (k, 121, 81) `distance_m` of fields.
        which: (n,) index of each point's field.
        points: those outside of the maze count as on its border.
    """
    nodes = np.clip(points / SPACING_M, 0.0, np.array(NODES) - 1.000001)
    low = nodes.astype(np.int64)
    x, y = (nodes - low).T
    i, j = low.T
    distances: np.ndarray = (
        fields[which, i, j] * (1 - x) * (1 - y)
        + fields[which, i + 1, j] * x * (1 - y)
        + fields[which, i, j + 1] * (1 - x) * y
        + fields[which, i + 1, j + 1] * x * y
    )
    return distances


def _filled(distance: np.ndarray) -> np.ndarray:
    """Give nodes without a path the distance from their neighbours, layer by layer: a pin that is pressed into a wall
    is as far from the goal as the corridor that it came from.
    """
    filled = distance.copy()
    for _ in range(max(NODES)):
        missing = np.isinf(filled)
        if not missing.any():
            break
        padded = np.pad(filled, 1, constant_values=np.inf)
        layers = [
            padded[1 + dx : 1 + dx + NODES[0], 1 + dy : 1 + dy + NODES[1]] + SPACING_M * float(np.hypot(dx, dy))
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            if (dx, dy) != (0, 0)
        ]
        filled[missing] = np.min(layers, axis=0)[missing]
    return filled
