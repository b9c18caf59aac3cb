"""The measured state, and its distance from the last command."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

import numpy as np

from robot.safety.gate.inputs import Now, StateSample
from robot.safety.gate.stages.agreement import agreed, since_last
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.state import GateState, Measurement, Watched


class Comparison(NamedTuple):
    """The robot's distance from its last command.

    Args:
        displacement: (tangent,) displacement from the command to the measured state.
        excess: per group, its tracking error as a multiple of the allowed one.
        distances: per field, empty while nothing can be compared.
        errors: name of a field -> its distance.
    """

    displacement: np.ndarray
    excess: tuple[float, ...]
    distances: np.ndarray
    errors: Mapping[str, float]


def measure(parts: Parts, state: GateState, watched: Watched, samples: Sequence[StateSample], now: Now) -> GateState:
    """The state with the messages and measurements since the last tick, and with a first command once the robot is
    known and steady.
    """
    known, measuring = state.measurement, parts.measuring
    if not samples:
        return state.with_measurement(watched, known, state.agreement)
    values = measuring.written(known.values, samples)
    joints = measuring.joints(known.joints, samples)
    elapsed_s, sampled_ns = since_last(measuring, known, samples, now)
    agreement = agreed(measuring, state, values, joints, elapsed_s, now)
    command = state.command if measuring.has_efforts(samples) else known.command
    measurement = Measurement(values, measuring.efforts(known.efforts, samples), command, joints, sampled_ns)
    state = state.with_measurement(watched, measurement, agreement)
    if len(state.command) or agreement.steady_ns is None:
        return state
    settle_ns = 0 if agreement.reset else parts.settings.settle_s * 1e9
    if now.monotonic_ns - agreement.steady_ns < settle_ns:
        return state
    return parts.seeded(state, measuring.seed(values), now)


def compare(parts: Parts, state: GateState) -> Comparison:
    """The comparison of the last command with the newest measured state, where there are both."""
    if not len(state.command) or not len(state.measured):
        return Comparison(parts.motion.at_rest(), (0.0,) * len(parts.settings.groups), np.empty(0), {})
    measuring = parts.measuring
    displacement, distances = measuring.distances(state.command, state.measured)
    return Comparison(displacement, measuring.excess(distances), distances, measuring.errors(distances))
