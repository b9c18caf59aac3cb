"""The gate's last stage: a set-point over a spring is held near the tool, so that the spring cannot hold more energy,
push harder or be filled faster than its budget allows (`robot.safety.energy.setpoint`, leash only: no work is
told by the controllers below, so that the sum is not bounded).
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class Leashed:
    """What came of a command.

    Args:
        target: (dim,) the command.
        velocity: (tangent,) with which it is reached.
        cuts: why it was changed, with what was allowed of it.
        springs: energy of each spring with the measured state, J.
    """

    target: np.ndarray
    velocity: np.ndarray
    cuts: dict[Reason, str]
    springs: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Spring:
    """One leash, laid out: places in a command and in a way, its rotations, stiffness and margins."""

    settings: LeashSettings
    columns: np.ndarray
    tangent: np.ndarray
    rotations: np.ndarray
    stiffness: np.ndarray
    blocks: np.ndarray
    ways: np.ndarray


class Leash:
    """All leashes of a gate.

    Args:
        settings: of the gate.
        measuring: of the gate.
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

    def hold(
        self,
        before: np.ndarray,
        velocity_before: np.ndarray,
        target: np.ndarray,
        velocity: np.ndarray,
        measured: np.ndarray,
        dt: float,
    ) -> Leashed:
        """Bring a command near to the tools.

        A motion that lowers the energy of a spring is not held to the acceleration limits of other motions, but to the
        leash's own `release`.

        Args:
            before, velocity_before: (dim,), (tangent,) the last command, that is in force.
            target, velocity: (dim,), (tangent,) the next one, within all other limits.
            measured: (dim,) newest measured state; where it is not known, nothing is changed.
            dt: s between them.
        """
        if not self._springs or len(measured) != len(target):
            return Leashed(target, velocity, {}, ())
        old, _ = self._measuring.distances(before, measured)
        new, _ = self._measuring.distances(target, measured)
        cuts: dict[Reason, str] = {}
        springs = []
        for spring in self._springs:
            offset, own = -new[spring.tangent], spring.settings
            if not np.isfinite(offset).all():
                springs.append(float("nan"))
                continue
            factors = np.ones(2)
            reason = filter_offset(
                offset,
                spring.stiffness,
                -old[spring.tangent],
                spring.stiffness,
                spring.blocks,
                spring.ways,
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
                told = f"{own.group} {share:.2f}"
                cuts[_REASONS[reason]] = f"{cuts[_REASONS[reason]]}, {told}" if _REASONS[reason] in cuts else told
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
        """The command with one group at a share of its way from the tool, and the velocity that this makes."""
        columns, tangent = spring.columns, spring.tangent
        near, drawn = np.empty(len(columns)), target.copy()
        write_interpolated(measured[columns], target[columns], share, spring.rotations, near)
        drawn[columns] = near
        way = self._measuring.distances(before, drawn)[0][tangent]
        wanted, within = way / dt, True
        for (first, last), most in zip(spring.blocks, spring.settings.release):
            own, length = slice(first, last), float(np.linalg.norm(way[first:last]))
            # No faster than it can still come to rest there.
            stops = most * (np.sqrt(dt * dt / 4 + 2 * length / most) - dt / 2)
            if length > stops * dt:
                wanted[own] *= stops * dt / length
                within = False
            change = wanted[own] - velocity_before[tangent][own]
            size = float(np.linalg.norm(change))
            if size > most * dt:
                wanted[own] = velocity_before[tangent][own] + change * (most * dt / size)
                within = False
        if not within:
            drawn[columns] = _moved(spring, before[columns], wanted * dt)
        found = velocity.copy()
        found[tangent] = wanted
        return drawn, found


def _moved(spring: _Spring, start: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Where a way (m,), m and rad, leads to from a pose."""
    found = start.copy()
    at = 0
    for first, last in spring.blocks:
        if at in spring.rotations:
            turned = matrix_from_rotvec(way[first:last]) @ matrix_from_6d(start[at : at + 6])
            found[at : at + 6] = rotation_6d_from_matrix(turned)
            at += 6
        else:
            found[at : at + last - first] += way[first:last]
            at += last - first
    return found


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
        # A moving set-point is fed forward there, so that the leash caps no speed.
        return f"torque filter and ledger in the inner loop, {name}: {budget.limits()}"
    if np.isinf(min(budget.spring_j, budget.force_n, budget.power_w)):
        return f"not enforced: budget '{energy.budget}' caps neither spring nor force nor power"
    return f"leash only, {name}: {budget.describe()}; no realised work is known, so the sum is not bounded"
