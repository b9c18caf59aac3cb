"""P2: a planar arm of two links that lies flat, in front of a wall across the x axis of its task space.

    M(q) qdd + c(q, qd) + b qd = tau + J^T (f - F e_x)      f a disturber at the tip, F the wall

Steps are of the midpoint rule (Runge and Kutta, second order); the work at the tip is taken over the way that the tip
went. Angles are absolute for the first link, relative for the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.plants.books import ACCELERATION, ACTUATED, DISTURBED, FASTEST, FRICTION, GIVEN, KINETIC, PORT, SUPPLIED
from benchmarks.plants.wall import book_contact, force_of
from robot.compiled import compiled
from robot.errors import InputError

STEP_S = 1e-4
FIRST, SECOND, ALPHA, BETA, DELTA, DRAG = range(6)
"""Columns of `TwoLink.row`: lengths (m); the constants of M (kg m^2), as of the textbook arm; joint friction."""


@dataclass(frozen=True)
class TwoLink:
    """Two slender rods with a load at the tip.

    Args:
        lengths_m: of the links.
        masses_kg: of the links, even along them.
        load_kg: at the tip.
        friction: N*m*s/rad, of each joint.

    Raises:
        InputError: a length or mass that is none.
    """

    lengths_m: tuple[float, float] = (0.4, 0.35)
    masses_kg: tuple[float, float] = (3.0, 2.0)
    load_kg: float = 1.0
    friction: float = 0.0

    joints = 2
    size = 2
    step_s = STEP_S

    def __post_init__(self) -> None:
        if not min(*self.lengths_m, *self.masses_kg) > 0 or not min(self.load_kg, self.friction) >= 0:
            raise InputError(
                "two-link arm",
                expected="lengths and masses above 0, load and friction of 0 or more",
                got=f"{self.lengths_m}, {self.masses_kg}, {self.load_kg:g}, {self.friction:g}",
            )

    @property
    def row(self) -> np.ndarray:
        """(6,) float64, by the columns above."""
        (first, second), (mass1, mass2), load = self.lengths_m, self.masses_kg, self.load_kg
        far = (mass2 / 3 + load) * second**2
        alpha = mass1 * first**2 / 3 + (mass2 + load) * first**2 + far
        return np.array([first, second, alpha, (mass2 / 2 + load) * first * second, far, self.friction])

    def kinetic_j(self, state: np.ndarray) -> float:
        """Kinetic energy of a state (4,), angles and their rates."""
        return float(kinetic(self.row, state))

    def state_at(self, position: np.ndarray, velocity: np.ndarray | None = None) -> np.ndarray:
        """(4,) with the tip at (2,) m, elbow up, moving with (2,) m/s, at rest if None.

        Raises:
            InputError: out of reach.
        """
        (first, second), (x, y) = self.lengths_m, position
        bend = (x**2 + y**2 - first**2 - second**2) / (2 * first * second)
        if not abs(bend) < 1:
            raise InputError(
                "two-link arm: tip",
                expected=f"{abs(first - second):g} .. {first + second:g} m away",
                got=f"{np.hypot(x, y):g} m",
            )
        elbow = -np.arccos(bend)
        shoulder = np.arctan2(y, x) - np.arctan2(second * np.sin(elbow), first + second * np.cos(elbow))
        angles = np.array([shoulder, elbow])
        if velocity is None:
            return np.concatenate([angles, np.zeros(2)])
        tip, jacobian = np.empty(2), np.empty((2, 2))
        tip_of(self.row, angles, tip, jacobian)
        return np.concatenate([angles, np.linalg.solve(jacobian, np.asarray(velocity, dtype=np.float64))])

    def mass_at(self, position: np.ndarray) -> np.ndarray:
        """(2, 2) kg: the apparent inertia (J M^-1 J^T)^-1 of the tip there."""
        state, row = self.state_at(position), self.row
        tip, jacobian = np.empty(2), np.empty((2, 2))
        tip_of(row, state, tip, jacobian)
        bent = row[BETA] * np.cos(state[1])
        mass = np.array([[row[ALPHA] + 2 * bent, row[DELTA] + bent], [row[DELTA] + bent, row[DELTA]]])
        found: np.ndarray = np.linalg.inv(jacobian @ np.linalg.inv(mass) @ jacobian.T)
        return found


@compiled
def tip_of(plant: np.ndarray, angles: np.ndarray, tip: np.ndarray, jacobian: np.ndarray) -> None:
    """Write where the tip is (2,) and how it moves with the joints (2, 2)."""
    both = angles[0] + angles[1]
    x1, y1 = plant[FIRST] * np.cos(angles[0]), plant[FIRST] * np.sin(angles[0])
    x2, y2 = plant[SECOND] * np.cos(both), plant[SECOND] * np.sin(both)
    tip[0], tip[1] = x1 + x2, y1 + y2
    jacobian[0, 0], jacobian[0, 1] = -y1 - y2, -y2
    jacobian[1, 0], jacobian[1, 1] = x1 + x2, x2


@compiled
def kinetic(plant: np.ndarray, state: np.ndarray) -> float:
    """Kinetic energy (J) of a state (4,)."""
    bent = plant[BETA] * np.cos(state[1])
    one, two = state[2], state[3]
    return (0.5 * plant[ALPHA] + bent) * one * one + (plant[DELTA] + bent) * one * two + 0.5 * plant[DELTA] * two * two


@compiled
def _rate(
    plant: np.ndarray,
    state: np.ndarray,
    torque: np.ndarray,
    tip_force: np.ndarray,
    jacobian: np.ndarray,
    rate: np.ndarray,
) -> None:
    """Write d state / dt (4,) under joint torques (2,) and a force at the tip (2,)."""
    bent, turn = plant[BETA] * np.cos(state[1]), plant[BETA] * np.sin(state[1])
    one, two = state[2], state[3]
    push1 = (
        torque[0]
        + jacobian[0, 0] * tip_force[0]
        + jacobian[1, 0] * tip_force[1]
        - plant[DRAG] * one
        + turn * two * (2 * one + two)
    )
    push2 = (
        torque[1] + jacobian[0, 1] * tip_force[0] + jacobian[1, 1] * tip_force[1] - plant[DRAG] * two - turn * one * one
    )
    a, b, d = plant[ALPHA] + 2 * bent, plant[DELTA] + bent, plant[DELTA]
    whole = a * d - b * b
    rate[0], rate[1] = one, two
    rate[2], rate[3] = (d * push1 - b * push2) / whole, (a * push2 - b * push1) / whole


@compiled
def advance_arm(
    plant: np.ndarray,
    state: np.ndarray,
    torque: np.ndarray,
    disturbance: np.ndarray,
    wall: np.ndarray,
    books: np.ndarray,
    time_s: float,
    step_s: float,
    steps: int,
) -> None:
    """Move an arm on, and book it; see `advance_mass`.

    Args:
        plant: (6,) of `TwoLink.row`.
        state: (4,) angles and rates, changed.
        torque: (2,) N*m, held.
        disturbance: (2,) N at the tip, held.
        wall, books, time_s, step_s, steps: as there.
    """
    tip, jacobian, rate, push = np.empty(2), np.empty((2, 2)), np.empty(4), np.empty(2)
    before, middle, after = np.empty(2), np.empty(4), np.empty(2)
    tip_of(plant, state, before, jacobian)
    for i in range(steps):
        now_s = time_s + i * step_s
        tip_of(plant, state, tip, jacobian)
        speed = jacobian[0, 0] * state[2] + jacobian[0, 1] * state[3]
        push[0] = disturbance[0] - force_of(wall, books, tip[0], speed, now_s)
        push[1] = disturbance[1]
        _rate(plant, state, torque, push, jacobian, rate)
        for j in range(4):
            middle[j] = state[j] + 0.5 * step_s * rate[j]
        tip_of(plant, middle, tip, jacobian)
        speed = jacobian[0, 0] * middle[2] + jacobian[0, 1] * middle[3]
        pressed = force_of(wall, books, tip[0], speed, now_s + 0.5 * step_s)
        push[0] = disturbance[0] - pressed
        _rate(plant, middle, torque, push, jacobian, rate)
        for j in range(2):
            books[ACTUATED] += torque[j] * step_s * rate[j]
            books[FRICTION] += plant[DRAG] * rate[j] * rate[j] * step_s
            books[ACCELERATION] = max(books[ACCELERATION], abs(rate[2 + j]))
        for j in range(4):
            state[j] += step_s * rate[j]
        tip_of(plant, state, after, jacobian)
        for j in range(2):
            books[DISTURBED] += disturbance[j] * (after[j] - before[j])
        book_contact(wall, books, pressed, tip[0], after[0], after[0] - before[0], now_s + 0.5 * step_s, step_s)
        before[0], before[1] = after[0], after[1]
        books[KINETIC] = kinetic(plant, state)
        books[FASTEST] = max(books[FASTEST], books[KINETIC])
        books[GIVEN] = max(books[GIVEN], books[PORT] - books[DISTURBED] - books[SUPPLIED])
