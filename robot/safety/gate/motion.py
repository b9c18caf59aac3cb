"""The next command: along the path within limits, or braking to rest."""

from __future__ import annotations

from types import MappingProxyType
from typing import Mapping, NamedTuple

import numpy as np

from robot.safety.gate import motion_kernels as kernels
from robot.safety.gate.capsules import CapsuleCheck
from robot.safety.gate.inputs import LARGEST
from robot.safety.gate.limits import GROUP, TANGENT_SIZE, LimitArrays, bring_inside
from robot.safety.gate.reasons import Reason
from robot.safety.gate.settings import GateSettings
from robot.safety.gate.state import Measurement, Sent

LETTING_GO = 0.25  # of the speed limits, while a contact is released
NOTHING: Mapping[Reason, str] = MappingProxyType({})
RELIEVED = 0.5  # of the allowed tracking error, above which a step back may be quick


class Moved(NamedTuple):
    """One step.

    Args:
        target: (dim,) the next command.
        velocity: (tangent,) with which it is reached.
        path_position: (dim,) position of the path.
        cuts: limits that bound, with their effect.
    """

    target: np.ndarray
    velocity: np.ndarray
    path_position: np.ndarray
    cuts: dict[Reason, str]

    @property
    def moving(self) -> bool:
        return bool(self.velocity.any())


