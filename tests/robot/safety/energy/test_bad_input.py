"""What a person or a broken driver may hand in: one clear error each, and nothing booked by halves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import yaml

from robot.errors import InputError
from robot.safety.energy import Budget, EnergyLedger, SetpointFilter, TorqueFilter, load_budget
from robot.safety.energy.tank import STEPS

GOOD: dict[str, Any] = {"initial_j": 1.0, "reserve_j": 0.02, "capacity_j": 1.5, "power_w": 10.0}
T = 0.001


@pytest.mark.parametrize(
    "change, named",
    [
        ({"initial_j": -1.0}, "initial_j"),
        ({"reserve_j": -0.01}, "reserve_j"),
        ({"capacity_j": -2.0}, "capacity_j"),
        ({"power_w": -5.0}, "power_w"),
        ({"supply_w": -1.0}, "supply_w"),
        ({"spring_j": -0.1}, "spring_j"),
        ({"force_n": -20.0}, "force_n"),
        ({"mass_kg": -3.0}, "mass_kg"),
        ({"gamma": -0.1}, "gamma"),
        ({"power_w": 0.0}, "power_w"),
        ({"spring_j": 0.0}, "spring_j"),
        ({"force_n": 0.0}, "force_n"),
        ({"gamma": 0.0}, "gamma"),
        ({"gamma": 1.5}, "gamma"),
        ({"initial_j": math.nan}, "initial_j"),
        ({"power_w": "10"}, "power_w"),
        ({"power_w": True}, "power_w"),
        ({"power_w": None}, "power_w"),
        ({"supply_w": math.inf}, "supply_w"),
        ({"reserve_j": 1.0}, "reserve_j < initial_j"),
        ({"capacity_j": 0.5}, "initial_j <= capacity_j"),
        ({"initial_j": 0.0, "reserve_j": 0.0}, "reserve_j < initial_j"),
    ],
)
def test_a_budget_that_makes_no_sense_says_which_number(change: dict[str, Any], named: str):
    with pytest.raises(InputError) as error:
        Budget(**{**GOOD, **change})
    assert named in str(error.value) and "expected" in str(error.value) and "got" in str(error.value)


def ledger_of(batch: int = 2) -> EnergyLedger:
    ledger = EnergyLedger(Budget(**GOOD, supply_w=1.0), T, batch, trace=True)
    ledger.close(np.ones((batch, 3)), np.zeros((batch, 3)), np.full((batch, 3), 0.01), time_ns=1000)
    return ledger


ONES = np.ones((2, 3))
SPOILED = np.array([[1.0, 1.0, 1.0], [1.0, np.nan, 1.0]])


UNBOOKABLE: dict[str, Any] = {
    "more robots": lambda ledger: ledger.close(np.ones((3, 3)), np.zeros((3, 3)), np.ones((3, 3))),
    "fewer robots": lambda ledger: ledger.close(np.ones(3), np.zeros(3), np.ones(3)),
    "more joints": lambda ledger: ledger.close(np.ones((2, 4)), 0 * ONES, ONES),
    "torque nan": lambda ledger: ledger.close(SPOILED, 0 * ONES, ONES),
    "joints nan": lambda ledger: ledger.close(ONES, SPOILED, ONES),
    "joints inf": lambda ledger: ledger.close(ONES, 0 * ONES, np.inf * ONES),
    "the same time twice": lambda ledger: ledger.close(ONES, 0 * ONES, ONES, time_ns=1000),
    "time goes back": lambda ledger: ledger.close(ONES, 0 * ONES, ONES, time_ns=999),
    "supply below 0": lambda ledger: ledger.close(ONES, 0 * ONES, ONES, supply_j=-0.001),
    "supply nan": lambda ledger: ledger.close(ONES, 0 * ONES, ONES, supply_j=np.array([0.0, np.nan])),
    "supply below 0 at a new time": lambda ledger: ledger.close(ONES, 0 * ONES, ONES, supply_j=-1.0, time_ns=2000),
    "supply of three": lambda ledger: ledger.close(ONES, 0 * ONES, ONES, supply_j=np.zeros(3)),
    "work of three": lambda ledger: ledger.book(np.zeros(3)),
    "work nan": lambda ledger: ledger.book(np.array([0.1, np.nan])),
    "level below 0": lambda ledger: ledger.set_level(-0.1, reason="reset"),
    "level above the capacity": lambda ledger: ledger.set_level(1.6, reason="reset"),
    "level nan": lambda ledger: ledger.set_level(math.nan, reason="reset"),
    "no such row": lambda ledger: ledger.set_level(1.0, row=2, reason="reset"),
}


@pytest.mark.parametrize("call", UNBOOKABLE.values(), ids=UNBOOKABLE.keys())
def test_what_a_ledger_cannot_book_it_books_not_at_all(call: Callable[[EnergyLedger], Any]):
    ledger = ledger_of()
    before = ledger.tank.copy()
    with pytest.raises(InputError):
        call(ledger)
    assert (ledger.tank == before).all() and not ledger.events
    assert len(ledger.trace()["periods"]) == 1
    # The period that was refused can be booked rightly, at its own time: nothing of it was kept.
    ledger.close(ONES, 0 * ONES, 0.01 * ONES, time_ns=2000)
    assert (ledger.tank[:, STEPS] == 2).all()


@pytest.mark.parametrize(
    "torque, velocity, damping",
    [
        (np.ones((3, 2)), np.ones((3, 2)), None),
        (np.ones(2), np.ones(2), None),
        (np.ones((2, 3)), np.ones((2, 3)), None),
        (np.ones((2, 2)), np.ones((2, 1)), None),
        (np.ones((2, 2)), np.ones((2, 2)), np.ones((1, 2))),
    ],
)
def test_a_torque_filter_takes_the_batch_and_the_joints_that_it_began_with(torque, velocity, damping):
    ledger = EnergyLedger(Budget(**GOOD), T, 2)
    before = ledger.tank.copy()
    with pytest.raises(InputError, match="ledger's batch"):
        TorqueFilter(ledger, np.ones(2)).filter(torque, velocity, damping=damping)
    assert (ledger.tank == before).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: TorqueFilter(EnergyLedger(Budget(**GOOD), 0.01), np.ones(2)),
        lambda: TorqueFilter(EnergyLedger(Budget(**GOOD), T), np.array([1.0, 0.0])),
        lambda: TorqueFilter(EnergyLedger(Budget(**GOOD), T), np.array([1.0, -3.0])),
        lambda: TorqueFilter(EnergyLedger(Budget(**GOOD), T), np.array([1.0, np.nan])),
        lambda: TorqueFilter(EnergyLedger(Budget(**GOOD), T), np.ones(2), effort=np.ones(3)),
        lambda: TorqueFilter(EnergyLedger(Budget(**GOOD), T), np.ones(2), effort=np.array([1.0, -1.0])),
        lambda: TorqueFilter(EnergyLedger(Budget(**GOOD), T), np.ones(2), path="fast"),
        lambda: EnergyLedger(Budget(**GOOD), 0.0),
        lambda: EnergyLedger(Budget(**GOOD), math.nan),
        lambda: EnergyLedger(Budget(**GOOD), T, 0),
        lambda: EnergyLedger(Budget(**GOOD), T).trace(),
    ],
)
def test_what_cannot_be_a_ledger_or_an_inner_loop_is_refused_when_it_is_made(make: Callable[[], Any]):
    with pytest.raises(InputError, match="expected"):
        make()


def setpoint_filter(stiffness: Any = 400.0, batch: int = 1, **changes: Any) -> SetpointFilter:
    return SetpointFilter(
        EnergyLedger(Budget(**GOOD), 0.01, batch),
        np.zeros((batch, 2)),
        np.full(2, stiffness) if np.isscalar(stiffness) else np.array(stiffness),
        **changes,
    )


NOT_SPD = {
    "a zero": [0.0, 400.0],
    "negative": [400.0, -1.0],
    "not symmetric": [[400.0, 10.0], [-10.0, 400.0]],
    "indefinite": [[100.0, 300.0], [300.0, 100.0]],
    "not a number": [400.0, np.nan],
    "infinite": [400.0, np.inf],
    "of three": [1.0, 1.0, 1.0],
    "singular": [[1.0, 1.0], [1.0, 1.0]],
}


@pytest.mark.parametrize("kind", NOT_SPD)
def test_a_stiffness_that_is_none_is_refused_at_first_and_later_and_nothing_is_booked(kind: str):
    with pytest.raises(InputError, match="stiffness"):
        setpoint_filter(NOT_SPD[kind])
    made = setpoint_filter()
    before = made.ledger.tank.copy()
    with pytest.raises(InputError, match="stiffness"):
        made.filter(np.full(2, 0.01), np.zeros(2), stiffness=np.array(NOT_SPD[kind]), work_j=np.full(1, 0.1))
    assert (made.ledger.tank == before).all() and not made.setpoint.any()
    assert (np.diagonal(made.stiffness[0]) == 400).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda made: made.filter(np.zeros((2, 2)), np.zeros((2, 2)), work_j=np.zeros(2)),
        lambda made: made.filter(np.zeros(3), np.zeros(3), work_j=np.zeros(1)),
        lambda made: made.filter(np.zeros(2), np.zeros(2)),
        lambda made: made.filter(np.zeros(2), np.zeros(2), work_j=np.zeros(2)),
        lambda made: made.filter(np.zeros(2), np.zeros(2), work_j=np.full(1, 0.1), time_ns=500),
    ],
    ids=["more robots", "more components", "no work", "work of two", "time goes back"],
)
def test_what_a_set_point_filter_cannot_take_changes_nothing(call: Callable[[SetpointFilter], Any]):
    made = setpoint_filter()
    made.filter(np.full(2, 0.001), np.zeros(2), work_j=np.zeros(1), time_ns=1000)
    before, setpoint = made.ledger.tank.copy(), made.setpoint
    with pytest.raises(InputError):
        call(made)
    assert (made.ledger.tank == before).all() and (made.setpoint == setpoint).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "tank"},
        {"path": "fast"},
        {"latency_s": -0.01},
        {"latency_s": math.inf},
        {"speeds": np.array([-1.0])},
        {"speeds": np.ones(2)},
        {"blocks": (1, 2)},
        {"blocks": (2, 0)},
    ],
)
def test_a_set_point_filter_is_not_made_of_nonsense(changes: dict[str, Any]):
    with pytest.raises(InputError, match="set-point filter"):
        setpoint_filter(**changes)


def test_a_leash_takes_no_work_for_it_could_not_bound_the_total():
    made = setpoint_filter(mode="leash")
    with pytest.raises(InputError, match="leash"):
        made.filter(np.zeros(2), np.zeros(2), work_j=np.zeros(1))
    assert "not bounded" in made.status


def written(folder: Path, told: Any) -> str:
    file = folder / "budget.yaml"
    file.write_text(told if isinstance(told, str) else yaml.safe_dump(told))
    return str(file)


def test_a_budget_of_another_robot_is_refused_and_its_own_is_taken(tmp_path: Path):
    file = written(tmp_path, {**GOOD, "robot": "ur5e"})
    with pytest.raises(InputError, match=r"'panda'.*'ur5e'.*calibrate budget"):
        load_budget(file, robot="panda")
    assert load_budget(file, robot="ur5e") == load_budget(file) == Budget(**GOOD, robot="ur5e")
    assert load_budget(written(tmp_path, GOOD), robot="panda") == Budget(**GOOD)


@pytest.mark.parametrize(
    "changed",
    [{"initial_j": 1.4}, {"power_w": 100.0}, {"supply_w": 5.0}, {"gamma": 1.0}, {"force_n": 200.0}, {"robot": "panda"}],
)
def test_numbers_that_were_changed_after_the_picking_are_noticed(tmp_path: Path, changed: dict[str, Any]):
    told = {**GOOD, "robot": "ur5e", "picked": {"hash": Budget(**GOOD, robot="ur5e").hash, "episodes": 30}}
    assert load_budget(written(tmp_path, told)) == Budget(**GOOD, robot="ur5e")
    with pytest.raises(InputError, match=r"picked.*hash"):
        load_budget(written(tmp_path, {**told, **changed}))


@pytest.mark.parametrize(
    "told, named",
    [
        ({**GOOD, "powr_w": 3.0}, "power_w"),
        ({"initial_j": 1.0}, "capacity_j"),
        ("- 1\n- 2\n", "list"),
        ("initial_j: [1\n", "YAML"),
        ({**GOOD, "initial_j": -1.0}, "initial_j"),
        ({**GOOD, "power_w": "much"}, "much"),
        ("", "keys"),
        ({**GOOD, "acceleration": [5.0, -1.0]}, "acceleration"),
        ({**GOOD, "acceleration": 5.0}, "acceleration"),
        ({**GOOD, "acceleration": ["much"]}, "much"),
    ],
)
def test_a_budget_file_that_is_none_says_why(tmp_path: Path, told: Any, named: str):
    with pytest.raises(InputError, match=named):
        load_budget(written(tmp_path, told))


def test_a_budget_that_is_misspelt_offers_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'table_top'"):
        load_budget("tabletop")


def test_bounds_that_were_changed_after_the_picking_are_noticed(tmp_path: Path):
    picked = Budget(**GOOD, acceleration=(20.0, 30.0))
    told = {**GOOD, "picked": {"hash": picked.hash, "acceleration": [20.0, 30.0]}}
    assert load_budget(written(tmp_path, told)) == picked
    told["picked"]["acceleration"] = [2.0, 3.0]
    with pytest.raises(InputError, match="picked"):
        load_budget(written(tmp_path, told))


def test_equal_budgets_have_equal_hashes():
    assert Budget(**GOOD) == Budget(**{**GOOD, "initial_j": 1})
    assert Budget(**GOOD).hash == Budget(**{**GOOD, "initial_j": 1}).hash


def test_budgets_that_differ_in_a_number_differ_in_their_hash():
    changes = [
        {},
        {"initial_j": 1.1},
        {"reserve_j": 0.01},
        {"capacity_j": 2.0},
        {"power_w": 9.0},
        {"supply_w": 1.0},
        {"gamma": 0.3},
        {"spring_j": 1.0},
        {"force_n": 9.0},
        {"mass_kg": 2.0},
        {"robot": "panda"},
    ]
    assert len({Budget(**{**GOOD, **change}).hash for change in changes}) == len(changes)
