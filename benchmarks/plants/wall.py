"""What a reference plant can touch: one flat wall, and what an unkind world does with it.

A wall is a spring and a damper that only push (Kelvin and Voigt's, cut off below nothing). It can swing, be taken away,
and give way: past `yield_n` its anchor slides, as a box does that is pushed over a table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.plants.books import DEPTH, FORCE, GONE, LOST, MOVED, PEAK_FORCE, PORT, SHIFT, STORED
from robot.compiled import compiled
from robot.errors import InputError

PLACE, SPRING, DAMPER, SWING, RATE, REMOVED, YIELD = range(7)
"""Columns of `Wall.row`."""


@dataclass(frozen=True)
class Wall:
    """A wall across the first axis of the task space; the free side is below `position_m`.

    Args:
        position_m: of its surface at rest; `inf` for no wall at all.
        stiffness: N/m.
        damping: N*s/m.
        swing_m: amplitude with which the surface swings.
        swing_hz: how fast it does.
        removed_s: when it is taken away, with what its spring holds.
        yield_n: force above which its anchor slides.

    Raises:
        InputError: a number is negative.
    """

    position_m: float = math.inf
    stiffness: float = 0.0
    damping: float = 0.0
    swing_m: float = 0.0
    swing_hz: float = 0.0
    removed_s: float = math.inf
    yield_n: float = math.inf

    def __post_init__(self) -> None:
        for name in ("stiffness", "damping", "swing_m", "swing_hz", "removed_s", "yield_n"):
            if not getattr(self, name) >= 0:
                raise InputError(f"wall: {name}", expected="0 or more", got=f"{getattr(self, name):g}")

    @property
    def row(self) -> np.ndarray:
        """(7,) float64, by the columns above."""
        return np.array(
            [
                self.position_m,
                self.stiffness,
                self.damping,
                self.swing_m,
                2 * math.pi * self.swing_hz,
                self.removed_s,
                self.yield_n,
            ]
        )


NO_WALL = Wall()


@compiled
def depth_in(wall: np.ndarray, books: np.ndarray, position: float, time_s: float) -> float:
    """How deep (m) a point is in the wall; negative in front of it."""
    return position - wall[PLACE] - books[SHIFT] - wall[SWING] * np.sin(wall[RATE] * time_s)


@compiled
def surface_speed(wall: np.ndarray, time_s: float) -> float:
    """Of the swinging surface, m/s."""
    return wall[SWING] * wall[RATE] * np.cos(wall[RATE] * time_s)


@compiled
def force_of(wall: np.ndarray, books: np.ndarray, position: float, speed: float, time_s: float) -> float:
    """With which a point presses on the wall, N, 0 or more."""
    depth = depth_in(wall, books, position, time_s)
    if depth <= 0.0 or time_s >= wall[REMOVED]:
        return 0.0
    push = wall[SPRING] * depth + wall[DAMPER] * (speed - surface_speed(wall, time_s))
    return min(max(push, 0.0), wall[YIELD])


@compiled
def book_contact(
    wall: np.ndarray,
    books: np.ndarray,
    force: float,
    middle: float,
    after: float,
    way: float,
    time_s: float,
    step_s: float,
) -> None:
    """Book a fine step of a point that pressed with `force` (N).

    Args:
        middle, after: where the point was in the middle of the step and at its end, m.
        way: that it went, m.
        time_s: of the step's middle.
        step_s: its length.
    """
    books[FORCE] = force
    if time_s >= wall[REMOVED]:
        if books[GONE] == 0.0:
            books[GONE] = 1.0
            books[MOVED] += books[STORED]
            books[STORED] = 0.0
        return
    books[PORT] += force * way
    books[PEAK_FORCE] = max(books[PEAK_FORCE], force)
    deep = depth_in(wall, books, middle, time_s)
    depth = depth_in(wall, books, after, time_s + 0.5 * step_s)
    if force > 0.0:
        moved = surface_speed(wall, time_s) * step_s
        spring = min(wall[SPRING] * deep, wall[YIELD])
        books[LOST] += (force - spring) * (way - moved)
        books[MOVED] += force * moved
        slip = depth - wall[YIELD] / wall[SPRING]
        if slip > 0.0:
            books[SHIFT] += slip
            books[LOST] += wall[YIELD] * slip
            depth -= slip
    stored = 0.5 * wall[SPRING] * depth * depth if depth > 0.0 else 0.0
    if force == 0.0 and deep > 0.0:
        # The point left faster than the damped surface could follow: it comes to rest by itself.
        books[LOST] += books[STORED] - stored
    books[STORED] = stored
    books[DEPTH] = max(books[DEPTH], depth)
