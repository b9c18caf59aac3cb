"""Convert layouts and options to the tables that the compiled loop reads."""

from __future__ import annotations

import math
from typing import Sequence

import numpy as np

from robot.safety.energy.budget import Budget
from sim.maze.inner_loop import PinController
from sim.maze.layout import BLOCK_RADIUS_M, GATE, MOST_BLOCKS, PIN_RADIUS_M, Layout
from sim.maze.options import (
    DAMPING_FACTOR,
    GATE_N_PER_M,
    PERIOD_S,
    PIN_DAMPING,
    PIN_KG,
    TICK_S,
    MazeOptions,
)
from sim.maze.physics import SUMS, MazeState

_SAFETY = 1.5  # of the bound of the acceleration
_UNLIMITED_J = 1.0  # of an impact, where the budget does not limit it


def build_world(plans: Sequence[Layout], rows: int, options: MazeOptions) -> MazeState:
    """The world of `rows` mazes, each of which draws one of the layouts."""
    most, k = max(len(plan.boxes) for plan in plans), len(plans)
    boxes, kinds = np.zeros((k, most, 4)), np.zeros((k, most), np.int64)
    gates = np.zeros((k, 2))
    for i, plan in enumerate(plans):
        boxes[i, : len(plan.boxes)], kinds[i, : len(plan.boxes)] = plan.boxes, plan.kinds
        if options.gate:
            gates[i] = gate_opening(plan)
    return MazeState(
        boxes=boxes,
        kinds=kinds,
        box_counts=np.array([len(plan.boxes) for plan in plans]),
        gates=gates,
        gate_s=float(options.gate_s),
        removal_s=math.inf if options.removal_s is None else float(options.removal_s),
        stiffness=float(options.wall),
        gate_stiffness=min(GATE_N_PER_M, float(options.wall)),
        damping_ratio=float(options.wall_damping),
        floor_friction=float(options.floor_friction),
        masses=np.array([PIN_KG] + [options.block_kg] * MOST_BLOCKS),
        radii=np.array([PIN_RADIUS_M] + [BLOCK_RADIUS_M] * MOST_BLOCKS),
        pin_damping=PIN_DAMPING,
        substeps=options.substeps,
        layout=np.zeros(rows, np.int64),
        friction=np.zeros(rows),
        body_counts=np.ones(rows, np.int64),
        clock=np.zeros(rows, np.int64),
        pin=np.zeros((rows, 4)),
        blocks=np.zeros((rows, MOST_BLOCKS, 4)),
        faces=np.zeros((rows, 1 + MOST_BLOCKS, most), np.int64),
        push=np.zeros((rows, 2)),
        wrench=np.zeros((rows, 2)),
        sums=np.zeros((rows, SUMS)),
    )


def gate_opening(plan: Layout) -> np.ndarray:
    """The displacement (2,) m of a layout's gate from closed to open: along its wall, by the width of the opening."""
    for box in plan.boxes[plan.kinds == GATE]:
        size = box[2:] - box[:2]
        return np.where(size == size.max(), size, 0.0)
    return np.zeros(2)


def make_law(budget: Budget, enforce: bool, options: MazeOptions) -> PinController:
    """The parameters of the impedance law and of its filter."""
    acceleration = options.acceleration_mps2 or acceleration_bound(budget, options)
    return PinController(
        enforce=bool(enforce),
        tick_s=TICK_S,
        period_s=PERIOD_S,
        mass=PIN_KG,
        damping_factor=DAMPING_FACTOR,
        budget=budget.row,
        acceleration=np.full(2, acceleration),
        effort=np.full(2, float(options.effort_n)),
    )


def acceleration_bound(budget: Budget, options: MazeOptions) -> float:
    """A bound on the pin's acceleration, m/s^2: by the force that the leash allows and by the impact that its
    energy makes on a lossless wall. One step of the integration moves it by a T^2 (1 + 1/substeps) / 2, not a T^2 / 2.
    """
    force = min(budget.force_n, options.effort_n)
    impact = min(budget.impact_j(DAMPING_FACTOR / 2), _UNLIMITED_J)
    return _SAFETY * (force + math.sqrt(2 * options.wall * impact)) / PIN_KG * (1 + 1 / options.substeps)
