"""From where the last command is to where a source wants to be, within limits, as pure functions.

A command is an action vector. Its velocity is a vector of the tangent space: components of positions, joints and tools
as they are (their unit/s), rotations as a rotation vector in the base frame (rad/s). All limits of a group of fields
are one gauge,

    g(v; L) = max over its fields of |v_field| / L_field, or of |v_i| / L_i where a limit is given a component,

and a velocity that is too fast, or changes too fast, is scaled as a whole: v / g(v; V), and v_last + (v - v_last) /
g(v - v_last; A dt). So a straight path stays straight, whatever binds, and arm and turn of the hand stay together.

A command that lags behind its path catches up with the speed of the path and, on top, the largest from which it can
still brake: w dt + w^2 / 2a = distance. Positions are held by viability: from every command the robot can be brought to
rest within the box, at the deceleration limit, along a straight line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from robot.compiled import compiled
from robot.control.rotation_kernels import write_matrix_from_6d, write_rotvec_between, write_turned
from robot.safety.gate.settings import GateSettings, PartSettings

# What bound in a step, as bits.
CUT_SPEED, CUT_ACCELERATION, CUT_POSITION = 1, 2, 4

_ROUNDING = 1e-9  # of a gauge, and of a position in its unit


class LimitArrays(NamedTuple):
    """Limits of all fields as arrays.

    Args:
        part: (parts, 5) int64: first component in the command, their number, first component in the tangent space,
            their number, group.
        rotation: (parts,) whether it is a rotation.
        length: (parts, 3) whether speed, acceleration, deceleration limit the length of a step, or each component.
        speed, acceleration, deceleration: (tangent,).
        low, high: (dim,).
        groups: number of groups.
    """

    part: np.ndarray
    rotation: np.ndarray
    length: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray
    deceleration: np.ndarray
    low: np.ndarray
    high: np.ndarray
    groups: int

    @property
    def tangent(self) -> int:
        """Components of a velocity."""
        return len(self.speed)


def limits_of(settings: GateSettings) -> LimitArrays:
    """The limits of a gate, laid out for the functions here."""
    told: dict[str, tuple[int, PartSettings]] = {
        part.field: (number, part) for number, group in enumerate(settings.groups) for part in group.parts
    }
    rows, rotation, length = [], [], []
    bounds: tuple[list[float], list[float], list[float]] = ([], [], [])
    low, high = np.full(settings.spec.dim, -np.inf), np.full(settings.spec.dim, np.inf)
    for field in settings.fields:
        group, part = told[field.name]
        where = settings.spec.slices[field.name]
        size = 3 if field.is_rotation else field.size
        rows.append((where.start, field.size, len(bounds[0]), size, group))
        rotation.append(field.is_rotation)
        limits = (part.speed, part.acceleration, part.deceleration)
        length.append([len(each) == 1 and size > 1 for each in limits])
        for values, each in zip(bounds, limits):
            values.extend(each * (size // len(each)))
        if part.low:
            low[where], high[where] = part.low, part.high
    speed, acceleration, deceleration = (np.array(values, dtype=np.float64) for values in bounds)
    return LimitArrays(
        np.array(rows, dtype=np.int64),
        np.array(rotation),
        np.array(length),
        speed,
        acceleration,
        deceleration,
        low,
        high,
        len(settings.groups),
    )


@compiled
def gauge(limits: LimitArrays, group: int, which: int, velocity: np.ndarray) -> float:
    """How many times the limit a velocity (tangent,) of a group is; 0 where there is none.

    Args:
        which: 0 speed, 1 acceleration, 2 deceleration; with the latter two the result is a time, in s.
    """
    worst = 0.0
    bound = limits.speed if which == 0 else limits.acceleration if which == 1 else limits.deceleration
    for p in range(len(limits.part)):
        if limits.part[p, 4] != group:
            continue
        first, size = limits.part[p, 2], limits.part[p, 3]
        if limits.length[p, which]:
            total = 0.0
            for i in range(first, first + size):
                total += velocity[i] * velocity[i]
            worst = max(worst, np.sqrt(total) / bound[first])
        else:
            for i in range(first, first + size):
                worst = max(worst, abs(velocity[i]) / bound[i])
    return worst


@compiled
def write_difference(limits: LimitArrays, start: np.ndarray, end: np.ndarray, difference: np.ndarray) -> None:
    """The way (tangent,) from one command (dim,) to another."""
    first, second, turn = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for p in range(len(limits.part)):
        at, size, to = limits.part[p, 0], limits.part[p, 1], limits.part[p, 2]
        if limits.rotation[p]:
            same = True
            for i in range(6):
                same = same and start[at + i] == end[at + i]
            if same:
                difference[to : to + 3] = 0.0  # not the rounding of the way there and back
            else:
                write_matrix_from_6d(start[at : at + 6], first)
                write_matrix_from_6d(end[at : at + 6], second)
                write_rotvec_between(first, second, turn)
                difference[to : to + 3] = turn
        else:
            for i in range(size):
                difference[to + i] = end[at + i] - start[at + i]


@compiled
def write_moved(limits: LimitArrays, group: int, start: np.ndarray, way: np.ndarray, end: np.ndarray) -> None:
    """Go a way (tangent,) from a command (dim,): the fields of a group of `end` (dim,)."""
    first, second, turn = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for p in range(len(limits.part)):
        if limits.part[p, 4] != group:
            continue
        at, size, to = limits.part[p, 0], limits.part[p, 1], limits.part[p, 2]
        if limits.rotation[p]:
            write_matrix_from_6d(start[at : at + 6], first)
            turn[:] = way[to : to + 3]
            write_turned(turn, 1.0, first, second)
            for i in range(3):
                end[at + i], end[at + 3 + i] = second[i, 0], second[i, 1]
        else:
            for i in range(size):
                end[at + i] = start[at + i] + way[to + i]


@compiled
def bring_inside(limits: LimitArrays, target: np.ndarray) -> bool:
    """Bring a target (dim,) into the position limits, in place; whether it had to be."""
    outside = False
    for i in range(len(target)):
        if target[i] < limits.low[i] or target[i] > limits.high[i]:
            target[i] = min(max(target[i], limits.low[i]), limits.high[i])
            outside = True
    return outside


@compiled
def may_follow(limits: LimitArrays, command: np.ndarray, target: np.ndarray, dt: float, speed: bool) -> bool:
    """Whether a command (dim,) may follow another after dt s: finite, within the position limits or no further outside
    than the last, and, where `speed` says so, within the speed limits.
    """
    for i in range(len(target)):
        low, high = min(limits.low[i], command[i]), max(limits.high[i], command[i])
        if not (abs(target[i]) < np.inf and low - _ROUNDING <= target[i] <= high + _ROUNDING):
            return False
    if not speed:
        return True
    velocity = np.empty(len(limits.speed))
    write_difference(limits, command, target, velocity)
    for i in range(len(velocity)):
        velocity[i] /= dt
    fastest = 0.0
    for group in range(limits.groups):
        fastest = max(fastest, gauge(limits, group, 0, velocity))
    return fastest <= 1.001 + _ROUNDING / dt


@compiled
def can_stop_inside(limits: LimitArrays, group: int, command: np.ndarray, velocity: np.ndarray, dt: float) -> bool:
    """Whether a step with a velocity (tangent,), and braking after it, stay within the position limits.

    A command that is outside already may stay there, and come nearer.
    """
    braking = gauge(limits, group, 2, velocity)  # s
    for p in range(len(limits.part)):
        if limits.part[p, 4] != group or limits.rotation[p]:
            continue
        at, size, to = limits.part[p, 0], limits.part[p, 1], limits.part[p, 2]
        for i in range(size):
            rest = command[at + i] + velocity[to + i] * (dt + braking / 2)
            if rest > max(limits.high[at + i], command[at + i]) + _ROUNDING:
                return False
            if rest < min(limits.low[at + i], command[at + i]) - _ROUNDING:
                return False
    return True


@compiled
def desire(
    limits: LimitArrays,
    command: np.ndarray,
    velocity: np.ndarray,
    before: np.ndarray,
    wanted: np.ndarray,
    dt: float,
    speed_scale: float,
    desired: np.ndarray,
    exact: np.ndarray,
) -> int:
    """With which velocity each group would go, before its change is limited.

    Args:
        limits: of all groups.
        command: (dim,) the last.
        velocity: (tangent,) with which it was reached.
        before, wanted: (dim,) where the path was at the last command's time, and where it is now.
        dt: s between the two.
        speed_scale: of the speed limits.
        desired: (tangent,), written.
        exact: (groups,), written: whether the group can be at `wanted` itself.

    Returns:
        Bits of what bound.
    """
    tangent = len(velocity)
    lag, path, whole, changed = np.empty(tangent), np.empty(tangent), np.empty(tangent), np.empty(tangent)
    write_difference(limits, command, before, lag)
    write_difference(limits, before, wanted, path)
    write_difference(limits, command, wanted, whole)
    for i in range(tangent):
        path[i] /= dt
        whole[i] /= dt
        changed[i] = whole[i] - velocity[i]
    bound = 0
    for group in range(limits.groups):
        fast = gauge(limits, group, 0, whole) > speed_scale * (1 + _ROUNDING)
        slowing = gauge(limits, group, 0, whole) < gauge(limits, group, 0, velocity)
        sudden = gauge(limits, group, 2 if slowing else 1, changed) > dt * (1 + _ROUNDING)
        # What is made up for in this tick must be gone in the next.
        hasty = gauge(limits, group, 1, lag) > dt * dt
        exact[group] = not (fast or sudden or hasty)
        # w dt + w^2 / 2a = d solved for w / d, with d / a = gauge(lag; A).
        pull = 2 / (dt + np.sqrt(dt * dt + 2 * gauge(limits, group, 1, lag)))
        for p in range(len(limits.part)):
            if limits.part[p, 4] == group:
                for i in range(limits.part[p, 2], limits.part[p, 2] + limits.part[p, 3]):
                    desired[i] = whole[i] if exact[group] else path[i] + pull * lag[i]
        excess = gauge(limits, group, 0, desired) / speed_scale
        if excess > 1.0:
            _scale(limits, group, 1 / excess, desired)
        if fast:
            bound |= CUT_SPEED
        if sudden or hasty:
            bound |= CUT_ACCELERATION
    return bound


@compiled
def apply(
    limits: LimitArrays,
    command: np.ndarray,
    velocity: np.ndarray,
    desired: np.ndarray,
    exact: np.ndarray,
    relieved: np.ndarray,
    wanted: np.ndarray,
    dt: float,
    target: np.ndarray,
    reached: np.ndarray,
) -> int:
    """The next command: each group goes with the velocity that it desires, as far as its change may be.

    Args:
        limits: of all groups.
        command, velocity: the last, as in `desire`.
        desired: (tangent,).
        exact: (groups,) groups that go to `wanted` itself.
        relieved: (groups,) groups whose step lowers their tracking error: they may change speed as when braking.
        wanted: (dim,).
        dt: s.
        target: (dim,), written: the next command.
        reached: (tangent,), written: its velocity.

    Returns:
        Bits of what bound.
    """
    tangent = len(velocity)
    change, brake, way = np.empty(tangent), np.empty(tangent), np.empty(tangent)
    bound = 0
    for group in range(limits.groups):
        for i in range(tangent):
            change[i] = desired[i] - velocity[i]
        slowing = gauge(limits, group, 0, desired) < gauge(limits, group, 0, velocity)
        excess = gauge(limits, group, 2 if slowing or relieved[group] else 1, change) / dt
        share = 1.0 if excess <= 1 + _ROUNDING else 1 / excess
        braking = gauge(limits, group, 2, velocity)
        left = max(0.0, 1 - dt / braking) if braking > 0.0 else 0.0
        for i in range(tangent):
            brake[i] = left * velocity[i]
            change[i] = (velocity[i] + share * change[i] if share < 1.0 else desired[i]) - brake[i]
        # As much of it as leaves a way to stop inside; braking alone always does.
        part = 1.0
        while True:
            for i in range(tangent):
                way[i] = brake[i] + part * change[i] if part < 1.0 or share < 1.0 else desired[i]
            if part == 0.0 or can_stop_inside(limits, group, command, way, dt):
                break
            part = part - 0.25
        if part < 1.0:
            bound |= CUT_POSITION
        if share < 1.0:
            bound |= CUT_ACCELERATION
        for p in range(len(limits.part)):
            if limits.part[p, 4] == group:
                for i in range(limits.part[p, 2], limits.part[p, 2] + limits.part[p, 3]):
                    reached[i] = way[i]
                    way[i] *= dt
        if exact[group] and part == 1.0 and share == 1.0:
            _copy(limits, group, wanted, target)
        else:
            exact[group] = False
            write_moved(limits, group, command, way, target)
            _settle_inside(limits, group, command, target)
    return bound


@compiled
def stop(
    limits: LimitArrays,
    group: int,
    command: np.ndarray,
    velocity: np.ndarray,
    dt: float,
    target: np.ndarray,
    reached: np.ndarray,
) -> None:
    """Brake a group along its way: the next command (dim,) and its velocity (tangent,), written.

    The way is v T / 2 at most, with T = g(v; D) the time that braking takes.
    """
    braking = gauge(limits, group, 2, velocity)
    left = 1 - dt / braking if braking > dt else 0.0
    way = np.zeros(len(velocity))
    for p in range(len(limits.part)):
        if limits.part[p, 4] == group:
            for i in range(limits.part[p, 2], limits.part[p, 2] + limits.part[p, 3]):
                reached[i] = left * velocity[i]
                way[i] = reached[i] * dt
    if left > 0.0:
        write_moved(limits, group, command, way, target)
        _settle_inside(limits, group, command, target)
    else:
        _copy(limits, group, command, target)


@compiled
def _scale(limits: LimitArrays, group: int, factor: float, velocity: np.ndarray) -> None:
    for p in range(len(limits.part)):
        if limits.part[p, 4] == group:
            for i in range(limits.part[p, 2], limits.part[p, 2] + limits.part[p, 3]):
                velocity[i] *= factor


@compiled
def _copy(limits: LimitArrays, group: int, source: np.ndarray, target: np.ndarray) -> None:
    for p in range(len(limits.part)):
        if limits.part[p, 4] == group:
            for i in range(limits.part[p, 0], limits.part[p, 0] + limits.part[p, 1]):
                target[i] = source[i]


@compiled
def _settle_inside(limits: LimitArrays, group: int, command: np.ndarray, target: np.ndarray) -> None:
    """Take off what rounding put beyond a limit."""
    for p in range(len(limits.part)):
        if limits.part[p, 4] == group and not limits.rotation[p]:
            for i in range(limits.part[p, 0], limits.part[p, 0] + limits.part[p, 1]):
                low, high = min(limits.low[i], command[i]), max(limits.high[i], command[i])
                target[i] = min(max(target[i], low), high)


@compiled
def write_distances(
    limits: LimitArrays, command: np.ndarray, measured: np.ndarray, way: np.ndarray, distances: np.ndarray
) -> None:
    """The way (tangent,) from a command to the measured state, both (dim,), and how far each field (parts,) is off.

    A field's distance is the length of its way, or the largest component where its speed limit is one a component;
    NaN where nothing was measured.
    """
    write_difference(limits, command, measured, way)
    for p in range(len(limits.part)):
        total = 0.0
        for i in range(limits.part[p, 2], limits.part[p, 2] + limits.part[p, 3]):
            if np.isnan(way[i]):
                total = np.nan
            elif limits.length[p, 0]:
                total += way[i] * way[i]
            else:
                total = max(total, abs(way[i]))
        distances[p] = np.sqrt(total) if limits.length[p, 0] else total
