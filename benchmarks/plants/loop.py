"""A policy at 20 Hz over an inner loop at 1 kHz over a reference plant: what the energy filters are held against.

policy -> set-point filter (leash) -> delay -> spring and damper -> torque filter -> plant -> ledger
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from benchmarks.plants import books as columns
from benchmarks.plants import drive as inner_loop
from benchmarks.plants.books import excess_j, opened, residual_j
from benchmarks.plants.drive import LEFT, STEADY, STIFFNESS, TRACE, drive
from benchmarks.plants.point_mass import PointMass
from benchmarks.plants.policy import POLICY_S, Command, Policy, Seen
from benchmarks.plants.settings import INNER_STIFFNESS, PERIOD_S, WAYS, LoopSettings
from benchmarks.plants.two_link import TwoLink, tip_of
from benchmarks.plants.wall import NO_WALL, Wall
from robot.safety.energy import EnergyLedger, SetpointFilter
from robot.safety.energy import tank as tank_columns


@dataclass(frozen=True)
class Outcome:
    """What became of a run: figures of the plant's own books, unless said otherwise.

    Args:
        lowest_j: that a tank was which is kept from the plant's books.
        taken_j: largest actuator work less supply.
        excess_j: of what the environment got over E_0 + H_0 + supply; above 0 passivity was broken.
        residual_j: error of the energy identity.
        throughput_j: sum of the actuator's work, each way counted.
        peak_force_n: of the contact.
        depth_m: deepest in the wall.
        total_j: largest kinetic and spring energy together.
        fastest_j: largest kinetic energy.
        acceleration: largest of any joint.
        outside: periods in which a joint left the set that the torque filter reckons with.
        drawn: periods with torque that did not brake, which took a tank below its reserve or further below it.
        changed: ticks that the torque filter changed, by reason.
        leashed: commands that the set-point filter changed, by reason.
    """

    lowest_j: float
    taken_j: float
    excess_j: float
    residual_j: float
    throughput_j: float
    peak_force_n: float
    depth_m: float
    total_j: float
    fastest_j: float
    acceleration: float
    outside: int
    drawn: int
    changed: dict[str, int]
    leashed: dict[str, int]


@dataclass
class ClosedLoop:
    """One plant, its filters and its ledger, to be stepped by the periods of a policy.

    Args:
        plant: what moves.
        settings: how.
        wall: before it.
        start: (m,) m of the tip; None is 0 for the mass, and (0.45, 0.2) for the arm.
        velocity: (m,) m/s at first; None is rest.
        seed: of the encoder's noise.

    Attributes:
        ledger: of the torque filter.
        books: (BOOKS,) the plant's own.
        trace: rows of `benchmarks.plants.drive` of every tick so far, by stretches.
    """

    plant: PointMass | TwoLink
    settings: LoopSettings
    wall: Wall = NO_WALL
    start: np.ndarray | None = None
    velocity: np.ndarray | None = None
    seed: int = 0
    time_s: float = 0.0
    trace: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        plant, settings = self.plant, self.settings
        start = np.array([0.45, 0.2] if plant.size == 2 else [0.0]) if self.start is None else self.start
        self.state = plant.state_at(np.asarray(start, dtype=np.float64), self.velocity)
        self.ledger = EnergyLedger(settings.budget, PERIOD_S)
        self.books = opened(plant.kinetic_j(self.state), settings.budget.initial_j)
        self.reasons, self.leashed = np.zeros((2, len(tank_columns.REASONS)), np.int64)
        self._random = np.random.default_rng(self.seed)
        self._measured = self.state[: plant.joints].copy()
        self._tip, self._jacobian = np.empty(plant.size), np.ones((plant.size, plant.joints))
        self._active, self._target = np.array(start, dtype=np.float64), np.array(start, dtype=np.float64)
        self._law = np.zeros(inner_loop.LAW)
        mass = settings.mass_kg if settings.mass_kg is not None else getattr(plant, "mass_kg", 3.0)
        self._law[[STIFFNESS, inner_loop.SOFT, inner_loop.STIFF, inner_loop.RATIO, inner_loop.MASS]] = (
            settings.stiffness,
            *INNER_STIFFNESS,
            settings.damping_ratio,
            mass,
        )
        self._law[inner_loop.SHARE] = 1 - math.exp(-PERIOD_S / settings.lag_s) if settings.lag_s else 1.0
        self._due: list[tuple[int, np.ndarray, float]] = []
        self._worked = 0.0
        self.setpoint_filter: SetpointFilter | None = None
        if settings.leash != "none":
            self.setpoint_filter = SetpointFilter(
                EnergyLedger(settings.budget, POLICY_S),
                self._active,
                np.full(plant.size, settings.stiffness),
                mode=settings.leash,
                latency_s=settings.latency_s,
            )
        self._row, self._plant_row, self._wall_row = settings.budget.row, plant.row, self.wall.row
        self._acceleration = np.full(plant.joints, settings.acceleration)
        self._effort = np.full(plant.joints, settings.effort)

    @property
    def seen(self) -> Seen:
        """What there is to see now, by the encoders."""
        joints = self.plant.joints
        if isinstance(self.plant, TwoLink):
            tip_of(self._plant_row, self._measured, self._tip, self._jacobian)
        else:
            self._tip[:] = self._measured
        return Seen(self.time_s, self._tip.copy(), self._jacobian @ self.state[joints:], float(self.ledger.level_j[0]))

    def supply(self, level_j: float, reason: str) -> None:
        """Set the tank's level from outside; logged, and told to the plant's books."""
        self.ledger.set_level(level_j, reason=reason)
        self.books[columns.SUPPLIED] += level_j - self.books[columns.LEVEL]
        self.books[columns.LEVEL] = level_j

    def step(self, command: Command, *, inner: int = STEADY, disturbance: np.ndarray | None = None) -> None:
        """One period of a policy: filter its command, and run the inner loop.

        Args:
            command: of the policy.
            inner: what the stiffness does meanwhile.
            disturbance: (ticks, m) N at the tip; None for none.
        """
        ticks = round(POLICY_S / PERIOD_S)
        setpoint, stiffness = np.asarray(command.setpoint, dtype=np.float64), float(command.stiffness)
        if self.setpoint_filter is not None:
            work = float(self.ledger.tank[0, tank_columns.WORK])
            told = np.array([work - self._worked]) if self.setpoint_filter.mode == "measured" else None
            self._worked = work
            made = self.setpoint_filter.filter(
                setpoint, self.seen.tip, stiffness=np.full(self.plant.size, stiffness), work_j=told
            )
            setpoint, stiffness = made.setpoint[0], float(made.stiffness[0, 0, 0])
            self.leashed[made.reasons[0]] += 1
        now = int(self._law[inner_loop.COUNT])
        self._due.append((now + round(self.settings.latency_s / PERIOD_S), setpoint, stiffness))
        push = np.zeros((ticks, self.plant.size)) if disturbance is None else disturbance
        noise = (
            self._random.normal(0, self.settings.noise, (ticks, self.plant.joints))
            if self.settings.noise
            else np.zeros((ticks, self.plant.joints))
        )
        done = 0
        while done < ticks:
            while self._due and self._due[0][0] <= now + done:
                _, target, stiff = self._due.pop(0)
                self._target[:], self._law[STIFFNESS], self._law[LEFT] = target, stiff, ticks
            until = min(ticks, self._due[0][0] - now) if self._due else ticks
            self._run(push[done:until], noise[done:until], inner)
            done = until

    def run(self, policy: Policy, seconds: float, disturbance: np.ndarray | None = None) -> Outcome:
        """Let a policy act for a time, against a disturber (all ticks, m) N if there is one."""
        ticks = round(POLICY_S / PERIOD_S)
        for number in range(round(seconds / POLICY_S)):
            push = None if disturbance is None else disturbance[number * ticks : (number + 1) * ticks]
            self.step(policy(self.seen), inner=policy.inner, disturbance=push)
        return self.outcome()

    def outcome(self) -> Outcome:
        """The figures so far."""
        books = self.books
        told = {name: float(books[column]) for name, column in _TOLD.items()}
        counts = [
            {name or "none": int(count) for name, count in zip(tank_columns.REASONS, each) if count}
            for each in (self.reasons, self.leashed)
        ]
        told["excess_j"], told["residual_j"] = excess_j(books, self.settings.budget.initial_j), residual_j(books)
        return Outcome(
            outside=int(books[columns.OUTSIDE]),
            drawn=int(books[columns.DRAWN]),
            changed=counts[0],
            leashed=counts[1],
            **told,
        )

    def traced(self) -> np.ndarray:
        """(ticks, TRACE) so far."""
        return np.concatenate(self.trace)

    @property
    def supplied_j(self) -> float:
        """What the ledger says was supplied."""
        return float(self.ledger.tank[0, tank_columns.SUPPLIED])

    def _run(self, push: np.ndarray, noise: np.ndarray, inner: int) -> None:
        settings, rows = self.settings, np.empty((len(push), TRACE))
        step_s = self.plant.step_s / settings.refinement
        self.time_s = drive(
            isinstance(self.plant, TwoLink),
            self._plant_row,
            self.state,
            self._wall_row,
            push,
            noise,
            settings.encoder,
            self._measured,
            self._active,
            self._target,
            self._law,
            WAYS[settings.come],
            inner,
            settings.torque_filter,
            PERIOD_S,
            step_s,
            round(PERIOD_S / step_s),
            self._acceleration,
            self._effort,
            self._row,
            self.ledger.tank[0],
            self.books,
            self.reasons,
            self.time_s,
            rows,
        )
        self.trace.append(rows)


_TOLD = {
    "lowest_j": columns.LOWEST,
    "taken_j": columns.TAKEN,
    "throughput_j": columns.THROUGHPUT,
    "peak_force_n": columns.PEAK_FORCE,
    "depth_m": columns.DEPTH,
    "total_j": columns.TOTAL,
    "fastest_j": columns.FASTEST,
    "acceleration": columns.ACCELERATION,
}
