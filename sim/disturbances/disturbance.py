"""Pushes from outside: bounded in newtons and in joules, held for a while, their work accounted for.

The disturber is a port like any other, and it has a tank like any controller: the energy that it gave is, tick by tick,
the force times the displacement of the point that it acts on, W = F . (x_next - x); what it may still give is bounded
by what is left of E_d. The bound is applied before each tick for the worst displacement of the point in it,
|dx_i - T v_i| <= T^2 a_i, by the same closed form as for a controller's torque (`robot.safety.energy.torque.kernel`). A
point that accelerates harder than a can overdraw the tank: overdrafts are counted, with their joules. Pins of mazes are
here, twins in `sim.disturbances.twin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from robot.compiled import compiled
from robot.errors import InputError
from robot.safety.energy.budget import CAPACITY, Budget
from robot.safety.energy.tank import COLUMNS, LEVEL, book, fill, work_done
from robot.safety.energy.torque.kernel import filter_torque
from sim.maze import MazeBatch, MazeStep, physics
from sim.maze.inner_loop import Control, PinController, TickLog, run
from sim.maze.options import PERIOD_S, TICK_S, TICKS
from sim.maze.physics import MazeState

SHORTEST_S, LONGEST_S = 0.05, 0.2  # duration of a push: shorter is noise, longer is a load
_HAIR = 1e-9


@dataclass(frozen=True, kw_only=True)
class PushLimits:
    """Limits of a disturber in an episode.

    Args:
        force_n: length of its force, at most.
        torque_nm: length of its torque, at most; 0 for none.
        energy_j: E_d, the energy it may give in all, net of what it takes back; also the tank's capacity.
        hold_s: how long a push is held before the next one, 0.05 to 0.2.
        acceleration: a, m/s^2 and rad/s^2, bound on the point's acceleration, contacts included.
    """

    force_n: float
    energy_j: float
    torque_nm: float = 0.0
    hold_s: float = 0.1
    acceleration: float = 400.0

    def __post_init__(self) -> None:
        for name, least in (("force_n", 0.0), ("torque_nm", 0.0), ("energy_j", 1e-6), ("acceleration", 1e-6)):
            if not least <= getattr(self, name) < np.inf:
                raise InputError(
                    f"push: {name}",
                    expected="a finite number, 0 or more (energy_j and acceleration above 0)",
                    got=f"{getattr(self, name):g}",
                )
        if not SHORTEST_S <= self.hold_s <= LONGEST_S:
            raise InputError("push: hold_s", expected=f"{SHORTEST_S:g} to {LONGEST_S:g} s", got=f"{self.hold_s:g}")


@compiled
def bound_push(
    push: np.ndarray,
    velocity: np.ndarray,
    linear: int,
    tick_s: float,
    acceleration: np.ndarray,
    limits: np.ndarray,
    budget: np.ndarray,
    tank: np.ndarray,
) -> None:
    """Limit a push (n,), in place, to what its tank allows in a tick and to its largest lengths.

    Args:
        velocity: (n,) of the point, m/s and rad/s.
        linear: number of leading components that are a force; the rest are a torque.
        acceleration: (n,) bound that `filter_torque` assumes.
        limits: (n,) N and N*m, largest length of the force and of the torque.
        budget, tank: of the disturber.
    """
    filter_torque(push, np.zeros(len(push)), velocity, tick_s, acceleration, -limits, limits, budget, tank)
    # Scaling all of it never costs the tank more: the worst case scales too. One part alone may have been braking.
    share = min(_within(push[:linear], limits[0]), _within(push[linear:], limits[-1]))
    for i in range(len(push)):
        push[i] *= share


@compiled
def _within(vector: np.ndarray, longest: float) -> float:
    """The factor (at most 1) that limits a vector (n,) to the length `longest`."""
    length = 0.0
    for i in range(len(vector)):
        length += vector[i] * vector[i]
    length = np.sqrt(length)
    return longest / length if length > longest else 1.0


class Pushes:
    """The disturbers of some rows: the pushes that they hold, and their tanks.

    Args:
        limits: of each.
        rows: how many.
        size: 2 or 3 for a force alone, 6 for a wrench.
        period_s: of the control periods, at whose beginnings a new push may be requested.
        tick_s: T, for which a push is applied and accounted for.

    Attributes:
        held: (rows, size) N and N*m, the pushes requested last, within their lengths.
        tank: (rows, COLUMNS) of `robot.safety.energy.tank`.
        applied: (rows, size) mean of the pushes that acted in the last period.
    """

    def __init__(self, limits: PushLimits, rows: int, size: int, *, period_s: float, tick_s: float) -> None:
        self.limits, self.period_s, self.tick_s = limits, period_s, tick_s
        self.linear = min(size, 3)
        self.reach = np.array([limits.force_n] * self.linear + [limits.torque_nm] * (size - self.linear))
        # A semi-implicit step moves by T^2 a, a steady acceleration by half of it.
        self.acceleration = np.full(size, 2 * limits.acceleration)
        # All of the energy may be spent in one tick, but for a hair, so that rounding does not overdraw it.
        self.budget = Budget(
            initial_j=limits.energy_j,
            reserve_j=_HAIR * limits.energy_j,
            capacity_j=limits.energy_j,
            power_w=np.inf,
            gamma=1 - _HAIR,
            provenance="of a disturber",
        )
        self.tank, self.held, self.applied = np.zeros((rows, COLUMNS)), np.zeros((rows, size)), np.zeros((rows, size))
        self._row, self._age = self.budget.row, np.zeros(rows, dtype=np.int64)
        self._periods = max(1, round(limits.hold_s / period_s))
        self.begin(np.arange(rows))

    @property
    def left(self) -> np.ndarray:
        """(rows,) share of E_d that is left; below 0 where it was overdrawn."""
        return self.tank[:, LEVEL] / self.limits.energy_j

    @property
    def fresh(self) -> np.ndarray:
        """(rows,) bool, where the next requested push will be taken."""
        return self._age % self._periods == 0

    def begin(self, rows: np.ndarray) -> None:
        """Begin episodes in these rows: full tanks, no push."""
        for row in rows:
            fill(self.tank[row], self.budget)
            self.held[row], self._age[row] = 0.0, 0

    def request(self, wanted: np.ndarray) -> None:
        """Request pushes (rows, size) for the period that begins; a push that is still held continues.

        Lengths are cut to the limits; a row that is not finite requests none.
        """
        wanted = np.array(wanted, dtype=np.float64)
        if wanted.shape != self.held.shape:
            raise InputError("push", expected=str(self.held.shape), got=str(wanted.shape))
        wanted[~np.isfinite(wanted).all(axis=1)] = 0.0
        for part in (slice(0, self.linear), slice(self.linear, None)):
            if wanted[:, part].shape[1]:
                length = np.linalg.norm(wanted[:, part], axis=1, keepdims=True)
                wanted[:, part] *= np.minimum(1.0, self.reach[part][0] / np.maximum(length, 1e-12))
        self.held = np.where(self.fresh[:, None], wanted, self.held)
        self._age += 1
        self.applied[:] = 0.0

    def bounded(self, row: int, velocity: np.ndarray) -> np.ndarray:
        """The push (size,) on a row's point, which moves with velocity (size,), in the tick that begins."""
        push = self.held[row].copy()
        bound_push(push, velocity, self.linear, self.tick_s, self.acceleration, self.reach, self._row, self.tank[row])
        self.applied[row] += push * self.tick_s / self.period_s
        return push

    def book(self, row: int, push: np.ndarray, way: np.ndarray) -> float:
        """Close a tick, given the push (size,) that acted and the displacement `way` (size,), m and rad. Returns J."""
        work: float = work_done(push, np.zeros(len(push)), way)
        book(self.tank[row], self.budget.capacity_j, work, 0.0)
        return work


