"""P1: a mass on a line, in front of a wall that only pushes.

    m dv/dt = u + f - b v - F(x, v, t)      u the actuator, f a disturber, F the wall

The step is semi-implicit: half a step of x with the old velocity, the whole step of v with the force there (friction by
the middle of old and new velocity), the other half of x with the new one. It is of second order, and a force that is
held gives exactly the energy that it takes, so that what the books do not close by is the wall's error alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.plants.books import ACCELERATION, ACTUATED, DISTURBED, FASTEST, FRICTION, GIVEN, KINETIC, PORT, SUPPLIED
from benchmarks.plants.wall import book_contact, force_of
from robot.compiled import compiled
from robot.errors import InputError

STEP_S = 2e-5


@dataclass(frozen=True)
class PointMass:
    """A mass on a line.

    Args:
        mass_kg: 1 to 5 is what an arm feels like at its tool.
        friction: N*s/m, of its guide.

    Raises:
        InputError: no mass, or friction that drives.
    """

    mass_kg: float = 3.0
    friction: float = 0.0

    joints = 1
    size = 1
    step_s = STEP_S

    def __post_init__(self) -> None:
        if not self.mass_kg > 0 or not self.friction >= 0:
            raise InputError(
                "point mass",
                expected="mass_kg above 0 and friction of 0 or more",
                got=f"{self.mass_kg:g} and {self.friction:g}",
            )

    @property
    def row(self) -> np.ndarray:
        """(2,) float64: mass and friction."""
        return np.array([self.mass_kg, self.friction])

    def kinetic_j(self, state: np.ndarray) -> float:
        """Kinetic energy of a state (2,), x and v."""
        return float(0.5 * self.mass_kg * state[1] ** 2)

    def state_at(self, position: np.ndarray, velocity: np.ndarray | None = None) -> np.ndarray:
        """(2,) with the mass at (1,) m, moving with (1,) m/s, at rest if None."""
        return np.array([position[0], 0.0 if velocity is None else velocity[0]])


@compiled
def advance_mass(
    plant: np.ndarray,
    state: np.ndarray,
    force: np.ndarray,
    disturbance: np.ndarray,
    wall: np.ndarray,
    books: np.ndarray,
    time_s: float,
    step_s: float,
    steps: int,
) -> None:
    """Move a mass on, and book it.

    Args:
        plant: (2,) of `PointMass.row`.
        state: (2,) x and v, changed.
        force: (1,) N of the actuator, held.
        disturbance: (1,) N of a disturber, held.
        wall: (7,) of `Wall.row`.
        books: (BOOKS,), changed.
        time_s: now.
        step_s: of a fine step.
        steps: how many.
    """
    mass, half = plant[0], 0.5 * plant[1] * step_s
    x, v = state[0], state[1]
    for i in range(steps):
        middle_s = time_s + (i + 0.5) * step_s
        middle = x + 0.5 * step_s * v
        pressed = force_of(wall, books, middle, v, middle_s)
        new = (v * (mass - half) + step_s * (force[0] + disturbance[0] - pressed)) / (mass + half)
        speed = 0.5 * (v + new)
        way = step_s * speed
        books[ACCELERATION] = max(books[ACCELERATION], abs(new - v) / step_s)
        x, v = x + way, new
        books[ACTUATED] += force[0] * way
        books[DISTURBED] += disturbance[0] * way
        books[FRICTION] += plant[1] * speed * way
        book_contact(wall, books, pressed, middle, x, way, middle_s, step_s)
        books[KINETIC] = 0.5 * mass * v * v
        books[FASTEST] = max(books[FASTEST], books[KINETIC])
        books[GIVEN] = max(books[GIVEN], books[PORT] - books[DISTURBED] - books[SUPPLIED])
    state[0], state[1] = x, v
