"""All numbers of the gate, plain, so that a flight record can carry them.

One file of more than three hundred lines: each class is a table of numbers with the checks that belong to it, and a
flight record is read by these definitions alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Mapping

from robot.description.action import ActionField, ActionSpec
from robot.errors import InputError, nearest

OPERATORS = ("none", "required")
UNLIMITED = math.inf


@dataclass(frozen=True)
class PartSettings:
    """Limits of one field of the action.

    Args:
        field: its name.
        speed: largest: one number for the length of the velocity (m/s, rad/s), or one per component.
        acceleration: the same, m/s^2 or rad/s^2.
        deceleration: of a stop, at least the acceleration.
        low, high: of each component; empty for none. A workspace is the limits of `tcp.position`.
        start: how far a first target may be from the command (m or rad, the largest component; the angle of a
            rotation).

    Raises:
        InputError: a speed or an acceleration that is not above 0, limits that do not match, or a deceleration below
            the acceleration.
    """

    field: str
    speed: tuple[float, ...] = (UNLIMITED,)
    acceleration: tuple[float, ...] = (UNLIMITED,)
    deceleration: tuple[float, ...] = (UNLIMITED,)
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    start: float = UNLIMITED

    def __post_init__(self) -> None:
        for name in ("speed", "acceleration", "deceleration"):
            if not getattr(self, name) or not min(getattr(self, name)) > 0:
                raise InputError(
                    f"limits of '{self.field}': {name}", expected="numbers above 0", got=str(getattr(self, name))
                )
        if len(self.low) != len(self.high) or any(not low <= high for low, high in zip(self.low, self.high)):
            raise InputError(
                f"limits of '{self.field}': low and high",
                expected="as many of each, low <= high",
                got=f"{self.low} and {self.high}",
            )
        width = max(len(self.acceleration), len(self.deceleration))
        go, stop = (limits * (width // len(limits)) for limits in (self.acceleration, self.deceleration))
        if any(least > most for least, most in zip(go, stop)):
            raise InputError(
                f"limits of '{self.field}': deceleration",
                expected=f"no less than {self.acceleration}",
                got=str(self.deceleration),
            )


@dataclass(frozen=True)
class GroupSettings:
    """Fields that move together: when a limit binds on one of them, the steps of all are scaled alike.

    Args:
        name: `arm`, `gripper`, `left_arm`, ...
        parts: limits of its fields.
        measured: names of state values whose concatenation is the measured state of the fields, in their order;
            empty when nothing measures them.
        tracking: largest distance of a command from the measured state, one number per field (m, rad); empty for a
            group whose error is meaningless, such as a hand on an object.
        tracking_s: for how long it may be larger.
        apart: largest distance of a command from the measured state while no source is followed, per field (m, rad),
            and of two consecutive measurements where the robot cannot have moved so fast; empty for no check.
        force: largest effort of a component, as measured; None for no cap. Needs `measured`, and of each of its names
            the effort too (`effort_name`).
        ahead_s: how much longer its sink's latency is than `lead_s`; less than zero where it is shorter. Not for
            rotations.
        finishes: whether it still moves to the last row when no new chunk came: a gripper that closes does, an arm is
            brought to rest. On every other stop it stops too.
    """

    name: str
    parts: tuple[PartSettings, ...]
    measured: tuple[str, ...] = ()
    tracking: tuple[float, ...] = ()
    tracking_s: float = 0.2
    apart: tuple[float, ...] = ()
    finishes: bool = False
    force: float | None = None
    ahead_s: float = 0.0


@dataclass(frozen=True)
class StreamSettings:
    """Ages above which a state stream is too old.

    Args:
        names: values that each message must have.
        warn_s, hold_s, fault_s: ages, of the worse of stamp and receipt.

    Raises:
        InputError: ages that do not grow from 0.
    """

    names: tuple[str, ...]
    warn_s: float
    hold_s: float
    fault_s: float

    def __post_init__(self) -> None:
        if not 0 < self.warn_s < self.hold_s < self.fault_s:
            raise InputError(
                "staleness",
                expected="0 < warn_s < hold_s < fault_s",
                got=f"{self.warn_s}, {self.hold_s}, {self.fault_s}",
            )


@dataclass(frozen=True)
class LeashSettings:
    """Limits on the distance of a set-point from the tool that a passive spring draws to it.

    Args:
        group: of the pose.
        stiffness: (6,) of the spring, N/m and N*m/rad.
        spring_j, force_n, power_w: of the budget (`robot.safety.energy.Budget`); inf for no limit.
        latency_s: age of the measured pose and latency of the sink together.
        speeds: m/s and rad/s, largest of the tool meanwhile.
        release: m/s^2 and rad/s^2, at which a command is drawn back.

    Raises:
        InputError: a number out of its range, or a latency that uses up the budget.
    """

    group: str
    stiffness: tuple[float, ...]
    spring_j: float
    force_n: float
    power_w: float
    latency_s: float
    speeds: tuple[float, float]
    release: tuple[float, float] = (50.0, 250.0)

    @property
    def margin(self) -> float:
        """The square root of twice the energy that the tool's motion within the latency can add to the spring."""
        linear, angular = max(self.stiffness[:3]), max(self.stiffness[3:])
        return (math.sqrt(linear) * self.speeds[0] + math.sqrt(angular) * self.speeds[1]) * self.latency_s

    @property
    def push_n(self) -> float:
        """The largest push at rest that the margin leaves, along the softest axis."""
        left = max(math.sqrt(2 * self.spring_j) - self.margin, 0.0)
        return min(self.force_n, math.sqrt(min(self.stiffness[:3])) * left)

    def __post_init__(self) -> None:
        if len(self.stiffness) != 6 or not all(0 < each < math.inf for each in self.stiffness):
            raise InputError(
                f"leash of '{self.group}': stiffness", expected="6 numbers above 0", got=str(self.stiffness)
            )
        for name in ("spring_j", "force_n", "power_w"):
            if not getattr(self, name) > 0:
                raise InputError(f"leash of '{self.group}': {name}", expected="above 0", got=f"{getattr(self, name)}")
        known = all(0 <= each < math.inf for each in (self.latency_s, *self.speeds))
        if not known or not min(self.release) > 0:
            raise InputError(
                f"leash of '{self.group}'",
                expected="latency and speeds of 0 or more, a release above 0",
                got=f"{self.latency_s}, {self.speeds}, {self.release}",
            )
        if self.margin >= math.sqrt(2 * self.spring_j):
            taken = f"{self.latency_s * 1e3:.0f} ms of latency take {self.margin**2 / 2:.3g} J"
            raise InputError(
                f"leash of '{self.group}'",
                expected="a budget of which the latency leaves something",
                got=f"{self.spring_j:g} J of spring, of which {taken}",
                way_out="Take a larger spring_j, or a quicker sink and pose",
            )


