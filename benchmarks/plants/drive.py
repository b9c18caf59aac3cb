"""The inner loop at 1 kHz over a plant: impedance law, torque filter, ledger, plant. Compiled, one call a stretch.

F = K (x_d - x) - D v,   D = 2 zeta sqrt(K m),   tau = J^T F
"""

from __future__ import annotations

import numpy as np

from benchmarks.plants.books import (
    ACTUATED,
    DRAWN,
    FORCE,
    KINETIC,
    LEVEL,
    LOWEST,
    OUTSIDE,
    PORT,
    SUPPLIED,
    TAKEN,
    THROUGHPUT,
    TOTAL,
)
from benchmarks.plants.point_mass import advance_mass
from benchmarks.plants.two_link import advance_arm, tip_of
from robot.compiled import compiled
from robot.safety.energy.budget import CAPACITY, RESERVE, SUPPLY
from robot.safety.energy.tank import book, work_done
from robot.safety.energy.torque.kernel import filter_torque

JUMPS, RAMPS, LAGS = range(3)
"""How a set-point that is new comes into force: at once; on a straight line over a policy's period; with a first-order
lag."""
STEADY, PHASED, ALTERNATING = range(3)
"""What the stiffness does between two commands: nothing; it is high while the spring pulls the tool along and low while
it holds it back, which pumps; it changes at every period."""
STIFFNESS, LEFT, SHARE, SOFT, STIFF, RATIO, MASS, COUNT = range(8)
"""Columns of the law: K (N/m) in force; periods left of a ramp; share of a lag that a period covers; the two
stiffnesses of an inner adversary; zeta; the mass (kg) that the damping is made for; periods so far."""
LAW = 8
AT, TIP, SPEED, ENERGY, TANK, PUSH, OUT, SPRUNG, AIM = range(9)
"""Columns of a trace: time (s) of a period's end; x of the tip and its speed; kinetic energy; the ledger's level; force
of the contact; PORT; energy of the law's spring; x of the set-point in force."""
TRACE = 9


