"""Whether command and measured state belong together: what a driver reports is believed only where it can be true.

A measured state that moves faster than any robot does has *jumped*: a driver that starts says zeros, an encoder is off
by a turn, a second robot speaks. Nothing follows it until it is back, or a person enables the gate anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable

import numpy as np

from robot.safety.gate.inputs import Now, StateSample
from robot.safety.gate.measuring import Measuring
from robot.safety.gate.state import Agreement, GateState

JOINT_JUMP, JOINT_SPEED = 0.3, 30.0  # rad and rad/s: of a joint that is not commanded itself
LONG_S = 1e6
ACCEPTED_S = 0.2  # without another jump, before a person's word makes a state true that has jumped


def compared(measuring: Measuring, state: GateState, samples: Iterable[StateSample], measured: np.ndarray,
             joints: np.ndarray, now: Now) -> Agreement:
    """The agreement with newer samples in it.

    Args:
        measuring: of the gate.
        state: before them.
        samples: sound ones.
        measured, joints: (dim,) and (n,) with the samples in them.
        now: the moment.
    """
    known = state.agreement
    sampled = list(known.sampled_ns or (None,) * len(measuring.settings.groups))
    elapsed_s = LONG_S
    for group, sample in measuring.sampled(samples):
        before = sampled[group]
        if before is not None:
            # Of a stall's messages the stamps tell, of a clock that was set the moments of receipt.
            passed = max(sample.stamp_ns - before[0], sample.received_ns - before[1])
            elapsed_s = min(elapsed_s, passed * 1e-9)
        sampled[group] = sample.stamp_ns, sample.received_ns
    found = replace(known, sampled_ns=tuple(sampled))
    jump = measuring.jump(state.measured, measured, elapsed_s) or joint_jump(measuring, state, joints)
    if not len(state.command):
        # No tool is in its base; joints may all be at zero.
        unknown = measuring.missing(measured) or measuring.all_zeros(measured, ("pose",))
        if jump or unknown or known.steady_ns is None:
            steady_ns = None if unknown else now.monotonic_ns
            found = replace(found, steady_ns=steady_ns)
        return found
    if jump and not known.jump:
        return replace(found, jump=jump, jump_ns=now.monotonic_ns, joints=state.joints)
    if jump:
        return replace(found, jump_ns=now.monotonic_ns)
    return found


def joint_jump(measuring: Measuring, state: GateState, joints: np.ndarray) -> str:
    """The same of joints that only the capsules look at."""
    if len(state.joints) != len(joints) or joints is state.joints:
        return ""
    change = np.abs(joints - state.joints)
    if not (change > max(JOINT_JUMP, JOINT_SPEED * measuring.settings.tick_s)).any():
        return ""
    worst = int(np.nanargmax(change))
    return f"{measuring.joint_names[worst]} by {change[worst]:.3g} rad"


def is_back(agreement: Agreement, joints: np.ndarray, apart: np.ndarray) -> bool:
    """Whether a state that had jumped is again where the command and the joints before it are.

    Args:
        agreement: with a jump.
        joints: (n,) measured now.
        apart: (groups,) bool, which groups are far from the command.
    """
    known = len(agreement.joints) == len(joints)
    return not apart.any() and not (known and (np.abs(joints - agreement.joints) > JOINT_JUMP).any())


def accepted(measuring: Measuring, state: GateState, now: Now) -> Agreement:
    """The agreement after a person has enabled the gate: where the robot is said to be is taken for true, unless it has
    only just jumped there, or says nothing but zeros.
    """
    known = state.agreement
    if known.jump and (now.monotonic_ns - known.jump_ns < ACCEPTED_S * 1e9 or measuring.all_zeros(state.measured)):
        return known
    return replace(known, jump="", joints=np.empty(0))
