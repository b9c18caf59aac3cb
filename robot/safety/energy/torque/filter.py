"""The filter of torques, at the rate of an inner loop (`robot.safety.energy.torque.kernel`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.compiled import COMPILED
from robot.errors import InputError
from robot.safety.energy.ledger import EnergyLedger
from robot.safety.energy.tank import NONE, REASONS
from robot.safety.energy.torque.kernel import filter_torques
from robot.safety.energy.torque.reference import filter_torques_numpy

PATHS = ("compiled", "numpy")


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


def _above_0(name: str, value: np.ndarray) -> np.ndarray:
    array = np.array(value, dtype=np.float64, ndmin=1)
    if not (array > 0).all() or not np.isfinite(array).all():
        raise InputError(f"torque filter: {name}", expected="numbers above 0", got=str(array))
    return array
