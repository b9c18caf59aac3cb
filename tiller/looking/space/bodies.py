"""What is drawn of an episode in space: the robot at its joints, and the other bodies of which the store has poses."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from threading import Lock

import numpy as np

from real.page.geometry import pack_poses, pack_scene
from robot.control.rotation import matrix_from_6d
from robot.errors import TillerError
from robot.model.links import RobotLinks
from robot.model.shapes import Shape
from tiller.looking.fields import Field
from tiller.looking.snapshot import Shelf, Snapshot
from tiller.looking.space.joints import robot_of
from tiller.looking.space.postures import Postures
from tiller.looking.space.surroundings import Surroundings, surroundings_of
from tiller.looking.times import row_track

MOST_ROWS = 60  # of which poses are given at once
MOST_BODIES = 32
HEAD = struct.Struct("<IIII")
_POSITION, _ROTATION = ".position", ".rotation"
_UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True)
class PosedBody:
    """A body whose pose is in the rows.

    Args:
        name: of it.
        position: field of (3,) m.
        rotation: field of (6,), the first two columns of its matrix; None where only the position is known.
    """

    name: str
    position: Field
    rotation: Field | None


class Stage:
    """The bodies of one store.

    Args:
        snapshot: of it.

    Attributes:
        note: why there is no robot, or what of it is estimated; empty where it is as it was measured.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._lock, self.note = Lock(), ""
        self._links: RobotLinks | None = None
        self._postures: Postures | None = None
        description = robot_of(snapshot.contents.attributes)
        hands: set[str] = set()
        if description is None:
            self.note = "the store names no robot that is known here"
        else:
            try:
                self._postures = Postures(snapshot, description)
                self.note = self._postures.note
                if self._postures.known:
                    self._links = RobotLinks(description)
                    hands = {limb.field("tcp") for limb in description.limbs}
            except TillerError as error:  # its files are not at hand
                self.note = str(error)
        self._posed = [body for body in _posed(snapshot) if body.name not in hands][:MOST_BODIES]
        names = [body.name for body in self._posed]
        self._around: Surroundings = surroundings_of(snapshot.contents.attributes, names)

    @property
    def robot(self) -> bytes:
        """The scene of the robot; empty where it is not drawn."""
        return pack_scene(self._links.names, self._links.shapes) if self._links is not None else b""

    @property
    def world(self) -> bytes:
        """The scene of everything else: what stands still, then the bodies with poses."""
        own = [self._around.shapes.get(body.name) or _triad() for body in self._posed]
        names = [*self._around.still_names, *(body.name for body in self._posed)]
        return pack_scene(names, [*self._around.still_shapes, *own], cell_m=0.0)

    def poses(self, shelf: Shelf, snapshot: Snapshot, episode: int, first: int, count: int) -> bytes:
        """Poses at rows first.. of an episode: number of rows, bodies of the robot, other bodies, zero (u32), then
        float32 (3, 4) of the robot's bodies at each row, then of the others at each row.

        Raises:
            InputError, DamagedChunkError: they cannot be read.
        """
        track = row_track(shelf, snapshot, episode)
        first = min(first, len(track))
        stop = min(first + count, len(track))
        robot = np.empty((0, 0, 3, 4), np.float32)
        if self._links is not None and self._postures is not None and stop > first:
            with self._lock:  # MuJoCo's data are one
                postures = self._postures.at(shelf, snapshot, episode, first, track.seconds(first, stop))
                robot = np.stack([self._links.poses(each) for each in postures])
        others = self._others(shelf, snapshot, track.first + first, track.first + stop)
        head = HEAD.pack(stop - first, robot.shape[1], others.shape[1], 0)
        return b"".join([head, pack_poses(robot), pack_poses(others)])

    def _others(self, shelf: Shelf, snapshot: Snapshot, start: int, stop: int) -> np.ndarray:
        """(rows, bodies, 3, 4) of what stands still and of the bodies with poses, at rows of the store."""
        still = np.broadcast_to(self._around.still_poses, (stop - start, *self._around.still_poses.shape))
        parts = [still]
        for body in self._posed:
            pose = np.zeros((stop - start, 1, 3, 4))
            pose[:, 0, :, :3] = np.eye(3)
            pose[:, 0, :, 3] = shelf.read(snapshot, body.position.path, start, stop).reshape(-1, 3)
            if body.rotation is not None:
                pose[:, 0, :, :3] = matrix_from_6d(
                    shelf.read(snapshot, body.rotation.path, start, stop).reshape(-1, 6).astype(float)
                )
            parts.append(np.where(np.isfinite(pose).all(axis=(2, 3), keepdims=True), pose, 0.0))
        return np.concatenate(parts, axis=1)


def _posed(snapshot: Snapshot) -> list[PosedBody]:
    """The bodies whose position, and perhaps rotation, the rows have."""
    by_name = {field.name: field for field in snapshot.fields if field.role == "observation"}
    posed = []
    for name, field in by_name.items():
        if name.endswith(_POSITION) and field.kind == "numbers" and field.shape == (3,) and _in_metres(field.unit):
            stem = name.removesuffix(_POSITION)
            rotation = by_name.get(stem + _ROTATION)
            fits = rotation is not None and rotation.kind == "numbers" and rotation.shape == (6,)
            posed.append(PosedBody(stem, field, rotation if fits else None))
    return posed


def _in_metres(unit: str) -> bool:
    return set(unit.split()) == {"m"}


def _triad(length: float = 0.05, width: float = 0.004) -> tuple[Shape, ...]:
    """The axes of a body of which only the pose is known: x red, y green, z blue."""
    shapes = []
    for axis in range(3):
        size, position, rgba = np.full(3, width / 2), np.zeros(3), np.array([0.15, 0.15, 0.15, 1.0])
        size[axis], position[axis], rgba[axis] = length / 2, length / 2, 0.95
        shapes.append(Shape("box", size, position, _UPRIGHT, rgba))
    return tuple(shapes)
