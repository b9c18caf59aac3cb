"""What one robot speaks: the contract between a policy's vector of targets and the topics of its drivers.

A contract is one YAML file (`configs/contract`), read by `robot.description.contracts.load_contract`, which also holds
it against the robot's description. These classes check what a part can know of itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterable, Mapping

from robot.description.robots import CONTROLS
from robot.errors import InputError, nearest

PLANTS = ("twin", "robot")
EVIDENCE = ("twin", "emulation", "example", "hardware")
OPERATORS = ("none", "required")
STREAM_TYPES = ("joint_state", "pose", "image", "depth", "values", "driver_state")
CAMERA_TYPES = ("image", "depth")
VIAS = ("twin", "forward", "jtc", "crisp_pose", "crisp_joint", "crisp_stiffness", "jointstate", "gripper")
MAPPED_VIAS = ("forward", "jtc", "crisp_joint", "jointstate", "gripper")
STOPS = ("hold", "silent")
ENERGY_MODES = ("torque", "setpoint", "none")
HOLD_PERIODS = 3.0  # two messages may be lost before a stream holds the robot
FLOOR_S = {"joint_state": 0.05, "pose": 0.05, "values": 0.2, "image": 0.2, "depth": 0.2, "driver_state": 0.2}
FAULT_S = {"image": 1.0, "depth": 1.0}  # a camera that comes back needs no person
TAIL_S = 0.15

_TOPIC = re.compile(r"~?/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class MappedJoint:
    """One number on the wire and what it is to us: `ours = sign * scale * wire + offset`.

    Args:
        name: ours: a joint of the robot's description, or a component of its action such as `gripper.width`.
        ros: name on the wire. The place on a wire without names is the place in the map.
        sign: 1, or -1 where the driver turns the other way.
        offset: ours, in our unit, where the wire says 0.
        scale: our units in one of the wire's: 2 for a width told by one of two fingers, 0.01745 for degrees.
        mimic: a joint that follows `name`. It is written where a map has it, and never read.
    """

    name: str
    ros: str
    sign: int = 1
    offset: float = 0.0
    scale: float = 1.0
    mimic: bool = False

    def __post_init__(self) -> None:
        if self.sign not in (1, -1):
            raise InputError(f"map of '{self.ros}': sign", expected="1 or -1", got=str(self.sign))
        if not 0 < self.scale < float("inf"):
            raise InputError(f"map of '{self.ros}': scale", expected="a number above 0", got=str(self.scale),
                             way_out="The direction is `sign`")
        if not abs(self.offset) < float("inf"):
            raise InputError(f"map of '{self.ros}': offset", expected="a finite number", got=str(self.offset))


@dataclass(frozen=True)
class Frames:
    """Frames on the wire.

    Args:
        base: in which all poses are: the robot's base frame of the description.
        tool: whose pose is told and measured: the tcp of the description.
    """

    base: str = "base"
    tool: str = "tcp"


@dataclass(frozen=True)
class Ages:
    """From which age on a stream is late, holds the robot, and is a fault (s)."""

    warn_s: float
    hold_s: float
    fault_s: float

    def __post_init__(self) -> None:
        if not 0 < self.warn_s < self.hold_s < self.fault_s:
            raise InputError("ages", expected="0 < warn < hold < fault",
                             got=f"{self.warn_s:g}, {self.hold_s:g}, {self.fault_s:g} s",
                             way_out="Raise fault_s, lower warn_periods, or let the driver publish faster")


@dataclass(frozen=True)
class Staleness:
    """When what comes is too old.

    Args:
        warn_periods: of a stream's own rate, from which on it is late; below the three from which on it holds.
        fault_s: age at which a stream that says nothing else is a fault.
        alive_s: without the supervisor's sign of life for so long the gate holds.
        enable_hold_s, enable_fault_s: without the person's hand on the enabling device.
        person_s: without a new target for so long a person has let go.
        future_s: how far ahead of now a chunk may be stamped.
    """

    warn_periods: float = 2.0
    fault_s: float = 0.5
    alive_s: float = 0.15
    enable_hold_s: float = 0.15
    enable_fault_s: float = 0.5
    person_s: float = 0.15
    future_s: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.warn_periods < HOLD_PERIODS:
            raise InputError("staleness: warn_periods", expected=f"above 0 and below {HOLD_PERIODS:g}",
                             got=f"{self.warn_periods:g}")
        if not 0 < self.enable_hold_s < self.enable_fault_s:
            raise InputError("staleness: enable", expected="0 < enable_hold_s < enable_fault_s",
                             got=f"{self.enable_hold_s:g}, {self.enable_fault_s:g}")
        _positive("staleness", self, ("fault_s", "alive_s", "person_s", "future_s"))


@dataclass(frozen=True)
class Stream:
    """One topic of measured state.

    Args:
        topic: relative to the robot's namespace.
        type: one of `STREAM_TYPES`; `values` are named numbers of a twin's task.
        rate_hz: that its driver keeps.
        map: of a `joint_state`: a name in the contract's `maps`.
        field: of a `pose`: `tcp`, or `left.tcp` of one arm of several.
        latency_s: age of a message when it comes, where its stamp is not the moment of the measurement.
        floor_s: the hold's age is not below; None takes `FLOOR_S`.
        fault_s: age that is a fault; None takes `FAULT_S`, or the contract's.
        size: (height, width) px of a camera's images; empty where it is not fixed.
        compressed: a camera's images come as JPEG or PNG.
    """

    topic: str
    type: str
    rate_hz: float
    map: str = ""
    field: str = "tcp"
    latency_s: float = 0.0
    floor_s: float | None = None
    fault_s: float | None = None
    size: tuple[int, ...] = ()
    compressed: bool = False

    def __post_init__(self) -> None:
        _one_of("type", self.type, STREAM_TYPES)
        _topic(self.topic)
        _positive("stream", self, ("rate_hz",))
        if self.latency_s < 0:
            raise InputError("latency_s", expected="0 or more", got=f"{self.latency_s:g}")
        if bool(self.map) != (self.type == "joint_state"):
            raise InputError("map", expected="the name of a map for a joint_state, and for nothing else",
                             got=f"{self.map!r} for type {self.type}")
        if self.size and (len(self.size) != 2 or min(self.size) < 1 or self.type not in CAMERA_TYPES):
            raise InputError("size", expected="height and width in px of a camera", got=str(self.size))
        if self.compressed and self.type not in CAMERA_TYPES:
            raise InputError("compressed", expected=f"one of {', '.join(CAMERA_TYPES)}", got=self.type)

    def ages(self, staleness: Staleness) -> Ages:
        """Hold is the larger of the floor and three periods, so that a slow stream is not stale by nature.

        Raises:
            InputError: not warn < hold < fault.
        """
        floor = FLOOR_S[self.type] if self.floor_s is None else self.floor_s
        fault = FAULT_S.get(self.type, staleness.fault_s) if self.fault_s is None else self.fault_s
        return Ages(staleness.warn_periods / self.rate_hz, max(floor, HOLD_PERIODS / self.rate_hz), fault)


@dataclass(frozen=True)
class Energy:
    """How energy is bounded below a sink.

    Args:
        mode: `torque` where the inner loop is ours, `setpoint` over a passive impedance of known stiffness, `none` on
            a position-controlled arm or hand: nothing bounds it.
        stiffness: (6,) N/m and N*m/rad along and about the base's axes.
    """

    mode: str = "none"
    stiffness: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _one_of("energy: mode", self.mode, ENERGY_MODES)
        if len(self.stiffness) not in ((0, 6) if self.mode == "none" else (6,)) or min(self.stiffness, default=1) < 0:
            raise InputError("energy: stiffness", expected="6 numbers, none negative (3 in N/m, 3 in N*m/rad)",
                             got=str(self.stiffness))


@dataclass(frozen=True)
class Sink:
    """Where fields of the action go.

    Args:
        via: the controller behind the topic, one of `VIAS`:
            `twin` takes the whole vector as it is; `forward` positions in the map's order (Float64MultiArray); `jtc`
            a short stamped trajectory that ends at rest; `crisp_pose` a PoseStamped; `crisp_joint` and `jointstate` a
            JointState; `gripper` one number; `crisp_stiffness` the 6 numbers of `energy`, or a field of that kind.
        topic: relative to the robot's namespace. No other sink has it: crisp mutes a topic with two publishers.
        fields: of the action, whole.
        rate_hz: how often it is told, at most the gate's own rate.
        map: name in the contract's `maps`, for those of `MAPPED_VIAS`; the map's order is the wire's.
        latency_s: from a command to the motion that it asks for. A stamped sink (`jtc`) gets its targets with the
            time at which they are due; for others the gate samples so much ahead.
        on_hold, on_stop: while the gate holds, and after a fault: `hold` tells it to stand where the gate's path came
            to rest; `silent` tells it nothing, so that the driver does what it does when nobody speaks.
        change: a target that differs by less than this on the wire from the last told is not told (goal-based tools).
        energy: how it is bounded.
    """

    via: str
    topic: str
    fields: tuple[str, ...]
    rate_hz: float
    map: str = ""
    latency_s: float = 0.0
    on_hold: str = "hold"
    on_stop: str = "hold"
    change: float = 0.0
    energy: Energy = Energy()

    def __post_init__(self) -> None:
        _one_of("via", self.via, VIAS)
        _one_of("on_hold", self.on_hold, STOPS)
        _one_of("on_stop", self.on_stop, STOPS)
        _topic(self.topic)
        _positive("sink", self, ("rate_hz",))
        if min(self.latency_s, self.change) < 0:
            raise InputError("latency_s and change", expected="0 or more", got=f"{self.latency_s:g}, {self.change:g}")
        if bool(self.map) != (self.via in MAPPED_VIAS):
            raise InputError("map", expected=f"the name of a map for {', '.join(MAPPED_VIAS)}, and for no other via",
                             got=f"{self.map!r} for {self.via}")
        if not self.fields and not (self.via == "crisp_stiffness" and self.energy.stiffness):
            raise InputError("fields", expected="fields of the action, or a stiffness to set", got="none")

    @property
    def stamped(self) -> bool:
        """Whether its targets carry the time at which they are due."""
        return self.via in ("twin", "jtc")


@dataclass(frozen=True)
class Workspace:
    """A box for each tcp, m, in the base frame."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.low) != 3 or len(self.high) != 3 or any(a >= b for a, b in zip(self.low, self.high)):
            raise InputError("workspace", expected="low and high, 3 numbers each, low < high",
                             got=f"{self.low} and {self.high}")


