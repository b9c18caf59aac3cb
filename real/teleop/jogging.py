"""A person's velocity made into targets: from the last command on, within the contract's limits, never far ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from real.teleop.device import MOTION, Wish
from robot.contract.contract import Contract
from robot.control.rotation import matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix, rotvec_from_matrix
from robot.description.limb import Limb, Tool
from robot.description.loading import RobotDescription

RAMP_S = 0.2  # from rest to the full velocity, at least
AHEAD_S = 0.3  # of the full velocity: how far a target may be from what the gate sends
FRAMES = ("base", "tool")
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


def parts_of(contract: Contract, description: RobotDescription, speeds: Speeds) -> tuple[JoggedPart, ...]:
    """The parts of a robot in the order in which a person steps through them."""
    slices = description.action_spec(contract.period_s, contract.control).slices
    parts: list[JoggedPart] = []
    for limb in description.limbs:
        command = limb.tool.command
        where = slices[limb.field(command.name)]
        low, high, rates = _grip(limb.tool, speeds.grip, contract.limits.tool.speed)
        columns, name = np.arange(where.start, where.stop), limb.element("arm")
        if contract.control == "cartesian":
            spans = [slices[limb.field(each)] for each in ("tcp.position", "tcp.rotation")]
            moved = np.concatenate([np.arange(span.start, span.stop) for span in spans])
            full, box, ramp_s = _tcp(contract, speeds)
            parts.append(JoggedPart(name, moved, full, *box, columns, rates, low, high, ramp_s, True, MOTION))
        else:
            first = slices[limb.field("arm.joints")].start
            for at in range(0, len(limb.arm.joints), JOINTS):
                chosen = range(at, min(at + JOINTS, len(limb.arm.joints)))
                full, box, ramp_s = _joints(contract, limb, chosen, speeds.joint)
                names = tuple(limb.arm.joints[joint] for joint in chosen)
                parts.append(
                    JoggedPart(
                        f"{name} {names[0]} to {names[-1]}",
                        first + np.array(chosen),
                        full,
                        *box,
                        columns,
                        rates,
                        low,
                        high,
                        ramp_s,
                        False,
                        names,
                    )
                )
    return tuple(parts)


class Jogging:
    """The target of a person who moves the robot by velocities.

    It starts from what the gate sent last, so that a take-over is no jump, and is drawn along when the gate's limits
    keep the robot back: motion that was requested and not done is not made up for later.

    Args:
        contract: of the robot.
        description: of the robot.
        speeds: at full stick.
        frame: `base`, or `tool` for motions along and about the axes of the tcp.
    """

    def __init__(
        self, contract: Contract, description: RobotDescription, speeds: Speeds = Speeds(), frame: str = "base"
    ):
        self.parts = parts_of(contract, description, speeds)
        self._in_tool = frame == "tool"
        self._target: np.ndarray | None = None
        self._velocity = np.zeros(7)
        self._part = 0

    @property
    def moving(self) -> bool:
        return self._target is not None

    def part(self, wish: Wish) -> JoggedPart:
        return self.parts[wish.part % len(self.parts)]

    def let_go(self) -> None:
        """Stop, and start anew from the command that is sent then."""
        self._target = None
        self._velocity = np.zeros(7)

    def step(self, wish: Wish, sent: np.ndarray, dt: float) -> np.ndarray | None:
        """The next target (dim,); None when the person has let go and the motion has come to rest.

        Args:
            wish: of the device.
            sent: (dim,) the last command of the gate.
            dt: s since the last step, in the robot's time.
        """
        part = self.part(wish)
        if wish.part != self._part:
            self.let_go()
            self._part = wish.part
        if not wish.held or not (wish.moves or self._velocity.any()):
            self.let_go()
            return None
        if self._target is None:
            self._target = np.array(sent, dtype=np.float64)
        requested = np.append(wish.motion, wish.grip)
        change = dt / part.ramp_s
        self._velocity = self._velocity + np.clip(requested - self._velocity, -change, change)
        target = self._target.copy()
        if part.is_tcp:
            self._move_tcp(part, target, sent, dt)
        else:
            rates = part.full * self._velocity[: len(part.columns)]
            target[part.columns] = _within(target[part.columns], rates * dt, part.low, part.high)
            ahead = part.full * AHEAD_S
            target[part.columns] = np.clip(target[part.columns], sent[part.columns] - ahead, sent[part.columns] + ahead)
        target[part.tool] = _within(
            target[part.tool], part.grip * self._velocity[6] * dt, part.tool_low, part.tool_high
        )
        ahead = np.abs(part.grip) * AHEAD_S
        target[part.tool] = np.clip(target[part.tool], sent[part.tool] - ahead, sent[part.tool] + ahead)
        self._target = target
        return target.copy()

    def _move_tcp(self, part: JoggedPart, target: np.ndarray, sent: np.ndarray, dt: float) -> None:
        position, turn = part.columns[:3], part.columns[3:]
        rotation, before = matrix_from_6d(target[turn]), matrix_from_6d(sent[turn])
        along, about = self._velocity[:3], self._velocity[3:6]
        # A diagonal is no faster than an axis: limits are those of the length.
        along, about = (each / max(1.0, float(np.linalg.norm(each))) for each in (along, about))
        if self._in_tool:
            along, about = rotation @ along, rotation @ about
        moved = _within(target[position], along * part.full[:3] * dt, part.low, part.high)
        target[position] = sent[position] + _shortened(moved - sent[position], part.full[0] * AHEAD_S)
        rotation = matrix_from_rotvec(about * part.full[3:] * dt) @ rotation
        ahead = _shortened(rotvec_from_matrix(rotation @ before.T), part.full[3] * AHEAD_S)
        target[turn] = rotation_6d_from_matrix(matrix_from_rotvec(ahead) @ before)


def _within(place: np.ndarray, step: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A step that does not leave the limits; from outside of them it leads only inwards."""
    return np.clip(place + step, np.minimum(low, place), np.maximum(high, place))


def _shortened(way: np.ndarray, longest: float) -> np.ndarray:
    length = float(np.linalg.norm(way))
    return way if length <= longest else way * (longest / length)


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
