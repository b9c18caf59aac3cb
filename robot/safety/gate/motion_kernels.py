"""The next command between the last one and a source's target, within limits, as pure compiled functions.

A velocity that is too large, or changes too fast, is scaled as a whole, with the gauge g of `robot.safety.gate.limits`:
v / g(v; V), and v_last + (v - v_last) / g(v - v_last; A dt). So a straight path stays straight, whichever limit
binds, and translation and rotation of the hand stay in step.

A command that lags behind its path catches up with the speed of the path and, on top, the largest from which it can
still brake: w dt + w^2 / 2a = distance. Positions are held by viability: from every command the robot can be brought to
rest within the box, at the deceleration limit, along a straight line.
"""

from __future__ import annotations

import numpy as np

from robot.compiled import compiled
from robot.safety.gate.limits import (
    FIRST,
    GROUP,
    SIZE,
    TANGENT_FIRST,
    TANGENT_SIZE,
    LimitArrays,
    bring_inside,
    copy_group,
    gauge,
    scale,
    write_difference,
    write_moved,
)

# The limits that bound in a step, as bits.
CUT_SPEED, CUT_ACCELERATION, CUT_POSITION, CUT_FORCE = 1, 2, 4, 8

EXCESS_S = 0.03  # in which a speed beyond its limit falls to 1/e of it: 1.5 m/s at 50 m/s2

_ROUNDING = 1e-9  # of a gauge, and of a position in its unit


@compiled
def may_follow(
    limits: LimitArrays, command: np.ndarray, target: np.ndarray, dt: float, velocity: np.ndarray, drawn: np.ndarray
) -> bool:
    """Whether a command (dim,) may follow another after dt s: finite, within the position limits or no further outside
    than the last, and within the speed limits or no faster than the last.

    Args:
        velocity: (tangent,) of the last command, which a leash may have drawn at more than the speed limits: from there
            it brakes as from any other speed.
        drawn: (dim,) measured state to which a leash has drawn this one, at any speed, and as far outside as the robot
            is: its spring would pull it back harder than it may; empty where none has.
    """
    for i in range(len(target)):
        low, high = min(limits.low[i], command[i]), max(limits.high[i], command[i])
        if len(drawn) and abs(drawn[i]) < np.inf:
            low, high = min(low, drawn[i]), max(high, drawn[i])
        if not (abs(target[i]) < np.inf and low - _ROUNDING <= target[i] <= high + _ROUNDING):
            return False
    if len(drawn):
        return True
    after = np.empty(len(limits.speed))
    write_difference(limits, command, target, after)
    for i in range(len(after)):
        after[i] /= dt
    for group in range(limits.groups):
        allowed = max(1.0, gauge(limits, group, 0, velocity))
        if not gauge(limits, group, 0, after) <= 1.001 * allowed + _ROUNDING / dt:
            return False
    return True


