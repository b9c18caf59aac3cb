"""The arithmetic of the set-point filter, compiled: the share of a change of set-point and stiffness that is allowed.

At a tick the old pair (x_d, K) is in force, the new one (x_d', K') is requested, x was measured, and the new pair is
applied up to `latency_s` later, when the tool is somewhere within v_max * latency of x. With e = x_d - x, r = x_d' - x,
and a(K) = sqrt(lambda_max(K)) v_max latency:

    V+ = (|r|_K' + a(K'))^2 / 2          the most that the spring can store then
    V- = max(0, |e|_K - a(K))^2 / 2      the least that it stores before
    accept when V+ - V- <= room, V(r, K') - V(e, K) <= P_max T, V+ <= V_cap and |K' r| <= F_cap

A pair that is not accepted is changed radially in the metric of the energy: the set-point is drawn towards the tool,
x_d* = x + s r; or, where only the requested stiffness is the cause, that is lowered first, K* = c K' (where almost
nothing would be left of it, the one in force is kept). The margin a is for the acceptance alone: the ledger takes the
realised work. A pair that does not change injects nothing: the change itself, |dV| <= V(r, K') - V(e, K) +
|K' r - K e| v_max latency + ..., is bounded too, and the smaller bound counts.
"""

from __future__ import annotations

import numpy as np

from robot.compiled import compiled
from robot.safety.energy.tank import INVALID, LATENCY, LEASH, LIMIT_FORCE, LIMIT_POWER, NONE, TANK

SLACK_J = 1e-12  # of rounding


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
def _spread(stiffness: np.ndarray, nothing: np.ndarray, blocks: np.ndarray, margins: np.ndarray) -> float:
    """a(K): sum over blocks of sqrt(lambda) * margin, at least |d|_K of every displacement d within the margins."""
    total = 0.0
    for block in range(len(blocks)):
        total += np.sqrt(_largest(stiffness, nothing, blocks[block, 0], blocks[block, 1])) * margins[block]
    return total


@compiled
def _turned(first: np.ndarray, second: np.ndarray, blocks: np.ndarray, margins: np.ndarray) -> float:
    """An upper bound of d.(first - second) d for every displacement d within the margins; the coupling of two blocks is
    bounded by its Frobenius norm.
    """
    total = 0.0
    for block in range(len(blocks)):
        total += _largest(first, second, blocks[block, 0], blocks[block, 1]) * margins[block] ** 2
        for other in range(block):
            squares = 0.0
            for i in range(blocks[block, 0], blocks[block, 1]):
                for j in range(blocks[other, 0], blocks[other, 1]):
                    squares += (first[i, j] - second[i, j]) ** 2
            total += 2.0 * np.sqrt(squares) * margins[block] * margins[other]
    return total


@compiled
def filter_offset(
    offset: np.ndarray,
    stiffness: np.ndarray,
    old_offset: np.ndarray,
    old_stiffness: np.ndarray,
    blocks: np.ndarray,
    margins: np.ndarray,
    room_tank: float,
    room_power: float,
    spring: float,
    force: float,
    softens: bool,
    nothing: np.ndarray,
    factors: np.ndarray,
) -> int:
    """Write the share of a new set-point and of a new stiffness that is allowed, for one robot; return the reason.

    Args:
        offset: (m,) r = x_d' - x, m and rad.
        stiffness: (m, m) K', symmetric and positive definite.
        old_offset, old_stiffness: e = x_d - x and K, that are in force.
        blocks: (b, 2) first and last + 1 of components that have one v_max: translation first, then rotation.
        margins: (b,) v_max * latency of each, m and rad: how far the tool may be from its measured position.
        room_tank, room_power: J that the change may inject by the tank, wherever the tool is when it is in force, and
            by the power limit, with the tool at its measured position; inf for no limit.
        spring: V_cap, J.
        force: F_cap, N, of the first block.
        softens: whether the controller accepts another stiffness.
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
    reach = _spread(stiffness, nothing, blocks, margins)
    least = 0.5 * max(0.0, np.sqrt(2 * before) - _spread(old_stiffness, nothing, blocks, margins)) ** 2
    most = 0.5 * (np.sqrt(2 * after) + reach) ** 2
    change = after - before + 0.5 * _turned(stiffness, old_stiffness, blocks, margins)
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
        change += np.sqrt(pulled) * margins[block]
    push = np.sqrt(push)
    reason = NONE
    filled = before + room_power  # the most that the spring may hold with the tool where it was measured
    if min(most - least, change) > room_tank + SLACK_J or most > spring + SLACK_J or after > filled + SLACK_J:
        allowed = min(spring, least + room_tank)
        if after <= spring and after - before <= min(room_tank, room_power):
            reason = LATENCY
        elif min(least + room_tank, filled) >= spring:
            reason = LEASH
        else:
            reason = TANK if room_tank <= room_power else LIMIT_POWER
        root, brim = np.sqrt(2 * allowed), np.sqrt(2 * filled)
        unchanged = np.sqrt(2 * _energy(offset, old_stiffness))
        fits = unchanged + _spread(old_stiffness, nothing, blocks, margins) <= root and unchanged <= brim
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
def leash_offset(offset: np.ndarray, stiffness: np.ndarray, forces: int, spring: float, force: float) -> int:
    """Shorten the offset in place by the leash alone; return the reason. It is `filter_offset` of a spring without
    coupling and of constant stiffness, with the tool at its measured position and no limit on a change's energy:

        s = min(1, sqrt(V_cap / V(r)), F_cap / |K r|),  r* = s r

    Args:
        offset: (m,) r = x_d - x, m and rad; written.
        stiffness: (m,) diagonal of K.
        forces: number of its first components that make the force.
        spring: V_cap, J.
        force: F_cap, N.

    Returns:
        Why, a code of `robot.safety.energy.tank`.
    """
    energy, push = 0.0, 0.0
    for i in range(len(offset)):
        energy += 0.5 * stiffness[i] * offset[i] * offset[i]
        if i < forces:
            push += (stiffness[i] * offset[i]) ** 2
    share, reason = 1.0, NONE
    if energy > spring:
        share, reason = np.sqrt(spring / energy), LEASH
    if share * np.sqrt(push) > force:
        share, reason = force / np.sqrt(push), LIMIT_FORCE
    if reason != NONE:
        for i in range(len(offset)):
            offset[i] *= share
    return reason


@compiled
def filter_offsets(
    offset: np.ndarray,
    stiffness: np.ndarray,
    old_offset: np.ndarray,
    old_stiffness: np.ndarray,
    blocks: np.ndarray,
    margins: np.ndarray,
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
            margins,
            room_tank[row],
            room_power,
            spring,
            force,
            softens,
            nothing,
            factors[row],
        )