@compiled
def drive(
    arm: bool,
    plant: np.ndarray,
    state: np.ndarray,
    wall: np.ndarray,
    disturbance: np.ndarray,
    noise: np.ndarray,
    encoder: float,
    measured: np.ndarray,
    active: np.ndarray,
    target: np.ndarray,
    law: np.ndarray,
    comes: int,
    inner: int,
    filtered: bool,
    period_s: float,
    step_s: float,
    steps: int,
    acceleration: np.ndarray,
    high: np.ndarray,
    budget: np.ndarray,
    tank: np.ndarray,
    books: np.ndarray,
    reasons: np.ndarray,
    time_s: float,
    trace: np.ndarray,
) -> float:
    """Run the periods of a stretch in which no new command arrives.

    Args:
        arm: the two-link arm, else the point mass.
        plant, state, wall: as of the plant; the state is changed.
        disturbance: (ticks, m) N at the tip.
        noise: (ticks, n) on the joints, before they are rounded to whole counts.
        encoder: size of a count, m or rad; 0 for none.
        measured: (n,) joints as last read, changed.
        active, target: (m,) set-point in force and the one it goes to; the first is changed.
        law: (LAW,) changed.
        comes, inner: codes above.
        filtered: whether the torque filter acts; the tank is kept either way.
        period_s: of a tick, `steps` times `step_s`.
        acceleration, high: (n,) bounds that the filter reckons with, and what the drives can give.
        budget: (8,) of `Budget.row`.
        tank: (COLUMNS,) the ledger's row, changed.
        books: (BOOKS,) the plant's own, changed.
        reasons: (7,) int64, ticks by reason of a change; changed.
        time_s: now.
        trace: (ticks, TRACE) written.

    Returns:
        The time after it.
    """
    n, m = len(measured), len(active)
    tip, speed, jacobian = np.empty(m), np.empty(m), np.ones((m, n))
    error, before, true, torque, damping = np.empty(m), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    push, low, supply = np.empty(n), -high, budget[SUPPLY] * period_s
    for tick in range(len(trace)):
        if comes == RAMPS and law[LEFT] > 0.0:
            for i in range(m):
                active[i] += (target[i] - active[i]) / law[LEFT]
            law[LEFT] -= 1.0
        elif comes == LAGS:
            for i in range(m):
                active[i] += law[SHARE] * (target[i] - active[i])
        else:
            active[:] = target
        if arm:
            tip_of(plant, measured, tip, jacobian)
        else:
            tip[0] = measured[0]
        pulls = 0.0
        for i in range(m):
            speed[i] = 0.0
            for j in range(n):
                speed[i] += jacobian[i, j] * state[n + j]
            error[i] = active[i] - tip[i]
            pulls += error[i] * speed[i]
        stiffness = law[STIFFNESS]
        if inner == PHASED:
            stiffness = law[STIFF] if pulls > 0.0 else law[SOFT]
        elif inner == ALTERNATING:
            stiffness = law[STIFF] if law[COUNT] % 2.0 == 0.0 else law[SOFT]
        drag = 2 * law[RATIO] * np.sqrt(stiffness * law[MASS])
        sprung = 0.0
        for i in range(m):
            sprung += 0.5 * stiffness * error[i] * error[i]
        for j in range(n):
            torque[j], damping[j] = 0.0, 0.0
            for i in range(m):
                torque[j] += jacobian[i, j] * (stiffness * error[i] - drag * speed[i])
                damping[j] -= jacobian[i, j] * drag * speed[i]
        if filtered:
            reasons[filter_torque(torque, damping, state[n:], period_s, acceleration, low, high, budget, tank)] += 1
        else:
            for j in range(n):
                torque[j] = min(max(torque[j], low[j]), high[j]) if np.isfinite(torque[j]) else 0.0
            reasons[0] += 1
        books[TOTAL] = max(books[TOTAL], books[KINETIC] + sprung)
        before[:] = measured
        for j in range(n):
            true[j], push[j] = state[j], period_s * state[n + j]
        taken, power = books[ACTUATED], 0.0
        for j in range(n):
            power += torque[j] * state[n + j]
        if arm:
            advance_arm(plant, state, torque, disturbance[tick], wall, books, time_s, step_s, steps)
        else:
            advance_mass(plant, state, torque, disturbance[tick], wall, books, time_s, step_s, steps)
        time_s += period_s
        law[COUNT] += 1.0
        outside = False
        for j in range(n):
            measured[j] = state[j] + noise[tick, j]
            if encoder > 0.0:
                measured[j] = np.floor(measured[j] / encoder + 0.5) * encoder
            left = abs(state[j] - true[j] - push[j])
            outside = outside or left > 0.5 * period_s * period_s * acceleration[j] * (1 + 1e-9)
        book(tank, budget[CAPACITY], work_done(torque, before, measured), supply)
        # The plant's own count of the same tank.
        taken = books[ACTUATED] - taken
        books[OUTSIDE] += outside
        books[THROUGHPUT] += abs(taken)
        books[SUPPLIED] += supply
        least = min(books[LEVEL], budget[RESERVE])
        books[LEVEL] = min(books[LEVEL] - taken + supply, budget[CAPACITY])
        books[DRAWN] += power >= 0.0 and books[LEVEL] < least - 1e-9
        books[LOWEST] = min(books[LOWEST], books[LEVEL])
        books[TAKEN] = max(books[TAKEN], books[ACTUATED] - books[SUPPLIED])
        row = trace[tick]
        row[AT], row[TIP], row[SPEED], row[ENERGY] = time_s, tip[0], speed[0], books[KINETIC]
        row[TANK], row[PUSH], row[OUT], row[SPRUNG], row[AIM] = tank[0], books[FORCE], books[PORT], sprung, active[0]
    return time_s
