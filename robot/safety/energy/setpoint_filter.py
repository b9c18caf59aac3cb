"""The filter of set-points, at the rate of a policy or a gate, over an impedance controller that is passive while its
set-point x_d and stiffness K stand still: only their changes inject energy.

At a tick the old pair (x_d, K) is in force, the new one (x_d', K') is wanted, x was measured, and the new pair is
applied up to `latency_s` later, when the tool is somewhere within v_max * latency of x. With e = x_d - x, r = x_d' - x,
and a(K) = sqrt(lambda_max(K)) v_max latency:

    V+ = (|r|_K' + a(K'))^2 / 2          the most that the spring can hold then
    V- = max(0, |e|_K - a(K))^2 / 2      the least that it holds before
    accept when V+ - V- <= room, V(r, K') - V(e, K) <= P_max T, V+ <= V_cap and |K' r| <= F_cap

What is not accepted is changed radially in the metric of the energy: the set-point is drawn towards the tool,
x_d* = x + s r; or, where only the wanted stiffness is the cause, that is lowered first, K* = c K' (where next to
nothing would be left of it, the one in force is kept). The margin a belongs to the acceptance alone: the ledger takes
what was realised. A pair that does not change is worth nothing: the change itself, |dV| <= V(r, K') - V(e, K) +
|K' r - K e| v_max latency + ..., is bounded too, and the smaller bound counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.compiled import COMPILED, compiled
from robot.errors import InputError
from robot.safety.energy.budget import FORCE, POWER, RESERVE, SPRING
from robot.safety.energy.ledger import EnergyLedger
from robot.safety.energy.tank import (
    INVALID,
    LATCHED,
    LATENCY,
    LEASH,
    LEVEL,
    LIMIT_FORCE,
    LIMIT_POWER,
    NONE,
    REASONS,
    TANK,
)
from robot.safety.energy.torque_filter import PATHS

MODES = ("measured", "leash")
_SLACK = 1e-12  # J, of rounding
_SOFTEST = 1e-3  # of a stiffness that is wanted: where less would do, the one in force is kept


@compiled
def _energy(offset: np.ndarray, stiffness: np.ndarray) -> float:
    """(1/2) r.K r, J."""
    total = 0.0
    for i in range(len(offset)):
        for j in range(len(offset)):
            total += offset[i] * stiffness[i, j] * offset[j]
    return 0.5 * max(total, 0.0)


@compiled
def _largest(first: np.ndarray, second: np.ndarray, low: int, high: int) -> float:
    """A bound (the largest row sum) of the eigenvalues of a block of first - second."""
    largest = 0.0
    for i in range(low, high):
        row = 0.0
        for j in range(low, high):
            row += abs(first[i, j] - second[i, j])
        largest = max(largest, row)
    return largest


@compiled
def _spread(stiffness: np.ndarray, nothing: np.ndarray, blocks: np.ndarray, ways: np.ndarray) -> float:
    """a(K): sum over blocks of sqrt(lambda) * way, at least |d|_K of every way d."""
    total = 0.0
    for block in range(len(blocks)):
        total += np.sqrt(_largest(stiffness, nothing, blocks[block, 0], blocks[block, 1])) * ways[block]
    return total


@compiled
def _turned(first: np.ndarray, second: np.ndarray, blocks: np.ndarray, ways: np.ndarray) -> float:
    """At least d.(first - second) d of every way d; what couples two blocks is bounded by its Frobenius norm."""
    total = 0.0
    for block in range(len(blocks)):
        total += _largest(first, second, blocks[block, 0], blocks[block, 1]) * ways[block] ** 2
        for other in range(block):
            squares = 0.0
            for i in range(blocks[block, 0], blocks[block, 1]):
                for j in range(blocks[other, 0], blocks[other, 1]):
                    squares += (first[i, j] - second[i, j]) ** 2
            total += 2.0 * np.sqrt(squares) * ways[block] * ways[other]
    return total


@compiled
def filter_offset(
    offset: np.ndarray,
    stiffness: np.ndarray,
    old_offset: np.ndarray,
    old_stiffness: np.ndarray,
    blocks: np.ndarray,
    ways: np.ndarray,
    room_tank: float,
    room_power: float,
    spring: float,
    force: float,
    softens: bool,
    nothing: np.ndarray,
    factors: np.ndarray,
) -> int:
    """How much of a new set-point and of a new stiffness is let through, for one robot.

    Args:
        offset: (m,) r = x_d' - x, m and rad.
        stiffness: (m, m) K', symmetric and positive definite.
        old_offset, old_stiffness: e = x_d - x and K, that are in force.
        blocks: (b, 2) first and last + 1 of components that have one v_max: translation first, then rotation.
        ways: (b,) v_max * latency of each, m and rad.
        room_tank, room_power: J that the change may inject by the tank, wherever the tool is when it is in force, and
            by the power limit, with the tool where it was measured; inf for no limit.
        spring: V_cap, J.
        force: F_cap, N, of the first block.
        softens: whether the controller takes another stiffness.
        nothing: (m, m) zeros.
        factors: (2,) written: s of the offset, and c of the stiffness.

    Returns:
        Why, a code of `robot.safety.energy.tank`.
    """
    m = len(offset)
    factors[0], factors[1] = 1.0, 1.0
    finite = True
    for i in range(m):
        finite = finite and np.isfinite(offset[i]) and np.isfinite(old_offset[i])
        for j in range(m):
            finite = finite and np.isfinite(stiffness[i, j])
    if not finite:
        factors[0], factors[1] = 0.0, 0.0
        return INVALID
    after, before = _energy(offset, stiffness), _energy(old_offset, old_stiffness)
    reach = _spread(stiffness, nothing, blocks, ways)
    least = 0.5 * max(0.0, np.sqrt(2 * before) - _spread(old_stiffness, nothing, blocks, ways)) ** 2
    most = 0.5 * (np.sqrt(2 * after) + reach) ** 2
    change = after - before + 0.5 * _turned(stiffness, old_stiffness, blocks, ways)
    push = 0.0
    for block in range(len(blocks)):
        pulled = 0.0
        for i in range(blocks[block, 0], blocks[block, 1]):
            new, old = 0.0, 0.0
            for j in range(m):
                new += stiffness[i, j] * offset[j]
                old += old_stiffness[i, j] * old_offset[j]
            pulled += (new - old) ** 2
            if block == 0:
                push += new**2
        change += np.sqrt(pulled) * ways[block]
    push = np.sqrt(push)
    reason = NONE
    filled = before + room_power  # the most that the spring may hold with the tool where it was measured
    if min(most - least, change) > room_tank + _SLACK or most > spring + _SLACK or after > filled + _SLACK:
        allowed = min(spring, least + room_tank)
        if after <= spring and after - before <= min(room_tank, room_power):
            reason = LATENCY
        elif min(least + room_tank, filled) >= spring:
            reason = LEASH
        else:
            reason = TANK if room_tank <= room_power else LIMIT_POWER
        root, brim = np.sqrt(2 * allowed), np.sqrt(2 * filled)
        unchanged = np.sqrt(2 * _energy(offset, old_stiffness))
        fits = unchanged + _spread(old_stiffness, nothing, blocks, ways) <= root and unchanged <= brim
        if softens and fits:  # the stiffness is the cause
            factors[1] = min(1.0, allowed / most) if most > 0.0 else 1.0
            if after > 0.0:
                factors[1] = min(factors[1], filled / after)
        else:
            if softens and reach > root:  # no set-point at all would do with it
                factors[1] = min(1.0, (root / reach) ** 2)
            reach *= np.sqrt(factors[1])
            length = np.sqrt(2 * after * factors[1])
            if length > 0.0:
                factors[0] = min(1.0, max(root - reach, 0.0) / length, brim / length)
    pushed = push * factors[0] * factors[1]
    if pushed > force:
        reason = LIMIT_FORCE
        old_push = 0.0
        for i in range(blocks[0, 0], blocks[0, 1]):
            row = 0.0
            for j in range(m):
                row += old_stiffness[i, j] * offset[j]
            old_push += row**2
        if softens and np.sqrt(old_push) * factors[0] <= force:
            factors[1] *= force / pushed
        else:
            factors[0] *= force / pushed
    return reason


@compiled
def filter_offsets(
    offset: np.ndarray,
    stiffness: np.ndarray,
    old_offset: np.ndarray,
    old_stiffness: np.ndarray,
    blocks: np.ndarray,
    ways: np.ndarray,
    room_tank: np.ndarray,
    room_power: float,
    spring: float,
    force: float,
    softens: bool,
    factors: np.ndarray,
    reasons: np.ndarray,
) -> None:
    """The same for batches: offsets (batch, m), stiffnesses (batch, m, m), room_tank (batch,); factors (batch, 2) and
    reasons (batch,) int64 are written.
    """
    nothing = np.zeros((offset.shape[1], offset.shape[1]))
    for row in range(len(offset)):
        reasons[row] = filter_offset(
            offset[row],
            stiffness[row],
            old_offset[row],
            old_stiffness[row],
            blocks,
            ways,
            room_tank[row],
            room_power,
            spring,
            force,
            softens,
            nothing,
            factors[row],
        )


def filter_offsets_numpy(
    offset: np.ndarray,
    stiffness: np.ndarray,
    old_offset: np.ndarray,
    old_stiffness: np.ndarray,
    blocks: np.ndarray,
    ways: np.ndarray,
    room_tank: np.ndarray,
    room_power: float,
    spring: float,
    force: float,
    softens: bool,
    factors: np.ndarray,
    reasons: np.ndarray,
) -> None:
    """The reference of `filter_offsets`: the same arithmetic on whole batches."""
    factors[:], reasons[:] = 1.0, NONE
    finite = (
        np.isfinite(offset).all(axis=1) & np.isfinite(old_offset).all(axis=1) & np.isfinite(stiffness).all(axis=(1, 2))
    )
    offset, old_offset = (np.where(finite[:, None], each, 0.0) for each in (offset, old_offset))
    stiffness = np.where(finite[:, None, None], stiffness, 0.0)

    def energy(way: np.ndarray, spring_of: np.ndarray) -> np.ndarray:
        found: np.ndarray = 0.5 * np.maximum(np.einsum("bi,bij,bj->b", way, spring_of, way), 0.0)
        return found

    def spread(matrix: np.ndarray) -> np.ndarray:
        total = np.zeros(len(matrix))
        for (first, last), way in zip(blocks, ways):
            total += np.sqrt(np.abs(matrix[:, first:last, first:last]).sum(axis=2).max(axis=1)) * way
        return total

    def turned(matrix: np.ndarray) -> np.ndarray:
        total = np.zeros(len(matrix))
        for number, ((first, last), way) in enumerate(zip(blocks, ways)):
            total += np.abs(matrix[:, first:last, first:last]).sum(axis=2).max(axis=1) * way**2
            for (low, high), other in zip(blocks[:number], ways[:number]):
                total += 2 * np.sqrt((matrix[:, first:last, low:high] ** 2).sum(axis=(1, 2))) * way * other
        return total

    after, before = energy(offset, stiffness), energy(old_offset, old_stiffness)
    reach, old_reach = spread(stiffness), spread(old_stiffness)
    least = 0.5 * np.maximum(0.0, np.sqrt(2 * before) - old_reach) ** 2
    most = 0.5 * (np.sqrt(2 * after) + reach) ** 2
    new = np.einsum("bij,bj->bi", stiffness, offset)
    pulled = new - np.einsum("bij,bj->bi", old_stiffness, old_offset)
    change = after - before + 0.5 * turned(stiffness - old_stiffness)
    for (first, last), way in zip(blocks, ways):
        change += np.sqrt((pulled[:, first:last] ** 2).sum(axis=1)) * way
    own = slice(*blocks[0])
    push = np.sqrt((new[:, own] ** 2).sum(axis=1))
    filled = before + room_power
    refused = (
        (np.minimum(most - least, change) > room_tank + _SLACK) | (most > spring + _SLACK) | (after > filled + _SLACK)
    )
    allowed = np.minimum(spring, least + room_tank)
    reasons[refused] = np.select(
        [
            (after <= spring) & (after - before <= np.minimum(room_tank, room_power)),
            np.minimum(least + room_tank, filled) >= spring,
            room_tank <= room_power,
        ],
        [LATENCY, LEASH, TANK],
        LIMIT_POWER,
    )[refused]
    root, brim = np.sqrt(2 * np.where(refused, allowed, 0.0)), np.sqrt(2 * filled)
    unchanged = np.sqrt(2 * energy(offset, old_stiffness))
    fits = (unchanged + old_reach <= root) & (unchanged <= brim)
    with np.errstate(divide="ignore", invalid="ignore"):
        if softens:
            caused, hopeless = refused & fits, refused & ~fits & (reach > root)
            least_soft = np.fmin(np.fmin(1.0, allowed / most), filled / after)
            factors[caused, 1] = least_soft[caused]
            factors[hopeless, 1] = np.minimum(1.0, (root / reach) ** 2)[hopeless]
        length = np.sqrt(2 * after * factors[:, 1])
        drawn = refused & ~(fits & softens) & (length > 0)
        left = np.maximum(root - reach * np.sqrt(factors[:, 1]), 0.0)
        factors[drawn, 0] = np.minimum(np.minimum(1.0, left / length), brim / length)[drawn]
    pushed = push * factors[:, 0] * factors[:, 1]
    strong = pushed > force
    if strong.any():
        reasons[strong] = LIMIT_FORCE
        was = np.sqrt((np.einsum("bij,bj->bi", old_stiffness, offset)[:, own] ** 2).sum(axis=1))
        soften = strong & softens & (was * factors[:, 0] <= force)
        factors[soften, 1] *= force / pushed[soften]
        factors[strong & ~soften, 0] *= force / pushed[strong & ~soften]
    factors[~finite], reasons[~finite] = 0.0, INVALID


@dataclass(frozen=True, eq=False)
class SetpointResult:
    """What a filter made of set-points.

    Args:
        setpoint: (batch, m) to send.
        stiffness: (batch, m, m) to send.
        reasons: (batch,) codes; 0 where nothing was changed.
        spring_j: (batch,) energy of the spring with the measured state.
        injected_j: (batch,) what the change before this one was measured to have injected.
    """

    setpoint: np.ndarray
    stiffness: np.ndarray
    reasons: np.ndarray
    spring_j: np.ndarray
    injected_j: np.ndarray


class SetpointFilter:
    """The filter of a batch of robots whose inner loop is not ours.

    With `mode="measured"` the controller tells the work that its torques did, sum tau.dq: the tank is exact, and what
    it may still spend is E - V - E_min, for what a spring holds it can give. With `mode="leash"` no realised work is
    known; a tank that only empties would stop a policy in free space, so there is none: spring energy, force and power
    are bounded, and the total is not. `status` says so.

    Args:
        ledger: of the robots; its period is that of the calls.
        setpoint: (batch, m) in force at first, m or rad.
        stiffness: (m,), (m, m), (batch, m) or (batch, m, m) in force at first, N/m and N*m/rad.
        mode: `measured` or `leash`.
        latency_s: from a call until what it returned is in force, at most.
        speeds: (b,) m/s and rad/s, the most a block moves with meanwhile; None takes what the budget allows.
        blocks: sizes of the blocks, translation first; None is one block.
        softens: whether the controller takes another stiffness; else only set-points are changed.
        path: `compiled` or `numpy`; None takes the faster.

    Attributes:
        counts: (batch, codes) calls that changed something, by their reason.

    Raises:
        InputError: a stiffness that is not symmetric and positive definite, an unknown mode, wrong shapes.
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
        self._ways = speeds * latency_s if latency_s else np.zeros(len(sizes))
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
        """What is enforced, for people."""
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
        """Change what is wanted as little as the budget demands, and book what was realised since the last call.

        A row that is not finite keeps its set-point, and is latched until `ledger.clear`.

        Args:
            setpoint: (batch, m) wanted.
            measured: (batch, m) the tool now.
            stiffness: wanted, in a shape as at first; None keeps what is in force.
            work_j: (batch,) J that the controller's torques did since the last call; for `measured` alone.
            time_ns: of the call, for the check that time goes on.

        Raises:
            InputError: another batch, a stiffness that is none, or work that is missing or not asked for.
        """
        wanted, measured = (np.array(each, dtype=np.float64, ndmin=2) for each in (setpoint, measured))
        if not wanted.shape == measured.shape == self._setpoint.shape:
            raise InputError(
                "set-point filter",
                expected=f"{self._setpoint.shape} as it began",
                got=f"{wanted.shape} and {measured.shape}",
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
        finite = np.isfinite(measured).all(axis=1) & np.isfinite(wanted).all(axis=1)
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
        offset = np.where(held[:, None], old_offset, wanted - measured)
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
                self._ways,
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
        # What is let through whole is sent as it was asked for, to the bit.
        whole = (factors[:, :1] == 1.0) & ~held[:, None]
        kept = (factors[:, :1] == 1.0) & held[:, None]
        self._setpoint = np.where(whole, wanted, np.where(kept, self._setpoint, measured + factors[:, :1] * offset))
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
        way = setpoint - measured
        found: np.ndarray = 0.5 * np.einsum("bi,bij,bj->b", way, stiffness, way)
        return found

    def _matrices(self, stiffness: np.ndarray) -> np.ndarray:
        """(batch, m, m) of any of the shapes."""
        told, (batch, m) = np.asarray(stiffness, dtype=np.float64), self._setpoint.shape
        if told.shape in ((m,), (batch, m)) and not (told.shape == (m, m) and batch == m and self._looks_square(told)):
            told = told[..., None] * np.eye(m)
        if told.shape[-2:] != (m, m) or told.ndim > 3 or (told.ndim == 3 and len(told) != batch):
            raise InputError(
                "set-point filter: stiffness",
                expected=f"({m},), ({m}, {m}) or one a robot",
                got=str(np.shape(stiffness)),
            )
        found = np.broadcast_to(told, (batch, m, m)).copy()
        require_positive_definite(found)
        return found

    @staticmethod
    def _looks_square(told: np.ndarray) -> bool:
        return bool(np.array_equal(told, told.T))


def require_positive_definite(stiffness: np.ndarray) -> None:
    """Stiffnesses (batch, m, m) are symmetric and positive definite.

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
