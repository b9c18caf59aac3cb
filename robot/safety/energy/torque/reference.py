"""The arithmetic of the torque filter in numpy: the reference of the kernel."""

from __future__ import annotations

from math import isfinite, isnan, sqrt

import numpy as np

from robot.safety.energy.budget import GAMMA, POWER, RESERVE
from robot.safety.energy.tank import INVALID, LATCHED, LEVEL, LIMIT_POWER, NONE, TANK
from robot.safety.energy.torque.kernel import BRAKING_SHARE, INSIDE, LONGER, PASSES, STILL


def filter_torques_numpy(
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
    """The reference of `filter_torques`, in numpy alone."""
    for row in range(len(torque)):
        torque[row], reasons[row] = _filtered(
            torque[row], damping[row], velocity[row], period_s, acceleration, low, high, budget, tank[row]
        )


def _filtered(
    torque: np.ndarray,
    damping: np.ndarray,
    velocity: np.ndarray,
    period_s: float,
    acceleration: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    budget: np.ndarray,
    tank: np.ndarray,
) -> tuple[np.ndarray, int]:
    if not isfinite(torque.dot(velocity) + torque.dot(acceleration)) and not (
        np.isfinite(torque).all() and np.isfinite(velocity).all()
    ):
        tank[LATCHED] = 1.0
    if isnan(tank[LEVEL]):
        tank[LATCHED] = 1.0
    if tank[LATCHED] > 0:
        return np.zeros_like(torque), INVALID
    torque, damping = np.minimum(np.maximum(torque, low), high), np.minimum(np.maximum(damping, low), high)
    half, level, reason, gave = 0.5 * period_s * period_s, float(tank[LEVEL]), NONE, False
    for attempt in range(PASSES):
        power = float(torque.dot(velocity))
        worst = period_s * power + half * float(np.abs(torque).dot(acceleration))
        if not isfinite(worst):
            tank[LATCHED] = 1.0
            return np.zeros_like(torque), INVALID
        gave = gave or (attempt == 0 and power >= 0)
        room = budget[GAMMA] * max(level - budget[RESERVE], 0.0)
        if not gave:
            room = max(room, BRAKING_SHARE * max(level, 0.0))
        allowed = min(room, budget[POWER] * period_s) if gave else room
        if worst <= allowed:
            break
        reason = reason or (LIMIT_POWER if allowed < room else TANK)
        speed2 = float(velocity.dot(velocity))
        margin = worst - period_s * power
        if attempt == 0 and gave and margin <= allowed and period_s * period_s * speed2 > STILL:
            excess = (worst - allowed) / (period_s * speed2)
            if excess * sqrt(speed2) <= LONGER * (1 - allowed / worst) * sqrt(torque.dot(torque)):
                torque = np.minimum(np.maximum(torque - excess * velocity, low), high)
                continue
        kept = float(damping.dot(velocity))
        least = period_s * kept + half * float(np.abs(damping).dot(acceleration))
        if attempt < 2 and kept <= 0 and least <= allowed and least < worst:
            torque = damping + INSIDE * (allowed - least) / (worst - least) * (torque - damping)
        else:
            torque = torque * (INSIDE * max(allowed / worst, 0.0))
    return torque, reason
