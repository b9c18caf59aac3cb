"""What of a robot a person moves at one time, with its speeds and limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from real.teleop.device import MOTION
from robot.contract.contract import Contract
from robot.description.limb import Limb, Tool
from robot.description.loading import RobotDescription

RAMP_S = 0.2  # from rest to the full velocity, at least
JOINTS = 6  # that one part has at most: as many as a device has axes
MIDDLE = (0.25, 0.75)  # of a joint's range: one that rests there spreads or turns fingers and does not close them


@dataclass(frozen=True)
class Speeds:
    """At full stick, before the contract's limits.

    Args:
        position, rotation, joint: m/s, rad/s, rad/s.
        grip: share of the travel from open to closed, per second.
    """

    position: float = 0.1
    rotation: float = 0.5
    joint: float = 0.3
    grip: float = 0.7


@dataclass(frozen=True, eq=False)
class JoggedPart:
    """What a device moves at one time: a tcp, or some joints of an arm; with the tool of that arm.

    Args:
        name: for a person.
        columns: (n,) of the action that it moves: position and rotation, or joints.
        full: (6,) or (n,) the velocity at full stick, per second.
        low, high: (3,) of the position or (n,) of the joints; infinite where there is no limit.
        tool: (m,) columns of the tool.
        grip: (m,) velocity of closing at full, per second.
        tool_low, tool_high: (m,).
        ramp_s: from rest to the full velocity.
        is_tcp: whether it is a tcp.
        axes: what the axes of a device are.
        arm: which arm of the robot it belongs to, from 0.
    """

    name: str
    columns: np.ndarray
    full: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tool: np.ndarray
    grip: np.ndarray
    tool_low: np.ndarray
    tool_high: np.ndarray
    ramp_s: float
    is_tcp: bool
    axes: tuple[str, ...]
    arm: int


def parts_of(contract: Contract, description: RobotDescription, speeds: Speeds) -> tuple[JoggedPart, ...]:
    """The parts of a robot in the order in which a person steps through them."""
    slices = description.action_spec(contract.period_s, contract.control).slices
    parts: list[JoggedPart] = []
    for arm, limb in enumerate(description.limbs):
        command = limb.tool.command
        where = slices[limb.field(command.name)]
        low, high, rates = _grip(limb.tool, speeds.grip, contract.limits.tool.speed)
        tool = (np.arange(where.start, where.stop), rates, low, high)
        name = limb.element("arm")
        if contract.control == "cartesian":
            spans = [slices[limb.field(each)] for each in ("tcp.position", "tcp.rotation")]
            moved = np.concatenate([np.arange(span.start, span.stop) for span in spans])
            full, box, ramp_s = _tcp(contract, speeds)
            parts.append(JoggedPart(name, moved, full, *box, *tool, ramp_s, True, MOTION, arm))
            continue
        first = slices[limb.field("arm.joints")].start
        for at in range(0, len(limb.arm.joints), JOINTS):
            chosen = range(at, min(at + JOINTS, len(limb.arm.joints)))
            full, box, ramp_s = _joints(contract, limb, chosen, speeds.joint)
            names = tuple(limb.arm.joints[joint] for joint in chosen)
            label, moved = f"{name} {names[0]} to {names[-1]}", first + np.array(chosen)
            parts.append(JoggedPart(label, moved, full, *box, *tool, ramp_s, False, names, arm))
    return tuple(parts)


def _tcp(contract: Contract, speeds: Speeds) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], float]:
    limits = contract.limits.tcp
    speed, turn = speeds.position, speeds.rotation
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    ramp_s = RAMP_S
    if limits is not None:
        speed, turn = min(speed, limits.speed), min(turn, limits.turn_speed)
        ramp_s = max(RAMP_S, speed / limits.acceleration, turn / limits.turn_acceleration)
        if limits.workspace is not None:
            low, high = np.array(limits.workspace.low), np.array(limits.workspace.high)
    return np.array([speed] * 3 + [turn] * 3), (low, high), ramp_s


def _joints(
    contract: Contract, limb: Limb, chosen: range, speed: float
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], float]:
    limits, arm = contract.limits.joints, limb.arm
    full = np.array([min(speed, limits.speed_scale * arm.velocity[joint]) for joint in chosen])
    low, high = np.array([arm.position[joint] for joint in chosen]).T
    accelerations = [limits.acceleration or np.inf, *(arm.acceleration[joint] for joint in chosen if arm.acceleration)]
    return full, (low + limits.margin, high - limits.margin), max(RAMP_S, float(max(full)) / min(accelerations))


def _grip(tool: Tool, rate: float, fastest: float | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Limits (m,) of a tool's command, and the velocity (m,) with which all of it closes in the same time."""
    command = tool.command
    ends = np.array(
        [sorted(command.scale * position + command.offset for position in positions) for positions in tool.position]
    )
    low, high = ends[:, 0], ends[:, 1]
    if command.kind == "width":
        travel = low - high
    else:
        rest = command.scale * np.array(tool.rest) + command.offset
        share = (rest - low) / (high - low)
        closed = np.where(share < MIDDLE[0], high, np.where(share > MIDDLE[1], low, rest))
        travel = closed - rest
    longest = float(np.abs(travel).max())
    return low, high, travel * (min(rate, (fastest or np.inf) / longest) if longest else rate)
