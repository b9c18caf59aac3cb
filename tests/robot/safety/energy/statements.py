"""What must hold of any account and of any filter of energy: each statement is checked of ours, and of known-bad ones,
which it must refuse.

A statement takes a way to make an account or a filter, and fails with an AssertionError.
"""

from __future__ import annotations

from typing import Callable, Iterator, Protocol

import numpy as np

PERIOD_S, MASS_KG = 0.001, 3.0
FIRST_J, RESERVE_J = 0.5, 0.02
ACCELERATION = np.array([20.0])


class Account(Protocol):
    """A tank of one robot, as large as it needs to be."""

    @property
    def level_j(self) -> float: ...

    def close(
        self,
        wanted: np.ndarray,
        applied: np.ndarray,
        damping: np.ndarray,
        velocity: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
    ) -> None:
        """Book a period: torques that were wanted, that were applied, and the wanted damping; joints at both ends."""

    def reset(self) -> None:
        """Fill it to its first level again."""

    @property
    def supplied_j(self) -> float:
        """All that the account says came from outside."""


Filter = Callable[[np.ndarray, np.ndarray, float, np.ndarray], np.ndarray]
"""Torque and velocity of one robot, what is in its tank (J), and its largest accelerations -> torque to apply."""


def books_what_flowed(make: Callable[[], Account]) -> None:
    """A free mass, a force that changes sign every 50 ms: what left the account is in the mass, exactly.

    Motion under a constant force is known in closed form, so that this needs no integrator.
    """
    account, position, speed = make(), 0.0, 0.0
    for step in range(2000):
        force = 40.0 if (step // 50) % 2 == 0 else -40.0
        way = speed * PERIOD_S + 0.5 * force / MASS_KG * PERIOD_S**2
        account.close(
            np.array([force]),
            np.array([force]),
            np.zeros(1),
            np.array([speed]),
            np.array([position]),
            np.array([position + way]),
        )
        position, speed = position + way, speed + force / MASS_KG * PERIOD_S
        kinetic = 0.5 * MASS_KG * speed**2
        assert abs(account.level_j - (FIRST_J - kinetic)) < 1e-9, f"step {step}: {account.level_j} J, {kinetic} J moves"


def makes_nothing_of_to_and_fro(make: Callable[[], Account]) -> None:
    """Power of no mean, 5 W at 5 Hz for 20 s, leaves the account as it was."""
    account = make()
    for step in range(20_000):
        force = 10.0 * np.sign(np.sin(2 * np.pi * 5 * (step + 0.5) * PERIOD_S))
        one = np.array([force])
        # 0.5 m/s, always onwards: it is the force that turns.
        account.close(one, one, np.zeros(1), np.array([0.5]), np.zeros(1), np.array([0.5 * PERIOD_S]))
    assert abs(account.level_j - FIRST_J) < 1e-9, f"{account.level_j - FIRST_J:+.3f} J made of nothing"


def credits_only_what_was_realised(make: Callable[[], Account]) -> None:
    """Damping of 25 N*m is wanted and the drive gives 5: the account is richer by the work of 5."""
    account, velocity = make(), np.array([0.5])
    damping, applied = np.array([-25.0]), np.array([-5.0])
    for _ in range(20):
        account.close(damping, applied, damping, velocity, np.zeros(1), velocity * PERIOD_S)
    realised = 20 * 5.0 * 0.5 * PERIOD_S
    assert abs(account.level_j - FIRST_J - realised) < 1e-12, f"{account.level_j - FIRST_J} J, realised {realised} J"


def tells_where_its_energy_comes_from(make: Callable[[], Account]) -> None:
    """Emptied and reset ten times, the account holds what it began with, less what it gave, plus what it says came
    from outside.
    """
    account, given = make(), 0.0
    torque, way = np.array([10.0]), np.array([0.04])
    for _ in range(10):
        account.close(torque, torque, np.zeros(1), way / PERIOD_S, np.zeros(1), way)
        given += 0.4
        account.reset()
    assert abs(account.level_j - (FIRST_J - given + account.supplied_j)) < 1e-9, (
        f"{account.level_j} J, of which {account.supplied_j} J came from outside and {given} J were given"
    )


def _slow_and_fast(apply: Filter) -> Iterator[tuple[float, float, float, float]]:
    """One joint over levels (J), speeds and torques: (level, speed, torque asked for, torque applied)."""
    for level in (0.02, 0.0205, 0.021, 0.1, 0.5):
        for speed in (0.0, 1e-12, 1e-6, 1e-3, 0.1, 2.0):
            for force in (0.0, 1.0, 60.0):
                found = apply(np.array([force]), np.array([speed]), level, ACCELERATION)
                yield level, speed, force, float(found[0])


def stays_finite_and_inside(apply: Filter) -> None:
    """The torque is a number, and the most that it can give in the period is allowed: pushing may take what is above
    the reserve, braking what there is.
    """
    for level, speed, force, found in _slow_and_fast(apply):
        assert np.isfinite(found), f"{found} N*m of {force} at {speed} rad/s"
        worst = PERIOD_S * found * speed + 0.5 * PERIOD_S**2 * abs(found) * ACCELERATION[0]
        allowed = level - RESERVE_J if found * speed >= 0 else level
        assert worst <= allowed + 1e-12, f"{worst} J of {allowed} J at {speed} rad/s"


def never_pulls_harder_than_asked(apply: Filter) -> None:
    """What only ever takes away from a torque does not make it larger."""
    for level, speed, force, found in _slow_and_fast(apply):
        assert abs(found) <= force * (1 + 1e-9), f"{found} N*m for {force} N*m at {speed} rad/s and {level} J"


def an_empty_tank_still_brakes(apply: Filter) -> None:
    """A mass that moves with 0.6 J and an empty tank is brought to rest by damping, slower with every period."""
    speed, acceleration = np.sqrt(2 * 0.6 / MASS_KG), np.array([30.0])
    first = speed
    for _ in range(600):
        before = speed
        found = apply(np.array([-25.0 * speed]), np.array([speed]), 0.0, acceleration)
        speed += float(found[0]) / MASS_KG * PERIOD_S
        assert abs(speed) <= before + 1e-12
    assert abs(speed) < 0.1 * first, f"still {speed:.3f} m/s of {first:.3f} m/s after 0.6 s"