@compiled
def _run_pushed(
    world: MazeState,
    law: PinController,
    control: Control,
    told: TickLog,
    trace: np.ndarray,
    ticks: int,
    held: np.ndarray,
    applied: np.ndarray,
    acceleration: np.ndarray,
    limits: np.ndarray,
    budget: np.ndarray,
    tank: np.ndarray,
) -> None:
    """Run the inner loop of the mazes with a push that is bounded again in each tick."""
    before = np.empty(len(held))
    for tick in range(ticks):
        for row in range(len(held)):
            push = world.push[row]
            for i in range(2):
                push[i] = held[row, i]
            bound_push(push, world.pin[row, 2:], 2, law.tick_s, acceleration, limits, budget, tank[row])
            for i in range(2):
                applied[row, i] += push[i] / ticks
            before[row] = world.sums[row, physics.PUSH_WORK]
        run(world, law, control, told, 1)
        for row in range(len(held)):
            book(tank[row], budget[CAPACITY], world.sums[row, physics.PUSH_WORK] - before[row], 0.0)
        if trace.shape[1]:
            trace[:, tick] = told.trace[:, 0]
    # Called for one tick at a time, the loop adds up sums instead of means.
    told.executed[:] /= ticks


class PushedMazes(MazeBatch):
    """Mazes whose pins are pushed from outside.

    Args:
        count, options: as of `MazeBatch`.
        limits: of the disturbers.

    Attributes:
        pushes: of the rows; `left` and `applied` of it are those of the new episode in rows that have begun one.
        left: (count,) share of E_d at the end of the last step, before rows began a new episode.
    """

    def __init__(self, count: int, *, limits: PushLimits, **options: Any) -> None:
        if limits.torque_nm:
            raise InputError("push on a pin", expected="no torque: it does not turn", got=f"{limits.torque_nm:g} N*m")
        super().__init__(count, **options)
        self.pushes = Pushes(limits, count, 2, period_s=PERIOD_S, tick_s=TICK_S)
        self.left = self.pushes.left
        self._ticked = self._told._replace(trace=np.zeros((count, min(1, self._told.trace.shape[1]), 4)))

    def step(self, action: np.ndarray, push: np.ndarray | None = None) -> MazeStep:
        """Hold an action for 50 ms while pushes (count, 2) N act within their bounds; see `MazeBatch.step`."""
        self.pushes.request(np.zeros((self.count, 2)) if push is None else push)
        return super().step(action)

    def _advance(self) -> None:
        pushes = self.pushes
        _run_pushed(
            self._world,
            self._law,
            self._control,
            self._ticked,
            self._told.trace,
            TICKS,
            pushes.held,
            pushes.applied,
            pushes.acceleration,
            pushes.reach,
            pushes.budget.row,
            pushes.tank,
        )
        self.left = pushes.left

    def _begin(self, rows: Any) -> None:
        super()._begin(rows)
        self.pushes.begin(np.asarray(rows))
