"""The energy of a twin's arms: the budget of their controllers, what they injected, and what filters changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

import numpy as np

from robot.description.loading import RobotDescription
from robot.errors import InputError
from robot.safety.energy.budget import Budget
from robot.safety.energy.tank import (
    COLUMNS,
    LATCHED,
    LEVEL,
    OVERDRAFT,
    OVERDRAFTS,
    PEAK,
    REASONS,
    SPENT,
    SPILLED,
    STEPS,
    SUPPLIED,
    WORK,
    fill,
)
from sim.twin.inner_loop import Guard

COUNTED = Budget(
    initial_j=float("inf"),
    reserve_j=0.0,
    capacity_j=float("inf"),
    power_w=float("inf"),
    provenance="none: the work is counted and nothing is limited",
)

HARDER, UNKNOWN = 10.0, 150.0
"""Largest acceleration of a joint when the arm hits something: a multiple of its acceleration limit, where a budget
was not picked with the arm's own; and rad/s^2 for an arm that has no such limit. The Panda's joints that wild policies
drive into a stiff table pass it in less than one step of a thousand (`python -m benchmarks.twin_energy accelerations`).
Beyond it overdrafts can happen: they are counted, with their joules."""


@dataclass(frozen=True, eq=False)
class EnergyState:
    """The tanks of a twin since the last reset, one number per limb.

    Args:
        level_j: in the tank; below 0 is an overdraft, which only a shadow ledger or an arm outside of its bounds has.
        share: of the initial energy.
        work_j: injected in all; spent_j: its positive part; peak_j: its largest value.
        supplied_j, spilled_j: added from outside, and lost at capacity.
        overdrafts, overdraft_j: steps that took more than there was, and how much.
        latched: whether an input that was not finite holds the arm at zero torque.
        changed: steps that a filter changed, by its reason, over all limbs.
        changed_share: the share of steps that a filter changed.
        steps: of the inner loop.
        enforced: whether the filters act; else the tanks are only counted.
    """

    level_j: np.ndarray
    share: np.ndarray
    work_j: np.ndarray
    spent_j: np.ndarray
    peak_j: np.ndarray
    supplied_j: np.ndarray
    spilled_j: np.ndarray
    overdrafts: np.ndarray
    overdraft_j: np.ndarray
    latched: np.ndarray
    changed: Mapping[str, int]
    changed_share: np.ndarray
    steps: int
    enforced: bool


def wire_guard(description: RobotDescription, joints: int, budget: Budget | None, *, enforce: bool = True) -> Guard:
    """Tanks of all limbs, each with the whole budget.

    Args:
        description: of the robot.
        joints: columns of the tables.
        budget: None counts the work and limits nothing.
        enforce: whether filters act; else work and overdrafts are counted.

    Raises:
        InputError: the budget was picked for arms of another number of joints.
    """
    limbs, limits = len(description.limbs), budget or COUNTED
    acceleration = np.full((limbs, joints), UNKNOWN)
    for row, limb in zip(acceleration, description.limbs):
        row[: len(limb.arm.acceleration)] = HARDER * np.array(limb.arm.acceleration)
        if limits.acceleration and len(limits.acceleration) != len(limb.arm.joints):
            raise InputError(
                "budget: acceleration",
                expected=f"{len(limb.arm.joints)} numbers, the arm's joints",
                got=str(len(limits.acceleration)),
            )
        row[: len(limits.acceleration)] = limits.acceleration
    guard = Guard(
        enforce=np.array([budget is not None and enforce]),
        budget=np.tile(limits.row, (limbs, 1)),
        tank=np.zeros((limbs, COLUMNS)),
        acceleration=acceleration,
        reasons=np.zeros((limbs, len(REASONS)), dtype=np.int64),
    )
    begin(guard, limits)
    return guard


def begin(guard: Guard, budget: Budget | None) -> None:
    """Fill the tanks for a new episode. The account restarts too: nothing is carried over."""
    fill(guard.tank, budget or COUNTED)
    guard.reasons[:] = 0


def state_of(guard: Guard) -> EnergyState:
    """The energy state by the tanks."""
    tank, first = guard.tank.copy(), guard.budget[:, 0]
    with np.errstate(invalid="ignore"):
        share = np.where(np.isinf(first), 1.0, tank[:, LEVEL] / first)
    return EnergyState(
        level_j=tank[:, LEVEL],
        share=share,
        work_j=tank[:, WORK],
        spent_j=tank[:, SPENT],
        peak_j=tank[:, PEAK],
        supplied_j=tank[:, SUPPLIED],
        spilled_j=tank[:, SPILLED],
        overdrafts=tank[:, OVERDRAFTS].astype(np.int64),
        overdraft_j=tank[:, OVERDRAFT],
        latched=tank[:, LATCHED] > 0,
        changed={name: int(count) for name, count in zip(REASONS, guard.reasons.sum(axis=0)) if name and count},
        changed_share=guard.reasons.sum(axis=1) / np.maximum(tank[:, STEPS], 1.0),
        steps=int(tank[:, STEPS].max()),
        enforced=bool(guard.enforce[0]),
    )


def energy_info(energy: EnergyState) -> dict[str, float]:
    """The energy values for the `info` of an episode, over all arms: the level of the emptiest tank in joules, joules
    spent, overdrafts and their joules, the share of steps that a filter changed, and their number by reason. Without a
    budget only the energy spent.
    """
    values = {"energy_spent_j": float(energy.spent_j.sum()), "energy_peak_j": float(energy.peak_j.max())}
    if np.isinf(energy.level_j).all():
        return values
    return {
        **values,
        "energy_level_j": float(energy.level_j.min()),
        "energy_overdrafts": float(energy.overdrafts.sum()),
        "energy_overdraft_j": float(energy.overdraft_j.sum()),
        "energy_changed": float(energy.changed_share.mean()),
        **{f"energy_{name}_steps": float(energy.changed.get(name, 0)) for name in REASONS if name},
    }


def energy_status(energy: EnergyState, since: EnergyState | None = None) -> tuple[str, str]:
    """The operator's message about the tanks: `ok`, `warn` or `error`, and a sentence.

    Args:
        energy: now.
        since: an earlier state: what a filter has changed since then counts as now. None looks back to the reset.
    """
    before = since.changed if since is not None and since.steps <= energy.steps else {}
    acting = [name for name, count in energy.changed.items() if count > before.get(name, 0)]
    level = f"tank {max(energy.share.min(), 0.0):.0%}"
    if energy.latched.any():
        return "error", f"{level}: an input that was not finite has taken the torque from an arm, until the reset"
    if energy.overdrafts.any():
        return (
            "error" if energy.enforced else "warn",
            f"{level}: overdrawn {int(energy.overdrafts.sum())} times, {energy.overdraft_j.sum():.3f} J",
        )
    if "tank" in acting:
        return "warn", f"{level}: it is nearly empty, and the arm is given no more energy than it gives back"
    if acting:
        return "warn", f"{level}: limited by {', '.join(acting)}"
    return "ok", level
