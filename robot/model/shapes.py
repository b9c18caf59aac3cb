"""The visible shapes of a body of a MuJoCo model: primitives and meshes with their pose, size and colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable

import mujoco
import numpy as np

KINDS = {
    mujoco.mjtGeom.mjGEOM_PLANE: "plane",
    mujoco.mjtGeom.mjGEOM_SPHERE: "sphere",
    mujoco.mjtGeom.mjGEOM_CAPSULE: "capsule",
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: "ellipsoid",
    mujoco.mjtGeom.mjGEOM_CYLINDER: "cylinder",
    mujoco.mjtGeom.mjGEOM_BOX: "box",
    mujoco.mjtGeom.mjGEOM_MESH: "mesh",
}
SEEN_GROUPS = (1, 2)  # by the convention of models: 0 and 3 collide
DRAWN_GROUPS = (0, 1, 2)  # MuJoCo's own default, for a model that has no other shapes

_DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class Shape:
    """One visible shape in the frame of its body.

    Args:
        kind: one of the values of `KINDS`.
        size: (3,) m, as MuJoCo's `geom_size`.
        position: (3,) m.
        quat_wxyz: (4,).
        rgba: (4,) in [0, 1].
        vertices: (n, 3) m float32 of a mesh, in the shape's frame.
        faces: (m, 3) int32 of a mesh, counter-clockwise from outside.
    """

    kind: str
    size: np.ndarray
    position: np.ndarray
    quat_wxyz: np.ndarray
    rgba: np.ndarray
    vertices: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.float32))
    faces: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.int32))


def shapes_by_body(model: mujoco.MjModel, bodies: Iterable[int] | None = None) -> dict[int, tuple[Shape, ...]]:
    """The visible shapes of bodies; bodies without any are left out.

    Args:
        model: of MuJoCo.
        bodies: by number; None takes all.
    """
    chosen = set(range(model.nbody) if bodies is None else bodies)
    own = [geom for geom in range(model.ngeom) if int(model.geom_bodyid[geom]) in chosen and _opaque(model, geom)]
    seen = [geom for geom in own if model.geom_group[geom] in SEEN_GROUPS]
    seen = seen or [geom for geom in own if model.geom_group[geom] in DRAWN_GROUPS]
    found: dict[int, list[Shape]] = {}
    for geom in seen:
        if int(model.geom_type[geom]) in KINDS:
            found.setdefault(int(model.geom_bodyid[geom]), []).append(_shape(model, geom))
    return {body: tuple(shapes) for body, shapes in found.items()}


def _shape(model: Any, geom: int) -> Shape:
    kind = KINDS[int(model.geom_type[geom])]
    mesh = int(model.geom_dataid[geom])
    parts = {}
    if kind == "mesh":
        first, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
        parts["vertices"] = np.array(model.mesh_vert[first : first + count], np.float32)
        first, count = int(model.mesh_faceadr[mesh]), int(model.mesh_facenum[mesh])
        parts["faces"] = np.array(model.mesh_face[first : first + count], np.int32)
    return Shape(
        kind,
        np.array(model.geom_size[geom]),
        np.array(model.geom_pos[geom]),
        np.array(model.geom_quat[geom]),
        _rgba(model, geom),
        **parts,
    )


def _rgba(model: Any, geom: int) -> np.ndarray:
    """The colour of a geom: its own, else its material's, times the mean of the material's texture."""
    rgba, material = np.array(model.geom_rgba[geom], dtype=float), int(model.geom_matid[geom])
    if material < 0 or not np.allclose(rgba, _DEFAULT_RGBA):
        return rgba
    rgba = np.array(model.mat_rgba[material], dtype=float)
    texture = int(np.ravel(model.mat_texid[material])[mujoco.mjtTextureRole.mjTEXROLE_RGB])
    if texture >= 0 and int(model.tex_nchannel[texture]) >= 3:
        channels, first = int(model.tex_nchannel[texture]), int(model.tex_adr[texture])
        count = int(model.tex_width[texture]) * int(model.tex_height[texture])
        pixels = model.tex_data[first : first + count * channels].reshape(-1, channels)
        rgba[:3] *= pixels[:: max(count // 4096, 1), :3].mean(axis=0) / 255
    return rgba


def _opaque(model: Any, geom: int) -> bool:
    return bool(_rgba(model, geom)[3] > 0)
