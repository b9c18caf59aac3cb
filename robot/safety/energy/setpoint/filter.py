"""The filter of set-points, at the rate of a policy or a gate, over an impedance controller that is passive while its
set-point x_d and stiffness K are constant: only their changes inject energy (`robot.safety.energy.setpoint.kernel`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.compiled import COMPILED
from robot.errors import InputError
from robot.safety.energy.budget import FORCE, POWER, RESERVE, SPRING
from robot.safety.energy.ledger import EnergyLedger
from robot.safety.energy.setpoint.kernel import filter_offsets
from robot.safety.energy.setpoint.reference import filter_offsets_numpy
from robot.safety.energy.tank import INVALID, LATCHED, LEVEL, NONE, REASONS
from robot.safety.energy.torque.filter import PATHS

MODES = ("measured", "leash")
_SOFTEST = 1e-3  # of a requested stiffness: where the filter would allow less, the one in force is kept


@dataclass(frozen=True, eq=False)
class SetpointResult:
    """Filtered set-points.

    Args:
        setpoint: (batch, m) to send, m or rad.
        stiffness: (batch, m, m) to send, N/m and N*m/rad.
        reasons: (batch,) codes, names by `robot.safety.energy.tank.REASONS`; 0 where nothing was changed.
        spring_j: (batch,) energy of the spring with the measured state.
        injected_j: (batch,) measured energy that the change before this one injected.
    """

    setpoint: np.ndarray
    stiffness: np.ndarray
    reasons: np.ndarray
    spring_j: np.ndarray
    injected_j: np.ndarray


class SetpointFilter:
    """The filter of a batch of robots whose inner loop is not ours.

    With `mode="measured"` the controller reports the work of its torques, sum tau.dq: the tank is exact, and may still
    spend E - V - E_min, since a spring can give the energy that it stores. With `mode="leash"` no realised work is
    known; a tank that only empties would stop a policy in free space, so there is none: spring energy, force and power
    are bounded, the total is not. `status` reports it.

    Args:
        ledger: of the robots; its period is that of the calls.
        setpoint: (batch, m) in force at first, m or rad.
        stiffness: (m,), (m, m), (batch, m) or (batch, m, m) in force at first, N/m and N*m/rad.
        mode: `measured` or `leash`.
        latency_s: largest time from a call until its result is in force.
        speeds: (b,) m/s and rad/s, largest speed of each block meanwhile; None takes the budget's.
        blocks: sizes of the blocks, translation first; None is one block.
        softens: whether the controller accepts another stiffness; else only set-points are changed.
        path: `compiled` or `numpy`; None takes the faster.

    Attributes:
        counts: (batch, codes) calls that changed something, by their reason.

    Raises:
        InputError: a stiffness that is not symmetric and positive definite, an unknown mode or path, a negative
            latency, one without speeds under a budget that caps no spring, wrong shapes.
    """

    def __init__(
        self,
        ledger: EnergyLedger,
        setpoint: np.ndarray,
        stiffness: np.ndarray,
        *,
        mode: str = "measured",
        latency_s: float = 0.0,
        speeds: np.ndarray | None = None,
        blocks: tuple[int, ...] | None = None,
        softens: bool = True,
        path: str | None = None,
    ) -> None:
        path = path or ("compiled" if COMPILED else "numpy")
        for thing, value, known in (("mode", mode, MODES), ("path", path, PATHS)):
            if value not in known:
                raise InputError(f"set-point filter: {thing}", expected=f"one of {', '.join(known)}", got=f"'{value}'")
        if not 0 <= latency_s < np.inf:
            raise InputError("set-point filter: latency_s", expected="0 or more", got=f"{latency_s:g}")
        self.ledger, self.budget, self.mode = ledger, ledger.budget, mode
        self._setpoint = np.array(setpoint, dtype=np.float64, ndmin=2)
        if self._setpoint.shape[0] != ledger.batch or not np.isfinite(self._setpoint).all():
            raise InputError(
                "set-point filter: setpoint", expected=f"finite, ({ledger.batch}, m)", got=str(self._setpoint.shape)
            )
        m = self._setpoint.shape[1]
        sizes = (m,) if blocks is None else blocks
        if sum(sizes) != m or min(sizes) < 1:
            raise InputError("set-point filter: blocks", expected=f"sizes that add up to {m}", got=str(sizes))
        ends = np.cumsum(sizes)
        self._blocks = np.stack([ends - sizes, ends], axis=1).astype(np.int64)
        speeds = np.full(len(sizes), self.budget.speed_mps()) if speeds is None else np.asarray(speeds, np.float64)
        if latency_s and np.isinf(speeds).any():
            raise InputError(
                "set-point filter: speeds",
                expected="how fast the tool may be within the latency",
                got="none, and a budget that caps no spring",
                way_out="Give speeds=, m/s and rad/s",
            )
        if speeds.shape != (len(sizes),) or not (speeds >= 0).all():
            raise InputError(
                "set-point filter: speeds", expected=f"{len(sizes)} numbers, none negative", got=str(speeds)
            )
        self._margins = speeds * latency_s if latency_s else np.zeros(len(sizes))
        self._softens, self._row = softens, self.budget.row
        self._stiffness = self._matrices(stiffness)
        self._before = (self._setpoint.copy(), self._stiffness.copy())
        self._run = filter_offsets if path == "compiled" else filter_offsets_numpy
        self.counts = np.zeros((ledger.batch, len(REASONS)), dtype=np.int64)

    @property
    def setpoint(self) -> np.ndarray:
        """(batch, m) in force."""
        return self._setpoint.copy()

    @property
    def stiffness(self) -> np.ndarray:
        """(batch, m, m) in force."""
        return self._stiffness.copy()

    @property
    def status(self) -> str:
        """The limits that are enforced, for people."""
        return (
            "tank, spring, force and power"
            if self.mode == "measured"
            else "leash only: spring, force and power; no realised work is known, so the total is not bounded"
        )

    def filter(
        self,
        setpoint: np.ndarray,
        measured: np.ndarray,
        *,
        stiffness: np.ndarray | None = None,
        work_j: np.ndarray | None = None,
        time_ns: int | None = None,
    ) -> SetpointResult:
        """Change the requested set-points as little as the budget demands, and enter the realised work in the ledger.

        A row that is not finite keeps its set-point, and is latched until `ledger.clear`.

        Args:
            setpoint: (batch, m) requested, m or rad.
            measured: (batch, m) the tool now, m or rad.
            stiffness: requested, in a shape as in the constructor; None keeps the one in force.
            work_j: (batch,) J of the controller's torques since the last call; for `measured` alone.
            time_ns: of the call, for the check that time increases.

        Raises:
            InputError: another batch, an invalid stiffness, work that is missing or not expected, or time that runs
                backwards.
        """
        requested, measured = (np.array(each, dtype=np.float64, ndmin=2) for each in (setpoint, measured))
        if not requested.shape == measured.shape == self._setpoint.shape:
            raise InputError(
                "set-point filter",
                expected=f"{self._setpoint.shape} as it began",
                got=f"{requested.shape} and {measured.shape}",
            )
        matrices = self._stiffness if stiffness is None else self._matrices(stiffness)
        if (work_j is None) == (self.mode == "measured"):
            raise InputError(
                "set-point filter: work_j",
                expected="the work of the controller's torques"
                if work_j is None
                else "none: this filter is a leash only",
                way_out="See mode=",
            )
        tank = self.ledger.tank
        finite = np.isfinite(measured).all(axis=1) & np.isfinite(requested).all(axis=1)
        if work_j is None and time_ns is not None:
            self.ledger.require_later(time_ns)
        if work_j is not None:
            work = np.asarray(work_j, dtype=np.float64)
            if work.shape != (len(tank),):
                raise InputError("set-point filter: work_j", expected=f"({len(tank)},)", got=str(work.shape))
            finite &= np.isfinite(work)
            self.ledger.book(np.where(np.isfinite(work), work, 0.0), time_ns=time_ns)
        tank[~finite, LATCHED] = 1.0
        held = tank[:, LATCHED] > 0
        measured = np.where(finite[:, None], measured, self._setpoint)
        injected = self._spring(*self._in_force, measured) - self._spring(*self._before, measured)
        old_offset = self._setpoint - measured
        energy = self._spring(self._setpoint, self._stiffness, measured)
        room_tank = (
            np.full(len(tank), np.inf)
            if self.mode == "leash"
            else np.maximum(tank[:, LEVEL] - self._row[RESERVE] - energy, 0.0)
        )
        offset = np.where(held[:, None], old_offset, requested - measured)
        matrices = np.where(held[:, None, None], self._stiffness, matrices)
        factors, reasons = np.empty((len(tank), 2)), np.empty(len(tank), dtype=np.int64)
        room_power = self._row[POWER] * self.ledger.period_s

        def run(rows: np.ndarray, softens: bool) -> None:
            parts, why = np.empty((int(rows.sum()), 2)), np.empty(int(rows.sum()), dtype=np.int64)
            self._run(
                offset[rows],
                matrices[rows],
                old_offset[rows],
                self._stiffness[rows],
                self._blocks,
                self._margins,
                room_tank[rows],
                room_power,
                self._row[SPRING],
                self._row[FORCE],
                softens,
                parts,
                why,
            )
            factors[rows], reasons[rows] = parts, why

        run(np.ones(len(tank), dtype=bool), self._softens)
        vanishing = (factors[:, 1] < _SOFTEST) & (reasons != INVALID)
        if vanishing.any():
            matrices, why = np.where(vanishing[:, None, None], self._stiffness, matrices), reasons.copy()
            run(vanishing, False)
            reasons = np.where(reasons == NONE, why, reasons)  # the stiffness was changed, whatever else was
        reasons[held] = INVALID
        for row in reasons.nonzero()[0]:
            self.counts[row, reasons[row]] += 1
        self._before = self._in_force
        # A set-point that is allowed whole is sent as requested, to the bit.
        whole = (factors[:, :1] == 1.0) & ~held[:, None]
        kept = (factors[:, :1] == 1.0) & held[:, None]
        self._setpoint = np.where(whole, requested, np.where(kept, self._setpoint, measured + factors[:, :1] * offset))
        self._stiffness = matrices * factors[:, 1:, None]
        return SetpointResult(
            self._setpoint.copy(),
            self._stiffness.copy(),
            reasons,
            self._spring(self._setpoint, self._stiffness, measured),
            injected,
        )

    @property
    def _in_force(self) -> tuple[np.ndarray, np.ndarray]:
        return self._setpoint, self._stiffness

    @staticmethod
    def _spring(setpoint: np.ndarray, stiffness: np.ndarray, measured: np.ndarray) -> np.ndarray:
        offset = setpoint - measured
        energy: np.ndarray = 0.5 * np.einsum("bi,bij,bj->b", offset, stiffness, offset)
        return energy

    def _matrices(self, stiffness: np.ndarray) -> np.ndarray:
        """The stiffness as (batch, m, m) from any of its shapes."""
        given, (batch, m) = np.asarray(stiffness, dtype=np.float64), self._setpoint.shape
        if given.shape in ((m,), (batch, m)) and not (given.shape == (m, m) and batch == m and _is_symmetric(given)):
            given = given[..., None] * np.eye(m)
        if given.shape[-2:] != (m, m) or given.ndim > 3 or (given.ndim == 3 and len(given) != batch):
            raise InputError(
                "set-point filter: stiffness",
                expected=f"({m},), ({m}, {m}) or one a robot",
                got=str(np.shape(stiffness)),
            )
        matrices = np.broadcast_to(given, (batch, m, m)).copy()
        require_positive_definite(matrices)
        return matrices


def _is_symmetric(matrix: np.ndarray) -> bool:
    return bool(np.array_equal(matrix, matrix.T))


def require_positive_definite(stiffness: np.ndarray) -> None:
    """Refuse stiffnesses (batch, m, m) that are not symmetric and positive definite.

    Raises:
        InputError: one is not.
    """
    for row, matrix in enumerate(stiffness):
        if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=1e-9):
            raise InputError(f"stiffness of row {row}", expected="finite and symmetric", got=str(matrix.tolist()))
        least = float(np.linalg.eigvalsh(matrix)[0])
        if not least > 0:
            raise InputError(
                f"stiffness of row {row}",
                expected="positive definite, eigenvalues above 0",
                got=f"an eigenvalue of {least:g}",
            )
