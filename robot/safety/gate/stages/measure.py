"""The measured state, and its distance from the last command."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, NamedTuple, Sequence

import numpy as np

from robot.safety.gate.inputs import Now, StateSample
from robot.safety.gate.reasons import Reason
from robot.safety.gate.stages.agreement import agreed, since_last, was_just_reset
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.watch import Causes, stream_causes
from robot.safety.gate.state import Agreement, GateState, Measurement, Plan, Watched


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


def measure(
    parts: Parts, state: GateState, watched: Watched, samples: Sequence[StateSample], now: Now
) -> tuple[GateState, Causes]:
    """The state with the messages and measurements since the last tick, and with a first command once the robot is
    known and steady; and the notes on it.
    """
    known, measuring = state.measurement, parts.measuring
    if not samples:
        return state.with_measurement(watched, known, state.agreement), {}
    values = measuring.written(known.values, samples)
    joints = measuring.joints(known.joints, samples)
    elapsed_s, sampled_ns = since_last(measuring, known, samples, now)
    notes: Causes = {}
    agreement = agreed(measuring, state, values, joints, elapsed_s, now)
    if agreement.jump and was_just_reset(agreement, now):
        # The first state was one from before the reset: the robot begins where it is now.
        notes[Reason.SEEDED] = "reset"
        state = replace(state, sent=replace(state.sent, command=np.empty(0)), plan=Plan())
        agreement = Agreement(steady_ns=now.monotonic_ns, reset_ns=agreement.reset_ns)
    efforts, grip = parts.fingers.efforts(known.efforts, samples), known.grip
    if len(state.command) and parts.fingers.are_measured(samples):
        grip = parts.fingers.grip(known, efforts, state.command, state.sent.velocity, values)
    measurement = Measurement(values, efforts, grip, joints, sampled_ns)
    if not len(state.command) and not measuring.trusted(stream_causes(parts.settings, watched, now)[1]).all():
        agreement = replace(agreement, steady_ns=None)  # of some of it only an old or a doubtful value is known
    state = state.with_measurement(watched, measurement, agreement)
    if len(state.command) or agreement.steady_ns is None:
        return state, notes
    settle_ns = 0 if agreement.reset_ns is not None else parts.settings.settle_s * 1e9
    if now.monotonic_ns - agreement.steady_ns < settle_ns:
        return state, notes
    return parts.seeded(state, measuring.seed(values), ~measuring.no_groups, now), notes


def compare(parts: Parts, state: GateState) -> Comparison:
    """The comparison of the last command with the newest measured state, where there are both."""
    if not len(state.command) or not len(state.measured):
        return Comparison(parts.motion.at_rest(), (0.0,) * len(parts.settings.groups), np.empty(0), {})
    measuring = parts.measuring
    displacement, distances = measuring.distances(state.command, state.measured)
    return Comparison(displacement, measuring.excess(distances), distances, measuring.errors(distances))
