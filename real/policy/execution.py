"""Whether the policy's plans are executed, as `gate/sent` reports it, and from where the next one begins."""

from __future__ import annotations

import numpy as np

from real.ros.chunks import read_chunk
from real.ros.reading import Refusal
from real.ros.wire.packed import read_header
from robot.description import ActionSpec
from robot.safety.gate.actor import Actor, actor_of


class Execution:
    """The newest message of `gate/sent`. It comes in every tick: no more of it is read than is needed.

    Args:
        spec: of the commands.

    Attributes:
        actor: whose command the robot follows; None before the first message.
        changed_ns: of the source's time, when it began to act.
    """

    def __init__(self, spec: ActionSpec) -> None:
        self._spec = spec
        self._packed = b""
        self.actor: Actor | None = None
        self.changed_ns = 0

    def add(self, packed: bytes, now_ns: int) -> Refusal | None:
        """Take a message, as bytes; `now_ns` is in the source's time."""
        header = read_header(packed)
        if isinstance(header, Refusal):
            return header
        stamp_ns, frame = header
        actor = actor_of(frame.partition("|")[0])
        if actor is not self.actor:
            self.actor, self.changed_ns = actor, min(stamp_ns, now_ns)
        self._packed = packed
        return None

    @property
    def held(self) -> np.ndarray | None:
        """(dim,) the command at which the gate holds the robot; None while somebody acts, or if it cannot be read."""
        if self.actor is not Actor.HOLD:
            return None
        sent = read_chunk(self._packed, 0, self._spec.period_s, self._spec.dim)
        if sent.fault or sent.names != self._spec.component_names or sent.values.shape != (2, self._spec.dim):
            return None
        command: np.ndarray = sent.values[1]
        return command if np.isfinite(command).all() else None