@compiled
def can_stop_inside(limits: LimitArrays, group: int, command: np.ndarray, velocity: np.ndarray, dt: float) -> bool:
    """Whether a step with a velocity (tangent,), and braking after it, stay within the position limits.

    A command that is outside already may stay there or come nearer.
    """
    braking = gauge(limits, group, 2, velocity)  # s
    for p in range(len(limits.part)):
        if limits.part[p, GROUP] != group or limits.rotation[p]:
            continue
        at, size, to = limits.part[p, FIRST], limits.part[p, SIZE], limits.part[p, TANGENT_FIRST]
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
    """Write the velocity that each group would have before its acceleration is limited; return what bound.

    Args:
        limits: of all groups.
        command: (dim,) the last.
        velocity: (tangent,) of the last command.
        before, wanted: (dim,) position of the path at the last command's time, and now.
        dt: s between the two.
        speed_scale: of the speed limits.
        desired: (tangent,), written.
        exact: (groups,), written: whether the group can reach `wanted` exactly.

    Returns:
        Bits of the limits that bound.
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
        # A lag that is caught up in this tick must have no velocity left in the next.
        hasty = gauge(limits, group, 1, lag) > dt * dt
        exact[group] = not (fast or sudden or hasty)
        # w dt + w^2 / 2a = d solved for w / d, with d / a = gauge(lag; A).
        pull = 2 / (dt + np.sqrt(dt * dt + 2 * gauge(limits, group, 1, lag)))
        for p in range(len(limits.part)):
            if limits.part[p, GROUP] == group:
                for i in range(
                    limits.part[p, TANGENT_FIRST], limits.part[p, TANGENT_FIRST] + limits.part[p, TANGENT_SIZE]
                ):
                    desired[i] = whole[i] if exact[group] else path[i] + pull * lag[i]
        excess = gauge(limits, group, 0, desired) / speed_scale
        if excess > 1.0:
            scale(limits, group, 1 / excess, desired)
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
    """Write the next command: each group gets its desired velocity, as far as its acceleration allows.

    Args:
        limits: of all groups.
        command, velocity: the last, as in `desire`.
        desired: (tangent,).
        exact: (groups,) groups that reach `wanted` exactly.
        relieved: (groups,) groups whose step lowers their tracking error: they may change speed as when braking.
        wanted: (dim,).
        dt: s.
        target: (dim,), written: the next command.
        reached: (tangent,), written: its velocity.

    Returns:
        Bits of the limits that bound.
    """
    tangent = len(velocity)
    change, brake, step = np.empty(tangent), np.empty(tangent), np.empty(tangent)
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
        # As much of the change as still allows a stop inside the limits; braking alone always does.
        part = 1.0
        while True:
            for i in range(tangent):
                step[i] = brake[i] + part * change[i] if part < 1.0 or share < 1.0 else desired[i]
            if part == 0.0 or can_stop_inside(limits, group, command, step, dt):
                break
            part = part - 0.25
        if part < 1.0:
            bound |= CUT_POSITION
        if share < 1.0:
            bound |= CUT_ACCELERATION
        for p in range(len(limits.part)):
            if limits.part[p, GROUP] == group:
                for i in range(
                    limits.part[p, TANGENT_FIRST], limits.part[p, TANGENT_FIRST] + limits.part[p, TANGENT_SIZE]
                ):
                    reached[i] = step[i]
                    step[i] *= dt
        if exact[group] and part == 1.0 and share == 1.0:
            copy_group(limits, group, wanted, target)
        else:
            exact[group] = False
            write_moved(limits, group, command, step, target)
            _settle_inside(limits, group, command, target)
    return bound


@compiled
def limit_force(
    limits: LimitArrays, bound: np.ndarray, onward: np.ndarray, wanted: np.ndarray, pressing: np.ndarray
) -> bool:
    """Change the targets of fingers in `wanted` (dim,) that would press on beyond their bound; return whether any did.

    Args:
        limits: of all groups.
        bound, onward: (dim,) of `Grip`, or empty.
        wanted: (dim,), written.
        pressing: (dim,), written where a target was changed.
    """
    any_presses = False
    for i in range(len(bound)):
        if (wanted[i] - bound[i]) * onward[i] > 0:
            wanted[i] = min(max(bound[i], limits.low[i]), limits.high[i])
            pressing[i] = any_presses = True
    return any_presses


@compiled
def intend(
    limits: LimitArrays,
    command: np.ndarray,
    velocity: np.ndarray,
    before: np.ndarray,
    wanted: np.ndarray,
    bound: np.ndarray,
    onward: np.ndarray,
    dt: float,
    desired: np.ndarray,
    exact: np.ndarray,
    pressing: np.ndarray,
) -> int:
    """Write a position of the path within the position limits and what its fingers may press, and the velocity
    desired to get there; return what bound.

    Args:
        limits, command, velocity, before, dt, desired, exact: as in `desire`.
        wanted: (dim,) position of the path, changed in place.
        bound, onward, pressing: as in `limit_force`.
    """
    cuts = CUT_POSITION if bring_inside(limits, wanted) else 0
    if limit_force(limits, bound, onward, wanted, pressing):
        cuts |= CUT_FORCE
    return cuts | desire(limits, command, velocity, before, wanted, dt, 1.0, desired, exact)


@compiled
def follow(
    limits: LimitArrays,
    command: np.ndarray,
    velocity: np.ndarray,
    before: np.ndarray,
    wanted: np.ndarray,
    bound: np.ndarray,
    onward: np.ndarray,
    dt: float,
    target: np.ndarray,
    reached: np.ndarray,
    pressing: np.ndarray,
) -> int:
    """`intend` and `apply` in one: between the two nothing bounds the velocity further. Return what bound."""
    desired, exact = np.zeros(len(velocity)), np.zeros(limits.groups, np.bool_)
    cuts = intend(limits, command, velocity, before, wanted, bound, onward, dt, desired, exact, pressing)
    relieved = np.zeros(limits.groups, np.bool_)
    return cuts | apply(limits, command, velocity, desired, exact, relieved, wanted, dt, target, reached)


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
    """Brake a group along its velocity: write the next command (dim,) and its velocity (tangent,).

    The displacement is v T / 2 at most, with T = g(v; D) the time that braking takes. What a leash has made faster than
    the speed limit loses the excess much sooner.
    """
    braking, speed = gauge(limits, group, 2, velocity), gauge(limits, group, 0, velocity)
    left = 1 - dt / braking if braking > dt else 0.0
    if speed > 1.0:
        left = min(left, max(1 / speed, 1 - dt / EXCESS_S))
    step = np.zeros(len(velocity))
    for p in range(len(limits.part)):
        if limits.part[p, GROUP] == group:
            for i in range(limits.part[p, TANGENT_FIRST], limits.part[p, TANGENT_FIRST] + limits.part[p, TANGENT_SIZE]):
                reached[i] = left * velocity[i]
                step[i] = reached[i] * dt
    if left > 0.0:
        write_moved(limits, group, command, step, target)
        _settle_inside(limits, group, command, target)
    else:
        copy_group(limits, group, command, target)


@compiled
def _settle_inside(limits: LimitArrays, group: int, command: np.ndarray, target: np.ndarray) -> None:
    """Remove what rounding put beyond a limit."""
    for p in range(len(limits.part)):
        if limits.part[p, GROUP] == group and not limits.rotation[p]:
            for i in range(limits.part[p, FIRST], limits.part[p, FIRST] + limits.part[p, SIZE]):
                low, high = min(limits.low[i], command[i]), max(limits.high[i], command[i])
                target[i] = min(max(target[i], low), high)