@dataclass(frozen=True)
class TcpLimits:
    """Of each tcp in cartesian control.

    Args:
        speed, acceleration: m/s, m/s^2.
        turn_speed, turn_acceleration: rad/s, rad/s^2.
        deceleration, turn_deceleration: None is what stops from the speed within the tail, or the acceleration where
            that is more.
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
        _positive("limits: tcp", self, ("speed", "acceleration", "turn_speed", "turn_acceleration", "deceleration",
                                        "turn_deceleration", "start", "turn_start"))


@dataclass(frozen=True)
class JointLimits:
    """Of each arm's joints; within those of the robot's description.

    Args:
        speed_scale: of the description's velocities.
        acceleration: rad/s^2, every joint; None takes the description's, if it has any.
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
            raise InputError("limits: joints: speed_scale", expected="above 0 and at most 1: a contract only tightens",
                             got=f"{self.speed_scale:g}")
        if self.margin < 0:
            raise InputError("limits: joints: margin", expected="0 or more", got=f"{self.margin:g}")
        _positive("limits: joints", self, ("acceleration", "deceleration", "start"))


@dataclass(frozen=True)
class ToolLimits:
    """Of every component of a gripper or hand, in the unit of its command.

    Args:
        speed: of a second; None for no limit but the driver's.
        acceleration: None for no limit.
    """

    speed: float | None = None
    acceleration: float | None = None

    def __post_init__(self) -> None:
        _positive("limits: tool", self, ("speed", "acceleration"))


