"""Messages of one topic that came together and differ in nothing but stamp, numbers and text: read at once.

A driver of 500 states a second sends as often the same names, frame and sizes. To read its messages one by one takes
20 us each (`real.ros.wire.repeated`); twenty-five together take 60 us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from real.ros.wire.cdr import BEGIN, Cursor
from real.ros.wire.packed import LITTLE_ENDIAN, NANOSECONDS, TEXT

STAMP = slice(BEGIN, BEGIN + 8)


@dataclass(frozen=True, eq=False)
class AlikeMessages:
    """What k messages say.

    Args:
        stamps_ns: (k,) int64.
        numbers: (k, n) float64: positions of joints, or of all points of a trajectory, one after the other.
        names: of the joints, or components.
        frames: k texts of the headers of trajectories; those of a driver's joints do not change.
    """

    stamps_ns: np.ndarray
    numbers: np.ndarray
    names: tuple[str, ...]
    frames: Sequence[str] = ()


class _Marking(Cursor):
    """Keeps the gaps in front of aligned numbers: a writer may leave anything in them.

    Attributes:
        gaps: of the message, as far as it was passed over.
    """

    def __init__(self, packed: bytes) -> None:
        super().__init__(packed)
        self.gaps: list[slice] = []

    def skip(self, size: int, count: int = 1) -> None:
        before = self.place
        super().skip(size, count)
        self.gaps.append(slice(before, self.place - size * count))


class AlikeReader:
    """Reads messages of one topic that are like one that was read before.

    Args:
        kind: `JointState`, or `JointTrajectory` with positions only, whose frames may differ.
    """

    def __init__(self, kind: type) -> None:
        self._frames = kind is JointTrajectory
        self._size = self._frame_size = 0
        self._fixed, self._model = np.empty(0, dtype=np.intp), np.empty(0, dtype=np.uint8)
        self._numbers: list[slice] = []
        self._names: tuple[str, ...] = ()

    def learn(self, packed: bytes, message: JointState | JointTrajectory) -> None:
        """Take a message for the model of those that follow.

        Args:
            packed: its bytes, which were found to be one (`real.ros.wire.unpacking`).
            message: what they say.
        """
        self._size = 0
        if packed[:2] != LITTLE_ENDIAN:
            return
        varying, self._numbers = [STAMP], []
        cursor = _Marking(packed)
        cursor.skip(4, 2)
        self._frame_size = cursor.string()
        if self._frames:
            varying.append(slice(TEXT, TEXT + self._frame_size))
        for _ in range(cursor.length(4)):
            cursor.string()
        self._names = tuple(message.name if isinstance(message, JointState) else message.joint_names)
        lists = 3  # positions, velocities and efforts
        if not isinstance(message, JointState):
            lists = cursor.length(4)
            if any(len(each.velocities) or len(each.accelerations) or len(each.effort) for each in message.points):
                return
        for place in range(lists):
            count = cursor.length(8)
            if count:
                cursor.skip(8, count)
                span = slice(cursor.place - 8 * count, cursor.place)
                varying.append(span)
                if self._frames or not place:  # of joints the positions are read
                    self._numbers.append(span)
            if self._frames:
                cursor.skip(4, 3)  # velocities, accelerations and efforts: none
                cursor.skip(4, 2)
        fixed = np.ones(len(packed), dtype=bool)
        for span in (*varying, *cursor.gaps, slice(cursor.place, None)):
            fixed[span] = False
        self._fixed = np.flatnonzero(fixed)
        self._model = np.frombuffer(packed, np.uint8)[self._fixed]
        self._size = len(packed) if self._numbers else 0

    def __call__(self, packed: Sequence[bytes]) -> AlikeMessages | None:
        """What messages say, k of them; None where one is not like the model: they are to be read one by one."""
        if not self._size or set(map(len, packed)) != {self._size}:
            return None
        content = np.frombuffer(b"".join(packed), np.uint8).reshape(len(packed), self._size)
        if not (content[:, self._fixed] == self._model).all():
            return None
        frames = self._texts(packed) if self._frames else ()
        if frames is None:
            return None
        when = content[:, STAMP].copy().view(np.uint32)
        stamps_ns = when[:, 0].view(np.int32).astype(np.int64) * NANOSECONDS + when[:, 1]
        parts = [content[:, span] for span in self._numbers]
        numbers = np.concatenate(parts, axis=1).view(np.float64)
        return AlikeMessages(stamps_ns, numbers, self._names, frames)

    def _texts(self, packed: Sequence[bytes]) -> list[str] | None:
        """Texts that end with their only zero; None where one does not."""
        found: list[str] = []
        before, text = b"", ""
        for each in packed:
            own = each[TEXT : TEXT + self._frame_size]
            if own != before:
                if own.find(0) != self._frame_size - 1:
                    return None
                try:
                    before, text = own, own[:-1].decode()
                except UnicodeDecodeError:
                    return None
            found.append(text)
        return found
