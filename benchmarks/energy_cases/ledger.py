"""Cases of the ledger: periods that are booked, and what is refused. Cases of inputs: budgets and stiffnesses."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.energy_cases.encoding import budget_of, limits, number, numbers, plain
from robot.errors import InputError
from robot.safety.energy import Budget, EnergyLedger
from robot.safety.energy import tank as columns
from robot.safety.energy.setpoint.filter import require_positive_definite

ABOUT = (
    "Periods booked in a tank: W = torque . (after - before), E = min(E_max, E - W + S). supply_j null is as "
    "much as the budget gives in a period; more is cut to that. A step with set_level_j sets the level instead. "
    "Refused steps book nothing."
)
INPUTS_ABOUT = "Which budgets and stiffnesses are refused."
_PLAIN = Budget(0.5, 0.02, 1.0, 20.0)


def tank_of(row: np.ndarray) -> dict[str, Any]:
    """All columns of a tank."""
    names = {
        "level_j": columns.LEVEL,
        "work_j": columns.WORK,
        "spent_j": columns.SPENT,
        "peak_j": columns.PEAK,
        "supplied_j": columns.SUPPLIED,
        "spilled_j": columns.SPILLED,
        "overdrafts": columns.OVERDRAFTS,
        "overdraft_j": columns.OVERDRAFT,
        "steps": columns.STEPS,
    }
    return {**{name: row[column] for name, column in names.items()}, "latched": bool(row[columns.LATCHED] > 0)}


def run(case: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The case with what the ledger makes of it; `path` is that of the filters, and the ledger has one alone."""
    ledger = EnergyLedger(budget_of(case["budget"]), case["period_s"])
    steps = []
    for step in case["steps"]:
        expect: dict[str, Any] = {"refused": False}
        try:
            if "set_level_j" in step:
                ledger.set_level(number(step["set_level_j"]), reason="as asked")
            else:
                supply = None if step["supply_j"] is None else number(step["supply_j"])
                closed = ledger.close(*(numbers(step[name]) for name in ("torque", "before", "after")), supply_j=supply)
                expect |= {
                    "work_j": closed.work_j[0],
                    "spilled_j": closed.spilled_j[0],
                    "overdraft_j": closed.overdraft_j[0],
                }
        except InputError:
            expect["refused"] = True
        steps.append({**step, "expect": {**expect, "level_j": ledger.level_j[0]}})
    return {**case, "steps": steps, "expect": tank_of(ledger.tank[0])}


def _period(work: float, supply: float | None = None) -> dict[str, Any]:
    """A period of a given work: two joints, of which one turns against its torque."""
    return {
        "torque": [2.0, -1.0],
        "before": [0.3, 0.1],
        "after": [0.3 + 0.75 * work, 0.1 + 0.5 * work],
        "supply_j": supply,
    }


def _sequence(name: str, steps: list[dict[str, Any]], budget: Budget = _PLAIN) -> dict[str, Any]:
    return {"name": name, "budget": limits(budget), "period_s": 0.001, "steps": steps}


def _wandering(n: int, budget: Budget) -> dict[str, Any]:
    draw = np.random.default_rng((n, 11))
    joints = np.round(np.cumsum(0.02 * draw.normal(size=(16, n)), axis=0), 6)
    torques = np.round(8.0 * draw.normal(size=(15, n)), 6)
    return _sequence(
        f"{n} joints wander",
        [
            {"torque": torque, "before": before, "after": after, "supply_j": None}
            for torque, before, after in zip(torques, joints, joints[1:])
        ],
        budget,
    )


