"""Whether command and measured state agree: a driver's report is believed only where it is plausible.

A measured state that moves faster than any robot does has *jumped*: a driver that starts reports zeros, an encoder is
off by a turn, a second robot publishes. No command follows it until it is back, or a person enables the gate again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Sequence

import numpy as np

from robot.safety.gate.inputs import Now, StateSample
from robot.safety.gate.limits import any_differs
from robot.safety.gate.measuring import Measuring
from robot.safety.gate.state import Agreement, GateState, Measurement, Stopped

JOINT_JUMP, JOINT_SPEED = 0.3, 30.0  # rad and rad/s: of a joint that is not commanded itself
LONG_NS = 10**15
RESTS, RESTED_S = 0.02, 0.08  # share of the allowed distance within which, and time for which, an arm at rest stays
MET = 0.1  # of the allowed distance, above which a command meets such an arm
RESET_S = 0.1  # in which a twin that was reset reports it: until then its state has jumped
AGAIN_S = 1.0  # within which another jump is of the same series
ACCEPTED_S = 0.2  # without another jump, before a person may accept a state that has jumped


def since_last(
    measuring: Measuring, known: Measurement, samples: Sequence[StateSample], now: Now
) -> tuple[float, Mapping[str, tuple[int, int]]]:
    """The time since the arms' last measurement, and when each has been measured now.

    Args:
        measuring: of the gate.
        known: before the samples.
        samples: sound ones.
        now: the moment: a stamp that is ahead of it makes no time pass.

    Returns:
        The shortest time, s, and `Measurement.sampled_ns` with the samples in it.
    """
    elapsed_ns, sampled = LONG_NS, known.sampled_ns
    for group, name in measuring.compared:
        for sample in samples:
            if name in sample.values:
                stamp_ns, before = min(sample.stamp_ns, now.ros_ns), known.sampled_ns.get(group)
                if before is not None:
                    # The stamps show the time across a stall, the moments of receipt that across a clock that was set.
                    elapsed_ns = min(elapsed_ns, max(stamp_ns - before[0], sample.received_ns - before[1]))
                sampled = {**sampled, group: (stamp_ns, sample.received_ns)}
    return elapsed_ns * 1e-9, sampled


def agreed(
    measuring: Measuring, state: GateState, measured: np.ndarray, joints: np.ndarray, elapsed_s: float, now: Now
) -> Agreement:
    """The agreement after newer measurements.

    Args:
        measuring: of the gate.
        state: before them.
        measured, joints: (dim,) and (n,) with them.
        elapsed_s: since the arms were measured before.
        now: the moment.
    """
    known = state.agreement
    jump = measuring.plausibility.jump(state.measured, measured, elapsed_s) or joint_jump(measuring, state, joints)
    if not len(state.command):
        unknown = measuring.missing(measured) or measuring.plausibility.implausible(measured)
        if jump or unknown or known.steady_ns is None:
            return replace(known, steady_ns=None if unknown else now.monotonic_ns)
        return known
    if not jump:
        return known
    return jumped(state, jump, now)


def jumped(state: GateState, jump: str, now: Now) -> Agreement:
    """The agreement of a gate's state after a jump, with its description: one more, or the first."""
    known = state.agreement
    again = known.jumped_ns and now.monotonic_ns - known.jump_ns < AGAIN_S * 1e9
    known = replace(known, jump_ns=now.monotonic_ns, jumped_ns=known.jumped_ns if again else now.monotonic_ns)
    if known.jump:
        return known
    return replace(known, jump=jump, stands=state.latch.enabled, joints=state.measurement.joints)


def joint_jump(measuring: Measuring, state: GateState, joints: np.ndarray) -> str:
    """A description of a jump of joints that only the capsules use; empty when there is none."""
    known = state.measurement.joints
    if not measuring.joints_apart or len(known) != len(joints) or joints is known:
        return ""
    if not any_differs(known, joints, max(JOINT_JUMP, JOINT_SPEED * measuring.settings.tick_s)):
        return ""
    change = np.abs(joints - known)
    worst = int(np.nanargmax(change))
    return f"{measuring.joint_names[worst]} by {change[worst]:.3g} rad"


def was_just_reset(agreement: Agreement, now: Now) -> bool:
    """Whether a twin was reset so lately that it may still report its former position."""
    return agreement.reset_ns is not None and now.monotonic_ns - agreement.reset_ns < RESET_S * 1e9


def is_back(agreement: Agreement, joints: np.ndarray, apart: np.ndarray) -> bool:
    """Whether a state that had jumped is back at the command and at the joints before the jump.

    Args:
        agreement: with a jump.
        joints: (n,) measured now.
        apart: (groups,) bool, which groups are far from the command.
    """
    known = len(agreement.joints) == len(joints)
    return not apart.any() and not (known and (np.abs(joints - agreement.joints) > JOINT_JUMP).any())


def met_at_rest(measuring: Measuring, state: GateState, stopped: bool, now: Now) -> tuple[Stopped | None, bool]:
    """The state of an arm that its driver has stopped, and whether the command is to meet it now.

    It is met once, when it first rests, until the gate is enabled again or its fault reset: an arm that is held by its
    drive nevertheless, or whose driver stops again and again, would yield each time.

    Args:
        measuring: of the gate.
        state: with the newest measured state.
        stopped: whether the driver does not run the robot and the measured state can be trusted.
        now: the moment.
    """
    known = state.agreement.stopped
    if not stopped or not len(state.command):
        return (None if state.latch.enabled else known), False
    if known is None:
        return Stopped(state.measured, now.monotonic_ns), False
    if not len(known.measured):
        return known, False
    if measuring.apart(measuring.distances(known.measured, state.measured)[1] / RESTS).any():
        return Stopped(state.measured, now.monotonic_ns), False
    # A stream that has fallen silent does not show whether the arm rests.
    measured_ns = max((received_ns for _, received_ns in state.measurement.sampled_ns.values()), default=0)
    if measured_ns - known.since_ns < RESTED_S * 1e9:
        return known, False
    return Stopped(np.empty(0), now.monotonic_ns), True


def accepted(measuring: Measuring, state: GateState, trusted: bool, now: Now) -> Agreement:
    """The agreement after a person has enabled the gate: the reported state is accepted, unless it has only just
    jumped, is implausible, or not `trusted` to be the robot's state now.
    """
    known = state.agreement
    if known.jump and (
        not trusted
        or now.monotonic_ns - known.jump_ns < ACCEPTED_S * 1e9
        or measuring.plausibility.implausible(state.measured)
    ):
        return known
    return replace(known, jump="", joints=np.empty(0))
