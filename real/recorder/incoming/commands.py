"""Commands of the gate as a recorder reads them: `gate/sent`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import numpy as np
from trajectory_msgs.msg import JointTrajectory

from real.recorder.incoming.arrivals import Arrivals
from real.recorder.rows import LARGEST
from real.ros.messages import time_of
from real.ros.reading import Refusal
from real.ros.wire.alike import AlikeReader
from real.ros.wire.repeated import Unpacker
from robot.description import ActionSpec


@dataclass(frozen=True, eq=False)
class SentCommand:
    """A command of the gate.

    Args:
        time_ns: when it is reached.
        requested, commanded: (dim,).
        reason: who or what decided.
        now_ns, now_s: when it was taken, in the time of the stamps and monotonic.
    """

    time_ns: int
    requested: np.ndarray
    commanded: np.ndarray
    reason: str
    now_ns: int
    now_s: float


class SentReader:
    """Reads `gate/sent`.

    Args:
        spec: of the commands.
    """

    def __init__(self, spec: ActionSpec) -> None:
        self._spec = spec
        self._unpack, self._alike = Unpacker(JointTrajectory), AlikeReader(JointTrajectory)

    def read(self, arrivals: Arrivals) -> Iterator[SentCommand | Refusal]:
        """Each command, or why it is none."""
        many, dim = self._alike(arrivals.packed), self._spec.dim
        if many is None or not np.abs(many.numbers).max() < LARGEST:
            yield from (self._one(*each) for each in arrivals)
            return
        moments = zip(many.stamps_ns.tolist(), many.numbers, many.frames, arrivals.now_ns, arrivals.now_s)
        for stamp_ns, numbers, frame, now_ns, now_s in moments:
            yield SentCommand(stamp_ns, numbers[:dim], numbers[dim:], frame.partition("|")[0], now_ns, now_s)

    def _one(self, packed: bytes, now_ns: int, now_s: float) -> SentCommand | Refusal:
        message = self._unpack(packed)
        if isinstance(message, Refusal):
            return message
        if tuple(message.joint_names) != self._spec.component_names or len(message.points) != 2:
            return Refusal("the gate has another contract: its commands have other components")
        requested, commanded = (np.array(point.positions) for point in message.points)
        for numbers in (requested, commanded):
            if numbers.shape != (self._spec.dim,) or not np.abs(numbers).max() < LARGEST:
                return Refusal(f"a command of {numbers.size} numbers, {self._spec.dim} finite ones are expected")
        self._alike.learn(packed, message)  # those like it have as many numbers, of the same components
        reason = message.header.frame_id.partition("|")[0]
        return SentCommand(time_of(message.header.stamp), requested, commanded, reason, now_ns, now_s)
