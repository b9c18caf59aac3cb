"""The bodies of the mazes: a pin and the blocks that it may push, discs that slide in the plane and do not turn.

Semi-implicit Euler in steps fine enough for the stiffest contact; the pin's own damping is taken at the end of a step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from robot.compiled import compiled
from sim.maze.contact import OUTSIDE, contact_force, touch_box
from sim.maze.layout import GATE, LOOSE

PEAK, CONTACT_WORK, PUSH_WORK, PIERCED = range(4)
"""Columns of `World.sums`: the largest force of all contacts on the pin (N); J that the pin gave to what it touches,
and J that it was given by pushes from outside, since they were set to 0; whether its centre is inside of a wall."""
SUMS = 4
_REST_MPS = 1e-4  # a block that nothing touches is at rest below it
_GRAVITY = 9.81
_MARGIN_M = 5e-4  # added to the displacement of a tick in the search for boxes


class Room(NamedTuple):
    """Work arrays of a tick."""

    state: np.ndarray  # (3, 4) of the pin and the blocks
    push: np.ndarray  # (3, 2) N, sum of the contact forces on them
    near: np.ndarray  # (3, most + 1) int64, number of boxes that each can touch, then their indices
    awake: np.ndarray  # (3,) int64
    box: np.ndarray  # (4,)
    speed: np.ndarray  # (2,)


class MazeState(NamedTuple):
    """Facts of the layouts, and the state of each row."""

    boxes: np.ndarray  # (layouts, most, 4) m
    kinds: np.ndarray  # (layouts, most) int64
    box_counts: np.ndarray  # (layouts,) int64
    gates: np.ndarray  # (layouts, 2) m, displacement of the gate from closed to open; 0 where none moves
    gate_s: float
    removal_s: float
    stiffness: float  # of walls and blocks, N/m
    gate_stiffness: float
    damping_ratio: float
    floor_friction: float
    masses: np.ndarray  # (3,) kg, pin and blocks
    radii: np.ndarray  # (3,) m
    pin_damping: float  # N s/m
    substeps: int
    layout: np.ndarray  # (rows,) int64
    friction: np.ndarray  # (rows,)
    body_counts: np.ndarray  # (rows,) int64, pin and blocks
    clock: np.ndarray  # (rows,) int64, ticks of the episode
    pin: np.ndarray  # (rows, 4) position and velocity
    blocks: np.ndarray  # (rows, 2, 4) the same
    faces: np.ndarray  # (rows, 3, most) int64, face through which the centre of a body entered a box
    push: np.ndarray  # (rows, 2) N on the pin, from outside
    wrench: np.ndarray  # (rows, 2) N s, impulse of the contacts on the pin since it was set to 0
    sums: np.ndarray  # (rows, SUMS)


@compiled
def advance_world(world: MazeState, row: int, force: np.ndarray, tick_s: float, room: Room) -> None:
    """Hold a force (2,) N on a row's pin for a tick; the row's state is changed."""
    step_s, bodies = tick_s / world.substeps, world.body_counts[row]
    time_s, plan = world.clock[row] * tick_s, world.layout[row]
    state, push, near, awake, box = room.state, room.push, room.near, room.awake, room.box
    for i in range(4):
        state[0, i] = world.pin[row, i]
        for body in range(1, bodies):
            state[body, i] = world.blocks[row, body - 1, i]
    gate_x, gate_y, gate_vx, gate_vy = _gate(world, plan, time_s)
    _wake(world, row, state, bodies, tick_s, awake)
    for body in range(bodies):
        near[body, 0] = 0
        if awake[body]:
            _look(world, row, body, state[body], tick_s, time_s, gate_x, gate_y, near[body])
    peak = world.sums[row, PEAK]
    for _ in range(world.substeps):
        for body in range(bodies):
            push[body, 0], push[body, 1] = 0.0, 0.0
        for body in range(bodies):
            if not awake[body]:
                continue
            mass = world.masses[body]
            stickiest = 0.5 * mass / step_s
            for k in range(1, near[body, 0] + 1):
                index = near[body, k]
                for i in range(4):
                    box[i] = world.boxes[plan, index, i]
                stiffness, vx, vy = world.stiffness, state[body, 2], state[body, 3]
                if world.kinds[plan, index] == GATE:
                    stiffness = world.gate_stiffness
                    box[0], box[1], box[2], box[3] = box[0] + gate_x, box[1] + gate_y, box[2] + gate_x, box[3] + gate_y
                    vx, vy = vx - gate_vx, vy - gate_vy
                depth, out_x, out_y, face = touch_box(
                    state[body, 0], state[body, 1], world.radii[body], box, world.faces[row, body, index]
                )
                world.faces[row, body, index] = face
                if depth > 0.0:
                    damping = 2 * world.damping_ratio * np.sqrt(stiffness * mass)
                    fx, fy = contact_force(
                        depth, out_x, out_y, vx, vy, stiffness, damping, world.friction[row], stickiest
                    )
                    push[body, 0] += fx
                    push[body, 1] += fy
            for other in range(body):
                if awake[other]:
                    _collide(world, row, state, other, body, step_s, push)
        fx, fy = push[0, 0], push[0, 1]
        world.wrench[row, 0] += fx * step_s
        world.wrench[row, 1] += fy * step_s
        peak = max(peak, np.sqrt(fx * fx + fy * fy))
        # The pin's damping is implicit, as MuJoCo's is.
        slow = 1.0 + step_s * world.pin_damping / world.masses[0]
        for i in range(2):
            state[0, 2 + i] = (
                state[0, 2 + i] + step_s * (force[i] + world.push[row, i] + push[0, i]) / world.masses[0]
            ) / slow
            step_m = step_s * state[0, 2 + i]
            state[0, i] += step_m
            world.sums[row, CONTACT_WORK] -= push[0, i] * step_m
            world.sums[row, PUSH_WORK] += world.push[row, i] * step_m
        for body in range(1, bodies):
            if awake[body]:
                _slide(world, state[body], push[body], world.masses[body], step_s, room.speed)
    world.sums[row, PEAK] = peak
    pierced = 0.0
    for k in range(1, near[0, 0] + 1):
        if world.faces[row, 0, near[0, k]] != OUTSIDE:
            pierced = 1.0
    world.sums[row, PIERCED] = pierced
    for i in range(4):
        world.pin[row, i] = state[0, i]
        for body in range(1, bodies):
            world.blocks[row, body - 1, i] = state[body, i]
    world.clock[row] += 1


@compiled
def _gate(world: MazeState, plan: int, time_s: float) -> tuple[float, float, float, float]:
    """The gate's displacement from closed (m) and its velocity (m/s): open at first, closed after half its period."""
    rate = 2 * np.pi / world.gate_s
    share, speed = 0.5 + 0.5 * np.cos(rate * time_s), -0.5 * rate * np.sin(rate * time_s)
    travel_x, travel_y = world.gates[plan, 0], world.gates[plan, 1]
    return travel_x * share, travel_y * share, travel_x * speed, travel_y * speed


