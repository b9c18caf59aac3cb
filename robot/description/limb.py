"""The parts of a robot: arms and tools, each described once, combined into limbs.

A line above three hundred: small tables of facts that refer to one another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from robot.description.robot import Coupling, Payload
from robot.errors import InputError


@dataclass(frozen=True)
class Impedance:
    """The stiffness and damping of an arm.

    Args:
        position: (3,) N/m along the axes of the base frame.
        rotation: (3,) N*m/rad about them.
        joint: N*m/rad per joint, in joint control.
        posture: N*m/rad, stiffness towards the rest posture in the null space.
        damping_ratio: 1 is critical.
    """

    position: tuple[float, ...] = (1000.0, 1000.0, 1000.0)
    rotation: tuple[float, ...] = (60.0, 60.0, 60.0)
    joint: tuple[float, ...] = ()
    posture: float = 10.0
    damping_ratio: float = 1.0

    def __post_init__(self) -> None:
        for name in ("position", "rotation"):
            if len(getattr(self, name)) != 3:
                raise InputError(f"impedance: {name}", expected="3 stiffnesses", got=str(getattr(self, name)))
        if min((*self.position, *self.rotation, *self.joint, self.posture, self.damping_ratio)) < 0:
            raise InputError("impedance", expected="no negative stiffness or damping", got=str(self))


@dataclass(frozen=True)
class Arm:
    """An arm, as in `configs/robot/arm`.

    Args:
        model: its MJCF file: a path, or `robosuite:` and a path within robosuite's assets.
        joints: from the base to the flange.
        position, velocity, effort, acceleration: limits per joint (rad, rad/s, N*m, rad/s^2).
        torque_rate: largest change of a joint's torque, N*m/s.
        rest: rest posture, rad.
        flange: body that carries the tool.
        shoulder: (3,) m, centre of the reach, in the arm's base frame.
        reach_m: largest distance of the flange from it.
        impedance: stiffness and damping.
    """

    model: str
    joints: tuple[str, ...]
    position: tuple[tuple[float, float], ...]
    velocity: tuple[float, ...]
    effort: tuple[float, ...]
    rest: tuple[float, ...]
    flange: str
    shoulder: tuple[float, ...]
    reach_m: float
    acceleration: tuple[float, ...] = ()
    torque_rate: tuple[float, ...] = ()
    impedance: Impedance = Impedance()

    def __post_init__(self) -> None:
        for name in ("position", "velocity", "effort", "rest"):
            if len(getattr(self, name)) != len(self.joints):
                raise InputError(
                    f"arm: {name}",
                    expected=f"{len(self.joints)} values, one a joint",
                    got=str(len(getattr(self, name))),
                )
        for joint, (low, high), angle in zip(self.joints, self.position, self.rest):
            if not low <= angle <= high:
                raise InputError(
                    f"arm: rest posture of joint '{joint}'",
                    expected=f"within its limits {low} .. {high} rad",
                    got=str(angle),
                )


@dataclass(frozen=True)
class ToolCommand:
    """The command of a tool, one number per leading joint.

    Args:
        name: of the action's field, such as `gripper.width` or `hand.joints`.
        unit, kind: of the field.
        scale: command units per unit of the joint: two fingers that each move by w/2 have a width scale of 2.
        offset: command value where the joint is at 0: a gripper that closes by turning starts at its full width.
    """

    name: str
    unit: str
    kind: str
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.scale == 0:
            raise InputError(f"tool: command '{self.name}': scale", expected="a number other than 0", got="0")


@dataclass(frozen=True)
class WristCamera:
    """The pose of a wrist camera, in the flange's frame.

    Args:
        eye: (3,) m.
        at: (3,) m, the point that it looks at.
    """

    eye: tuple[float, ...] = (0.1, 0.0, 0.02)
    at: tuple[float, ...] = (0.035, 0.0, 0.14)

    def __post_init__(self) -> None:
        for name in ("eye", "at"):
            if len(getattr(self, name)) != 3:
                raise InputError(f"wrist_camera: {name}", expected="3 coordinates", got=str(getattr(self, name)))
        if self.eye[1:] == self.at[1:]:
            raise InputError(
                "wrist_camera",
                expected="a view that is not along x of the flange, where up is",
                got=f"from {self.eye} to {self.at}",
            )


@dataclass(frozen=True)
class Drive:
    """The position drives of a tool, in place of its model's own; the same for every joint.

    Args:
        stiffness: N*m/rad, or N/m where joints slide.
        damping: N*m*s/rad, or N*s/m.
        effort: N*m, or N, largest of a drive.
        armature: kg*m^2, or kg, inertia of motor and gear at the joint.
        linked: only leading joints have a drive, a linkage moves the followers. Each follower is coupled by a
            constraint, in place of the model's drives, tendons and constraints. Else all have a drive.
    """

    stiffness: float
    damping: float
    effort: float
    armature: float = 0.0
    linked: bool = False

    def __post_init__(self) -> None:
        if min(self.stiffness, self.effort) <= 0 or min(self.damping, self.armature) < 0:
            raise InputError(
                "tool: drive", expected="a stiffness and effort above 0, no negative damping or armature", got=str(self)
            )


@dataclass(frozen=True)
class Skin:
    """The contact surface of a tool, in place of its model's own.

    Args:
        friction: sliding, torsional (m), rolling (m), as in MuJoCo.
        hull_vertices: largest number per link's convex hull: contacts of few are quick to compute.
    """

    friction: tuple[float, ...]
    hull_vertices: int = 32

    def __post_init__(self) -> None:
        if len(self.friction) != 3 or min(self.friction) < 0:
            raise InputError("tool: skin: friction", expected="3 coefficients, none negative", got=str(self.friction))
        if self.hull_vertices < 4:
            raise InputError("tool: skin: hull_vertices", expected="4 or more", got=str(self.hull_vertices))


@dataclass(frozen=True)
class Tool:
    """A gripper or a hand, as in `configs/robot/tool`.

    Args:
        model: its MJCF file, as for an arm.
        group: name of its joint group: `gripper` or `hand`.
        joints: that are commanded, in the command's order.
        position: limits of each (rad or m).
        velocity, effort: limits of each, where known.
        rest: (n,) rad or m.
        command: its field of the action.
        coupling: joints that follow: by a drive of their own, by a constraint of the model, or linked (see `Drive`).
        drive: of its joints; None leaves the model's own drives.
        skin: contact surface; None leaves the model's own surfaces.
        mount_position: (3,) m of the tool's root on the flange.
        mount_quat_wxyz: (4,) its orientation there.
        tcp_position: (3,) m of the tcp in the flange's frame.
        tcp_quat_wxyz: (4,) its orientation there: z out of the hand, y along the opening of the fingers.
        wrist_camera: pose of the camera that sees the tool.
    """

    model: str
    group: str
    joints: tuple[str, ...]
    position: tuple[tuple[float, float], ...]
    rest: tuple[float, ...]
    command: ToolCommand
    tcp_position: tuple[float, ...] = (0.0, 0.0, 0.0)
    tcp_quat_wxyz: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)
    velocity: tuple[float, ...] = ()
    effort: tuple[float, ...] = ()
    coupling: tuple[Coupling, ...] = ()
    drive: Drive | None = None
    skin: Skin | None = None
    mount_position: tuple[float, ...] = (0.0, 0.0, 0.0)
    mount_quat_wxyz: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)
    wrist_camera: WristCamera = WristCamera()

    def __post_init__(self) -> None:
        for name in ("position", "rest"):
            if len(getattr(self, name)) != len(self.joints):
                raise InputError(
                    f"tool: {name}",
                    expected=f"{len(self.joints)} values, one a joint",
                    got=str(len(getattr(self, name))),
                )
        for joint, (low, high), position in zip(self.joints, self.position, self.rest):
            if not low <= position <= high:
                raise InputError(
                    f"tool: rest posture of joint '{joint}'",
                    expected=f"within its limits {low} .. {high}",
                    got=str(position),
                )
        for follower in self.coupling:
            if follower.leader not in self.joints:
                raise InputError(
                    f"tool: coupling of '{follower.joint}'",
                    expected=f"a leader among {', '.join(self.joints)}",
                    got=f"'{follower.leader}'",
                )


@dataclass(frozen=True)
class LimbFile:
    """One limb of a robot's file.

    Args:
        arm: name of a file in `configs/robot/arm`.
        tool: name of a file in `configs/robot/tool`.
        name: prefix of its names, such as `left`; empty for the only limb.
        position: (3,) m of the arm's base in the robot's base frame.
        yaw: rad, its rotation about the vertical.
        payload: on the tcp, declared to the controller.
    """

    arm: str
    tool: str
    name: str = ""
    position: tuple[float, ...] = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    payload: Payload = Payload()


@dataclass(frozen=True)
class RobotFile:
    """A robot's file in `configs/robot`."""

    limbs: tuple[LimbFile, ...]


@dataclass(frozen=True)
class Limb:
    """An arm with its tool, placed.

    Args:
        name: prefix of its joints, frames and fields, with a dot or underscore added; empty for the only limb.
        arm, tool: their descriptions.
        position, yaw: of the base, m and rad.
        payload: on the tcp.
    """

    name: str
    arm: Arm
    tool: Tool
    position: tuple[float, ...] = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    payload: Payload = field(default_factory=Payload)

    def element(self, name: str) -> str:
        """The name of a joint, body or site of this limb in the robot's model."""
        return f"{self.name}_{name}" if self.name else name

    def field(self, name: str) -> str:
        """The name of a field of this limb in an action or observation."""
        return f"{self.name}.{name}" if self.name else name

    @property
    def tcp(self) -> str:
        """Name of its tool centre point in the model."""
        return self.element("tcp")

    @property
    def rest(self) -> Mapping[str, float]:
        """The rest positions by joint, of arm and commanded tool joints."""
        joints = [*zip(self.arm.joints, self.arm.rest), *zip(self.tool.joints, self.tool.rest)]
        return {self.element(joint): position for joint, position in joints}
