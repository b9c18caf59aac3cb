"""The ledger: an account of the energy that a controller gives to robots, one row per robot. It never acts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from robot.errors import InputError
from robot.safety.energy import tank as columns
from robot.safety.energy.budget import CAPACITY, SUPPLY, Budget
from robot.safety.energy.tank import COLUMNS, book, fill

_MOST_EVENTS = 1000
TRACE_FORMAT = "tiller energy trace 1"


@dataclass(frozen=True, eq=False)
class LedgerRow:
    """One period of all robots.

    Args:
        work_j: (batch,) W_k.
        level_j: (batch,) E_{k+1}.
        spilled_j: (batch,) energy that did not fit into the tanks.
        overdraft_j: (batch,) how much further the tanks fell below zero; 0 where they did not.
    """

    work_j: np.ndarray
    level_j: np.ndarray
    spilled_j: np.ndarray
    overdraft_j: np.ndarray


@dataclass(frozen=True)
class SupplyEvent:
    """Energy that was added from outside or taken away.

    Args:
        step: number of periods closed before it.
        row: of the robot.
        joules: added; negative when taken away.
        reason: why.
    """

    step: int
    row: int
    joules: float
    reason: str


class EnergyLedger:
    """Tanks of a batch of robots, closed period by period.

        W_k = tau_k . (q_{k+1} - q_k),    E_{k+1} = min(E_max, E_k - W_k + S_k)

    W is the work of the torque that is held over the period, S the supply from outside, J.

    Args:
        budget: of each robot.
        period_s: T, of a period.
        batch: number of robots.
        trace: whether to keep every period for `trace`.

    Attributes:
        tank: (batch, COLUMNS) float64, by the columns of `robot.safety.energy.tank`.
        events: supplies other than the budget's constant power, the newest thousand.

    Raises:
        InputError: a period that is not above 0, or no robot.
    """

    def __init__(self, budget: Budget, period_s: float, batch: int = 1, *, trace: bool = False) -> None:
        if not 0 < period_s < np.inf:
            raise InputError("ledger: period_s", expected="a number above 0", got=f"{period_s:g}")
        if batch < 1:
            raise InputError("ledger: batch", expected="1 or more", got=str(batch))
        self.budget, self.period_s, self.batch = budget, period_s, batch
        self.tank = np.empty((batch, COLUMNS))
        fill(self.tank, budget)
        self.events: list[SupplyEvent] = []
        self._row = budget.row
        self._time_ns: int | None = None
        self._trace: list[dict[str, Any]] | None = [] if trace else None
        self._supplied: list[SupplyEvent] = []

    @property
    def level_j(self) -> np.ndarray:
        """(batch,) E_k, J."""
        return self.tank[:, columns.LEVEL].copy()

    @property
    def share(self) -> np.ndarray:
        """(batch,) share of the initial energy that is left: a policy may observe it; Saute RL's safety state."""
        if np.isinf(self.budget.initial_j):
            return np.ones(self.batch)
        remaining: np.ndarray = self.tank[:, columns.LEVEL] / self.budget.initial_j
        return remaining

    @property
    def latched(self) -> np.ndarray:
        """(batch,) bool, rows that had an input that was not finite, and are held at zero torque since."""
        return self.tank[:, columns.LATCHED] > 0

    def close(
        self,
        torque: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
        *,
        supply_j: float | np.ndarray | None = None,
        time_ns: int | None = None,
    ) -> LedgerRow:
        """Close a period and enter its work in the account.

        Args:
            torque: (batch, n) or (n,) N*m that was applied, without gravity, after every limit, rate limit and stop;
                measured torque where the drive does not hold its command.
            before, after: of the same shape, rad: joints at the period's start and end, as measured by the encoders.
            supply_j: added from outside, at most supply_w * T; None takes that much.
            time_ns: of the period's end, for the check that time increases.

        Raises:
            InputError: another batch or other shapes, an input that is not finite, a negative supply, or time that
                runs backwards; nothing is entered.
        """
        torque, before, after = (
            self._rows(name, value) for name, value in (("torque", torque), ("before", before), ("after", after))
        )
        if not torque.shape == before.shape == after.shape:
            raise InputError(
                "ledger", expected="torque and joints of one size", got=f"{torque.shape}, {before.shape}, {after.shape}"
            )
        work = np.einsum("bn,bn->b", torque, after - before)
        if not np.isfinite(work).all():
            row = int(np.flatnonzero(~np.isfinite(work))[0])
            raise InputError(
                f"ledger: row {row}",
                expected="finite torque and joints",
                got=f"work {work[row]}",
                way_out="Book what was applied: zero torque after an invalid input",
            )
        return self.book(work, supply_j=supply_j, time_ns=time_ns)

    def book(
        self, work_j: np.ndarray, *, supply_j: float | np.ndarray | None = None, time_ns: int | None = None
    ) -> LedgerRow:
        """Close a period whose work is known already; see `close`.

        Args:
            work_j: (batch,) W_k, J, positive towards the robot.
            supply_j, time_ns: as of `close`.

        Raises:
            InputError: another batch, work that is not finite, a negative supply, or time that runs backwards; nothing
                is entered.
        """
        work = np.asarray(work_j, dtype=np.float64)
        if work.shape != (self.batch,):
            raise InputError(
                "ledger: batch",
                expected=f"({self.batch},) as it began",
                got=str(work.shape),
                way_out="Make a ledger for the new batch",
            )
        if not np.isfinite(work).all():
            raise InputError("ledger: work", expected="finite", got=str(work))
        if time_ns is not None and self._time_ns is not None and time_ns <= self._time_ns:
            raise self._early(time_ns)
        most = float(self._row[SUPPLY]) * self.period_s
        told = np.asarray(most if supply_j is None else supply_j, dtype=np.float64)
        if told.shape not in ((), work.shape) or not (told >= 0).all():
            raise InputError("ledger: supply", expected=f"0 J or more, one number or ({self.batch},)", got=str(told))
        supply = np.minimum(np.broadcast_to(told, work.shape), most)
        self._time_ns = self._time_ns if time_ns is None else time_ns
        was = self.tank.copy()
        for row in range(self.batch):
            book(self.tank[row], self._row[CAPACITY], work[row], supply[row])
        closed = LedgerRow(
            work,
            self.level_j,
            self.tank[:, columns.SPILLED] - was[:, columns.SPILLED],
            self.tank[:, columns.OVERDRAFT] - was[:, columns.OVERDRAFT],
        )
        if self._trace is not None:
            self._trace.append(
                {
                    "work_j": work.tolist(),
                    "supply_j": supply.tolist(),
                    "level_j": closed.level_j.tolist(),
                    "spilled_j": closed.spilled_j.tolist(),
                    "overdraft_j": closed.overdraft_j.tolist(),
                }
            )
        return closed

    def require_later(self, time_ns: int) -> None:
        """Store the time of a call that closes no period.

        Raises:
            InputError: it is not after the last time.
        """
        if self._time_ns is not None and time_ns <= self._time_ns:
            raise self._early(time_ns)
        self._time_ns = time_ns

    def _early(self, time_ns: int) -> InputError:
        return InputError(
            "ledger: time",
            expected=f"after {self._time_ns} ns",
            got=f"{time_ns} ns",
            way_out="A clock that was set back, or a sample that came twice: book no period",
        )

    def set_level(self, level_j: float | None = None, *, row: int | None = None, reason: str) -> None:
        """Set tanks to a level, as a reset or a switch of mode does; it is logged as a supply.

        Args:
            level_j: J; None takes the budget's initial energy.
            row: of one robot; None sets all.
            reason: why, in a word.

        Raises:
            InputError: below zero, above the capacity, or no such row.
        """
        level = self.budget.initial_j if level_j is None else level_j
        if not 0 <= level <= self.budget.capacity_j:
            raise InputError("ledger: level", expected=f"0 .. {self.budget.capacity_j:g} J", got=f"{level:g}")
        if row is not None and not 0 <= row < self.batch:
            raise InputError("ledger: row", expected=f"0 .. {self.batch - 1}", got=str(row))
        for each in range(self.batch) if row is None else (row,):
            joules = float(level - self.tank[each, columns.LEVEL]) if np.isfinite(level) else 0.0
            self.tank[each, columns.LEVEL] = level
            self.tank[each, columns.SUPPLIED] += joules
            self.events.append(SupplyEvent(int(self.tank[each, columns.STEPS]), each, joules, reason))
            if self._trace is not None:
                self._supplied.append(self.events[-1])
        del self.events[:-_MOST_EVENTS]

    def clear(self, row: int | None = None) -> None:
        """Release rows that an invalid input has latched.

        Args:
            row: of one robot; None releases all.
        """
        self.tank[slice(None) if row is None else row, columns.LATCHED] = 0.0

    def trace(self) -> dict[str, Any]:
        """All periods as plain values, for JSON: the budget, T, per period the work, supply, level, spilled energy and
        overdraft, each a list with one number per robot; and the resets and switches between them.

        Raises:
            InputError: none was kept.
        """
        if self._trace is None:
            raise InputError("ledger: trace", expected="trace=True when the ledger was made", got="none kept")
        return {
            "format": TRACE_FORMAT,
            "budget": self.budget.row.tolist(),
            "budget_hash": self.budget.hash,
            "period_s": self.period_s,
            "batch": self.batch,
            "periods": list(self._trace),
            "events": [asdict(each) for each in self._supplied],
        }

    def _rows(self, name: str, value: np.ndarray) -> np.ndarray:
        rows = np.atleast_2d(np.asarray(value, dtype=np.float64))
        if rows.ndim != 2 or rows.shape[0] != self.batch:
            raise InputError(
                f"ledger: {name}",
                expected=f"({self.batch}, n), the batch that it began with",
                got=str(np.shape(value)),
                way_out="Make a ledger for the new batch",
            )
        return rows