@compiled
def _wake(world: MazeState, row: int, state: np.ndarray, bodies: int, tick_s: float, awake: np.ndarray) -> None:
    """Mark the bodies that can move in this tick: the pin, moving blocks, and blocks that one of them may touch."""
    awake[0] = 1
    for body in range(1, bodies):
        awake[body] = state[body, 2] != 0.0 or state[body, 3] != 0.0
    for _ in range(bodies - 1):
        for body in range(1, bodies):
            for other in range(bodies):
                if other == body or awake[body] or not awake[other]:
                    continue
                reach = (
                    world.radii[body]
                    + world.radii[other]
                    + _MARGIN_M
                    + 2 * tick_s * (abs(state[other, 2]) + abs(state[other, 3]))
                )
                dx, dy = state[body, 0] - state[other, 0], state[body, 1] - state[other, 1]
                if dx * dx + dy * dy < reach * reach:
                    awake[body] = 1


@compiled
def _look(
    world: MazeState,
    row: int,
    body: int,
    state: np.ndarray,
    tick_s: float,
    time_s: float,
    gate_x: float,
    gate_y: float,
    near: np.ndarray,
) -> None:
    """Write the boxes that a body can touch in this tick: their number, then their indices."""
    plan, count = world.layout[row], 0
    reach = world.radii[body] + _MARGIN_M + 2 * tick_s * (abs(state[2]) + abs(state[3]))
    for index in range(world.box_counts[plan]):
        kind = world.kinds[plan, index]
        if kind == LOOSE and time_s >= world.removal_s:
            world.faces[row, body, index] = OUTSIDE
            continue
        away_x, away_y = 0.0, 0.0
        if kind == GATE:
            if world.gates[plan, 0] == 0.0 and world.gates[plan, 1] == 0.0:
                continue
            away_x, away_y = gate_x, gate_y
        if world.faces[row, body, index] != OUTSIDE or (
            state[0] > world.boxes[plan, index, 0] + away_x - reach
            and state[0] < world.boxes[plan, index, 2] + away_x + reach
            and state[1] > world.boxes[plan, index, 1] + away_y - reach
            and state[1] < world.boxes[plan, index, 3] + away_y + reach
        ):
            count += 1
            near[count] = index
    near[0] = count


@compiled
def _collide(
    world: MazeState, row: int, state: np.ndarray, first: int, second: int, step_s: float, push: np.ndarray
) -> None:
    """Add the force between two discs to both."""
    dx, dy = state[first, 0] - state[second, 0], state[first, 1] - state[second, 1]
    reach, far = world.radii[first] + world.radii[second], dx * dx + dy * dy
    if far >= reach * reach or far == 0.0:
        return
    far = np.sqrt(far)
    mass = 1.0 / (1.0 / world.masses[first] + 1.0 / world.masses[second])
    damping = 2 * world.damping_ratio * np.sqrt(world.stiffness * mass)
    fx, fy = contact_force(
        reach - far,
        dx / far,
        dy / far,
        state[first, 2] - state[second, 2],
        state[first, 3] - state[second, 3],
        world.stiffness,
        damping,
        world.friction[row],
        0.5 * mass / step_s,
    )
    push[first, 0] += fx
    push[first, 1] += fy
    push[second, 0] -= fx
    push[second, 1] -= fy


@compiled
def _slide(
    world: MazeState, state: np.ndarray, push: np.ndarray, mass: float, step_s: float, speed: np.ndarray
) -> None:
    """Move a block by a step under contact forces and floor friction, which can stop it but never drive it."""
    for i in range(2):
        speed[i] = state[2 + i] + step_s * push[i] / mass
    fast, holding = np.sqrt(speed[0] ** 2 + speed[1] ** 2), world.floor_friction * _GRAVITY
    kept = max(0.0, 1.0 - step_s * holding / fast) if fast > 0.0 else 0.0
    pushed = push[0] ** 2 + push[1] ** 2 > (mass * holding) ** 2
    if not pushed and fast < _REST_MPS:
        kept = 0.0
    if pushed and kept == 0.0:
        kept = 1e-6  # its velocity changes sign: it is not at rest
    for i in range(2):
        state[2 + i] = kept * speed[i]
        state[i] += step_s * state[2 + i]
