"""The topics of a contract: joints as drivers name them, topics of measured state, topics of commands."""

from __future__ import annotations

from dataclasses import dataclass

from robot.contract.camera import CAMERA_TYPES, Intrinsics, Mount, chosen_encoding, require_storable
from robot.contract.demands import require_one_of, require_positive, require_topic
from robot.errors import InputError

STREAM_TYPES = ("joint_state", "pose", "wrench", "vector", "image", "depth", "values", "driver_state")
USES = ("policy", "record")
VIAS = ("twin", "forward", "jtc", "crisp_pose", "crisp_joint", "crisp_stiffness", "jointstate", "gripper")
MAPPED_VIAS = ("forward", "jtc", "crisp_joint", "jointstate", "gripper")
GOAL_VIAS = ("gripper", "forward", "crisp_joint", "jointstate")
STOPS = ("hold", "silent")
ENERGY_MODES = ("torque", "setpoint", "none")
SPRING_VIAS = ("crisp_pose", "crisp_stiffness", "twin")
HOLD_PERIODS = 3.0  # two messages may be lost before a stream holds the robot
FLOOR_S = {
    "joint_state": 0.05,
    "pose": 0.05,
    "wrench": 0.05,
    "vector": 0.2,
    "values": 0.2,
    "image": 0.2,
    "depth": 0.2,
    "driver_state": 0.2,
}
FAULT_S = {"image": 1.0, "depth": 1.0}  # a camera that comes back needs no person


@dataclass(frozen=True)
class MappedJoint:
    """One number on the wire and its conversion to ours: `ours = sign * scale * wire + offset`.

    Args:
        name: ours: a joint of the robot's description, or a component of its action such as `gripper.width`.
        ros: name on the wire. The index on a wire without names is the index in the map.
        sign: 1, or -1 where the driver turns the other way.
        offset: our value, in our unit, where the wire's is 0.
        scale: our units per unit of the wire: 2 for a width given by one of two fingers, 0.01745 for degrees.
        mimic: whether the joint follows `name`. It is written where a map has it, and never read.
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
            raise InputError(
                f"map of '{self.ros}': scale",
                expected="a number above 0",
                got=str(self.scale),
                way_out="The direction is `sign`",
            )
        if not abs(self.offset) < float("inf"):
            raise InputError(f"map of '{self.ros}': offset", expected="a finite number", got=str(self.offset))


@dataclass(frozen=True)
class Ages:
    """Ages (s) above which a stream is late, holds the robot, and is a fault."""

    warn_s: float
    hold_s: float
    fault_s: float

    def __post_init__(self) -> None:
        if not 0 < self.warn_s < self.hold_s < self.fault_s:
            raise InputError(
                "ages",
                expected="0 < warn < hold < fault",
                got=f"{self.warn_s:g}, {self.hold_s:g}, {self.fault_s:g} s",
                way_out="Raise fault_s, lower warn_periods, or let the driver publish faster",
            )


@dataclass(frozen=True)
class Staleness:
    """Ages above which messages are too old.

    Args:
        warn_periods: of a stream's own rate, above which it is late; below the three above which it holds.
        fault_s: age at which a stream without its own is a fault.
        alive_s: without the supervisor's sign of life for so long the gate holds.
        enable_hold_s, enable_fault_s: the same without the person's hand on the enabling device.
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
            raise InputError(
                "staleness: warn_periods", expected=f"above 0 and below {HOLD_PERIODS:g}", got=f"{self.warn_periods:g}"
            )
        if not 0 < self.enable_hold_s < self.enable_fault_s:
            raise InputError(
                "staleness: enable",
                expected="0 < enable_hold_s < enable_fault_s",
                got=f"{self.enable_hold_s:g}, {self.enable_fault_s:g}",
            )
        require_positive("staleness", self, ("fault_s", "alive_s", "person_s", "future_s"))


