"""Rotations of one body at a time, for loops that run a thousand times a second.

The same conventions as `robot.control.rotation`, which works on batches: 6-D is the first two columns of the matrix, a
rotation vector is axis times angle with an angle in [0, pi]. Functions write into the array they are given.
"""

from __future__ import annotations

import numpy as np

from robot.compiled import compiled

_TINY = 1e-12


@compiled
def write_matrix_from_6d(rotation_6d: np.ndarray, matrix: np.ndarray) -> None:
    """(6,) to (3, 3) by Gram-Schmidt."""
    x0, x1, x2, y0, y1, y2 = rotation_6d
    length = max(np.sqrt(x0 * x0 + x1 * x1 + x2 * x2), _TINY)
    x0, x1, x2 = x0 / length, x1 / length, x2 / length
    along = x0 * y0 + x1 * y1 + x2 * y2
    y0, y1, y2 = y0 - along * x0, y1 - along * x1, y2 - along * x2
    length = max(np.sqrt(y0 * y0 + y1 * y1 + y2 * y2), _TINY)
    y0, y1, y2 = y0 / length, y1 / length, y2 / length
    matrix[0, 0], matrix[1, 0], matrix[2, 0] = x0, x1, x2
    matrix[0, 1], matrix[1, 1], matrix[2, 1] = y0, y1, y2
    matrix[0, 2] = x1 * y2 - x2 * y1
    matrix[1, 2] = x2 * y0 - x0 * y2
    matrix[2, 2] = x0 * y1 - x1 * y0


@compiled
def write_quat_xyzw_from_6d(rotation_6d: np.ndarray, quat: np.ndarray) -> None:
    """(6,) to a unit quaternion (4,) with w >= 0, read from the largest of its components (Shepperd, 1978)."""
    m = np.empty((3, 3))
    write_matrix_from_6d(rotation_6d, m)
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    largest = 3
    best = trace
    for i in range(3):
        if m[i, i] > best:
            largest = i
            best = m[i, i]
    if largest == 3:
        quat[3] = 1 + trace
        quat[0], quat[1], quat[2] = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    else:
        i = largest
        j = (i + 1) % 3
        k = (i + 2) % 3
        quat[3] = m[k, j] - m[j, k]
        quat[i] = 1 + 2 * m[i, i] - trace
        quat[j] = m[j, i] + m[i, j]
        quat[k] = m[k, i] + m[i, k]
    length = np.sqrt(quat[0] * quat[0] + quat[1] * quat[1] + quat[2] * quat[2] + quat[3] * quat[3])
    factor = (-1.0 if quat[3] < 0 else 1.0) / length
    for i in range(4):
        quat[i] *= factor


@compiled
def write_6d_from_quat_xyzw(quat: np.ndarray, rotation_6d: np.ndarray) -> None:
    """A quaternion (4,) of any length to (6,); an invalid one, all zero or not finite, gives NaN."""
    x, y, z, w = quat
    square = x * x + y * y + z * z + w * w
    # Written so that NaN fails it too.
    if not (0.0 < square < np.inf):
        for i in range(6):
            rotation_6d[i] = np.nan
        return
    s = 2 / square
    rotation_6d[0], rotation_6d[1], rotation_6d[2] = 1 - s * (y * y + z * z), s * (x * y + w * z), s * (x * z - w * y)
    rotation_6d[3], rotation_6d[4], rotation_6d[5] = s * (x * y - w * z), 1 - s * (x * x + z * z), s * (y * z + w * x)


