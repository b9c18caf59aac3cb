"""The pin moves as the law and Newton say, energy adds up, walls hold, blocks slide and stop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from robot.safety.energy import load_budget
from robot.safety.energy.tank import WORK
from sim.maze import MazeBatch, MazeOptions
from sim.maze.layout import BLOCK_RADIUS_M, PIN_RADIUS_M, WALL_M, layout
from sim.maze.options import PIN_DAMPING, PIN_KG

STILL = dict(start_m=0.0, noise_n=0.0, friction=(0.3, 0.3))


def one(number: int = 4, **options: Any) -> MazeBatch:
    """A maze with one row, that begins in the middle of its start, without limits of energy."""
    batch = MazeBatch(
        1,
        layouts=[number],
        seed=0,
        budget=load_budget("free"),
        enforce=False,
        trace=True,
        restart=False,
        options=MazeOptions(**{**STILL, **options}),
    )
    batch.reset()
    return batch


def hold(batch: MazeBatch, x: float, y: float, k: float, steps: int) -> np.ndarray:
    """Ticks (steps * 50, 4) of holding a set-point."""
    found = []
    for _ in range(steps):
        batch.step(np.array([[x, y, k, k]]))
        found.append(batch.ticks[0])
    return np.concatenate(found)


@pytest.mark.parametrize("stiffness", [100.0, 400.0, 1500.0])
def test_a_pin_in_free_space_moves_as_a_spring_with_a_damper(stiffness: float) -> None:
    """Against the closed form, which the held force of 1 ms leaves by half of a period."""
    batch = one()
    start = batch.position[0]
    ticks = hold(batch, start[0] + 0.01, start[1] - 0.005, stiffness, 6)
    damping = 1.4 * math.sqrt(stiffness * PIN_KG) + PIN_DAMPING
    decay, rate = damping / (2 * PIN_KG), math.sqrt(stiffness / PIN_KG - (damping / (2 * PIN_KG)) ** 2)
    t = 0.001 * np.arange(1, len(ticks) + 1)
    shape = 1 - np.exp(-decay * t) * (np.cos(rate * t) + decay / rate * np.sin(rate * t))
    np.testing.assert_allclose(ticks[:, 0] - start[0], 0.01 * shape, atol=2e-4)
    np.testing.assert_allclose(ticks[:, 1] - start[1], -0.005 * shape, atol=1e-4)


@pytest.mark.parametrize("wall", [1e3, 2e4, 1e5])
def test_a_pin_that_is_pressed_on_a_wall_rests_where_both_springs_balance(wall: float) -> None:
    batch = one(wall=wall, friction=(0.0, 0.0))
    x, k = 0.01, 500.0
    ticks = hold(batch, x - 0.02, batch.position[0, 1], k, 80)
    face = WALL_M / 2 + PIN_RADIUS_M
    depth = k * (face - (x - 0.02)) / (k + wall)
    assert ticks[-1, 0] == pytest.approx(face - depth, abs=1e-6)
    assert -ticks[-1, 2] == pytest.approx(wall * depth, rel=1e-4)
    assert batch.wrench[0, 0] == pytest.approx(wall * depth, rel=1e-4)


def test_work_is_kinetic_energy_and_what_was_lost_and_given_to_the_walls() -> None:
    """The identity of the energies closes within 1 % of what went through, the better the more steps a tick has: the
    integration loses m |dv|^2 / 2 in each.
    """
    gaps = []
    for substeps in (4, 16, 64):
        batch, random = one(number=7, wall=1e5, blocks=False), np.random.default_rng(3)
        batch._world = batch._world._replace(substeps=substeps)
        through = lost = contact = 0.0
        for _ in range(120):
            before = batch.position[0]
            aim = before + random.uniform(-0.03, 0.03, 2)
            batch.step(np.array([[*aim, *random.uniform(100, 1500, 2)]]))
            places = np.vstack([before, batch.ticks[0, :, :2]])
            way = np.diff(places, axis=0)
            lost += PIN_DAMPING * float((way**2).sum()) / 0.001
            through += float(np.abs((batch.ticks[0, :, 2:] * way).sum(axis=1)).sum())
            contact += float(batch.contact_work_j[0])
        work = float(batch.ledger.tank[0, WORK])
        kinetic = 0.5 * PIN_KG * float((batch.velocity[0] ** 2).sum())
        assert contact > 0.1, "the walls were touched"
        gaps.append(abs(work - kinetic - lost - contact) / through)
    assert gaps[2] < 0.01 and gaps[1] < 0.5 * gaps[0] and gaps[2] < 0.5 * gaps[1]


def test_walls_and_blocks_give_back_no_more_than_they_got() -> None:
    batch = MazeBatch(
        12,
        layouts=range(1, 13),
        seed=5,
        budget=load_budget("free"),
        enforce=False,
        restart=False,
        options=MazeOptions(wall=1e5),
    )
    batch.reset()
    random, given = np.random.default_rng(1), np.zeros(12)
    for _ in range(150):
        batch.step(
            np.concatenate(
                [batch.position + random.uniform(-0.1, 0.1, (12, 2)), random.uniform(100, 1500, (12, 2))], axis=1
            )
        )
        given += batch.contact_work_j
        assert (given > -1e-3).all()
    assert (given > 0.5).all()


@pytest.mark.parametrize("wall", [1e3, 1e4, 1e5])
def test_no_push_leads_through_a_wall_however_soft(wall: float) -> None:
    """Maze 4 has a wall to the right of its start; 1500 N/m pull the pin against it from 0.2 m away."""
    batch = one(wall=wall, effort_n=15.0, blocks=False)
    ticks = hold(batch, 0.2, 0.1, 1500.0, 100)
    plan = layout(4)
    inner = plan.boxes[4:]
    face = inner[(inner[:, 1] < 0.1) & (inner[:, 3] > 0.1), 0].min()
    run_up = 15.0 * (face - PIN_RADIUS_M - layout(4).start[0])  # J that it has at most when it arrives
    assert ticks[:, 0].max() < face - PIN_RADIUS_M + (15.0 + math.sqrt(15.0**2 + 2 * wall * run_up)) / wall
    assert ticks[-1, 0] == pytest.approx(face - PIN_RADIUS_M + 15.0 / wall, abs=2e-4)


def test_friction_holds_a_pin_back_as_much_as_it_is_pressed() -> None:
    """Along a wall that it presses on, the force that the contact takes is mu times the normal one."""
    batch = one(blocks=False)
    hold(batch, 0.0, 0.1, 500.0, 20)
    for k in range(10):
        batch.step(np.array([[0.0, 0.1 - 0.004 * (k + 1), 500.0, 1500.0]]))
    wrench = batch.wrench[0]
    assert batch.velocity[0, 1] < -0.03
    assert wrench[1] == pytest.approx(0.3 * wrench[0], rel=0.02)


def test_a_block_stands_until_it_is_pushed_and_stops_by_its_friction() -> None:
    batch = one(number=12, floor_friction=0.3)
    rest = batch.blocks[0, 0].copy()
    hold(batch, *batch.position[0], 300.0, 5)
    np.testing.assert_array_equal(batch.blocks[0, 0], rest)
    world = batch._world
    world.blocks[0, 0, 2] = -0.2
    hold(batch, *batch.position[0], 300.0, 6)
    way = rest[0] - batch.blocks[0, 0, 0]
    assert way == pytest.approx(0.2**2 / (2 * 0.3 * 9.81), rel=0.02)
    np.testing.assert_array_equal(world.blocks[0, 0, 2:], 0.0)


def test_a_pin_pushes_a_block_along_and_neither_passes_into_the_other() -> None:
    batch = one(number=5)
    batch._world.pin[0, :2] = batch.blocks[0, 0] - [0.03, 0.0]
    rest = batch.blocks[0, 0].copy()
    for _ in range(40):
        batch.step(np.array([[*(batch.position[0] + [0.01, 0.0]), 800.0, 800.0]]))
        gap = np.hypot(*(batch.blocks[0, 0] - batch.position[0]))
        assert gap > PIN_RADIUS_M + BLOCK_RADIUS_M - 0.001
    assert batch.blocks[0, 0, 0] > rest[0] + 0.05


def test_a_collision_keeps_the_momentum() -> None:
    batch = one(number=5, floor_friction=0.0, wall_damping=0.0, friction=(0.0, 0.0), effort_n=1.0)
    world, mass = batch._world, np.array([PIN_KG, 0.3])
    world.pin[0] = *(batch.blocks[0, 0] - [0.0145, 0.004]), 0.3, 0.0
    batch._control.stiffness[0] = 1e-9
    before = PIN_KG * 0.3
    batch.step(np.array([[*batch.position[0], 100.0, 100.0]]))
    after = mass @ np.stack([world.pin[0, 2:], world.blocks[0, 0, 2:]])
    drag = PIN_DAMPING * 0.015 + 1.0 * 0.05  # the most that damping and the drive took
    assert world.blocks[0, 0, 2] > 0.1
    assert abs(after[0] - before) < drag


def test_a_wall_that_vanishes_lets_the_pin_go() -> None:
    hold_target, gone = one(blocks=False), one(blocks=False, removal_s=1.0)
    for batch in (hold_target, gone):
        ticks = hold(batch, 0.12, 0.1, 800.0, 30)
        first = ticks[:1000, 0].max()
        assert first < 0.085
        assert (ticks[:, 0].max() > 0.1) == (batch is gone)


def test_a_gate_closes_opens_and_pushes_what_is_in_its_way() -> None:
    """The environment does work on a pin that only holds its place."""
    batch = one(number=4, gate=True, gate_s=2.0, blocks=False)
    gate = layout(4).boxes[layout(4).kinds == 2][0]
    middle = gate.reshape(2, 2).mean(axis=0)
    batch._world.pin[0, :2] = middle + [0.0, 0.004]
    given = pushed = 0.0
    for _ in range(40):
        batch.step(np.array([[*middle, 300.0, 300.0]]))
        given = min(given, given + float(batch.contact_work_j[0]))
        pushed = min(pushed, float(batch.wrench[0, 1]))
    assert pushed < -1.0
    assert given < -1e-3


def test_a_push_from_outside_moves_the_pin_and_its_work_is_told() -> None:
    batch = one(blocks=False)
    start = batch.position[0]
    held = np.array([[*start, 400.0, 400.0]])
    told = sum(float(batch.step(held, np.array([[0.0, 4.0]])).disturbance_j[0]) for _ in range(40))
    way = batch.position[0] - start
    assert way[1] == pytest.approx(4.0 / 400.0, rel=1e-3)
    assert told == pytest.approx(4.0 * way[1], rel=1e-6)
