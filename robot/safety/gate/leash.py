"""The gate's last stage: the set-point of a spring is held near the tool, so that the spring cannot store more energy,
push harder or be loaded faster than its budget allows (`robot.safety.energy.setpoint`, leash only: the controllers
below report no work, so that the sum is not bounded).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Mapping, NamedTuple

import numpy as np

from robot.contract.wiring import Energy
from robot.control.rotation import matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix
from robot.control.rotation_kernels import write_interpolated
from robot.safety.energy.budget import load_budget
from robot.safety.energy.setpoint.kernel import filter_offset
from robot.safety.energy.tank import LATENCY, LEASH, LIMIT_FORCE, LIMIT_POWER, NONE
from robot.safety.gate.limits import GROUP, TANGENT_SIZE
from robot.safety.gate.measuring import Measuring
from robot.safety.gate.reasons import Reason
from robot.safety.gate.settings import GateSettings, LeashSettings

_REASONS = {
    LEASH: Reason.ENERGY_LEASH,
    LIMIT_FORCE: Reason.ENERGY_FORCE,
    LIMIT_POWER: Reason.ENERGY_POWER,
    LATENCY: Reason.ENERGY_LATENCY,
}


class Leashed(NamedTuple):
    """A command within its leashes.

    Args:
        target: (dim,) the command.
        velocity: (tangent,) with which it is reached.
        cuts: reasons for which it was changed, with the share that was allowed.
        springs: energy of each spring with the measured state, J.
    """

    target: np.ndarray
    velocity: np.ndarray
    cuts: Mapping[Reason, str]
    springs: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Spring:
    """One leash as arrays: its indices in a command and in a displacement, its rotations, stiffness and margins."""

    settings: LeashSettings
    columns: np.ndarray
    tangent: np.ndarray
    rotations: np.ndarray
    stiffness: np.ndarray
    blocks: np.ndarray
    latency_displacement: np.ndarray


class Leash:
    """All leashes of a gate.

    Args:
        settings: of the gate.
        measuring: of the gate.

    Attributes:
        holds: whether any tool is on a leash.
    """

    def __init__(self, settings: GateSettings, measuring: Measuring) -> None:
        self._measuring = measuring
        spec, part = settings.spec, measuring.limits.part
        numbers = {group.name: number for number, group in enumerate(settings.groups)}
        tangent_group = np.repeat(part[:, GROUP], part[:, TANGENT_SIZE])
        self._springs = []
        for each in settings.leashes:
            group = settings.groups[numbers[each.group]]
            fields = [field for field in spec.fields if field.name in {part.field for part in group.parts}]
            columns = np.concatenate([np.arange(spec.dim)[spec.slices[field.name]] for field in fields])
            starts = np.cumsum([0, *(field.size for field in fields)])
            rotations = np.array([start for start, field in zip(starts, fields) if field.is_rotation], dtype=np.int64)
            sizes = [3 if field.is_rotation else field.size for field in fields]
            ends = np.cumsum(sizes)
            self._springs.append(
                _Spring(
                    each,
                    columns,
                    np.flatnonzero(tangent_group == numbers[each.group]),
                    rotations,
                    np.diag(each.stiffness),
                    np.stack([ends - sizes, ends], axis=1).astype(np.int64),
                    np.array(each.speeds) * each.latency_s,
                )
            )
        self._nothing = np.zeros((6, 6))
        self.holds = bool(self._springs)

    def hold(
        self,
        before: np.ndarray,
        velocity_before: np.ndarray,
        target: np.ndarray,
        velocity: np.ndarray,
        measured: np.ndarray,
        dt: float,
        displacement: np.ndarray | None = None,
    ) -> Leashed:
        """The command drawn near to the tools.

        A motion that lowers the energy of a spring is not held to the acceleration limits of other motions, but to the
        leash's own `release`.

        Args:
            before, velocity_before: (dim,), (tangent,) the last command, which is in force.
            target, velocity: (dim,), (tangent,) the next one, within all other limits.
            measured: (dim,) newest measured state; where it is unknown, nothing is changed.
            dt: s between them.
            displacement: (tangent,) from the last command to the measured state, where it is known already.
        """
        if not self.holds or len(measured) != len(target):
            return Leashed(target, velocity, {}, ())
        old = self._measuring.distances(before, measured)[0] if displacement is None else displacement
        new, _ = self._measuring.distances(target, measured)
        cuts: dict[Reason, str] = {}
        springs = []
        for spring in self._springs:
            offset, own = -new[spring.tangent], spring.settings
            if not all(map(math.isfinite, offset.tolist())):
                springs.append(float("nan"))
                continue
            factors = np.ones(2)
            reason = filter_offset(
                offset,
                spring.stiffness,
                -old[spring.tangent],
                spring.stiffness,
                spring.blocks,
                spring.latency_displacement,
                np.inf,
                own.power_w * dt,
                own.spring_j,
                own.force_n,
                False,
                self._nothing,
                factors,
            )
            share = float(factors[0])
            if reason != NONE:
                target, velocity = self._drawn(spring, before, velocity_before, target, velocity, measured, share, dt)
                detail = f"{own.group} {share:.2f}"
                cuts[_REASONS[reason]] = f"{cuts[_REASONS[reason]]}, {detail}" if _REASONS[reason] in cuts else detail
                offset = -self._measuring.distances(target, measured)[0][spring.tangent]
            springs.append(float(0.5 * offset @ spring.stiffness @ offset))
        return Leashed(target, velocity, cuts, tuple(springs))

    def _drawn(
        self,
        spring: _Spring,
        before: np.ndarray,
        velocity_before: np.ndarray,
        target: np.ndarray,
        velocity: np.ndarray,
        measured: np.ndarray,
        share: float,
        dt: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The command with one group at a share of its displacement from the tool, and the resulting velocity."""
        columns, tangent = spring.columns, spring.tangent
        near, drawn = np.empty(len(columns)), target.copy()
        write_interpolated(measured[columns], target[columns], share, spring.rotations, near)
        drawn[columns] = near
        displacement = self._measuring.distances(before, drawn)[0][tangent]
        group_velocity, within = displacement / dt, True
        for (first, last), most in zip(spring.blocks, spring.settings.release):
            own, length = slice(first, last), float(np.linalg.norm(displacement[first:last]))
            # No faster than it can still stop there.
            stops = most * (np.sqrt(dt * dt / 4 + 2 * length / most) - dt / 2)
            if length > stops * dt:
                group_velocity[own] *= stops * dt / length
                within = False
            change = group_velocity[own] - velocity_before[tangent][own]
            size = float(np.linalg.norm(change))
            if size > most * dt:
                group_velocity[own] = velocity_before[tangent][own] + change * (most * dt / size)
                within = False
        if not within:
            drawn[columns] = _moved(spring, before[columns], group_velocity * dt)
        full_velocity = velocity.copy()
        full_velocity[tangent] = group_velocity
        return drawn, full_velocity