class Motion:
    """Steps of all groups.

    Args:
        settings: of the gate.
        limits: the same, laid out.
        capsules: check of distances between links; None for none.
    """

    def __init__(self, settings: GateSettings, limits: LimitArrays, capsules: CapsuleCheck | None) -> None:
        self.limits, self._capsules = limits, capsules
        spec = settings.spec
        self._finishes = np.array([group.finishes for group in settings.groups])
        columns = np.zeros((len(settings.groups), spec.dim), dtype=bool)
        for number, group in enumerate(settings.groups):
            for part in group.parts:
                columns[number, spec.slices[part.field]] = True
        self._columns = columns
        self._tangent_group = np.repeat(limits.part[:, GROUP], limits.part[:, TANGENT_SIZE])
        self._nothing = np.zeros(limits.groups, dtype=bool)
        speeds = np.concatenate(
            [
                np.broadcast_to(part.speed if len(part.speed) in (1, field.size) else max(part.speed), field.size)
                for field in spec.fields
                for group in settings.groups
                for part in group.parts
                if part.field == field.name
            ]
        )
        self._bounds = list(
            zip(np.maximum(limits.low, -LARGEST).tolist(), np.minimum(limits.high, LARGEST).tolist(), speeds.tolist())
        )
        self._names = spec.component_names

    def columns(self, groups: np.ndarray) -> np.ndarray:
        """(dim,) bool, the components of a command that belong to some groups, (groups,) bool."""
        result: np.ndarray = self._columns[groups].any(axis=0)
        return result

    def tangents(self, groups: np.ndarray) -> np.ndarray:
        """(tangent,) bool, the components of a velocity that belong to some groups, (groups,) bool."""
        return groups[self._tangent_group]

    def at_rest(self) -> np.ndarray:
        """The velocity (tangent,) of a robot at rest."""
        return np.zeros(self.limits.tangent)

    def follow(
        self,
        sent: Sent,
        measurement: Measurement,
        path_position: np.ndarray,
        dt: float,
        displacement: np.ndarray,
        excess: tuple[float, ...],
    ) -> Moved:
        """A step towards the current position of the path.

        Args:
            sent: the last command.
            measurement: the newest measured state.
            path_position: (dim,) position of the path; may be outside the limits.
            dt: s since the last command.
            displacement: (tangent,) displacement from the last command to the measured state.
            excess: per group, its tracking error as a multiple of the allowed one.
        """
        limits, command, velocity, grip = self.limits, sent.command, sent.velocity, measurement.grip
        wanted = np.array(path_position, dtype=np.float64)
        target, reached = np.empty(len(command)), np.zeros(len(velocity))
        pressing = np.zeros(len(grip.bound), dtype=bool)
        capsules, is_relieved = self._capsules, max(excess) > RELIEVED
        if capsules is not None and (not len(measurement.joints) or np.isnan(measurement.joints).any()):
            capsules = None  # where the links are is not known
        if capsules is None and not is_relieved:
            # Nothing stands between the two steps below: one call takes half as long as two.
            bound = kernels.follow(
                limits,
                command,
                velocity,
                sent.path_position,
                wanted,
                grip.bound,
                grip.onward,
                dt,
                target,
                reached,
                pressing,
            )
            return Moved(target, reached, wanted, self._cuts(bound, measurement, pressing) if bound else {})
        desired, exact = self.at_rest(), np.zeros(limits.groups, dtype=bool)
        bound = kernels.intend(
            limits, command, velocity, sent.path_position, wanted, grip.bound, grip.onward, dt, desired, exact, pressing
        )
        near: dict[Reason, str] = {}
        if capsules is not None:
            share, pair = capsules.share(measurement.joints, desired, dt)
            if share < 1:
                near[Reason.CAPSULES_STOP if share == 0 else Reason.CAPSULES_SLOW] = pair
                desired *= np.where(capsules.moves[self._tangent_group], share, 1.0)
                exact &= ~capsules.moves
        relieved = self._nothing
        if is_relieved:
            relieved = np.array(
                [
                    much > RELIEVED and float(np.dot(displacement[own], desired[own])) > 0
                    for much, own in zip(excess, (self._tangent_group == group for group in range(limits.groups)))
                ]
            )
        bound |= kernels.apply(limits, command, velocity, desired, exact, relieved, wanted, dt, target, reached)
        return Moved(target, reached, wanted, self._cuts(bound, measurement, pressing, near))

    def _cuts(
        self, bound: int, measurement: Measurement, pressing: np.ndarray, near: Mapping[Reason, str] = NOTHING
    ) -> dict[Reason, str]:
        """The limits that bound, as bits, in words; `pressing` (dim,) are the fingers that press on, `near` the
        capsules that bound.
        """
        cuts: dict[Reason, str] = {}
        if bound & kernels.CUT_FORCE:
            cuts[Reason.FORCE] = ", ".join(
                f"{self._names[column]} {measurement.efforts[column]:.3g}" for column in np.flatnonzero(pressing)
            )
        cuts.update(near)
        if bound & kernels.CUT_SPEED:
            cuts[Reason.SPEED] = ""
        if bound & kernels.CUT_ACCELERATION:
            cuts[Reason.ACCELERATION] = ""
        if bound & kernels.CUT_POSITION:
            cuts[Reason.POSITION] = ""
        return cuts

    def may_send(
        self, command: np.ndarray, target: np.ndarray, dt: float, velocity: np.ndarray, drawn: np.ndarray
    ) -> bool:
        """Whether a command may be sent: its last check, whatever computed it.

        Args:
            command: (dim,) the last.
            target: (dim,) the next.
            dt: s between them.
            velocity: (tangent,) of the last, above the speed limits where a leash has drawn it.
            drawn: (dim,) measured state to which a leash has drawn the next one, which may exceed the speed limits;
                empty where none has.
        """
        # Nearly every command passes the plain comparison, which no NaN does; the others are checked exactly.
        for (low, high, speed), before, after in zip(self._bounds, command.tolist(), target.tolist()):
            if not (low <= after <= high and abs(after - before) <= speed * dt):
                return bool(kernels.may_follow(self.limits, command, target, dt, velocity, drawn))
        return True

    def tangent(self, group: int) -> np.ndarray:
        """(tangent,) bool, the components of a velocity that belong to a group."""
        return self._tangent_group == group

    def left(self, yielding: tuple[float, ...], moved: Moved, displacement: np.ndarray, dt: float) -> tuple[float, ...]:
        """The distance that each group may still move towards the measured state after a step of dt s.

        Args:
            yielding: per group, before the step.
            moved: the step.
            displacement: (tangent,) displacement from the command before it to the measured state.
            dt: s.
        """
        result = []
        for group, far in enumerate(yielding):
            own = self.tangent(group)
            distance = float(np.linalg.norm(displacement[own]))
            gained = dt * float(moved.velocity[own] @ displacement[own]) / distance if far > 0 and distance > 0 else far
            result.append(max(far - gained, 0.0))
        return tuple(result)

    def rest(
        self,
        sent: Sent,
        measurement: Measurement,
        dt: float,
        finish: np.ndarray | None,
        displacement: np.ndarray,
        towards: np.ndarray,
        measured: np.ndarray,
    ) -> Moved:
        """A step to rest: braking along the velocity, or slowly to the measured state.

        Args:
            sent: the last command.
            measurement: the newest measured state.
            dt: s since the last command.
            finish: (dim,) target of the groups that finish; None when they stop too.
            displacement: (tangent,) displacement from the last command to the measured state.
            towards: (groups,) bool, the groups that move to the measured state.
            measured: (dim,) that state, within the position limits or no further outside than the command.
        """
        limits, command, velocity = self.limits, sent.command, sent.velocity
        target, reached, path_position = command.copy(), self.at_rest(), command.copy()
        led = np.zeros(limits.groups, dtype=bool)
        if finish is not None:
            led |= self._finishes
            path_position[self._columns[led].any(axis=0)] = finish[self._columns[led].any(axis=0)]
            bring_inside(limits, path_position)
        for group in np.flatnonzero(towards & ~led):
            own = self._columns[group]
            if not np.isnan(measured[own]).any():
                led[group] = True
                path_position[own] = measured[own]
        cuts: dict[Reason, str] = {}
        if led.any():
            grip = measurement.grip
            pressing = np.zeros(len(grip.bound), dtype=bool)
            if kernels.limit_force(limits, grip.bound, grip.onward, path_position, pressing):
                cuts = self._cuts(kernels.CUT_FORCE, measurement, pressing)
            desired, exact = self.at_rest(), np.zeros(limits.groups, dtype=bool)
            kernels.desire(
                limits,
                command,
                velocity,
                path_position,
                path_position,
                dt,
                1.0 if finish is not None else LETTING_GO,
                desired,
                exact,
            )
            # Whoever goes back to the robot turns round as quickly as it brakes.
            relieved = led & towards
            kernels.apply(limits, command, velocity, desired, exact, relieved, path_position, dt, target, reached)
        for group in range(limits.groups):
            if not led[group]:
                kernels.stop(limits, group, command, velocity, dt, target, reached)
        return Moved(target, reached, np.where(self._columns[led].any(axis=0), path_position, target), cuts)
