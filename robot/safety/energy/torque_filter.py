"""The filter of the inner loop: it limits a torque to the energy that it may take from the tank.

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

from dataclasses import dataclass
from math import isfinite, isnan, sqrt

import numpy as np

from robot.compiled import COMPILED, compiled
from robot.errors import InputError
from robot.safety.energy.budget import GAMMA, POWER, RESERVE
from robot.safety.energy.ledger import EnergyLedger
from robot.safety.energy.tank import INVALID, LATCHED, LEVEL, LIMIT_POWER, NONE, REASONS, TANK

PATHS = ("compiled", "numpy")
BRAKING_SHARE = 0.5  # of all that is in the tank, which one braking period may use
_PASSES = 4
_LONGER = 1.2  # largest change by projecting, in units of that by scaling; beyond it the joints are too slow for it
_STILL = 1e-14  # squared joint displacement of a period, below which it has no direction
_INSIDE = 1 - 1e-9  # of a share, so that rounding does not put the result beyond the allowed energy


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
    for attempt in range(_PASSES):
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
        if attempt == 0 and gave and margin <= allowed and period_s * period_s * speed2 > _STILL:
            excess, size2 = (worst - allowed) / (period_s * speed2), 0.0
            for i in range(n):
                size2 += torque[i] * torque[i]
            if excess * np.sqrt(speed2) <= _LONGER * (1 - allowed / worst) * np.sqrt(size2):
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
            share = _INSIDE * (allowed - least) / (worst - least)
            for i in range(n):
                held = min(max(damping[i], low[i]), high[i])
                torque[i] = held + share * (torque[i] - held)
        else:
            share = _INSIDE * max(allowed / worst, 0.0)
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
    for attempt in range(_PASSES):
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
        if attempt == 0 and gave and margin <= allowed and period_s * period_s * speed2 > _STILL:
            excess = (worst - allowed) / (period_s * speed2)
            if excess * sqrt(speed2) <= _LONGER * (1 - allowed / worst) * sqrt(torque.dot(torque)):
                torque = np.minimum(np.maximum(torque - excess * velocity, low), high)
                continue
        kept = float(damping.dot(velocity))
        least = period_s * kept + half * float(np.abs(damping).dot(acceleration))
        if attempt < 2 and kept <= 0 and least <= allowed and least < worst:
            torque = damping + _INSIDE * (allowed - least) / (worst - least) * (torque - damping)
        else:
            torque = torque * (_INSIDE * max(allowed / worst, 0.0))
    return torque, reason


@dataclass(frozen=True, eq=False)
class TorqueResult:
    """Filtered torques.

    Args:
        torque: (batch, n) N*m to apply.
        reasons: (batch,) codes, names by `robot.safety.energy.tank.REASONS`; 0 where nothing was changed.
    """

    torque: np.ndarray
    reasons: np.ndarray

    @property
    def changed(self) -> np.ndarray:
        """(batch,) bool, whether a torque was changed."""
        return self.reasons != NONE


class TorqueFilter:
    """The filter of a batch of robots, beside their ledger.

    Call `filter` with the torque after every other limit, apply its result for exactly one period, then call
    `ledger.close` with it.

    Args:
        ledger: of the robots, with the budget.
        acceleration: (n,) rad/s^2, largest acceleration of a joint, contacts included. Too large a value makes the
            filter cautious near an empty tank, too small a one lets overdrafts happen: the ledger counts them.
        effort: (n,) N*m, largest torque of the drives; None for no limit.
        path: `compiled` (numba where it is installed) or `numpy`; None takes the faster.

    Attributes:
        counts: (batch, codes) calls that changed something, by their reason.

    Raises:
        InputError: a period too long to be an inner loop's (below 500 Hz), bounds that are no numbers above 0 or not
            one per joint, or an unknown path.
    """

    def __init__(
        self,
        ledger: EnergyLedger,
        acceleration: np.ndarray,
        *,
        effort: np.ndarray | None = None,
        path: str | None = None,
    ) -> None:
        path = path or ("compiled" if COMPILED else "numpy")
        if path not in PATHS:
            raise InputError("torque filter: path", expected=f"one of {', '.join(PATHS)}", got=f"'{path}'")
        if ledger.period_s > 0.002 * (1 + 1e-9):
            raise InputError(
                "torque filter",
                expected="a period of 2 ms at most: it runs in the inner loop, at 500 Hz or more",
                got=f"{ledger.period_s:g} s",
                way_out="At a policy's rate use SetpointFilter",
            )
        self.ledger, self.budget = ledger, ledger.budget
        self._acceleration = _above_0("acceleration", acceleration)
        n = len(self._acceleration)
        self._high = np.full(n, np.inf) if effort is None else _above_0("effort", effort)
        if self._high.shape != (n,):
            raise InputError(
                "torque filter: effort", expected=f"{n} numbers, as of acceleration", got=str(self._high.shape)
            )
        self._low, self._row = -self._high, ledger.budget.row
        self._still = np.zeros((ledger.batch, n))
        self.counts = np.zeros((ledger.batch, len(REASONS)), dtype=np.int64)
        self._run = filter_torques if path == "compiled" else filter_torques_numpy

    def filter(self, torque: np.ndarray, velocity: np.ndarray, *, damping: np.ndarray | None = None) -> TorqueResult:
        """Change torques as little as the tanks demand.

        A row that is not finite gets zero torque, and stays at zero until `ledger.clear`.

        Args:
            torque: (batch, n) N*m, without gravity.
            velocity: (batch, n) rad/s.
            damping: (batch, n) N*m, the part of it that only dissipates; None when it is not known.

        Raises:
            InputError: another batch than the ledger's, or other shapes.
        """
        changed = np.array(torque, dtype=np.float64, ndmin=2)
        velocity = np.array(velocity, dtype=np.float64, ndmin=2)
        damping = self._still if damping is None else np.array(damping, dtype=np.float64, ndmin=2)
        if not changed.shape == velocity.shape == damping.shape == self._still.shape:
            raise InputError(
                "torque filter",
                expected=f"{self._still.shape}, the ledger's batch and the joints",
                got=f"{changed.shape}, {velocity.shape}, {damping.shape}",
            )
        reasons = np.zeros(len(changed), dtype=np.int64)
        self._run(
            changed,
            damping,
            velocity,
            self.ledger.period_s,
            self._acceleration,
            self._low,
            self._high,
            self._row,
            self.ledger.tank,
            reasons,
        )
        for row in reasons.nonzero()[0]:
            self.counts[row, reasons[row]] += 1
        return TorqueResult(changed, reasons)


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


def _above_0(name: str, value: np.ndarray) -> np.ndarray:
    array = np.array(value, dtype=np.float64, ndmin=1)
    if not (array > 0).all() or not np.isfinite(array).all():
        raise InputError(f"torque filter: {name}", expected="numbers above 0", got=str(array))
    return array
