"""The specification of a robot: groups of joints with limits, tool centre points, a rest posture, a payload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from robot.errors import InputError


@dataclass(frozen=True)
class Coupling:
    """A joint that follows another one: position = ratio * leader + offset (rad or m)."""

    joint: str
    leader: str
    ratio: float
    offset: float = 0.0


@dataclass(frozen=True)
class JointGroup:
    """Joints that are commanded together: an arm, a hand.

    Args:
        name: for example `arm`, `left_arm`, `hand`.
        names: joint names in command order.
        position: (low, high) per joint, rad or m.
        velocity, effort, acceleration: the largest magnitude per joint, SI units; empty when unknown.
        coupling: joints that follow others mechanically.

    Raises:
        InputError: limits of another number than the joints, or a lowest position that is not below the highest.
    """

    name: str
    names: tuple[str, ...]
    position: tuple[tuple[float, float], ...]
    velocity: tuple[float, ...] = ()
    effort: tuple[float, ...] = ()
    acceleration: tuple[float, ...] = ()
    coupling: tuple[Coupling, ...] = ()

    def __post_init__(self) -> None:
        for what in ("position", "velocity", "effort", "acceleration"):
            limits = getattr(self, what)
            if len(limits) not in ((len(self.names),) if what == "position" else (0, len(self.names))):
                raise InputError(
                    f"group '{self.name}': {what} limits",
                    expected=f"{len(self.names)}, one a joint",
                    got=str(len(limits)),
                )
        for joint, (low, high) in zip(self.names, self.position):
            if not low < high:
                raise InputError(f"joint '{joint}': position limits", expected="low < high", got=f"{low}, {high}")


@dataclass(frozen=True)
class Payload:
    """The load on a tool centre point: mass in kg, centre of mass (3,) in m in the tcp frame."""

    mass_kg: float = 0.0
    centre_m: tuple[float, ...] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class RobotSpec:
    """A whole robot.

    Args:
        name: as in `configs/robot`.
        groups: arms and hands; two arms are two groups.
        tcps: group -> its tool centre point, as the frame's name in the model.
        rest: joint name -> position (rad or m) of the posture to rest in.
        payload: group -> payload at its tcp.

    Raises:
        InputError: a joint in two groups, or a rest posture of a joint that is in none.
    """

    name: str
    groups: tuple[JointGroup, ...]
    tcps: Mapping[str, str] = field(default_factory=dict)
    rest: Mapping[str, float] = field(default_factory=dict)
    payload: Mapping[str, Payload] = field(default_factory=dict)

    def __post_init__(self) -> None:
        joints = self.joint_names
        if len(set(joints)) != len(joints):
            raise InputError(f"robot '{self.name}'", expected="every joint in one group", got=", ".join(joints))
        unknown = set(self.rest) - set(joints)
        if unknown:
            raise InputError(
                f"robot '{self.name}': rest posture", expected="joints of the robot", got=", ".join(sorted(unknown))
            )

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the joints of all groups, in order."""
        return tuple(joint for group in self.groups for joint in group.names)
