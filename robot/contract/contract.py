"""The interface of one robot: the contract between a policy's vector of targets and the topics of its drivers.

A contract is one YAML file (`configs/contract`), read by `robot.contract.loading.load_contract`, which also
checks it against the robot's description. These classes check each part by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Mapping

from robot.contract.camera import CAMERA_TYPES, Intrinsics, Mount
from robot.contract.demands import require_once, require_one_of, require_positive
from robot.contract.limits import JointLimits, Limits, TcpLimits, ToolLimits, Workspace
from robot.contract.wiring import Ages, Energy, MappedJoint, Sink, Staleness, Stream
from robot.description.loading import CONTROLS
from robot.errors import InputError, nearest

__all__ = [
    "CAMERA_TYPES",
    "Ages",
    "Contract",
    "Energy",
    "Frames",
    "Intrinsics",
    "JointLimits",
    "Limits",
    "MappedJoint",
    "Mount",
    "Sink",
    "Staleness",
    "Stream",
    "TcpLimits",
    "ToolLimits",
    "Workspace",
]

PLANTS = ("twin", "robot")
EVIDENCE = ("twin", "emulation", "example", "hardware")
OPERATORS = ("none", "required")


@dataclass(frozen=True)
class Frames:
    """Frames on the wire.

    Args:
        base: of all poses: the robot's base frame of the description.
        tool: whose pose is commanded and measured: the tcp of the description.
    """

    base: str = "base"
    tool: str = "tcp"


@dataclass(frozen=True)
class Contract:
    """One robot with its topics.

    Args:
        name: of its file.
        robot: a file of `configs/robot`, or a path.
        control: `cartesian` or `joint`.
        period_s: of an action.
        plant: `twin` or `robot`. Only a twin may do without a person.
        evidence: on what the contract has been run: the `twin` itself, an `emulation` of its drivers, nothing
            (`example`), or `hardware`.
        maps: joints by name and index; the only place for names, order, signs, offsets and scales.
        state: streams by name. A camera's name is its stream's: `front` gives `front.image`.
        sinks: by name; together they have each field of the action once.
        limits, staleness, frames: see their classes.
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
        require_one_of("control", self.control, CONTROLS)
        require_one_of("plant", self.plant, PLANTS)
        require_one_of("evidence", self.evidence, EVIDENCE)
        require_one_of("operator", self.operator, OPERATORS)
        require_positive("contract", self, ("period_s", "tick_hz"))
        if self.operator == "none" and self.plant != "twin":
            raise InputError("operator", expected="required: only a twin may move without a person", got="none")
        self._check_maps()
        self._check_streams()
        self._check_sinks()

    def _check_maps(self) -> None:
        for name, joints in self.maps.items():
            if not joints:
                raise InputError(f"map '{name}'", expected="at least one joint", got="none")
            require_once(f"map '{name}': ros", [joint.ros for joint in joints])
            leaders = [joint.name for joint in joints if not joint.mimic]
            require_once(f"map '{name}': name", leaders)
            for joint in joints:
                if joint.mimic and joint.name not in leaders:
                    raise InputError(
                        f"map '{name}': mimic '{joint.ros}'",
                        expected=f"one of {', '.join(leaders)}",
                        got=f"'{joint.name}'",
                        way_out=nearest(joint.name, leaders),
                    )

    def _check_streams(self) -> None:
        for name, stream in self.state.items():
            if stream.map:
                require_one_of(f"state '{name}': map", stream.map, self.maps)
            try:
                stream.ages(self.staleness)
            except InputError as error:
                raise InputError(
                    f"state '{name}' at {stream.rate_hz:g} Hz: {error.thing}",
                    expected=error.expected,
                    got=error.got,
                    way_out=error.way_out,
                ) from None

    def _check_sinks(self) -> None:
        require_once("topics of sinks", [sink.topic for sink in self.sinks.values()])
        require_once("fields of sinks", [each for sink in self.sinks.values() for each in sink.fields])
        for name, sink in self.sinks.items():
            if sink.map:
                require_one_of(f"sink '{name}': map", sink.map, self.maps)
            if sink.via == "twin" and self.plant != "twin":
                raise InputError(f"sink '{name}': via twin", expected="plant: twin", got=f"plant: {self.plant}")
            if sink.rate_hz > self.tick_hz:
                raise InputError(
                    f"sink '{name}': rate_hz",
                    expected=f"at most the gate's {self.tick_hz:g} Hz",
                    got=f"{sink.rate_hz:g}",
                )

    @cached_property
    def policy_streams(self) -> Mapping[str, Stream]:
        """The streams that policy and gate depend on: all but those that are only recorded."""
        return {name: stream for name, stream in self.state.items() if stream.use == "policy"}

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the streams that are images."""
        return tuple(name for name, stream in self.state.items() if stream.is_camera)
