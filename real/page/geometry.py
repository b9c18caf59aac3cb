"""A scene for the page: the triangles of all its bodies in one binary, and an index.

Layout, little-endian: length of the index in bytes (u32), zero (u32), the index as JSON, spaces up to a multiple of
eight, vertices (n, 3) float32 in m, colours (n, 4) uint8, corners of faces (m, 3) uint32. The index has `vertices` n,
`faces` m, and `bodies`: `name`, `first` and `count` of its corners.
"""

from __future__ import annotations

import json
import struct
from typing import Sequence

import numpy as np

from robot.model.shapes import Shape
from robot.model.triangles import Triangles, triangles_of

CELL_M = 0.006  # a Panda with its hand: 39 000 triangles, 0.8 MB
ALIGNED = 8
# Under a robot of which nothing else is known, the plane that its base stands on.
FLOOR = Shape(
    "plane",
    size=np.array([0.6, 0.6, 0.0]),
    position=np.array([0.35, 0.0, -0.002]),
    quat_wxyz=np.array([1.0, 0.0, 0.0, 0.0]),
    rgba=np.array([0.42, 0.45, 0.5, 1.0]),
)


def pack_scene(names: Sequence[str], shapes: Sequence[Sequence[Shape]], cell_m: float = CELL_M) -> bytes:
    """The message of a scene.

    Args:
        names: of its bodies.
        shapes: of each body, in its frame.
        cell_m: to which meshes are thinned out.
    """
    return pack_triangles(names, [triangles_of(each, cell_m) for each in shapes])


def pack_triangles(names: Sequence[str], surfaces: Sequence[Triangles]) -> bytes:
    """The message of a scene whose bodies have these surfaces."""
    bodies, vertices, corners = [], 0, 0
    shifted = []
    for name, surface in zip(names, surfaces):
        bodies.append({"name": name, "first": corners, "count": surface.faces.size})
        shifted.append(surface.faces + np.uint32(vertices))
        vertices, corners = vertices + len(surface.vertices), corners + surface.faces.size
    index = json.dumps({"vertices": vertices, "faces": corners // 3, "bodies": bodies}).encode()
    index += b" " * (-len(index) % ALIGNED)
    arrays = [each.vertices.astype("<f4") for each in surfaces]
    arrays += [each.colours.astype("u1") for each in surfaces]
    arrays += [each.astype("<u4") for each in shifted]
    return b"".join([struct.pack("<II", len(index), 0), index, *(each.tobytes() for each in arrays)])


def pack_poses(poses: np.ndarray) -> bytes:
    """The message of the poses (n, 3, 4) of a scene's bodies."""
    return np.asarray(poses, "<f4").tobytes()
