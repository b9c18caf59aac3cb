"""The inner loop of all mazes: command queue, leash, impedance law, force filter, physics and ledger, tick by tick.

One compiled function takes every row through the ticks of a policy's period without coming back to Python.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from robot.compiled import compiled
from robot.safety.energy.budget import CAPACITY, FORCE, POWER, SPRING, SUPPLY
from robot.safety.energy.setpoint.kernel import filter_offset
from robot.safety.energy.tank import INVALID, LATCHED, NONE, book, work_done
from robot.safety.energy.torque.kernel import filter_torque
from sim.maze.physics import MazeState, Room, advance_world

QUEUE = 16  # commands in flight, at most


class PinController(NamedTuple):
    """Parameters of the controller, the same for every row."""

    enforce: bool
    tick_s: float
    period_s: float  # of the policy
    mass: float  # kg, for which the damping is chosen
    damping_factor: float
    budget: np.ndarray  # (8,) of `Budget.row`
    acceleration: np.ndarray  # (2,) m/s^2
    effort: np.ndarray  # (2,) N


class Control(NamedTuple):
    """State of the rows' controllers."""

    setpoint: np.ndarray  # (rows, 2) m, in force
    stiffness: np.ndarray  # (rows, 2) N/m, in force
    leashed: np.ndarray  # (rows,) int64, reason why the set-point in force is not the commanded one
    queue: np.ndarray  # (rows, QUEUE, 4) commands
    due: np.ndarray  # (rows, QUEUE) int64, ticks
    queued: np.ndarray  # (rows, 2) int64, index of the first command in the queue, and their number
    tank: np.ndarray  # (rows, COLUMNS)


class TickLog(NamedTuple):
    """Results of a call, over its ticks."""

    executed: np.ndarray  # (rows, 4) mean set-point and stiffness that the applied forces correspond to
    reasons: np.ndarray  # (rows, 7) int64, ticks by the code of the reason for a change
    trace: np.ndarray  # (rows, ticks or 0, 4) position and force of each tick, if traced


@compiled
def run(world: MazeState, law: PinController, control: Control, told: TickLog, ticks: int) -> None:
    """Take every row through `ticks` ticks, in place."""
    force, damping, velocity = np.empty(2), np.empty(2), np.empty(2)
    before, after, factors = np.empty(2), np.empty(2), np.empty(2)
    new_stiffness, old_stiffness, zeros = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))
    offset, old_offset = np.empty(2), np.empty(2)
    blocks, margins, low = np.array([[0, 2]]), np.zeros(1), -law.effort
    room = Room(
        np.zeros((3, 4)),
        np.zeros((3, 2)),
        np.zeros((3, world.boxes.shape[1] + 1), np.int64),
        np.zeros(3, np.int64),
        np.empty(4),
        np.empty(2),
    )
    for row in range(len(world.pin)):
        tank = control.tank[row]
        for tick in range(ticks):
            pin = world.pin[row]
            while control.queued[row, 1] > 0 and control.due[row, control.queued[row, 0]] <= world.clock[row]:
                first = control.queued[row, 0]
                _take(
                    law,
                    control,
                    row,
                    control.queue[row, first],
                    pin,
                    offset,
                    old_offset,
                    new_stiffness,
                    old_stiffness,
                    blocks,
                    margins,
                    zeros,
                    factors,
                )
                control.queued[row, 0] = (first + 1) % QUEUE
                control.queued[row, 1] -= 1
            for i in range(2):
                velocity[i], before[i] = pin[2 + i], pin[i]
                damping[i] = -law.damping_factor * np.sqrt(control.stiffness[row, i] * law.mass) * velocity[i]
                force[i] = control.stiffness[row, i] * (control.setpoint[row, i] - pin[i]) + damping[i]
            if law.enforce:
                reason = filter_torque(
                    force, damping, velocity, law.tick_s, law.acceleration, low, law.effort, law.budget, tank
                )
                if reason == NONE:
                    reason = control.leashed[row]
                told.reasons[row, reason] += 1
            else:
                for i in range(2):
                    force[i] = min(max(force[i], low[i]), law.effort[i])
                told.reasons[row, NONE] += 1
            advance_world(world, row, force, law.tick_s, room)
            for i in range(2):
                after[i] = pin[i]
                # The set-point whose spring would have given this force.
                told.executed[row, i] += (before[i] + (force[i] - damping[i]) / control.stiffness[row, i]) / ticks
                told.executed[row, 2 + i] += control.stiffness[row, i] / ticks
            book(tank, law.budget[CAPACITY], work_done(force, before, after), law.budget[SUPPLY] * law.tick_s)
            if tick < told.trace.shape[1]:
                for i in range(2):
                    told.trace[row, tick, i], told.trace[row, tick, 2 + i] = after[i], force[i]


@compiled
def _take(
    law: PinController,
    control: Control,
    row: int,
    command: np.ndarray,
    pin: np.ndarray,
    offset: np.ndarray,
    old_offset: np.ndarray,
    new: np.ndarray,
    old: np.ndarray,
    blocks: np.ndarray,
    ways: np.ndarray,
    nothing: np.ndarray,
    factors: np.ndarray,
) -> None:
    """Put a command (4,) in force as far as the leash allows: its spring energy, force and power are bounded at the
    pin's current position, however late the command arrives.
    """
    setpoint, stiffness = control.setpoint[row], control.stiffness[row]
    if not law.enforce:
        for i in range(2):
            setpoint[i], stiffness[i] = command[i], command[2 + i]
        return
    for i in range(2):
        offset[i], old_offset[i] = command[i] - pin[i], setpoint[i] - pin[i]
        new[i, i], old[i, i] = command[2 + i], stiffness[i]
    reason = filter_offset(
        offset,
        new,
        old_offset,
        old,
        blocks,
        ways,
        np.inf,
        law.budget[POWER] * law.period_s,
        law.budget[SPRING],
        law.budget[FORCE],
        True,
        nothing,
        factors,
    )
    control.leashed[row] = reason
    if reason == INVALID:
        # The set-point stays, and the latch keeps the force at zero until the episode ends.
        control.tank[row, LATCHED] = 1.0
        return
    for i in range(2):
        setpoint[i] = command[i] if factors[0] == 1.0 else pin[i] + factors[0] * offset[i]
        stiffness[i] = command[2 + i] * factors[1]
