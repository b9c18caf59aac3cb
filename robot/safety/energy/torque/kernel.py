"""The arithmetic of the torque filter, compiled: a torque is limited to the energy that it may take from the tank.

Before a period the joints' displacement dq in it is unknown; known is only a set, |dq_i - T qd_i| <= T^2 a_i / 2, with
a_i a bound on the acceleration of joint i, contacts included. The most that a torque can give is then

    wc(u) = T u.qd + T^2/2 sum_i |u_i| a_i

and it is limited to what the tank and the power limit allow. Both have the same normal qd, so that the torque
is projected on one half-space, in closed form; where the joints are so slow against the margin that a projection would
change the torque more, it is scaled. That always suffices: wc is positively homogeneous, and zero torque is always
allowed. A torque that brakes (u.qd < 0) may use the reserve: an empty tank never disables braking. One that gives
energy may not, even after it was changed.
"""

from __future__ import annotations

import numpy as np

from robot.compiled import compiled
from robot.safety.energy.budget import GAMMA, POWER, RESERVE
from robot.safety.energy.tank import INVALID, LATCHED, LEVEL, LIMIT_POWER, NONE, TANK

BRAKING_SHARE = 0.5  # of all that is in the tank, which one braking period may use
PASSES = 4
LONGER = 1.2  # largest change by projecting, in units of that by scaling; beyond it the joints are too slow for it
STILL = 1e-14  # squared joint displacement of a period, below which it has no direction
INSIDE = 1 - 1e-9  # of a share, so that rounding does not put the result beyond the allowed energy


@compiled
def filter_torque(
    torque: np.ndarray,
    damping: np.ndarray,
    velocity: np.ndarray,
    period_s: float,
    acceleration: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    budget: np.ndarray,
    tank: np.ndarray,
) -> int:
    """Change the torque of one robot in place, as little as its tank demands; return the reason.

    Args:
        torque: (n,) N*m that is to be applied, without gravity.
        damping: (n,) N*m, the part of it that only dissipates: kept where changing the rest suffices.
        velocity: (n,) rad/s.
        period_s: T.
        acceleration: (n,) rad/s^2, a.
        low, high: (n,) N*m, limits of the drives.
        budget: (8,) of `Budget.row`.
        tank: (COLUMNS,); only its latch is written.

    Returns:
        The reason of the change, a code of `robot.safety.energy.tank`.
    """
    n = len(torque)
    finite = not np.isnan(tank[LEVEL])
    for i in range(n):
        finite = finite and np.isfinite(torque[i]) and np.isfinite(velocity[i])
    if not finite:
        tank[LATCHED] = 1.0
    if tank[LATCHED] > 0.0:
        torque[:] = 0.0
        return INVALID
    reason, gave = NONE, False
    for i in range(n):
        torque[i] = min(max(torque[i], low[i]), high[i])
    for attempt in range(PASSES):
        power, margin, speed2 = 0.0, 0.0, 0.0
        for i in range(n):
            power += torque[i] * velocity[i]
            margin += abs(torque[i]) * acceleration[i]
            speed2 += velocity[i] * velocity[i]
        margin *= 0.5 * period_s * period_s
        worst = period_s * power + margin
        if not np.isfinite(worst):
            tank[LATCHED] = 1.0
            torque[:] = 0.0
            return INVALID
        gave = gave or (attempt == 0 and power >= 0.0)
        room = budget[GAMMA] * max(tank[LEVEL] - budget[RESERVE], 0.0)
        if not gave:
            room = max(room, BRAKING_SHARE * max(tank[LEVEL], 0.0))
        allowed = min(room, budget[POWER] * period_s) if gave else room
        if worst <= allowed:
            return reason
        if reason == NONE:
            reason = LIMIT_POWER if allowed < room else TANK
        if attempt == 0 and gave and margin <= allowed and period_s * period_s * speed2 > STILL:
            excess, size2 = (worst - allowed) / (period_s * speed2), 0.0
            for i in range(n):
                size2 += torque[i] * torque[i]
            if excess * np.sqrt(speed2) <= LONGER * (1 - allowed / worst) * np.sqrt(size2):
                for i in range(n):
                    torque[i] = min(max(torque[i] - excess * velocity[i], low[i]), high[i])
                continue
        kept, kept_margin = 0.0, 0.0
        for i in range(n):
            held = min(max(damping[i], low[i]), high[i])  # the drives limit damping, too
            kept += held * velocity[i]
            kept_margin += abs(held) * acceleration[i]
        least = period_s * kept + 0.5 * period_s * period_s * kept_margin
        # Damping that the drives cut joint by joint may give energy: then it is not kept.
        if attempt < 2 and kept <= 0.0 and least <= allowed and least < worst:
            # wc is convex, so that between the damping alone and the whole torque it stays below the straight line.
            share = INSIDE * (allowed - least) / (worst - least)
            for i in range(n):
                held = min(max(damping[i], low[i]), high[i])
                torque[i] = held + share * (torque[i] - held)
        else:
            share = INSIDE * max(allowed / worst, 0.0)
            for i in range(n):
                torque[i] *= share
    return reason


@compiled
def filter_torques(
    torque: np.ndarray,
    damping: np.ndarray,
    velocity: np.ndarray,
    period_s: float,
    acceleration: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    budget: np.ndarray,
    tank: np.ndarray,
    reasons: np.ndarray,
) -> None:
    """Apply `filter_torque` to (batch, n) in place; reasons (batch,) int64 are written."""
    for row in range(len(torque)):
        reasons[row] = filter_torque(
            torque[row], damping[row], velocity[row], period_s, acceleration, low, high, budget, tank[row]
        )


def worst_case(torque: np.ndarray, velocity: np.ndarray, period_s: float, acceleration: np.ndarray) -> np.ndarray:
    """wc(u) (batch,) J: the most that torques can give in a period, for any displacement of the joints within the set.

        wc(u) = T u.qd + T^2/2 sum_i |u_i| a_i

    Args:
        torque: (batch, n) u, N*m.
        velocity: (batch, n) qd, rad/s.
        period_s: T.
        acceleration: (n,) a, rad/s^2, bound of each joint's acceleration, contacts included.
    """
    energy: np.ndarray = period_s * np.einsum("bn,bn->b", torque, velocity) + 0.5 * period_s**2 * (
        np.abs(torque) @ acceleration
    )
    return energy
