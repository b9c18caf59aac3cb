"""Rotations as matrices, 6-D vectors, unit quaternions and rotation vectors; every function takes any batch shape.

The 6-D form is the first two columns of the matrix, one after the other (Zhou et al., "On the Continuity of Rotation
Representations in Neural Networks", 2019). Quaternions carry their order in the name and have a scalar part >= 0.
Conversions stay exact at half a turn: they go through the largest quaternion component.
"""

from __future__ import annotations

import numpy as np

_TINY = 1e-12
_SHORTEST = 1e-6  # of a column that has a direction
_PARALLEL = 1e-6  # sine of the angle below which two columns span no rotation


def matrix_from_6d(rotation_6d: np.ndarray) -> np.ndarray:
    """(..., 6) to (..., 3, 3), by Gram-Schmidt: any two vectors that are not parallel give a rotation."""
    rotation_6d = np.asarray(rotation_6d, dtype=np.float64)
    first, second = rotation_6d[..., :3], rotation_6d[..., 3:]
    x = first / np.maximum(np.linalg.norm(first, axis=-1, keepdims=True), _TINY)
    y = second - np.sum(x * second, axis=-1, keepdims=True) * x
    y = y / np.maximum(np.linalg.norm(y, axis=-1, keepdims=True), _TINY)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def span_rotations(rotation_6d: np.ndarray) -> np.ndarray:
    """Whether pairs of columns (..., 6) make rotations: finite, neither near zero, and not parallel.

    The angle between them counts, at any length: two long columns that are parallel span an area of rounding alone.

    Returns:
        (...,) bool.
    """
    columns = np.asarray(rotation_6d, dtype=np.float64)
    x, y = columns[..., :3], columns[..., 3:]
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
        shortest = np.minimum(np.linalg.norm(x, axis=-1), np.linalg.norm(y, axis=-1))
        area = np.linalg.norm(np.cross(x, y), axis=-1)
        spans: np.ndarray = (shortest > _SHORTEST) & (area > _PARALLEL * lengths) & (lengths < np.inf)
    return spans


def rotation_6d_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) to (..., 6): the first two columns."""
    matrix = np.asarray(matrix)
    return np.concatenate([matrix[..., :, 0], matrix[..., :, 1]], axis=-1)


def quat_wxyz_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) to unit quaternions (..., 4), w >= 0.

    Each row of the symmetric 4 x 4 matrix q q^T is the quaternion times one of its components; the row of the largest
    component is taken, so that no division is by a small number.
    """
    m = np.asarray(matrix, dtype=np.float64)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    outer = np.empty((*m.shape[:-2], 4, 4))
    outer[..., 0, 0] = 1 + trace
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        outer[..., 1 + i, 1 + i] = 1 + 2 * m[..., i, i] - trace
        outer[..., 0, 1 + i] = outer[..., 1 + i, 0] = m[..., k, j] - m[..., j, k]
        outer[..., 1 + i, 1 + j] = outer[..., 1 + j, 1 + i] = m[..., i, j] + m[..., j, i]
    largest = np.argmax(np.einsum("...ii->...i", outer), axis=-1)
    quat = np.take_along_axis(outer, largest[..., None, None], axis=-2)[..., 0, :]
    return _canonical(quat / np.linalg.norm(quat, axis=-1, keepdims=True))


def matrix_from_quat_wxyz(quat: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4), of any length but zero, to (..., 3, 3)."""
    quat = np.asarray(quat, dtype=np.float64)
    w, x, y, z = np.moveaxis(quat / np.linalg.norm(quat, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotvec_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) to rotation vectors (..., 3): axis times angle in rad, angle in [0, pi]."""
    quat = quat_wxyz_from_matrix(matrix)
    sine = np.linalg.norm(quat[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quat[..., :1])
    return np.where(sine > _TINY, angle / np.maximum(sine, _TINY), 2.0) * quat[..., 1:]


def matrix_from_rotvec(rotvec: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) in rad to (..., 3, 3)."""
    rotvec = np.asarray(rotvec, dtype=np.float64)
    half = np.linalg.norm(rotvec, axis=-1, keepdims=True) / 2
    # np.sinc(x) is sin(pi x) / (pi x), exact at zero.
    return matrix_from_quat_wxyz(np.concatenate([np.cos(half), rotvec / 2 * np.sinc(half / np.pi)], axis=-1))


def slerp_6d(start: np.ndarray, end: np.ndarray, fraction: np.ndarray | float) -> np.ndarray:
    """Move at constant angular speed along the shorter arc.

    Args:
        start, end: (..., 6).
        fraction: (...) 0 gives `start`, 1 gives `end`.

    Returns:
        (..., 6), always an exact rotation.
    """
    start_matrix, end_matrix = matrix_from_6d(start), matrix_from_6d(end)
    turn = rotvec_from_matrix(np.swapaxes(start_matrix, -1, -2) @ end_matrix)
    return rotation_6d_from_matrix(start_matrix @ matrix_from_rotvec(np.asarray(fraction)[..., None] * turn))


def angle_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle in rad, in [0, pi], between rotation matrices (..., 3, 3)."""
    return np.linalg.norm(rotvec_from_matrix(np.swapaxes(first, -1, -2) @ second), axis=-1)


def _canonical(quat: np.ndarray) -> np.ndarray:
    return np.where(quat[..., :1] < 0, -quat, quat)