def cases() -> list[dict[str, Any]]:
    """Of the ledger, without what is expected."""
    nan, supplied = float("nan"), Budget(0.5, 0.02, 0.6, 20.0, supply_w=2.0)
    joints = {"torque": [1.0, 2.0], "before": [0.0, 0.0], "after": [0.01, 0.02], "supply_j": None}
    return plain(
        [
            _sequence("spends and gets back", [_period(0.1), _period(0.2), _period(-0.15), _period(0.0)]),
            _sequence("the capacity spills", [_period(-0.4), _period(-0.3), _period(0.2), _period(-0.2)]),
            _sequence(
                "below nothing and deeper",
                [_period(0.45), _period(0.1), _period(0.2), _period(-0.1), _period(0.02), _period(-0.4), _period(0.5)],
            ),
            _sequence(
                "supplied",
                [_period(0.1), _period(0.1, 0.0), _period(0.1, 0.0005), _period(0.1, 5.0), _period(-0.4)],
                supplied,
            ),
            _sequence("no supply where the budget has none", [_period(0.1), _period(0.1, 1.0)]),
            _sequence(
                "refused",
                [
                    _period(0.1),
                    _period(0.1, -0.1),
                    {**joints, "torque": [nan, 1.0]},
                    {**joints, "after": [0.01, float("inf")]},
                    _period(0.1),
                ],
            ),
            _sequence(
                "set to a level",
                [
                    _period(0.3),
                    {"set_level_j": 0.5},
                    {"set_level_j": -0.1},
                    {"set_level_j": 1.5},
                    {"set_level_j": nan},
                    {"set_level_j": 0.0},
                    _period(0.1),
                    {"set_level_j": 1.0},
                ],
            ),
            _sequence("no limits", [_period(3.0), _period(-5.0)], Budget(np.inf, 0.0, np.inf, np.inf)),
            *(_wandering(n, supplied if n % 2 else _PLAIN) for n in range(1, 8)),
        ]
    )


def run_inputs(case: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The case with whether it is accepted."""
    try:
        if "budget" in case:
            budget_of(case["budget"])
        else:
            require_positive_definite(numbers(case["stiffness"])[None])
    except InputError:
        return {**case, "expect": {"accepted": False}}
    return {**case, "expect": {"accepted": True}}


def input_cases() -> list[dict[str, Any]]:
    """Of inputs, without what is expected."""
    inf, nan, good = float("inf"), float("nan"), limits(_PLAIN)
    budgets: dict[str, dict[str, Any]] = {
        "good": {},
        "free": {"initial_j": inf, "reserve_j": 0.0, "capacity_j": inf, "power_w": inf},
        "gamma of 1": {"gamma": 1.0},
        "no reserve": {"reserve_j": 0.0},
        "with a supply": {"supply_w": 1.0},
        "not a number": {"initial_j": nan},
        "gamma that is none": {"gamma": nan},
        "no power": {"power_w": 0.0},
        "no spring": {"spring_j": 0.0},
        "no force": {"force_n": 0.0},
        "gamma of 0": {"gamma": 0.0},
        "gamma above 1": {"gamma": 1.5},
        "endless supply": {"supply_w": inf},
        "endless reserve": {"reserve_j": inf},
        "reserve as large as all": {"reserve_j": 0.5},
        "more than it holds": {"capacity_j": 0.4},
        **{f"negative {name}": {name: -0.1} for name in good},
    }
    stiff = np.diag([500.0, 400.0, 300.0, 20.0, 20.0, 10.0])
    coupled = stiff.copy()
    coupled[0, 1] = coupled[1, 0] = 150.0
    leaning = stiff.copy()
    leaning[0, 1] = 150.0
    matrices: dict[str, Any] = {
        "one axis": [[300.0]],
        "no stiffness": [[0.0]],
        "a spring that pushes": [[-300.0]],
        "none at all": [[nan]],
        "endless": [[inf]],
        "two axes": [[300.0, 100.0], [100.0, 200.0]],
        "one way soft": [[300.0, 0.0], [0.0, 0.0]],
        "saddle": [[100.0, 300.0], [300.0, 100.0]],
        "not symmetric": [[300.0, 100.0], [50.0, 200.0]],
        "of one direction": np.ones((3, 3)) * 50.0 - 20.0 * np.eye(3),
        "three axes": np.eye(3) * 700.0,
        "six axes": stiff,
        "six axes coupled": coupled,
        "six axes not symmetric": leaning,
        "endless above the diagonal": [[300.0, inf], [0.0, 200.0]],
    }
    return plain(
        [
            *({"name": f"budget, {name}", "budget": {**good, **change}} for name, change in budgets.items()),
            *({"name": f"stiffness, {name}", "stiffness": matrix} for name, matrix in matrices.items()),
        ]
    )