@dataclass(frozen=True)
class CapsuleSettings:
    """Least distances of links from one another and from the table.

    Args:
        model: MJCF of the robot's bodies and joints with a capsule per link
            (`robot.safety.gate.capsules.capsule_model`); it refers to no other file.
        joints: of the model, in its order, with the names of the state values that give them.
        tcps: site of the model -> field of its position in the action.
        fields: field of joints in the action -> joints of the model, in the field's order.
        pairs: geoms of the model that may not meet, by name.
        slow_m: distance below which an approach is slowed down.
        stop_m: distance at which it ends.
        deceleration: m/s^2 with which links that approach can be braked.

    Raises:
        InputError: not 0 <= stop_m < slow_m.
    """

    model: str
    joints: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...]
    tcps: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slow_m: float = 0.05
    stop_m: float = 0.01
    deceleration: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.stop_m < self.slow_m:
            raise InputError("capsules", expected="0 <= stop_m < slow_m", got=f"{self.stop_m}, {self.slow_m}")


@dataclass(frozen=True)
class GateSettings:
    """Settings of the gate's core.

    Args:
        fields, period_s: of the action: its order, and T of a chunk.
        groups: of fields; together they have each field once.
        streams: state streams by name.
        rest: (dim,) first values of fields that nothing measures; empty when all are measured.
        zeros: (dim,) the measured state that a driver's zeros mean: the offsets of its joints; empty without any.
        resets: whether a new epoch means that a twin was reset, so that the command restarts at the robot's position;
            else the clock has jumped and the robot is where it was.
        tick_s: nominal time between ticks. A step is as long as the time since the last, and no longer than two of
            these: missed ticks are not caught up at once.
        settle_s: for how long the measured state must be known, without a jump, before the first command: a driver that
            starts may report zeros at first.
        lead_s: how far ahead of now the path is sampled: the latency of the sink.
        tail_s: largest time in which the robot is brought to rest after the last row.
        future_s: how far ahead of now a chunk may be stamped.
        person_s: without a new target for so long the person has let go, or is at rest where the robot was taken.
        alive_s: without a sign of life for so long the gate holds.
        enable_hold_s, enable_fault_s: the same for the enabling device.
        operator: `required`, or `none`, which is for twins alone.
        alive: whether a supervisor's sign of life is needed.
        driver_s: without the driver's state for so long is a fault; None where the driver reports none.
        lock_step: a tick takes exactly the row that is due, and ages are not checked: time stops while a plan is made.
        capsules: None for no check of distances.
        leashes: of groups whose sink is a spring with a budget.

    Raises:
        InputError: groups that do not have each field once, limits of another size than their field, or a number out
            of its range.
    """

    fields: tuple[ActionField, ...]
    period_s: float
    groups: tuple[GroupSettings, ...]
    streams: Mapping[str, StreamSettings] = field(default_factory=dict)
    rest: tuple[float, ...] = ()
    zeros: tuple[float, ...] = ()
    resets: bool = False
    tick_s: float = 0.005
    settle_s: float = 0.0
    lead_s: float = 0.0
    tail_s: float = 0.15
    future_s: float = 0.05
    person_s: float = 0.15
    alive_s: float = 0.15
    enable_hold_s: float = 0.15
    enable_fault_s: float = 0.5
    operator: str = "required"
    alive: bool = True
    driver_s: float | None = None
    lock_step: bool = False
    capsules: CapsuleSettings | None = None
    leashes: tuple[LeashSettings, ...] = ()

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise InputError(
                "operator",
                expected=f"one of {', '.join(OPERATORS)}",
                got=f"'{self.operator}'",
                way_out=nearest(self.operator, OPERATORS),
            )
        if not self.enable_hold_s < self.enable_fault_s:
            raise InputError(
                "enable", expected="enable_hold_s < enable_fault_s", got=f"{self.enable_hold_s}, {self.enable_fault_s}"
            )
        if not 0 < self.tail_s <= 0.15:
            raise InputError("tail_s", expected="above 0 and at most 0.15 s", got=str(self.tail_s))
        grouped = [part.field for group in self.groups for part in group.parts]
        known = [each.name for each in self.fields]
        if sorted(grouped) != sorted(known):
            raise InputError(
                "groups of the gate", expected=f"each field once: {', '.join(known)}", got=", ".join(grouped)
            )
        if len(self.rest) not in (0, self.spec.dim):
            raise InputError("rest", expected=f"{self.spec.dim} values", got=str(len(self.rest)))
        for group in self.groups:
            if not group.measured and not self.rest:
                raise InputError(
                    f"group '{group.name}'", expected="values that measure it, or a rest posture", got="neither"
                )
            if group.force is not None and not (group.force > 0 and group.measured):
                raise InputError(
                    f"group '{group.name}': force",
                    expected="above 0, of a group that is measured",
                    got=f"{group.force:g}",
                )
            for name in ("tracking", "apart"):
                if len(getattr(group, name)) not in (0, len(group.parts)):
                    raise InputError(
                        f"group '{group.name}': {name}",
                        expected="a distance per field, or none",
                        got=str(len(getattr(group, name))),
                    )
        led = {group.name: group for group in self.groups}
        for leash in self.leashes:
            if leash.group not in led or not led[leash.group].measured:
                raise InputError(
                    f"leash of '{leash.group}'",
                    expected="a group whose pose is measured",
                    got="none" if leash.group not in led else "one that nothing measures",
                )
        sizes = {each.name: each for each in self.fields}
        for part in (part for group in self.groups for part in group.parts):
            size = 3 if sizes[part.field].is_rotation else sizes[part.field].size
            for name in ("speed", "acceleration", "deceleration"):
                if len(getattr(part, name)) not in (1, size):
                    raise InputError(
                        f"limits of '{part.field}': {name}",
                        expected=f"1 or {size} numbers",
                        got=str(len(getattr(part, name))),
                    )
            stop, fast = (limits * (size // len(limits)) for limits in (part.deceleration, part.speed))
            slow = [v / a for v, a in zip(fast, stop) if not (math.isinf(a) or v <= a * self.tail_s * (1 + 1e-9))]
            if slow:
                raise InputError(
                    f"limits of '{part.field}': deceleration",
                    got=f"{max(slow):.3g} s",
                    expected=f"a stop from the speed limit within {self.tail_s} s",
                )
            if part.low and (sizes[part.field].is_rotation or len(part.low) != size):
                raise InputError(
                    f"limits of '{part.field}': low and high",
                    got=str(len(part.low)),
                    expected="none for a rotation" if sizes[part.field].is_rotation else f"{size} each",
                )

    @cached_property
    def spec(self) -> ActionSpec:
        """The action of a command: its fields and their period."""
        return ActionSpec(self.fields, self.period_s)
