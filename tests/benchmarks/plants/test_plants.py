"""The reference plants are mechanics: what they book closes by itself, and what is known in closed form comes out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.plants import ClosedLoop, LoopSettings, PointMass, TwoLink, Wall
from benchmarks.plants import books as columns
from benchmarks.plants.adversaries import BangBang, Held, Random, shoves
from benchmarks.plants.books import opened, residual_j
from benchmarks.plants.drive import AT, TIP
from benchmarks.plants.point_mass import advance_mass
from benchmarks.plants.two_link import advance_arm, tip_of
from benchmarks.plants.wall import NO_WALL
from robot.errors import InputError
from robot.safety.energy import EnergyLedger, TorqueFilter, load_budget

FREE = LoopSettings(load_budget("free"), torque_filter=False, leash="none", mass_kg=3.0)
MASS, ARM = PointMass(), TwoLink()
NEAR_WALL = {1: (np.array([0.0]), 0.03), 2: (np.array([0.45, 0.2]), 0.48)}
WALLS = {
    "elastic": {"stiffness": 1e4},
    "stiff": {"stiffness": 1e5},
    "damped": {"stiffness": 1e4, "damping": 50.0},
    "swinging": {"stiffness": 1e4, "swing_m": 0.004, "swing_hz": 5.0},
    "taken away": {"stiffness": 1e4, "removed_s": 1.03},
    "giving way": {"stiffness": 1e4, "yield_n": 15.0},
}


def loop_at(plant: PointMass | TwoLink, kind: str, **changes: float) -> ClosedLoop:
    start, place = NEAR_WALL[plant.size]
    return ClosedLoop(plant, replace(FREE, **changes), Wall(place, **WALLS[kind]), start)


def moved(
    plant: PointMass | TwoLink, state: np.ndarray, push: np.ndarray, wall: Wall, seconds: float, step_s: float
) -> np.ndarray:
    """The books of a plant under a held force."""
    books = opened(plant.kinetic_j(state), 0.0)
    advance = advance_arm if isinstance(plant, TwoLink) else advance_mass
    advance(plant.row, state, push, np.zeros(plant.size), wall.row, books, 0.0, step_s, round(seconds / step_s))
    return books


def test_a_held_force_gives_exactly_the_energy_that_it_takes():
    state = MASS.state_at(np.zeros(1), np.array([-0.2]))
    books = moved(MASS, state, np.array([6.0]), NO_WALL, 0.5, 1e-3)
    assert state[0] == pytest.approx(-0.2 * 0.5 + 0.5 * 2.0 * 0.25, abs=1e-12)
    assert books[columns.ACTUATED] == pytest.approx(6.0 * state[0], abs=1e-12)
    assert abs(residual_j(books)) < 1e-12


def test_a_mass_comes_back_from_a_lossless_wall_as_fast_as_it_came():
    wall, state = Wall(0.01, 1e5), MASS.state_at(np.zeros(1), np.array([0.3]))
    books = moved(MASS, state, np.zeros(1), wall, 0.1, 1e-5)
    assert state[1] == pytest.approx(-0.3, rel=1e-4)
    energy = 0.5 * 3.0 * 0.3**2
    assert books[columns.PEAK_FORCE] == pytest.approx(math.sqrt(2 * 1e5 * energy), rel=1e-4)
    assert books[columns.DEPTH] == pytest.approx(math.sqrt(2 * energy / 1e5), rel=1e-4)
    assert books[columns.GIVEN] == pytest.approx(energy, rel=1e-4)  # the wall had all of it, for a moment


def test_a_damped_wall_keeps_what_the_mass_has_lost():
    wall, state = Wall(0.01, 1e4, damping=100.0), MASS.state_at(np.zeros(1), np.array([0.3]))
    books = moved(MASS, state, np.zeros(1), wall, 0.3, 1e-5)
    lost = 0.5 * 3.0 * (0.3**2 - state[1] ** 2)
    assert state[1] < 0 and lost > 0.03
    assert books[columns.PORT] == pytest.approx(lost, abs=1e-5)
    assert books[columns.LOST] == pytest.approx(lost, abs=1e-4)
    assert books[columns.STORED] == 0


def test_friction_takes_what_a_guided_mass_loses():
    mass, state = PointMass(2.0, friction=1.0), PointMass(2.0).state_at(np.zeros(1), np.array([1.0]))
    books = moved(mass, state, np.zeros(1), NO_WALL, 1.0, 1e-4)
    assert state[1] == pytest.approx(math.exp(-0.5), rel=1e-6)
    assert books[columns.FRICTION] == pytest.approx(1.0 - math.exp(-1.0), rel=1e-6)


def test_a_wall_that_gives_way_costs_its_force_times_the_way():
    wall, state = Wall(0.0, 1e5, yield_n=15.0), MASS.state_at(np.zeros(1), np.array([0.5]))
    books = moved(MASS, state, np.zeros(1), wall, 0.2, 1e-5)
    assert books[columns.PEAK_FORCE] == 15.0
    assert books[columns.LOST] == pytest.approx(15.0 * books[columns.SHIFT], rel=1e-9)
    assert books[columns.SHIFT] == pytest.approx(0.5 * 3.0 * 0.5**2 / 15.0, rel=0.01)


def test_a_wall_that_is_taken_away_keeps_what_its_spring_held():
    wall, state = Wall(0.0, 1e4, removed_s=0.01), MASS.state_at(np.zeros(1), np.array([0.3]))
    books = moved(MASS, state, np.zeros(1), wall, 0.1, 1e-5)
    assert books[columns.GONE] == 1 and books[columns.STORED] == 0 and books[columns.MOVED] > 0.01
    assert state[1] > 0 and 0.5 * 3.0 * (0.09 - state[1] ** 2) == pytest.approx(books[columns.MOVED], rel=1e-3)


def test_an_arm_turned_loose_keeps_its_energy_and_its_momentum():
    state = np.array([0.3, 1.1, 2.0, -3.0])
    before, spun = ARM.kinetic_j(state), angular_momentum(state)
    moved(ARM, state, np.zeros(2), NO_WALL, 1.0, 1e-4)
    assert ARM.kinetic_j(state) == pytest.approx(before, rel=1e-6)
    assert angular_momentum(state) == pytest.approx(spun, rel=1e-6)  # no torque about the shoulder


def angular_momentum(state: np.ndarray) -> float:
    """About the shoulder: the derivative of the kinetic energy by the rate of the first joint."""
    turned = [state + sign * np.array([0, 0, 1e-4, 0]) for sign in (1, -1)]
    return (ARM.kinetic_j(turned[0]) - ARM.kinetic_j(turned[1])) / 2e-4


def test_the_tip_moves_as_its_jacobian_says():
    angles, tip, jacobian, moved_tip = np.array([0.4, -1.3]), np.empty(2), np.empty((2, 2)), np.empty(2)
    tip_of(ARM.row, angles, tip, jacobian)
    for joint in range(2):
        step = np.eye(2)[joint] * 1e-7
        tip_of(ARM.row, angles + step, moved_tip, np.empty((2, 2)))
        assert np.allclose((moved_tip - tip) / 1e-7, jacobian[:, joint], atol=1e-6)


def test_a_hand_on_the_tip_feels_the_apparent_mass():
    place = np.array([0.45, 0.2])
    state = ARM.state_at(place)
    tip, jacobian = np.empty(2), np.empty((2, 2))
    tip_of(ARM.row, state, tip, jacobian)
    assert np.allclose(tip, place)
    force = np.array([3.0, -2.0])
    advance_arm(ARM.row, state, jacobian.T @ force, np.zeros(2), NO_WALL.row, opened(0.0, 0.0), 0.0, 1e-6, 10)
    assert np.allclose(jacobian @ state[2:], np.linalg.solve(ARM.mass_at(place), force) * 1e-5, rtol=1e-4)
    with pytest.raises(InputError, match="away"):
        ARM.state_at(np.array([0.9, 0.0]))


@pytest.mark.parametrize("kind", WALLS)
@pytest.mark.parametrize("plant", [MASS, PointMass(1.0, friction=2.0), ARM], ids=["mass", "guided mass", "arm"])
def test_what_goes_in_is_found_again_and_better_with_finer_steps(plant: PointMass | TwoLink, kind: str):
    centre = NEAR_WALL[plant.size][0]
    closed = []
    for refinement in (1, 2, 4):
        loop = loop_at(plant, kind, refinement=refinement)
        loop.run(BangBang(centre, hz=1.0), 2.0, 0.3 * shoves(2.0, plant.size))
        assert loop.books[columns.PEAK_FORCE] > 10 and loop.books[columns.THROUGHPUT] > 1.0
        closed.append(abs(residual_j(loop.books)) / loop.books[columns.THROUGHPUT])
    assert closed[0] <= 0.01
    assert closed[2] <= 0.5 * closed[0] + 1e-9, closed


@pytest.mark.parametrize("kind", WALLS)
@pytest.mark.parametrize("plant", [MASS, ARM], ids=["mass", "arm"])
def test_both_sides_of_the_contact_count_the_same(plant: PointMass | TwoLink, kind: str):
    loop = loop_at(plant, kind)
    loop.run(BangBang(NEAR_WALL[plant.size][0], hz=1.0), 2.0)
    found = loop.books[columns.STORED] + loop.books[columns.LOST] + loop.books[columns.MOVED]
    assert loop.books[columns.PORT] == pytest.approx(found, abs=0.01 * loop.books[columns.THROUGHPUT])


def test_a_mass_against_a_wall_ends_up_where_statics_says():
    loop = ClosedLoop(MASS, FREE, Wall(0.03, 1e4, damping=100.0))
    loop.run(Held(np.array([0.05]), stiffness=500.0), 3.0)
    assert loop.seen.tip[0] == pytest.approx((500 * 0.05 + 1e4 * 0.03) / (500 + 1e4), abs=1e-6)
    assert loop.books[columns.FORCE] == pytest.approx(1e4 * (loop.seen.tip[0] - 0.03), rel=1e-3)


@pytest.mark.parametrize("plant", [MASS, ARM], ids=["mass", "arm"])
def test_the_loop_is_the_filter_and_the_ledger_that_are_shipped(plant: PointMass | TwoLink):
    """The inner loop is compiled in one piece. Step by step, through the public classes, it goes the same way."""
    start, place = NEAR_WALL[plant.size]
    settings = LoopSettings(load_budget("maze"), leash="none", mass_kg=3.0, acceleration=400.0, effort=60.0)
    wall = Wall(place, 1e4)
    loop = ClosedLoop(plant, settings, wall, start)
    policy = Random(start, seed=5)
    ledger = EnergyLedger(settings.budget, 0.001)
    guard = TorqueFilter(ledger, np.full(plant.joints, 400.0), effort=np.full(plant.joints, 60.0))
    state, books = plant.state_at(start), opened(0.0, 0.0)
    advance = advance_arm if isinstance(plant, TwoLink) else advance_mass
    tip, jacobian, changed = np.empty(plant.size), np.eye(plant.size), 0
    for number in range(10):
        command = policy(loop.seen)
        loop.step(command)
        for tick in range(50):
            joints, rates = state[: plant.joints].copy(), state[plant.joints :].copy()
            if isinstance(plant, TwoLink):
                tip_of(plant.row, state, tip, jacobian)
            else:
                tip[:] = joints
            drag = 2 * math.sqrt(command.stiffness * 3.0) * (jacobian @ rates)
            damping = -jacobian.T @ drag
            torque = jacobian.T @ (command.stiffness * (command.setpoint - tip) - drag)
            made = guard.filter(torque[None], rates[None], damping=damping[None])
            advance(
                plant.row,
                state,
                made.torque[0],
                np.zeros(plant.size),
                wall.row,
                books,
                0.001 * (50 * number + tick),
                plant.step_s,
                round(0.001 / plant.step_s),
            )
            ledger.close(made.torque, joints, state[: plant.joints])
            changed += made.changed[0]
    assert changed > 20
    assert np.allclose(state, loop.state, atol=1e-9)
    assert ledger.level_j[0] == pytest.approx(loop.ledger.level_j[0], abs=1e-9)


def test_a_command_is_late_by_the_latency_and_comes_as_it_is_told_to():
    at = {}
    for come, latency in (("jumps", 0.0), ("jumps", 0.12), ("ramps", 0.0), ("lags", 0.0)):
        loop = ClosedLoop(MASS, replace(FREE, come=come, latency_s=latency, lag_s=0.05))
        loop.run(Held(np.array([0.1]), stiffness=500.0), 0.5)
        rows = loop.traced()
        at[come, latency] = np.interp([0.0005, 0.0255, 0.1195, 0.1215], rows[:, AT] - 0.001, rows[:, -1])
        assert np.all(np.diff(rows[:, AT]) > 0) and rows[-1, TIP] > 0.01
    assert at["jumps", 0.0][0] > 0.04 and at["jumps", 0.12][2] < 0.05 < at["jumps", 0.12][3]
    assert at["ramps", 0.0][1] == pytest.approx(0.051, abs=0.004)
    assert at["lags", 0.0][1] == pytest.approx(0.1 * (1 - math.exp(-26 / 50)), abs=0.002)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PointMass(0.0),
        lambda: PointMass(1.0, friction=-1.0),
        lambda: TwoLink(load_kg=-1.0),
        lambda: Wall(0.0, -1.0),
        lambda: replace(FREE, leash="collar"),
    ],
)
def test_a_plant_that_cannot_be_is_refused(make):
    with pytest.raises(InputError):
        make()
