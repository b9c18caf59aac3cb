"""Chunks of actions and single targets on the wire: one `trajectory_msgs/JointTrajectory`.

`joint_names` are the components of the action, `header.stamp` is the stamp of the newest observation that was used, row
i is due at `time_from_start = i*T`. `header.frame_id` is the tag: `session/epoch/chunk/seed/value`, with nothing where
there is nothing to say.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Sequence

import numpy as np
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from real.ros.messages import doubles, duration_of, header_of, time_of
from robot.errors import InputError
from robot.safety.gate.inputs import ChunkSample


@dataclass(frozen=True)
class Tag:
    """Where a chunk comes from.

    Args:
        session: of the process that made it; another one is another run.
        epoch: of the time in which it was made; None when the sender counts none.
        chunk_id: counts up within a session.
        seed: of the noise.
        value: that a critic gave it.
    """

    session: str = ""
    epoch: int | None = None
    chunk_id: int = 0
    seed: int | None = None
    value: float | None = None

    def __str__(self) -> str:
        if "/" in self.session:
            raise InputError(f"session '{self.session}'", expected="a name without '/'")
        parts = (self.session, self.epoch, self.chunk_id, self.seed, None if self.value is None else float(self.value))
        return "/".join("" if part is None else str(part) for part in parts)

    @staticmethod
    def parse(text: str) -> Tag:
        """What a `frame_id` says. What cannot be read is taken as not said: others may publish chunks too."""
        session, epoch, chunk_id, seed, value = (*text.split("/"), "", "", "", "", "")[:5]
        return Tag(session, _integer(epoch), _integer(chunk_id) or 0, _integer(seed), _real(value))


def trajectory_message(values: np.ndarray, names: Sequence[str], start_ns: int, period_ns: int, frame_id: str = "",
                       velocities: np.ndarray | None = None, first_ns: int = 0) -> JointTrajectory:
    """Rows of targets as a trajectory.

    Args:
        values: (rows, dim).
        names: of the columns.
        start_ns: goes in the header; 0 means "now" to a trajectory controller.
        period_ns: between rows.
        frame_id: tag or frame.
        velocities: (rows, dim) at the rows.
        first_ns: when the first row is due, after the start.
    """
    points = []
    for index, row in enumerate(values):
        points.append(JointTrajectoryPoint(
            positions=doubles(row), velocities=doubles(velocities[index]) if velocities is not None else array("d"),
            time_from_start=duration_of(first_ns + index * period_ns)))
    return JointTrajectory(header=header_of(start_ns, frame_id), joint_names=list(names), points=points)


def chunk_message(values: np.ndarray, names: Sequence[str], start_ns: int, period_ns: int, tag: Tag) -> JointTrajectory:
    """A chunk, (horizon, dim), or a person's target, (1, dim)."""
    return trajectory_message(values, names, start_ns, period_ns, str(tag))


def chunk_sample(message: JointTrajectory, received_ns: int, period_s: float, publisher: str = "") -> ChunkSample:
    """A chunk as it came, for the gate to check.

    Rows of different lengths come out without columns, and rows that are not evenly spaced from zero with a period
    that is not a number: the gate refuses both by name.

    Args:
        message: the trajectory.
        received_ns: monotonic.
        period_s: of a message of one row, which has none of its own.
        publisher: who sent it; empty takes the session of its tag.
    """
    tag, rows = Tag.parse(message.header.frame_id), [point.positions for point in message.points]
    widths = {len(row) for row in rows}
    if len(widths) == 1 and widths != {0}:
        values = np.array([np.frombuffer(row, np.float64) for row in rows])
    else:
        values = np.empty((len(rows), 0))
    due = np.array([time_of(point.time_from_start) for point in message.points], dtype=np.int64)
    if len(due) > 1:
        even = np.array_equal(due, np.arange(len(due)) * due[1])
        period_s = float(due[1]) / 1e9 if even else float("nan")
    return ChunkSample(
        names=tuple(message.joint_names), values=values, start_ns=time_of(message.header.stamp), period_s=period_s,
        chunk_id=tag.chunk_id, received_ns=received_ns, publisher=publisher or tag.session, session=tag.session,
        epoch=tag.epoch, seed=tag.seed, value=tag.value,
    )


def _integer(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdecimal() else None


def _real(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
