"""Accounts and filters as they are often written, and wrong: what the statements must refuse."""

from __future__ import annotations

import numpy as np

from tests.robot.safety.energy.statements import FIRST_J, PERIOD_S, RESERVE_J


class _Simple:
    """What the bad ones share: a level, and a reset that is told as a supply."""

    def __init__(self) -> None:
        self._level, self._supplied = FIRST_J, 0.0

    @property
    def level_j(self) -> float:
        return self._level

    @property
    def supplied_j(self) -> float:
        return self._supplied

    def reset(self) -> None:
        self._supplied += FIRST_J - self._level
        self._level = FIRST_J

    def close(
        self,
        wanted: np.ndarray,
        applied: np.ndarray,
        damping: np.ndarray,
        velocity: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
    ) -> None:
        self._level -= float(applied @ (after - before))


class Rectangular(_Simple):
    """Power at the period's start times the period."""

    def close(self, wanted, applied, damping, velocity, before, after) -> None:
        self._level -= float(applied @ velocity) * PERIOD_S


class RootState(_Simple):
    """Integrates x = sqrt(2 E) by explicit Euler steps, as the continuous equation of a tank is written."""

    def __init__(self) -> None:
        super().__init__()
        self._x = float(np.sqrt(2 * FIRST_J))

    @property
    def level_j(self) -> float:
        return 0.5 * self._x**2

    def close(self, wanted, applied, damping, velocity, before, after) -> None:
        self._x -= float(applied @ (after - before)) / self._x


class CreditsWantedDamping(_Simple):
    """Refills from the damping that was asked for, before the drive's limit; spends what was applied."""

    def close(self, wanted, applied, damping, velocity, before, after) -> None:
        self._level -= float(damping @ (after - before))
        self._level -= max(float(applied @ (after - before)), 0.0)


class SilentReset(_Simple):
    """A reset that nobody hears of: a supply as large as one likes."""

    def reset(self) -> None:
        self._level = FIRST_J


class ClampedAtNothing(_Simple):
    """Says 0 where it owes."""

    def close(self, wanted, applied, damping, velocity, before, after) -> None:
        super().close(wanted, applied, damping, velocity, before, after)
        self._level = max(self._level, 0.0)


def divides_by_speed(torque: np.ndarray, velocity: np.ndarray, level_j: float, acceleration: np.ndarray) -> np.ndarray:
    """F = P / v wherever the worst case is too much, one joint."""
    allowed = max(level_j - RESERVE_J, 0.0)
    worst = PERIOD_S * float(torque @ velocity) + 0.5 * PERIOD_S**2 * float(np.abs(torque) @ acceleration)
    if worst <= allowed:
        return torque
    with np.errstate(all="ignore"):
        found: np.ndarray = np.full(1, allowed / PERIOD_S) / velocity
    return found


def divides_by_speed_squared(
    torque: np.ndarray, velocity: np.ndarray, level_j: float, acceleration: np.ndarray
) -> np.ndarray:
    """A passivity controller: what was observed as overdrawn is damped away, F - E / (T v^2) v, one sample late."""
    with np.errstate(all="ignore"):
        extra = min(level_j - RESERVE_J - PERIOD_S * float(torque @ velocity) - 0.02, 0.0) / (
            PERIOD_S * velocity @ velocity
        )
        found: np.ndarray = torque + extra * velocity
    return found


def fears_a_reversal(torque: np.ndarray, velocity: np.ndarray, level_j: float, acceleration: np.ndarray) -> np.ndarray:
    """Reckons that an impact may turn the velocity round, whichever way the torque points, and scales."""
    margin = float(np.abs(torque) @ (0.5 * PERIOD_S**2 * acceleration + 2 * PERIOD_S * np.abs(velocity)))
    worst = PERIOD_S * float(torque @ velocity) + margin
    allowed = 0.5 * max(level_j, 0.0) if float(torque @ velocity) < 0 else 0.2 * max(level_j - RESERVE_J, 0.0)
    return torque if worst <= allowed else torque * max(allowed / worst, 0.0)
