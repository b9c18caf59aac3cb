"""The objects that the stages use: the settings, and what is computed from them once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Mapping

import numpy as np

from robot.safety.gate.inputs import Now
from robot.safety.gate.leash import Leash
from robot.safety.gate.measuring import Measuring
from robot.safety.gate.motion import Motion
from robot.safety.gate.settings import GateSettings
from robot.safety.gate.stages.fingers import Fingers
from robot.safety.gate.stages.values import StreamValues
from robot.safety.gate.state import GateState


@dataclass(frozen=True)
class Parts:
    """Of one gate.

    Args:
        settings: of the robot and its twin alike.
        measuring: writes measured values into the columns of a command.
        motion: steps within the limits.
        leash: the set-point filter.
        fingers: those whose effort is capped.
        values: name of a state stream -> the check of its messages.
        lead_ns: how far the path runs ahead of the source's time.
    """

    settings: GateSettings
    measuring: Measuring
    motion: Motion
    leash: Leash
    fingers: Fingers
    values: Mapping[str, StreamValues]
    lead_ns: int

    def path_ns(self, now: Now) -> int:
        """The moment of the path that a command of this tick is for."""
        return now.ros_ns + self.lead_ns

    def last_ns(self, state: GateState, now: Now) -> int:
        """The time of the last command on the path: two ticks ago at most."""
        longest = round(2 * self.settings.tick_s * 1e9)
        return max(state.sent.time_ns, self.path_ns(now) - longest)

    def seeded(self, state: GateState, command: np.ndarray, groups: np.ndarray, now: Now) -> GateState:
        """The state with some groups, (groups,) bool, at rest at a command (dim,) that leaves the robot where it is.

        The others brake on as they do.
        """
        if not len(state.command):
            sent = replace(
                state.sent,
                command=command,
                path_position=command,
                velocity=self.motion.at_rest(),
                time_ns=self.path_ns(now),
            )
            return replace(state, sent=sent, tracking=replace(state.tracking, yielding=()))
        sent = replace(
            state.sent,
            command=command,
            path_position=np.where(self.motion.columns(groups), command, state.sent.path_position),
            velocity=np.where(self.motion.tangents(groups), 0.0, state.sent.velocity),
        )
        yielding = tuple(0.0 if chosen else far for chosen, far in zip(groups, state.tracking.yielding))
        return replace(state, sent=sent, tracking=replace(state.tracking, yielding=yielding))
