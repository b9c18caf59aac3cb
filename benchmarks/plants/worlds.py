"""Worlds to hold the filters against: what each plant can run into, and all adversaries in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

import numpy as np

from benchmarks.plants.adversaries import adversaries, shoves
from benchmarks.plants.loop import ClosedLoop, Outcome
from benchmarks.plants.measures import FILTERS
from benchmarks.plants.point_mass import PointMass
from benchmarks.plants.policy import POLICY_S
from benchmarks.plants.settings import LoopSettings
from benchmarks.plants.two_link import TwoLink
from benchmarks.plants.wall import NO_WALL, Wall
from robot.safety.energy import Budget


@dataclass(frozen=True, eq=False)
class Bench:
    """A plant, where it starts, and what its torque filter is told.

    Args:
        plant: what moves.
        start: (m,) m, 3 cm in front of where walls stand.
        acceleration: bound of its joints, contacts with the worlds below included.
        mass_kg: that the damping is made for.
    """

    plant: PointMass | TwoLink
    start: np.ndarray
    acceleration: float
    mass_kg: float = 3.0

    def wall(self, **options: float) -> Wall:
        """A wall 3 cm in front of it."""
        return Wall(position_m=float(self.start[0]) + 0.03, **options)


PLANTS: Mapping[str, Bench] = {
    "mass": Bench(PointMass(), np.zeros(1), 400.0),
    "arm": Bench(TwoLink(), np.array([0.45, 0.2]), 3000.0),
}

WORLDS: Mapping[str, Mapping[str, float]] = {
    "free": {},
    "soft wall": {"stiffness": 1e3},
    "wall": {"stiffness": 1e4},
    "stiff wall": {"stiffness": 1e5},
    "damped wall": {"stiffness": 1e4, "damping": 50.0},
    "wall that swings at 1 Hz": {"stiffness": 1e4, "swing_m": 0.02, "swing_hz": 1.0},
    "wall that swings at 5 Hz": {"stiffness": 1e4, "swing_m": 0.005, "swing_hz": 5.0},
    "wall that swings at 20 Hz": {"stiffness": 1e4, "swing_m": 0.002, "swing_hz": 20.0},
    "wall that is taken away": {"stiffness": 1e4, "removed_s": 1.52},
    "box that is pushed": {"stiffness": 1e4, "yield_n": 15.0},
    "wall, and a person who shoves": {"stiffness": 1e4, "shoves_n": 15.0},
}
"""Worlds by name: options of `Wall`, and the force of a disturber."""


def run_all(
    bench: Bench, world: str, budget: Budget, filters: str, seconds: float, seed: int = 0
) -> dict[str, Outcome]:
    """Every adversary in one world: what became of it, by the adversary's name."""
    options = dict(WORLDS[world])
    force_n = options.pop("shoves_n", 0.0)
    wall = bench.wall(**options) if options else NO_WALL
    push = shoves(seconds + POLICY_S, bench.plant.size, force_n, seed) if force_n else None
    torque_filter, leash = FILTERS[filters]
    settings = LoopSettings(
        budget, torque_filter=torque_filter, leash=leash, mass_kg=bench.mass_kg, acceleration=bench.acceleration
    )
    return {
        name: ClosedLoop(bench.plant, settings, wall, bench.start).run(make(), seconds, push)
        for name, make in adversaries(bench.start, seed).items()
    }
