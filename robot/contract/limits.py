"""The limits of a contract, which the gate enforces; they are within those of the robot's description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from robot.contract.demands import require_positive
from robot.errors import InputError

TAIL_S = 0.15


@dataclass(frozen=True)
class Workspace:
    """A box for each tcp, m, in the base frame."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.low) != 3 or len(self.high) != 3 or any(a >= b for a, b in zip(self.low, self.high)):
            raise InputError(
                "workspace", expected="low and high, 3 numbers each, low < high", got=f"{self.low} and {self.high}"
            )


@dataclass(frozen=True)
class TcpLimits:
    """Limits of each tcp in cartesian control.

    Args:
        speed, acceleration: m/s, m/s^2.
        turn_speed, turn_acceleration: rad/s, rad/s^2.
        deceleration, turn_deceleration: None takes the one that stops from the speed within the tail, or the
            acceleration where that is larger.
        start, turn_start: how far from the command a first target may be (m, rad); None for no check.
        workspace: None for no box.
    """

    speed: float
    acceleration: float
    turn_speed: float
    turn_acceleration: float
    deceleration: float | None = None
    turn_deceleration: float | None = None
    start: float | None = 0.05
    turn_start: float | None = 0.3
    workspace: Workspace | None = None

    def __post_init__(self) -> None:
        require_positive(
            "limits: tcp",
            self,
            (
                "speed",
                "acceleration",
                "deceleration",
                "start",
                "turn_speed",
                "turn_acceleration",
                "turn_deceleration",
                "turn_start",
            ),
        )


@dataclass(frozen=True)
class JointLimits:
    """Limits of each arm's joints; within those of the robot's description.

    Args:
        speed_scale: of the description's velocities.
        acceleration: rad/s^2, every joint, and no more than the description's where it has one; None takes that.
        deceleration: rad/s^2; None as in `TcpLimits`.
        margin: rad, kept from the description's positions.
        start: rad, how far from the command a first target may be; None for no check.
    """

    speed_scale: float = 1.0
    acceleration: float | None = None
    deceleration: float | None = None
    margin: float = 0.0
    start: float | None = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.speed_scale <= 1:
            raise InputError(
                "limits: joints: speed_scale",
                expected="above 0 and at most 1: a contract only tightens",
                got=f"{self.speed_scale:g}",
            )
        if self.margin < 0:
            raise InputError("limits: joints: margin", expected="0 or more", got=f"{self.margin:g}")
        require_positive("limits: joints", self, ("acceleration", "deceleration", "start"))


@dataclass(frozen=True)
class ToolLimits:
    """Limits of every component of a gripper or hand, in the unit of its command.

    Args:
        speed: per second; None for no limit but the driver's.
        acceleration: None for no limit.
        force: largest effort of a joint, as its driver measures it (N*m, N or A, without its sign): near it a finger
            presses on more slowly, at it no further, and beyond it backs off. None for the drive's own limit.
    """

    speed: float | None = None
    acceleration: float | None = None
    force: float | None = None

    def __post_init__(self) -> None:
        require_positive("limits: tool", self, ("speed", "acceleration", "force"))


@dataclass(frozen=True)
class Limits:
    """Limits that the gate enforces; a contract only tightens those of the description.

    Args:
        tracking: group (`arm`, `gripper`, `left_arm`) -> distance of the command from the measured state that holds
            the robot, one number per field (m and rad, or rad); null for a group whose distance is meaningless, such
            as fingers on an object. Every group of the description is named.
        tcp: of cartesian control; None for no limit.
        joints: of joint control.
        tool: of grippers and hands.
        tail_s: time in which the robot is brought to rest when chunks end.
        capsules: whether minimum distances of links to one another and to the table are enforced.
    """

    tracking: Mapping[str, tuple[float, ...] | None]
    tcp: TcpLimits | None = None
    joints: JointLimits = JointLimits()
    tool: ToolLimits = ToolLimits()
    tail_s: float = TAIL_S
    capsules: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.tail_s <= TAIL_S:
            raise InputError("limits: tail_s", expected=f"above 0 and at most {TAIL_S} s", got=f"{self.tail_s:g}")
        for group, distances in self.tracking.items():
            if distances is not None and (not distances or min(distances) <= 0):
                raise InputError(
                    f"limits: tracking of '{group}'", expected="numbers above 0, or null", got=str(distances)
                )