def _moved(spring: _Spring, start: np.ndarray, way: np.ndarray) -> np.ndarray:
    """The pose after a displacement (m,), m and rad."""
    end = start.copy()
    at = 0
    for first, last in spring.blocks:
        if at in spring.rotations:
            turned = matrix_from_rotvec(way[first:last]) @ matrix_from_6d(start[at : at + 6])
            end[at : at + 6] = rotation_6d_from_matrix(turned)
            at += 6
        else:
            end[at : at + last - first] += way[first:last]
            at += last - first
    return end


def enforced(energy: Energy, *, lock_step: bool = False) -> str:
    """What bounds the energy below a sink, in words for the status and the log."""
    if energy.mode == "none":
        return "not enforced"
    budget = load_budget(energy.budget)
    if lock_step and energy.mode == "setpoint":
        return "not enforced in lock-step"
    if energy.budget == "free":
        return "counted in the inner loop, not limited" if energy.mode == "torque" else "not enforced: no budget"
    name = f"budget '{energy.budget}' {budget.hash}"
    if energy.mode == "torque":
        # There a moving set-point is fed forward, so that the leash caps no speed.
        return f"torque filter and ledger in the inner loop, {name}: {budget.limits()}"
    if np.isinf(min(budget.spring_j, budget.force_n, budget.power_w)):
        return f"not enforced: budget '{energy.budget}' caps neither spring nor force nor power"
    return f"leash only, {name}: {budget.describe()}; no realised work is known, so the sum is not bounded"
