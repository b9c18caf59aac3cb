"""Shapes as triangles, for whatever draws: primitives are tessellated, meshes thinned out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Iterable

import numpy as np

from robot.control.rotation import matrix_from_quat_wxyz
from robot.model.shapes import Shape

SLICES, STACKS = 20, 5  # round a cylinder, and along a quarter of a sphere
PLANE_M = 3.0  # half the side of a plane without an end
_BOX_FACES = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5))


@dataclass(frozen=True, eq=False)
class Triangles:
    """A coloured surface.

    Args:
        vertices: (n, 3) float32, m.
        colours: (n, 4) uint8, RGBA.
        faces: (m, 3) uint32, counter-clockwise from outside.
    """

    vertices: np.ndarray
    colours: np.ndarray
    faces: np.ndarray


def triangles_of(shapes: Iterable[Shape], cell_m: float = 0.0) -> Triangles:
    """The surfaces of the shapes of one body, in the body's frame.

    Args:
        shapes: of a body.
        cell_m: vertices of a mesh that are in the same cell of a grid of this width become one; 0 keeps all.
    """
    vertices, colours, faces, count = [np.empty((0, 3))], [np.empty((0, 4))], [np.empty((0, 3), np.int64)], 0
    for shape in shapes:
        points, corners = _surface(shape, cell_m)
        vertices.append(points @ matrix_from_quat_wxyz(shape.quat_wxyz).T + shape.position)
        colours.append(np.tile(np.clip(shape.rgba, 0, 1) * 255, (len(points), 1)))
        faces.append(corners + count)
        count += len(points)
    return Triangles(
        np.concatenate(vertices).astype(np.float32),
        np.concatenate(colours).round().astype(np.uint8),
        np.concatenate(faces).astype(np.uint32),
    )


def thinned(vertices: np.ndarray, faces: np.ndarray, cell_m: float) -> tuple[np.ndarray, np.ndarray]:
    """A mesh with the vertices of each cell of a grid put at their mean; triangles that shrink to a line are left out.

    Vertex clustering, after Rossignac and Borrel, "Multi-resolution 3D approximations" (1993).

    Args:
        vertices: (n, 3) m.
        faces: (m, 3).
        cell_m: width of a cell.
    """
    cells = np.floor(np.asarray(vertices, dtype=float) / cell_m).astype(np.int64)
    cells -= cells.min(axis=0)
    _, owner, sizes = np.unique(_keys(cells), return_inverse=True, return_counts=True)
    owner = owner.ravel()
    means = np.stack([np.bincount(owner, column) for column in np.asarray(vertices, float).T], axis=1) / sizes[:, None]
    corners = owner[faces]
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a)]
    # A thin wall folds onto itself: the same triangle twice, from either side, is needed once from each.
    turned = np.take_along_axis(corners, (corners.argmin(axis=1)[:, None] + np.arange(3)) % 3, axis=1)
    return means, turned[np.unique(_keys(turned), return_index=True)[1]] if len(turned) else turned


def _keys(rows: np.ndarray) -> np.ndarray:
    """One number (n,) per row (n, 3) of whole numbers from 0: sorted some ten times as fast as the rows."""
    first, second, third = (int(size) + 1 for size in rows.max(axis=0))
    if first * second * third >= 2**63:
        return np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    return np.ravel_multi_index(tuple(rows.T), (first, second, third))


def _surface(shape: Shape, cell_m: float) -> tuple[np.ndarray, np.ndarray]:
    x, y, z = np.asarray(shape.size, dtype=float)
    if shape.kind == "mesh":
        if cell_m and len(shape.faces):
            return thinned(shape.vertices, shape.faces, cell_m)
        return shape.vertices.astype(float), shape.faces.astype(np.int64)
    if shape.kind == "plane":
        corner = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
        return corner * [x or PLANE_M, y or PLANE_M, 1], np.array([[0, 1, 2], [0, 2, 3]])
    if shape.kind == "box":
        points, corners = _box()
        return points * [x, y, z], corners
    if shape.kind == "cylinder":
        points, corners = _turned(((0, -1), (1, -1), (1, 1), (0, 1)))
        return points * [x, x, y], corners
    points, corners = _sphere()
    if shape.kind == "capsule":
        return points * x + np.where(points[:, 2:] >= 0, 1, -1) * [0, 0, y], corners
    return points * ([x, y, z] if shape.kind == "ellipsoid" else x), corners


@cache
def _box() -> tuple[np.ndarray, np.ndarray]:
    points = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
    return points, np.array([[a, b, c] for a, b, c, _ in _BOX_FACES] + [[a, c, d] for a, _, c, d in _BOX_FACES])


@cache
def _sphere() -> tuple[np.ndarray, np.ndarray]:
    # Two rings at the equator: a capsule pulls them apart.
    angles = np.concatenate([np.linspace(-np.pi / 2, -1e-9, STACKS + 1), np.linspace(1e-9, np.pi / 2, STACKS + 1)])
    return _turned(tuple((float(np.cos(angle)), float(np.sin(angle))) for angle in angles))


def _turned(profile: tuple[tuple[float, float], ...]) -> tuple[np.ndarray, np.ndarray]:
    """The surface of revolution about z of a profile of radii and heights, from below."""
    angles = np.arange(SLICES) * 2 * np.pi / SLICES
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.concatenate(
        [np.column_stack([radius * ring, np.full(SLICES, float(height))]) for radius, height in profile]
    )
    corners = []
    for level in range(len(profile) - 1):
        for index in range(SLICES):
            after = (index + 1) % SLICES
            a, b = level * SLICES + index, level * SLICES + after
            c, d = a + SLICES, b + SLICES
            corners += [[a, b, d], [a, d, c]]
    return points, np.array(corners)
