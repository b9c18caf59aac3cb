"""Pick a budget from benign episodes: it leaves them unchanged and limits everything else.

    E_0 = E_min + 1.5 P95(e*)       e* = max_t sum W of an episode: the energy that its tank would have had to hold
    E_min                           reserve for braking: one step of work (P99.9), and room for the brakes' own margin
    E_max = min(2 E_0, E_harm)      braking refills the tank no further
    P_max = 1.2 P99.5(tau . qd)     of the steps that give; at least P99.5 of wc / T, which the filter compares
    a_i   = 1.5 P99.9 |qdd_i|       contacts included: deviation of the joints from constant velocity
    V_cap, F_cap                    of the harm that a contact may do, else 1.2 times the episodes' own spring

Where E_0 would exceed the energy that a contact may cost, E_0 is that energy, and a supply of 1.2 P95 of the mean
net power in contact has to add the rest during the task.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Sequence

import numpy as np

from robot.errors import InputError
from robot.safety.energy.benign import require_benign, require_no_gravity
from robot.safety.energy.budget import Budget
from robot.safety.energy.replay import FilterReplay, replay
from robot.safety.energy.streams import EnergyStream, durations_s
from robot.safety.energy.torque.kernel import worst_case

ROOM, LOOSER, ACCELERATION_ROOM = 1.5, 1.2, 1.5
_GENTLER = "Allow more, or record episodes that go about it more gently"
_SLUGGISH = 0.1  # of the largest a_i: the least a_i of a joint that these episodes hardly moved


@dataclass(frozen=True)
class Harm:
    """The harm that a contact may do; none of it is a standard.

    Args:
        energy_j: E_harm, the most that may go into it; inf for no such limit.
        force_n, wall_n_per_m: largest force of an impact, on the stiffest thing that may be hit; None takes the
            spring from the episodes.
        damping_ratio: of the impedance law, zeta.
    """

    energy_j: float = math.inf
    force_n: float | None = None
    wall_n_per_m: float | None = None
    damping_ratio: float = 1.0

    def __post_init__(self) -> None:
        if (self.force_n is None) != (self.wall_n_per_m is None):
            raise InputError(
                "harm",
                expected="force_n and wall_n_per_m together, or neither",
                got=f"force_n {self.force_n}, wall_n_per_m {self.wall_n_per_m}",
                way_out="A force without a stiffness bounds no energy: F^2 = 2 K E",
            )
        for name in ("energy_j", "force_n", "wall_n_per_m", "damping_ratio"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"harm: {name}", expected="above 0", got=f"{value:g}")

    @property
    def spring_j(self) -> float | None:
        """V_cap = F^2 / (2 K (1 + 1 / (4 zeta^2))): spring and kinetic energy of one impact together reach F."""
        if self.force_n is None or self.wall_n_per_m is None:
            return None
        return self.force_n**2 / (2 * self.wall_n_per_m * (1 + 1 / (4 * self.damping_ratio**2)))


@dataclass(frozen=True)
class Statistics:
    """Statistics of benign episodes.

    Args:
        drawn_j: e* of each episode.
        step_j: P99.9 of the work of one step, in either direction.
        brake_j: P99.9 of the energy that the filter assumes a braking step may take.
        power_w: P99.5 of tau . qd where it is positive.
        reckoned_w: the same of wc / T, which the filter compares.
        net_w: mean net power of each episode in contact, or until e* where contact is unknown; 0 or more.
        contact: whether contact was known.
        acceleration: (n,) a, rad/s^2.
        measured_velocity: whether a was computed from the loop's own velocities, else from differences.
        spring_j, force_n: largest energy and force of the impedance law's spring; None where unknown.
        period_s, seconds, steps: T, and the duration and steps of the log.
    """

    drawn_j: tuple[float, ...]
    step_j: float
    brake_j: float
    power_w: float
    reckoned_w: float
    net_w: tuple[float, ...]
    contact: bool
    acceleration: tuple[float, ...]
    measured_velocity: bool
    spring_j: float | None
    force_n: float | None
    period_s: float
    seconds: float
    steps: int


@dataclass(frozen=True)
class Pick:
    """A budget with the data from which it was picked.

    Args:
        budget: with the accelerations that its torque filter assumes.
        statistics: of the episodes.
        replay: of the same episodes under it.
        gravity_share: share of the arm's weight in the torques; None without a model, or where it hardly shows.
    """

    budget: Budget
    statistics: Statistics
    replay: FilterReplay
    gravity_share: float | None


def pick(
    streams: Sequence[EnergyStream],
    *,
    robot: str,
    harm: Harm | None = None,
    mass_kg: float = 3.0,
    provenance: str = "",
    gravity: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Pick:
    """Pick the budget of a task from episodes that did it well, unfiltered.

    Args:
        streams: one per episode, 20 or more.
        robot: of the budget.
        harm: that a contact may do.
        mass_kg: apparent mass of the tool, for the speeds that the budget states.
        provenance: of the budget.
        gravity: joints (k, n) rad -> (k, n) N*m that hold the arm up; None without a model of it.

    Raises:
        InputError: too few episodes, one that failed, episodes that do not belong together, gravity in the torque, an
            arm that does nothing, or a harm below the need of these episodes.
    """
    harm = harm or Harm()
    require_benign(streams)
    share = require_no_gravity(streams, gravity)
    statistics = measure(streams)
    budget = choose(statistics, robot=robot, harm=harm, mass_kg=mass_kg, provenance=provenance)
    replayed = replay(streams, budget)
    if len(replayed.starved) > 0.05 * len(streams):
        need = budget.reserve_j + ROOM * _high(statistics.drawn_j, 95)
        raise InputError(
            f"harm_j={harm.energy_j:g}",
            expected=f"what these episodes need at once, {need:.3g} J, or so "
            "much of it that a steady supply can bring the rest",
            got=f"a tank that closes on {len(replayed.starved)} of {len(streams)} episodes, in spite of "
            f"{budget.supply_w:.3g} W",
            way_out=_GENTLER,
        )
    return Pick(budget, statistics, replayed, share)


def measure(streams: Sequence[EnergyStream]) -> Statistics:
    """The statistics of the episodes."""
    spread = np.percentile(np.concatenate([stream.acceleration for stream in streams]), 99.9, axis=0)
    acceleration = ACCELERATION_ROOM * np.maximum(spread, _SLUGGISH * spread.max())
    period_s = streams[0].period_s
    work = np.concatenate([stream.work_j for stream in streams])
    torque = np.concatenate([stream.torque[:-1] for stream in streams])
    speed = np.concatenate([stream.speed[:-1] for stream in streams])
    active = np.einsum("kn,kn->k", torque, speed) >= 0
    worst = worst_case(torque, speed, period_s, acceleration)
    if not (work > 0).any() or not spread.max() > 0:
        raise InputError(
            "episodes",
            expected="an arm that moves and works",
            got="none of either",
            way_out="Log the task, not the robot's rest",
        )
    known = all(stream.contact is not None for stream in streams)
    return Statistics(
        drawn_j=tuple(stream.drawn_j for stream in streams),
        step_j=_high(np.abs(work), 99.9),
        brake_j=_high(np.maximum(worst[~active], 0.0), 99.9) if (~active).any() else 0.0,
        power_w=_high(work[work > 0], 99.5) / period_s,
        reckoned_w=_high(worst[active], 99.5) / period_s,
        net_w=tuple(net_power_w(stream, known) for stream in streams),
        contact=known,
        acceleration=tuple(float(each) for each in acceleration),
        measured_velocity=all(stream.velocity is not None for stream in streams),
        spring_j=_largest([stream.spring_j for stream in streams]),
        force_n=_largest([stream.force_n for stream in streams]),
        period_s=period_s,
        seconds=durations_s(streams),
        steps=len(work),
    )


def net_power_w(stream: EnergyStream, contact: bool) -> float:
    """Mean net power (W, 0 or more) to the arm: in contact, or until e* was reached where contact is not known."""
    work = stream.work_j
    if contact and stream.contact is not None:
        selected = stream.contact[:-1]
    else:
        selected = np.arange(len(work)) <= int(work.cumsum().argmax())
    return max(float(work[selected].mean()) / stream.period_s, 0.0) if selected.any() else 0.0


def choose(statistics: Statistics, *, robot: str, harm: Harm, mass_kg: float, provenance: str) -> Budget:
    """The budget by the formulas above, rounded outwards to three digits, inwards for the limits of harm."""
    reserve = _up(max(statistics.step_j, 2 * statistics.brake_j))
    needed = _up(reserve + ROOM * _high(statistics.drawn_j, 95))
    initial, supply = needed, 0.0
    if needed > harm.energy_j:
        initial, supply = harm.energy_j, _up(LOOSER * _high(statistics.net_w, 95))
    if not reserve < initial:
        raise InputError(
            f"harm_j={harm.energy_j:g}", expected=f"above the reserve for braking, {reserve:g} J", way_out=_GENTLER
        )
    spring, force = harm.spring_j, harm.force_n
    if spring is None:
        spring = _up(LOOSER * statistics.spring_j) if statistics.spring_j else math.inf
        force = _up(LOOSER * statistics.force_n) if statistics.force_n else math.inf
    else:
        spring = _down(spring)
    return Budget(
        initial_j=initial,
        reserve_j=reserve,
        capacity_j=min(2 * initial, max(harm.energy_j, initial)),
        power_w=_up(max(LOOSER * statistics.power_w, statistics.reckoned_w)),
        supply_w=supply,
        spring_j=spring,
        force_n=math.inf if force is None else force,
        mass_kg=mass_kg,
        acceleration=tuple(map(_up, statistics.acceleration)),
        robot=robot,
        provenance=provenance,
    )


def _high(values: Sequence[float] | np.ndarray, percent: float) -> float:
    return float(np.percentile(np.asarray(values), percent))


def _largest(rows: Sequence[np.ndarray | None]) -> float | None:
    known = [float(row.max()) for row in rows if row is not None]
    return max(known) if len(known) == len(rows) else None


def _up(value: float) -> float:
    """The value rounded up to three digits."""
    return _rounded(value, math.ceil)


def _down(value: float) -> float:
    """The value rounded down to three digits."""
    return _rounded(value, math.floor)


def _rounded(value: float, towards: Callable[[float], int]) -> float:
    if not value > 0 or math.isinf(value):
        return value
    scale = 10.0 ** (2 - math.floor(math.log10(value)))
    # A value of three digits stays unchanged: 0.29 * 1000 is a little more than 290.
    near = round(value * scale)
    whole = near if abs(near - value * scale) < 1e-9 * near else towards(value * scale)
    return float(f"{whole / scale:.12g}")