@compiled
def write_rotvec_between(start: np.ndarray, end: np.ndarray, rotvec: np.ndarray) -> None:
    """Write the rotation vector (3,) rad, in the base frame, from the orientation `start` (3, 3) to `end` (3, 3).

    Exact at half a turn: the quaternion is read from the largest of its components (Shepperd, 1978).
    """
    m = np.empty((3, 3))  # end @ start.T
    for i in range(3):
        for j in range(3):
            m[i, j] = end[i, 0] * start[j, 0] + end[i, 1] * start[j, 1] + end[i, 2] * start[j, 2]
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    largest = 0
    best = trace
    for i in range(3):
        if m[i, i] > best:
            largest = i + 1
            best = m[i, i]
    quat = np.empty(4)  # w, x, y, z, times 4 times the largest
    if largest == 0:
        quat[0] = 1 + trace
        quat[1], quat[2], quat[3] = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    else:
        i = largest - 1
        j = (i + 1) % 3
        k = (i + 2) % 3
        quat[0] = m[k, j] - m[j, k]
        quat[1 + i] = 1 + 2 * m[i, i] - trace
        quat[1 + j] = m[j, i] + m[i, j]
        quat[1 + k] = m[k, i] + m[i, k]
    sign = -1.0 if quat[0] < 0 else 1.0
    sine = np.sqrt(quat[1] * quat[1] + quat[2] * quat[2] + quat[3] * quat[3])
    scale = 2 / max(abs(quat[0]), _TINY) if sine < _TINY else 2 * np.arctan2(sine, sign * quat[0]) / sine
    for i in range(3):
        rotvec[i] = sign * scale * quat[1 + i]


@compiled
def write_turned(rotvec: np.ndarray, fraction: float, start: np.ndarray, matrix: np.ndarray) -> None:
    """Turn the orientation `start` (3, 3) by a fraction of a rotation vector (3,), both in the base frame."""
    x, y, z = fraction * rotvec[0], fraction * rotvec[1], fraction * rotvec[2]
    angle2 = x * x + y * y + z * z
    angle = np.sqrt(angle2)
    # Rodrigues: I + a W + b W W; the series near zero is exact to rounding.
    if angle < 1e-4:
        a, b = 1 - angle2 / 6, 0.5 - angle2 / 24
    else:
        a, b = np.sin(angle) / angle, (1 - np.cos(angle)) / angle2
    for j in range(3):
        s0, s1, s2 = start[0, j], start[1, j], start[2, j]
        w0, w1, w2 = y * s2 - z * s1, z * s0 - x * s2, x * s1 - y * s0
        matrix[0, j] = s0 + a * w0 + b * (y * w2 - z * w1)
        matrix[1, j] = s1 + a * w1 + b * (z * w0 - x * w2)
        matrix[2, j] = s2 + a * w2 + b * (x * w1 - y * w0)


@compiled
def write_interpolated(
    start: np.ndarray, end: np.ndarray, fraction: float, rotations: np.ndarray, target: np.ndarray
) -> None:
    """Write the target between two: linear, rotations along the shorter arc.

    Args:
        start, end: (dim,) action vectors.
        fraction: 0 gives `start`, 1 gives `end`.
        rotations: (r,) first indices of the 6-D rotations in the vector.
        target: (dim,), written.
    """
    for i in range(len(target)):
        target[i] = start[i] + fraction * (end[i] - start[i])
    first, second, between = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    rotvec = np.empty(3)
    for r in range(len(rotations)):
        at = rotations[r]
        write_matrix_from_6d(start[at : at + 6], first)
        write_matrix_from_6d(end[at : at + 6], second)
        write_rotvec_between(first, second, rotvec)
        write_turned(rotvec, fraction, first, between)
        for i in range(3):
            target[at + i], target[at + 3 + i] = between[i, 0], between[i, 1]


@compiled
def write_set_points(
    times_ns: np.ndarray,
    knots_ns: np.ndarray,
    targets: np.ndarray,
    rotations: np.ndarray,
    held: np.ndarray,
    set_points: np.ndarray,
) -> None:
    """Write the set-points of a path from target to target at some times; before the first knot and after the last the
    path is constant.

    Args:
        times_ns: (k,) int64.
        knots_ns: (n,) int64, strictly increasing; `targets[i]` is reached at `knots_ns[i]`.
        targets: (n, dim).
        rotations: (r,) first indices of the 6-D rotations in a target.
        held: (h,) components that take their next target at once and hold it to the interval's end.
        set_points: (k, dim), written.
    """
    last = len(knots_ns) - 1
    for k in range(len(times_ns)):
        # The interval that contains a time ends at the first knot after it.
        after = min(np.searchsorted(knots_ns, times_ns[k], side="right"), last)
        before = max(after - 1, 0)
        length = max(knots_ns[after] - knots_ns[before], 1)
        fraction = min(max((times_ns[k] - knots_ns[before]) / length, 0.0), 1.0)
        write_interpolated(targets[before], targets[after], fraction, rotations, set_points[k])
        for i in range(len(held)):
            set_points[k, held[i]] = targets[after, held[i]]
