"""The maze from above as an image, drawn with arrays alone."""

from __future__ import annotations

import numpy as np

from sim.maze.layout import BLOCK_RADIUS_M, GATE, LOOSE, PIN_RADIUS_M, SIZE_M, Layout

FLOOR, WALL, SOFT = (245, 243, 238), (60, 64, 72), (150, 120, 90)
GOAL, BLOCK, PIN, SETPOINT = (120, 190, 120), (200, 150, 60), (200, 60, 50), (40, 90, 200)
_GOAL_RADIUS_M, _SETPOINT_RADIUS_M = 0.010, 0.003
_FINER = 2  # samples per pixel, each axis


def draw(
    maze: Layout,
    size: int,
    *,
    pin: np.ndarray,
    blocks: np.ndarray,
    setpoint: np.ndarray,
    gate: np.ndarray | None = None,
    loose: bool = True,
) -> np.ndarray:
    """The scene as (size, size, 3) uint8 RGB, the maze across its whole width.

    Args:
        maze: walls and goal.
        size: pixels.
        pin, setpoint: (2,) m.
        blocks: (b, 2) m; rows of NaN are none.
        gate: (2,) m, displacement of the gate from closed; None leaves it out.
        loose: whether the loose wall is there.
    """
    n = size * _FINER
    x = (np.arange(n) + 0.5) / n * SIZE_M[0]
    y = SIZE_M[1] / 2 - ((np.arange(n) + 0.5) / n - 0.5) * SIZE_M[0]
    image = np.empty((n, n, 3), dtype=np.uint8)
    image[:] = FLOOR

    def disc(centre: np.ndarray, radius: float, colour: tuple[int, int, int]) -> None:
        if np.isfinite(centre).all():
            image[(x[None, :] - centre[0]) ** 2 + (y[:, None] - centre[1]) ** 2 <= radius**2] = colour

    disc(maze.goal, _GOAL_RADIUS_M, GOAL)
    for box, kind in zip(maze.boxes, maze.kinds):
        if (kind == GATE and gate is None) or (kind == LOOSE and not loose):
            continue
        low, high = box.reshape(2, 2) + (gate if kind == GATE and gate is not None else 0.0)
        inside = ((x >= low[0]) & (x <= high[0]))[None, :] & ((y >= low[1]) & (y <= high[1]))[:, None]
        image[inside] = WALL if kind not in (GATE, LOOSE) else SOFT
    for block in blocks:
        disc(block, BLOCK_RADIUS_M, BLOCK)
    disc(pin, PIN_RADIUS_M, PIN)
    disc(setpoint, _SETPOINT_RADIUS_M, SETPOINT)
    picture: np.ndarray = image.reshape(size, _FINER, size, _FINER, 3).mean(axis=(1, 3)).astype(np.uint8)
    return picture