@dataclass(frozen=True)
class Stream:
    """One topic of measured state.

    Args:
        topic: relative to the robot's namespace.
        type: one of `STREAM_TYPES`; `values` are named numbers of a twin's task, a `vector` has numbers without names
            (`std_msgs/Float64MultiArray`).
        rate_hz: of its driver.
        map: of a `joint_state`: a name in the contract's `maps`.
        field: of a `pose` and a `wrench`: `tcp`, or `left.tcp` of one arm of several; any name where it is only
            recorded, such as `cup`, which gives `cup.position` and `cup.rotation`.
        latency_s: age of a message when it comes, where its stamp is not the moment of the measurement.
        floor_s: lower bound of the age that holds; None takes `FLOOR_S`.
        fault_s: age that is a fault; None takes `FAULT_S`, or the contract's.
        size: (height, width) px of a camera's images, (n,) of a vector; empty where it is not fixed.
        compressed: a camera's images come as JPEG or PNG.
        use: `policy`: the policy may observe it, and the gate watches it where it measures the robot; `record`: it is
            recorded, and nothing else depends on it.
        serial: of a camera, by which its driver is started.
        intrinsics, mount: of a camera, where they are known.
        encoding: how a camera's images are recorded, one of `IMAGE_ENCODINGS`; empty chooses (`stored_as`).
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
    use: str = "policy"
    serial: str = ""
    intrinsics: Intrinsics | None = None
    mount: Mount | None = None
    encoding: str = ""

    def __post_init__(self) -> None:
        require_one_of("type", self.type, STREAM_TYPES)
        require_one_of("use", self.use, USES)
        require_topic(self.topic)
        require_positive("stream", self, ("rate_hz",))
        if self.latency_s < 0:
            raise InputError("latency_s", expected="0 or more", got=f"{self.latency_s:g}")
        if bool(self.map) != (self.type == "joint_state"):
            raise InputError(
                "map",
                expected="the name of a map for a joint_state, and for nothing else",
                got=f"{self.map!r} for type {self.type}",
            )
        axes = 2 if self.is_camera else 1 if self.type == "vector" else 0
        if self.size and (len(self.size) != axes or min(self.size) < 1):
            raise InputError(
                "size", expected="height and width in px of a camera, or the length of a vector", got=str(self.size)
            )
        if self.type == "driver_state" and self.use != "policy":
            raise InputError("use", expected="policy: the state of a driver stops the robot", got=self.use)
        for name in ("compressed", "serial", "intrinsics", "mount", "encoding"):
            if getattr(self, name) and not self.is_camera:
                raise InputError(name, expected=f"one of {', '.join(CAMERA_TYPES)}", got=self.type)
        if self.encoding:
            require_storable(self.encoding, self.type, self.compressed)

    @property
    def is_camera(self) -> bool:
        """Whether its messages are images, of colour or depth."""
        return self.type in CAMERA_TYPES

    @property
    def stored_as(self) -> str:
        """How a recorder stores a camera's images: the contract's encoding, or the one that suits them."""
        return self.encoding or chosen_encoding(self.type, self.compressed)

    def ages(self, staleness: Staleness) -> Ages:
        """The ages of the stream: hold is the larger of the floor and three periods, so that a slow stream is not
        stale.

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
        budget: a file of `configs/budget`, or a path; `free` accounts where it can and limits nothing.
    """

    mode: str = "none"
    stiffness: tuple[float, ...] = ()
    budget: str = "free"

    def __post_init__(self) -> None:
        require_one_of("energy: mode", self.mode, ENERGY_MODES)
        if self.mode == "none" and self.budget != "free":
            raise InputError(
                "energy: budget",
                expected="none where nothing bounds the energy",
                got=f"'{self.budget}'",
                way_out="Say mode: setpoint, of a passive impedance with its stiffness, or leave it out",
            )
        if len(self.stiffness) not in ((0, 6) if self.mode == "none" else (6,)) or min(self.stiffness, default=1) < 0:
            raise InputError(
                "energy: stiffness",
                expected="6 numbers, none negative (3 in N/m, 3 in N*m/rad)",
                got=str(self.stiffness),
            )


@dataclass(frozen=True)
class Sink:
    """One topic of commands: the fields of the action that are published to a controller.

    Args:
        via: the controller behind the topic, one of `VIAS`:
            `twin` takes the whole vector as it is; `forward` positions in the map's order (Float64MultiArray); `jtc`
            a short stamped trajectory that ends at rest; `crisp_pose` a PoseStamped; `crisp_joint` and `jointstate` a
            JointState; `gripper` one number, a goal; `crisp_stiffness` the 6 numbers of `energy`, or a field of that
            kind.
        topic: relative to the robot's namespace. No other sink has it: crisp mutes a topic with two publishers.
        fields: of the action, whole.
        rate_hz: of its commands, at most the gate's own rate.
        map: name in the contract's `maps`, for those of `MAPPED_VIAS`; the map's order is the wire's.
        latency_s: from a command to its motion: the gate samples its path so far ahead. A stamped sink receives the
            time at which a target is due, and what it needs to reach it.
        on_hold, on_stop: while the gate holds, and after a fault: `hold` publishes the position at which the gate's
            path came to rest; `silent` publishes nothing, so that the driver acts as without a publisher.
        change: of a tool that takes goals, as those via `gripper` and any with a `change` do: distance on the wire
            from the last goal above which a target is a new goal. A smaller difference is sent once the target has
            settled.
        energy: its bounds.
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
        require_one_of("via", self.via, VIAS)
        require_one_of("on_hold", self.on_hold, STOPS)
        require_one_of("on_stop", self.on_stop, STOPS)
        if self.energy.mode == "setpoint" and self.via not in SPRING_VIAS:
            raise InputError(
                f"sink via {self.via}: energy",
                expected=f"setpoint only over {' and '.join(SPRING_VIAS)}"
                ": a position-controlled drive has no spring whose energy a set-point could bound",
                got="setpoint",
                way_out="Say mode: none; the status then says that nothing is enforced",
            )
        require_topic(self.topic)
        require_positive("sink", self, ("rate_hz",))
        if min(self.latency_s, self.change) < 0:
            raise InputError("latency_s and change", expected="0 or more", got=f"{self.latency_s:g}, {self.change:g}")
        if self.change and self.via not in GOAL_VIAS:
            raise InputError(
                "change",
                expected=f"0 for via {self.via}",
                got=f"{self.change:g}",
                way_out=f"Goals are taken by tools via {', '.join(GOAL_VIAS)}; this one is streamed to",
            )
        if bool(self.map) != (self.via in MAPPED_VIAS):
            raise InputError(
                "map",
                expected=f"the name of a map for {', '.join(MAPPED_VIAS)}, and for no other via",
                got=f"{self.map!r} for {self.via}",
            )
        if not self.fields and not (self.via == "crisp_stiffness" and self.energy.stiffness):
            raise InputError("fields", expected="fields of the action, or a stiffness to set", got="none")

    @property
    def stamped(self) -> bool:
        """Whether its targets carry the time at which they are due."""
        return self.via in ("twin", "jtc")

    @property
    def takes_goals(self) -> bool:
        """Whether each message starts a motion, so that the tool cannot be streamed to."""
        return self.via == "gripper" or self.change > 0