@dataclass(frozen=True)
class Limits:
    """What the gate keeps; a contract only tightens what the description allows.

    Args:
        tracking: group (`arm`, `gripper`, `left_arm`) -> distance of the command from the measured state that holds
            the robot, one number a field (m and rad, or rad); null for a group whose distance means nothing, such as
            fingers on an object. Every group of the description is named.
        tcp: of cartesian control; None for no limit.
        joints: of joint control.
        tool: of grippers and hands.
        tail_s: in which the robot is brought to a stand when chunks end.
        capsules: whether distances of links to one another and to the table are kept.
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
                raise InputError(f"limits: tracking of '{group}'", expected="numbers above 0, or null",
                                 got=str(distances))


@dataclass(frozen=True)
class Contract:
    """One robot with its wiring.

    Args:
        name: of its file.
        robot: a file of `configs/robot`, or a path.
        control: `cartesian` or `joint`.
        period_s: of an action.
        plant: `twin` or `robot`. Only a twin may do without a person.
        evidence: against what the contract has been run: the `twin` itself, an `emulation` of its drivers, nothing at
            all (`example`), or `hardware`.
        maps: joints by name and place; the only place where names, order, signs, offsets and scales are told.
        state: streams by name. A camera's name is its stream's: `front` gives `front.image`.
        sinks: by name; together they have each field of the action once.
        limits, staleness, frames: see there.
        operator: `required`: a person holds the enabling device; `none` on twins only.
        tick_hz: of the gate.
    """

    name: str
    robot: str
    control: str
    period_s: float
    plant: str
    evidence: str
    state: Mapping[str, Stream]
    sinks: Mapping[str, Sink]
    limits: Limits
    maps: Mapping[str, tuple[MappedJoint, ...]] = field(default_factory=dict)
    frames: Frames = Frames()
    staleness: Staleness = Staleness()
    operator: str = "required"
    tick_hz: float = 200.0

    def __post_init__(self) -> None:
        _one_of("control", self.control, CONTROLS)
        _one_of("plant", self.plant, PLANTS)
        _one_of("evidence", self.evidence, EVIDENCE)
        _one_of("operator", self.operator, OPERATORS)
        _positive("contract", self, ("period_s", "tick_hz"))
        if self.operator == "none" and self.plant != "twin":
            raise InputError("operator", expected="required: only a twin may move without a person", got="none")
        self._check_maps()
        self._check_streams()
        self._check_sinks()

    def _check_maps(self) -> None:
        for name, joints in self.maps.items():
            if not joints:
                raise InputError(f"map '{name}'", expected="at least one joint", got="none")
            _once(f"map '{name}': ros", [joint.ros for joint in joints])
            leaders = [joint.name for joint in joints if not joint.mimic]
            _once(f"map '{name}': name", leaders)
            for joint in joints:
                if joint.mimic and joint.name not in leaders:
                    raise InputError(f"map '{name}': mimic '{joint.ros}'", expected=f"one of {', '.join(leaders)}",
                                     got=f"'{joint.name}'", way_out=nearest(joint.name, leaders))

    def _check_streams(self) -> None:
        for name, stream in self.state.items():
            if stream.map:
                _one_of(f"state '{name}': map", stream.map, self.maps)
            try:
                stream.ages(self.staleness)
            except InputError as error:
                raise InputError(f"state '{name}' at {stream.rate_hz:g} Hz: {error.thing}", expected=error.expected,
                                 got=error.got, way_out=error.way_out) from None

    def _check_sinks(self) -> None:
        _once("topics of sinks", [sink.topic for sink in self.sinks.values()])
        _once("fields of sinks", [each for sink in self.sinks.values() for each in sink.fields])
        for name, sink in self.sinks.items():
            if sink.map:
                _one_of(f"sink '{name}': map", sink.map, self.maps)
            if sink.via == "twin" and self.plant != "twin":
                raise InputError(f"sink '{name}': via twin", expected="plant: twin", got=f"plant: {self.plant}")
            if sink.rate_hz > self.tick_hz:
                raise InputError(f"sink '{name}': rate_hz", expected=f"at most the gate's {self.tick_hz:g} Hz",
                                 got=f"{sink.rate_hz:g}")

    @property
    def cameras(self) -> tuple[str, ...]:
        """Streams that are images."""
        return tuple(name for name, stream in self.state.items() if stream.type in CAMERA_TYPES)


def _one_of(thing: str, value: str, choices: Iterable[str]) -> None:
    choices = tuple(choices)
    if value not in choices:
        raise InputError(thing, expected=f"one of {', '.join(choices)}", got=f"'{value}'",
                         way_out=nearest(value, choices))


def _once(thing: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(thing, expected="each once", got=f"{', '.join(twice)} more than once")


def _positive(thing: str, owner: object, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(owner, name)
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"{thing}: {name}", expected="a number above 0", got=f"{value:g}")


def _topic(topic: str) -> None:
    if not _TOPIC.fullmatch(topic):
        raise InputError("topic", expected="a ROS name such as 'arm/joint_states'", got=f"'{topic}'")
