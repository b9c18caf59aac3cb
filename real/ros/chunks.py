"""Chunks of actions and single targets on the wire: one `trajectory_msgs/JointTrajectory`.

`joint_names` are the components of the action, `header.stamp` is the stamp of the newest observation that was used, row
i is due at `time_from_start = i*T`. `header.frame_id` is the tag: `session/epoch/chunk/seed/value`, with empty parts
for values that are not known.

Others may publish chunks too. What cannot be read of one is reported in its sample's `fault`, and the gate refuses it
as it refuses any other chunk: counted, with a reason, while what it follows goes on.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Sequence

import numpy as np
from rclpy.serialization import deserialize_message
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from real.ros.messages import doubles, duration_of, header_of, time_of
from real.ros.reading import Refusal, integer, real, shown
from real.ros.wire.cdr import Cursor, Malformed, ReadingLimits, unreadable
from robot.errors import InputError
from robot.safety.gate.inputs import LONGEST_CHUNK_S, ChunkSample

LONGEST_TAG = 200  # characters
OTHER_NAMES = 64  # of another robot's chunk, beyond twice ours: it is refused by its names
CHUNK_LIMITS = ReadingLimits(4 << 20, 4096)


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
    def parse(text: str) -> Tag | Refusal:
        """The tag in a `frame_id`; empty parts keep their defaults."""
        if len(text) > LONGEST_TAG:
            return Refusal(f"a tag of {len(text)} characters")
        if not text.isprintable():
            return Refusal(f"tag {shown(text)} has characters that cannot be printed")
        session, *rest = (*text.split("/"), "", "", "", "", "")[:5]
        numbers = [read(part) for part, read in zip(rest, (integer, integer, integer, real))]
        for name, part, number in zip(("epoch", "chunk", "seed", "value"), rest, numbers):
            if part and number is None:
                kind = "finite number" if name == "value" else "64-bit integer"
                return Refusal(f"{name} {shown(part)} in the tag is no {kind}")
        epoch, chunk_id, seed, value = numbers
        return Tag(session, epoch, chunk_id or 0, seed, value)  # type: ignore[arg-type]


def trajectory_message(
    values: np.ndarray,
    names: Sequence[str],
    start_ns: int,
    period_ns: int,
    frame_id: str = "",
    velocities: np.ndarray | None = None,
    first_ns: int = 0,
) -> JointTrajectory:
    """Rows of targets as a trajectory.

    Args:
        values: (rows, dim).
        names: of the columns.
        start_ns: stamp of the header; 0 means "now" to a trajectory controller.
        period_ns: between rows.
        frame_id: tag or frame.
        velocities: (rows, dim) at the rows.
        first_ns: when the first row is due, after the start.
    """
    points = []
    for index, row in enumerate(values):
        points.append(
            JointTrajectoryPoint(
                positions=doubles(row),
                velocities=doubles(velocities[index]) if velocities is not None else array("d"),
                time_from_start=duration_of(first_ns + index * period_ns),
            )
        )
    return JointTrajectory(header=header_of(start_ns, frame_id), joint_names=list(names), points=points)


def chunk_message(values: np.ndarray, names: Sequence[str], start_ns: int, period_ns: int, tag: Tag) -> JointTrajectory:
    """A chunk, (horizon, dim), or a person's target, (1, dim)."""
    return trajectory_message(values, names, start_ns, period_ns, str(tag))


def chunk_sample(message: JointTrajectory, received_ns: int, period_s: float, publisher: str = "") -> ChunkSample:
    """A chunk as it came, for the gate to check. Never raises.

    Rows of different lengths come out without columns, rows that are not evenly spaced from zero with a period that is
    not a number, and a tag that cannot be read as its `fault`: the gate refuses each by name.

    Args:
        message: the trajectory.
        received_ns: monotonic.
        period_s: of a message of one row, which has none of its own.
        publisher: who sent it; empty takes the session of its tag.
    """
    parsed, rows = Tag.parse(message.header.frame_id), [point.positions for point in message.points]
    tag, fault = (Tag(), parsed.reason) if isinstance(parsed, Refusal) else (parsed, "")
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
        names=tuple(message.joint_names),
        values=values,
        start_ns=time_of(message.header.stamp),
        period_s=period_s,
        chunk_id=tag.chunk_id,
        received_ns=received_ns,
        publisher=publisher or tag.session,
        session=tag.session,
        epoch=tag.epoch,
        seed=tag.seed,
        value=tag.value,
        fault=fault,
    )


def read_chunk(packed: bytes, received_ns: int, period_s: float, dim: int) -> ChunkSample:
    """A chunk from its bytes. Never raises.

    What is no chunk, or longer than `LONGEST_CHUNK_S`, comes out with a `fault` and no rows, before anything of it has
    become an object of Python: 200,000 rows took 1.9 s to unpack, in which no command went out.

    Args:
        packed: the message.
        received_ns: monotonic.
        period_s: of the contract.
        dim: of the contract's action.
    """
    fault = _too_much(packed, period_s, dim) or unreadable(packed, JointTrajectory, CHUNK_LIMITS)
    if not fault:
        try:
            message: JointTrajectory = deserialize_message(packed, JointTrajectory)
            return chunk_sample(message, received_ns, period_s)
        except Exception as error:  # the middleware's own opinion of the bytes
            fault = f"{type(error).__name__}: {shown(str(error))}"
    return ChunkSample((), np.empty((0, dim)), 0, period_s, 0, received_ns, fault=fault)


def _too_much(packed: bytes, period_s: float, dim: int) -> str:
    """Why a chunk is too large to be read, by a few of its lengths; empty when it is not."""
    try:
        cursor = Cursor(packed)
        cursor.skip(4, 2)  # the stamp
        tag = cursor.string() - 1
        if tag > 4 * LONGEST_TAG:
            return f"a tag of {tag} bytes"
        names = cursor.length(4)
        if names > 2 * dim + OTHER_NAMES:
            return f"{names} names"
        for _ in range(names):
            cursor.string()
        rows = cursor.length(24)
    except Malformed as error:
        return str(error)
    return f"{rows} rows, more than ten seconds of them" if rows * period_s > LONGEST_CHUNK_S * (1 + 1e-9) else ""
