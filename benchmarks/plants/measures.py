"""What a filter costs a policy that means well, and what it spares the world from one that does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from benchmarks.plants import books as columns
from benchmarks.plants.adversaries import Ahead, Held, Late, Random, Shuttle, Sine
from benchmarks.plants.drive import AT, TIP
from benchmarks.plants.loop import ClosedLoop, Outcome
from benchmarks.plants.point_mass import PointMass
from benchmarks.plants.policy import Policy
from benchmarks.plants.settings import LoopSettings
from benchmarks.plants.wall import NO_WALL, Wall
from robot.safety.energy import Budget

FILTERS = {
    "none": (False, "none"),
    "tank": (True, "none"),
    "leash": (False, "leash"),
    "tank and leash": (True, "leash"),
}
"""Which filters act, by the words of the tables: the torque filter, the set-point filter."""
STIFF_WALL = 1e5
STIFF_ACCELERATION = 400.0
PUSHED_N = 4.0  # 1 kg on a table, at a coefficient of 0.4
_SETTLED_S = 2.0


def settings_for(budget: Budget, filters: str, **others: Any) -> LoopSettings:
    """A loop with some of the filters."""
    torque_filter, leash = FILTERS[filters]
    return replace(LoopSettings(budget, torque_filter=torque_filter, leash=leash), **others)


def tracking_rms_m(
    budget: Budget, policy: Sine | Shuttle, filters: str, *, seconds: float = 12.0, mass_kg: float = 3.0
) -> float:
    """Root mean square error of a mass that follows a way in free space, set-points on straight lines between
    commands, after two seconds to get going."""
    loop = ClosedLoop(
        PointMass(mass_kg), settings_for(budget, filters, come="ramps"), NO_WALL, start=np.array([policy.at(0.0)])
    )
    loop.run(policy, seconds)
    rows = loop.traced()
    # A row tells where the tip was at the start of its tick.
    wanted = np.array([policy.at(time_s - 0.001) for time_s in rows[:, AT]])
    error = (rows[:, TIP] - wanted)[rows[:, AT] > _SETTLED_S]
    return float(np.sqrt(np.mean(error**2)))


def impacts(
    budget: Budget, filters: str, *, seeds: int = 5, seconds: float = 20.0, place_m: float = 0.05
) -> tuple[Outcome, ...]:
    """A random policy before a wall of 1e5 N/m, a run a seed."""
    found = []
    for seed in range(seeds):
        loop = ClosedLoop(
            PointMass(), settings_for(budget, filters, acceleration=STIFF_ACCELERATION), Wall(place_m, STIFF_WALL)
        )
        found.append(loop.run(Random(np.zeros(1), seed), seconds))
    return tuple(found)


class Progress(NamedTuple):
    """How far a task came, m, and what the run was like."""

    way_m: float
    outcome: Outcome


def progress(
    budget: Budget,
    task: str,
    *,
    delay_s: float = 0.0,
    where: str = "channel",
    seconds: float = 2.0,
    come: str = "jumps",
    lag_s: float = 0.0,
    box_n: float = PUSHED_N,
    stiffness: float = 200.0,
) -> Progress:
    """How far a mass of 3 kg gets with a delay, with both filters.

    Args:
        budget: of the filters.
        task: `reach`: in free space towards a target too far to be reached; `push`: a box that slides with `box_n`.
        delay_s: of the commands.
        where: `channel`: between the set-point filter, which is told, and the law; `policy`: before the filters, in a
            policy that answers to what it saw.
        seconds: of the task.
        come, lag_s: see `LoopSettings`.
        box_n: see `push`.
        stiffness: N/m, of the policy.
    """
    far = np.array([3.0])
    wall = NO_WALL if task == "reach" else Wall(0.0, 1e4, yield_n=box_n)
    settings = settings_for(
        budget,
        "tank and leash",
        come=come,
        lag_s=lag_s,
        stiffness=stiffness,
        latency_s=delay_s if where == "channel" else 0.0,
    )
    loop = ClosedLoop(PointMass(), settings, wall)
    policy: Policy = Held(far, stiffness) if where == "channel" else Late(Ahead(far, stiffness=stiffness), delay_s)
    outcome = loop.run(policy, seconds)
    return Progress(float(loop.seen.tip[0] if task == "reach" else loop.books[columns.SHIFT]), outcome)


def standing(
    budget: Budget,
    *,
    seconds: float = 600.0,
    leash: str = "measured",
    latency_s: float = 0.05,
    encoder: float = 0.0,
    noise: float = 0.0,
    press_n: float = 0.0,
    stiffness: float = 2000.0,
) -> ClosedLoop:
    """A mass that is told to stay where it is, or to press on a wall, for a time."""
    wall = Wall(0.0, 1e4, damping=50.0) if press_n else NO_WALL
    settings = LoopSettings(budget, leash=leash, latency_s=latency_s, stiffness=stiffness, encoder=encoder, noise=noise)
    loop = ClosedLoop(PointMass(), settings, wall)
    loop.run(Held(np.array([press_n / stiffness]), stiffness), seconds)
    return loop
