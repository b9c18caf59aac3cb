"""Limits of all fields of a command as arrays, and the geometry of commands that they are laid out for, compiled.

A command is an action vector. Its velocity is a vector of the tangent space: components of positions, joints and tools
as they are (their unit/s), rotations as a rotation vector in the base frame (rad/s). All limits of a group of fields
are one gauge,

    g(v; L) = max over its fields of |v_field| / L_field, or of |v_i| / L_i where a limit is given per component.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from robot.compiled import compiled
from robot.control.rotation_kernels import write_matrix_from_6d, write_rotvec_between, write_turned
from robot.safety.gate.settings import GateSettings, PartSettings

# Columns of `LimitArrays.part`.
FIRST, SIZE, TANGENT_FIRST, TANGENT_SIZE, GROUP = range(5)


class LimitArrays(NamedTuple):
    """Limits of all fields as arrays.

    Args:
        part: (parts, 5) int64, one row per field: FIRST component in the command and their number SIZE, the same in the
            tangent space, TANGENT_FIRST and TANGENT_SIZE, and its GROUP.
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
    """The limits of a gate as arrays for the functions here."""
    group_parts: dict[str, tuple[int, PartSettings]] = {
        part.field: (number, part) for number, group in enumerate(settings.groups) for part in group.parts
    }
    rows, rotation, length = [], [], []
    bounds: tuple[list[float], list[float], list[float]] = ([], [], [])
    low, high = np.full(settings.spec.dim, -np.inf), np.full(settings.spec.dim, np.inf)
    for field in settings.fields:
        group, part = group_parts[field.name]
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
    """The velocity (tangent,) of a group as a multiple of its limit; 0 where there is none.

    Args:
        which: 0 speed, 1 acceleration, 2 deceleration; with the latter two the result is a time, in s.
    """
    worst = 0.0
    bound = limits.speed if which == 0 else limits.acceleration if which == 1 else limits.deceleration
    for p in range(len(limits.part)):
        if limits.part[p, GROUP] != group:
            continue
        first, size = limits.part[p, TANGENT_FIRST], limits.part[p, TANGENT_SIZE]
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
    """Write the displacement (tangent,) from one command (dim,) to another."""
    first, second, turn = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for p in range(len(limits.part)):
        at, size, to = limits.part[p, FIRST], limits.part[p, SIZE], limits.part[p, TANGENT_FIRST]
        if limits.rotation[p]:
            same = True
            for i in range(6):
                same = same and start[at + i] == end[at + i]
            if same:
                difference[to : to + 3] = 0.0  # without the rounding of the conversion to matrices
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
    """Write a group's fields of `end` (dim,): a command (dim,) moved by the displacement `way` (tangent,)."""
    first, second, turn = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for p in range(len(limits.part)):
        if limits.part[p, GROUP] != group:
            continue
        at, size, to = limits.part[p, FIRST], limits.part[p, SIZE], limits.part[p, TANGENT_FIRST]
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
    """Clip a target (dim,) to the position limits, in place; return whether it changed."""
    outside = False
    for i in range(len(target)):
        if target[i] < limits.low[i] or target[i] > limits.high[i]:
            target[i] = min(max(target[i], limits.low[i]), limits.high[i])
            outside = True
    return outside


@compiled
def any_differs(first: np.ndarray, second: np.ndarray, by: float) -> bool:
    """Whether any number of two arrays (n,) differs by more than `by`; one that is NaN does not."""
    found = False
    for i in range(len(first)):
        found |= abs(second[i] - first[i]) > by
    return found


@compiled
def write_distances(
    limits: LimitArrays, command: np.ndarray, measured: np.ndarray, way: np.ndarray, distances: np.ndarray
) -> None:
    """Write the displacement `way` (tangent,) from a command to the measured state, both (dim,), and the distance of
    each field (parts,).

    A field's distance is the length of its displacement, or the largest component where its speed limit is one per
    component; NaN where nothing was measured.
    """
    write_difference(limits, command, measured, way)
    for p in range(len(limits.part)):
        total = 0.0
        for i in range(limits.part[p, TANGENT_FIRST], limits.part[p, TANGENT_FIRST] + limits.part[p, TANGENT_SIZE]):
            if np.isnan(way[i]):
                total = np.nan
            elif limits.length[p, 0]:
                total += way[i] * way[i]
            else:
                total = max(total, abs(way[i]))
        distances[p] = np.sqrt(total) if limits.length[p, 0] else total


@compiled
def scale(limits: LimitArrays, group: int, factor: float, velocity: np.ndarray) -> None:
    for p in range(len(limits.part)):
        if limits.part[p, GROUP] == group:
            for i in range(limits.part[p, TANGENT_FIRST], limits.part[p, TANGENT_FIRST] + limits.part[p, TANGENT_SIZE]):
                velocity[i] *= factor


@compiled
def copy_group(limits: LimitArrays, group: int, source: np.ndarray, target: np.ndarray) -> None:
    for p in range(len(limits.part)):
        if limits.part[p, GROUP] == group:
            for i in range(limits.part[p, FIRST], limits.part[p, FIRST] + limits.part[p, SIZE]):
                target[i] = source[i]
