"""A twin's scene besides its robot as text, and the poses of its bodies: what a page draws of a task.

The text goes once, latched, on `twin/scene`; poses follow on `twin/poses` while somebody subscribes. Both are small:
meshes are sent as few triangles.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass, replace
from typing import Any, Mapping, Sequence

import numpy as np

from real.ros.reading import Refusal, shown
from robot.model.shapes import KINDS, Shape
from robot.model.triangles import thinned

SCENE_TOPIC, POSES_TOPIC = "twin/scene", "twin/poses"
POSES_HZ = 15.0
LARGEST_SCENE = 60 << 10  # characters: a node reads texts up to 64 KiB
MOST_BODIES, MOST_SHAPES = 64, 256
LARGEST_M = 100.0
MESH_STEPS = 24, 16, 10, 6, 4, 2  # cells along a mesh, the finest first with which the scene is small enough
POSE = 7  # position (3) m, quaternion (4) wxyz


@dataclass(frozen=True)
class SceneNotice:
    """The bodies of a scene.

    Args:
        names: (n,) of the bodies.
        shapes: (n,) of each, in its frame.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[Shape, ...], ...]

    def text(self) -> str:
        """The JSON that `read_scene` reads; meshes are thinned out, or left out where even that is too much."""
        shapes: Sequence[Sequence[Shape]] = self.shapes
        for steps in MESH_STEPS:
            shapes = [[_coarse(each, steps) for each in own] for own in shapes]
            text = self._text(shapes)
            if len(text) <= LARGEST_SCENE:
                return text
        return self._text([[each for each in own if each.kind != "mesh"] for own in shapes])

    def _text(self, shapes: Sequence[Sequence[Shape]]) -> str:
        bodies = [{"name": name, "shapes": [_record(each) for each in own]} for name, own in zip(self.names, shapes)]
        return json.dumps({"bodies": bodies}, separators=(",", ":"))


def read_scene(text: str) -> SceneNotice | Refusal:
    """A scene from its JSON."""
    if len(text) > LARGEST_SCENE:
        return Refusal(f"a scene of {len(text)} characters, {LARGEST_SCENE} are read")
    try:
        bodies = json.loads(text)["bodies"]
        names = tuple(str(body["name"])[:200] for body in bodies)
        shapes = tuple(tuple(_shape(record) for record in body["shapes"]) for body in bodies)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, binascii.Error) as error:
        return Refusal(f"no scene, {type(error).__name__}: {shown(text)}")
    if len(names) > MOST_BODIES or sum(map(len, shapes)) > MOST_SHAPES:
        return Refusal(f"a scene of {len(names)} bodies, {MOST_BODIES} are read, with {MOST_SHAPES} shapes")
    return SceneNotice(names, shapes)


def matrices(values: Sequence[float] | np.ndarray, count: int) -> np.ndarray | Refusal:
    """Poses as matrices (count, 3, 4) from the numbers of a message, 7 per body: position and quaternion wxyz."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape != (count * POSE,) or not np.isfinite(numbers).all():
        return Refusal(f"poses: {numbers.size} numbers, {count * POSE} finite ones are read")
    rows = numbers.reshape(count, POSE)
    norm = np.linalg.norm(rows[:, 3:], axis=1, keepdims=True)
    if (norm < 1e-6).any() or np.abs(rows[:, :3]).max(initial=0) > LARGEST_M:
        return Refusal("poses: a quaternion of no length, or a position out of this world")
    w, x, y, z = (rows[:, 3:] / norm).T
    turns = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return np.concatenate([turns.transpose(2, 0, 1), rows[:, :3, None]], axis=2)


def _coarse(shape: Shape, steps: int) -> Shape:
    """A shape whose mesh has at most so many cells along it."""
    extent = float(np.ptp(shape.vertices, axis=0).max()) if len(shape.vertices) else 0.0
    if not extent:
        return shape
    vertices, faces = thinned(shape.vertices, shape.faces, extent / steps)
    return replace(shape, vertices=vertices, faces=faces)


def _record(shape: Shape) -> dict[str, Any]:
    record: dict[str, Any] = {
        "kind": shape.kind,
        "size": _rounded(shape.size),
        "position": _rounded(shape.position),
        "quat_wxyz": _rounded(shape.quat_wxyz),
        "rgba": _rounded(shape.rgba),
    }
    if shape.kind == "mesh":
        record["vertices"] = base64.b64encode(shape.vertices.astype("<f4").tobytes()).decode()
        record["faces"] = base64.b64encode(shape.faces.astype("<u2").tobytes()).decode()
    return record


def _shape(record: Mapping[str, Any]) -> Shape:
    """A shape from its record; raises ValueError, TypeError or KeyError for anything else."""
    if record["kind"] not in KINDS.values():
        raise ValueError(record["kind"])
    meshes = {}
    if record["kind"] == "mesh":
        vertices = np.frombuffer(base64.b64decode(record["vertices"], validate=True), "<f4").reshape(-1, 3)
        faces = np.frombuffer(base64.b64decode(record["faces"], validate=True), "<u2").reshape(-1, 3)
        if faces.max(initial=0) >= max(len(vertices), 1) or not np.isfinite(vertices).all():
            raise ValueError("faces")
        meshes = {"vertices": vertices.astype(np.float32), "faces": faces.astype(np.int32)}
    return Shape(
        record["kind"],
        _vector(record["size"], 3),
        _vector(record["position"], 3),
        _vector(record["quat_wxyz"], 4),
        _vector(record["rgba"], 4),
        **meshes,
    )


def _vector(values: Any, size: int) -> np.ndarray:
    if len(values) != size or not all(type(each) in (int, float) and math.isfinite(each) for each in values):
        raise ValueError("vector")
    return np.clip(np.array(values, dtype=float), -LARGEST_M, LARGEST_M)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(each), 5) for each in values]
