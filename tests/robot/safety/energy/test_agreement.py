"""Compiled and numpy, batch and single robots: the same torques, set-points and reasons to 1e-12."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from robot.safety.energy import EnergyLedger, SetpointFilter
from robot.safety.energy.tank import LEVEL
from tests.robot.safety.energy.moves import Move, moves
from tests.robot.safety.energy.strategies import LAWS, PATHS, Case, arm_torques, arm_velocities, cases, stiffnesses

BATCH = 5


def spread_levels(case: Case) -> np.ndarray:
    """(BATCH,) J, no two alike: below nothing, nothing, a little, and the case's own."""
    return np.array([-0.1, 0.0, case.budget.reserve_j + 1e-3, case.level_j, 0.7 * case.budget.initial_j])


def rows(case: Case, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Torques, velocities and dampings (BATCH, n) of which one is the case's and one is not a number."""
    random = np.random.default_rng(seed)
    n = len(case.torque)
    torque, velocity = random.normal(0, 20, (BATCH, n)), random.normal(0, 1, (BATCH, n))
    torque[3], velocity[3] = case.torque, case.velocity
    torque[1, 0] = np.nan
    return torque, velocity, -0.5 * velocity


def agree(found: np.ndarray, wanted: np.ndarray) -> None:
    assert np.abs(found - wanted).max() <= 1e-12 * max(1.0, float(np.abs(wanted).max()))


@LAWS
@given(case=cases(), seed=st.integers(0, 2**32 - 1))
def test_compiled_and_numpy_torques_agree(case: Case, seed: int):
    assume(case.pushes_or_brakes)
    torque, velocity, damping = rows(case, seed)
    results, tanks = [], []
    for path in PATHS:
        made = case.make(path, BATCH)
        made.ledger.tank[:, LEVEL] = spread_levels(case)
        results.append(made.filter(torque, velocity, damping=damping))
        tanks.append(made.ledger.tank.copy())
    for row, (compiled, plain) in enumerate(zip(results[0].torque, results[1].torque)):
        if row == 3 and np.abs(compiled - plain).max() > 1e-12 * max(1.0, np.abs(plain).max()):
            # Just on the edge of what is allowed a sum's last digit decides whether it is cut by 1e-9 once more.
            assert np.abs(compiled - plain).max() <= 4e-9 * max(1.0, np.abs(plain).max())
        else:
            agree(compiled, plain)
    assert (results[0].reasons == results[1].reasons).all()
    assert (tanks[0] == tanks[1]).all()


@LAWS
@given(case=cases(arm_torques, arm_velocities), seed=st.integers(0, 2**32 - 1), path=st.sampled_from(PATHS))
def test_a_robot_in_a_batch_is_filtered_and_booked_as_if_it_were_alone(case: Case, seed: int, path: str):
    torque, velocity, damping = rows(case, seed)
    levels = spread_levels(case)
    together = case.make(path, BATCH)
    together.ledger.tank[:, LEVEL] = levels
    found = together.filter(torque, velocity, damping=damping)
    way = case.period_s * velocity
    booked = together.ledger.close(found.torque, 0 * way, way)
    for row in range(BATCH):
        alone = replace(case, level_j=float(levels[row])).make(path)
        one = alone.filter(torque[row], velocity[row], damping=damping[row])
        agree(found.torque[row], one.torque[0])
        assert found.reasons[row] == one.reasons[0]
        single = alone.ledger.close(one.torque, 0 * way[row], way[row])
        agree(booked.level_j[row : row + 1], single.level_j)
        agree(together.ledger.tank[row], alone.ledger.tank[0])


def pair_of_filters(move: Move, batch: int, levels: np.ndarray, mode: str, path: str) -> SetpointFilter:
    ledger = EnergyLedger(move.budget, move.period_s, batch)
    ledger.tank[:, LEVEL] = levels
    return SetpointFilter(
        ledger,
        np.tile(move.setpoint, (batch, 1)),
        np.tile(move.stiffness, (batch, 1, 1)),
        mode=mode,
        latency_s=move.latency_s,
        speeds=np.array([move.speed_mps]),
        softens=move.softens,
        path=path,
    )


@LAWS
@given(move=moves(), mode=st.sampled_from(["measured", "leash"]), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_set_points_agree_compiled_and_numpy_batch_and_alone(move: Move, mode: str, seed: int, data: st.DataObject):
    random = np.random.default_rng(seed)
    m = len(move.setpoint)
    levels = np.array([0.0, move.level_j, 0.5 * move.budget.initial_j, move.budget.initial_j, 0.01])
    measured = move.measured + random.normal(0, 0.02, (BATCH, m))
    wanted = measured + random.normal(0, 0.1, (BATCH, m))
    measured[1], wanted[1] = move.measured, move.wanted
    wanted[2, 0] = np.nan
    stiffness = np.stack([move.wanted_stiffness] * 3 + [data.draw(stiffnesses(m)), move.stiffness])
    work = random.normal(0, 0.05, BATCH) if mode == "measured" else None
    results = []
    for path in PATHS:
        together = pair_of_filters(move, BATCH, levels, mode, path)
        results.append(together.filter(wanted, measured, stiffness=stiffness, work_j=work))
        for row in range(BATCH):
            alone = pair_of_filters(move, 1, levels[row : row + 1], mode, path)
            one = alone.filter(
                wanted[row],
                measured[row],
                stiffness=stiffness[row : row + 1],
                work_j=None if work is None else work[row : row + 1],
            )
            agree(results[-1].setpoint[row], one.setpoint[0])
            agree(results[-1].stiffness[row], one.stiffness[0])
            assert results[-1].reasons[row] == one.reasons[0]
            agree(together.ledger.tank[row], alone.ledger.tank[0])
    compiled, plain = results
    agree(compiled.setpoint, plain.setpoint)
    agree(compiled.stiffness, plain.stiffness)
    assert (compiled.reasons == plain.reasons).all()
    agree(compiled.spring_j, plain.spring_j)
    agree(compiled.injected_j, plain.injected_j)
