"""Postures of a robot at rows of an episode: measured, and of an arm that is not, what its hand's pose allows."""

from __future__ import annotations

from typing import Mapping

import numpy as np

from robot.control.rotation import matrix_from_6d, span_rotations
from robot.description.limb import Limb
from robot.description.loading import RobotDescription
from robot.model.reaching import ArmReach
from tiller.looking.fields import Field
from tiller.looking.snapshot import Shelf, Snapshot
from tiller.looking.space.joints import JointSource, joint_sources
from tiller.looking.times import field_track

MOST_SAMPLES = 1 << 20  # of a stream, that are looked through for some rows
Measured = Mapping[str, np.ndarray]


class Postures:
    """Where a store has the posture of its robot.

    Args:
        snapshot: of the store.
        description: of the robot.

    Attributes:
        note: what of it is estimated, or why there is nothing; empty where all of it is measured.
        known: whether every arm is measured or can be estimated.

    Raises:
        InputError, MissingExtraError: as `ArmReach`.
    """

    def __init__(self, snapshot: Snapshot, description: RobotDescription) -> None:
        self._sources = joint_sources(snapshot, description)
        by_name = {field.name: field for field in snapshot.fields if field.role == "observation"}
        measured = {name for source in self._sources for name in source.names}
        self._reaches: list[tuple[Limb, ArmReach, Field, Field]] = []
        missing = False
        for limb in description.limbs:
            if all(limb.element(joint) in measured for joint in limb.arm.joints):
                continue
            position, rotation = (by_name.get(limb.field(name)) for name in ("tcp.position", "tcp.rotation"))
            if position is None or rotation is None or (position.shape, rotation.shape) != ((3,), (6,)):
                missing = True
            else:
                self._reaches.append((limb, ArmReach(limb), position, rotation))
        self.known = not missing
        self.note = "no field has the joints of the robot, or the pose of its hand" if missing else ""
        if self._reaches and not missing:
            self.note = "arm: not measured, drawn as the pose of its hand allows"

    def at(self, shelf: Shelf, snapshot: Snapshot, episode: int, first: int, seconds: np.ndarray) -> list[Measured]:
        """Our name -> (1,) at each of some rows, as `RobotLinks.poses` takes them.

        Args:
            shelf, snapshot, episode: what of.
            first: the first row, of the episode.
            seconds: (rows,) of them.

        Raises:
            InputError, DamagedChunkError: they cannot be read.
        """
        rows: list[dict[str, np.ndarray]] = [{} for _ in seconds]
        for source in self._sources:
            values = _at_rows(shelf, snapshot, episode, source, seconds, first)
            for row, numbers in zip(rows, values):
                row.update({name: numbers[at : at + 1] for at, name in enumerate(source.names)})
        start = snapshot.rows(episode)[0] + first
        for limb, reach, position, rotation in self._reaches:
            places = shelf.read(snapshot, position.path, start, start + len(rows)).astype(float)
            turns = shelf.read(snapshot, rotation.path, start, start + len(rows)).astype(float)
            sound = np.isfinite(places).all(axis=1) & span_rotations(turns)
            angles = None
            for row, place, turn, good in zip(rows, places, matrix_from_6d(turns), sound):
                angles = reach.angles(place, turn, angles) if good else angles
                if angles is not None:
                    row.update({limb.element(name): angles[at : at + 1] for at, name in enumerate(limb.arm.joints)})
        return list(rows)


def _at_rows(
    shelf: Shelf, snapshot: Snapshot, episode: int, source: JointSource, seconds: np.ndarray, first: int
) -> np.ndarray:
    """(rows, components) of a field at rows; of a stream the newest sample at each row's time, at first the oldest."""
    field = source.field
    track = field_track(shelf, snapshot, episode, field)
    if field.stream is None:
        start = track.first + first
        return shelf.read(snapshot, field.path, start, start + len(seconds)).reshape(len(seconds), -1)
    if not len(track):
        return np.full((len(seconds), len(source.names)), np.nan)
    start = max(track.after(float(seconds[0])) - 1, 0)
    stop = min(max(track.after(float(seconds[-1])), start + 1), start + MOST_SAMPLES)
    at = np.searchsorted(track.seconds(start, stop), seconds, side="right") - 1
    values = shelf.read(snapshot, field.path, track.first + start, track.first + stop)
    return values.reshape(len(values), -1)[np.clip(at, 0, len(values) - 1)]
