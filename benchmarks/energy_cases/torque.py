"""Cases of the torque filter: every reason, empty tanks, braking, limits of drives, invalid inputs, 1 to 7 joints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.energy_cases.encoding import budget_of, limits, number, numbers, plain
from benchmarks.energy_cases.ledger import tank_of
from robot.safety.energy import REASONS, Budget, EnergyLedger
from robot.safety.energy.tank import LATCHED, LEVEL
from robot.safety.energy.torque.kernel import filter_torques
from robot.safety.energy.torque.reference import filter_torques_numpy

ABOUT = (
    "Torques before and after the filter, with a tank at level_j. Torque, damping, low and high in N*m, velocity "
    "in rad/s, acceleration in rad/s^2; damping null is none known. Where a step has joints before and after, the "
    "torque that came out is booked over them, and the next step finds what is left."
)
_TABLE = Budget(1.0, 0.02, 2.0, 20.0)
_FILTERS: dict[str, Any] = {"compiled": filter_torques, "numpy": filter_torques_numpy}
_INF, _NAN = float("inf"), float("nan")


def run(case: dict[str, Any], path: str) -> dict[str, Any]:
    """The case with what the filter makes of it by a path, `compiled` or `numpy`."""
    budget = budget_of(case["budget"])
    ledger = EnergyLedger(budget, case["period_s"])
    ledger.tank[0, LEVEL], ledger.tank[0, LATCHED] = number(case["level_j"]), case["latched"]
    acceleration, low, high = (numbers(case[name]) for name in ("acceleration", "low", "high"))
    steps = []
    for step in case["steps"]:
        if step["clear"]:
            ledger.clear()
        torque, velocity = numbers(step["torque"])[None], numbers(step["velocity"])[None]
        damping = np.zeros_like(torque) if step["damping"] is None else numbers(step["damping"])[None]
        reasons = np.zeros(1, dtype=np.int64)
        _FILTERS[path](
            torque, damping, velocity, case["period_s"], acceleration, low, high, budget.row, ledger.tank, reasons
        )
        expect = {"torque": torque[0], "reason": REASONS[reasons[0]], "latched": bool(ledger.latched[0])}
        if "after" in step:
            ledger.close(torque, numbers(step["before"]), numbers(step["after"]))
            expect["level_j"] = ledger.level_j[0]
        steps.append({**step, "expect": expect})
    booked = {"expect": tank_of(ledger.tank[0])} if "after" in case["steps"][0] else {}
    return {**case, "steps": steps, **booked}


def _case(
    name: str,
    torque: list[float],
    velocity: list[float],
    level_j: float,
    *,
    budget: Budget = _TABLE,
    damping: list[float] | None = None,
    period_s: float = 0.001,
    acceleration: float | list[float] = 20.0,
    low: float | list[float] = -50.0,
    high: float | list[float] = 50.0,
    latched: bool = False,
) -> dict[str, Any]:
    each = {
        key: value if isinstance(value, list) else [value] * len(torque)
        for key, value in (("acceleration", acceleration), ("low", low), ("high", high))
    }
    step = {"clear": False, "torque": torque, "damping": damping, "velocity": velocity}
    return {
        "name": name,
        "budget": limits(budget),
        "period_s": period_s,
        **each,
        "level_j": level_j,
        "latched": latched,
        "steps": [step],
    }


def _named() -> list[dict[str, Any]]:
    gives, way = [5.0, -3.0], [0.2, 0.1]
    damped: dict[str, Any] = {"torque": [20.0, 15.0], "velocity": [0.5, 0.4]}
    return [
        _case("a full tank lets all through", gives, way, 1.0),
        _case("too much power", [40.0, 10.0], [1.0, 0.5], 1.0),
        _case("too much power for half a millisecond", [40.0, 10.0], [1.0, 0.5], 1.0, period_s=0.0005),
        _case("too much power for two milliseconds", [40.0, 10.0], [1.0, 0.5], 1.0, period_s=0.002),
        _case("nearly at the reserve", gives, way, 0.021),
        _case("at the reserve", gives, way, 0.02),
        _case("below the reserve", gives, way, 0.01),
        _case("empty", gives, way, 0.0),
        _case("below nothing", gives, way, -0.05),
        _case("an empty tank lets brake", [-5.0, -3.0], [0.5, 0.4], 0.0),
        _case("a tank below nothing lets brake", [-5.0, -3.0], [0.5, 0.4], -0.05),
        _case("braking may use the reserve", [-30.0, 0.0], [1e-4, 0.0], 0.01),
        _case("braking that may turn takes half of a nearly empty tank", [-30.0, 0.0], [1e-4, 0.0], 1e-4),
        _case("braking that may turn takes nothing of an empty tank", [-30.0, 0.0], [1e-4, 0.0], 0.0),
        _case("at rest a torque may still move the arm", [30.0, 20.0], [0.0, 0.0], 0.021),
        _case("so slow that there is no direction", [30.0, 20.0], [1e-12, 0.0], 0.021),
        _case("no torque from an empty tank", [0.0, 0.0], way, 0.0),
        _case("no torque at rest below nothing", [0.0, 0.0], [0.0, 0.0], -1.0),
        _case("more than the drives give is no reason", [80.0, -90.0], [0.01, 0.01], 1.0),
        _case("drives that give more one way", [-20.0, 30.0], [0.01, 0.01], 1.0, low=[-5.0, -50.0], high=[50.0, 5.0]),
        _case("drives cut what was projected", [48.0, 49.9], [1.0, -0.2], 0.0201),
        _case("endless drives", [1e6, -2e5], [3.0, 1.0], 1.0, low=-_INF, high=_INF),
        _case("a torque across the velocity is active", [3.0, 0.0], [0.0, 1.0], 0.02),
        _case("damping is kept", **damped, level_j=0.0205, damping=[-10.0, -8.0], acceleration=[200.0, 5.0]),
        _case(
            "damping is kept where nothing else may be",
            [4.0, 3.0],
            [1e-3, 1e-3],
            0.02,
            damping=[-0.3, -0.2],
            acceleration=[0.5, 0.5],
        ),
        _case(
            "damping beyond what the drives give",
            [-87.0, 87.0],
            [4.6, 7.1],
            0.0200001,
            damping=[-428.0, -103.0],
            acceleration=[300.0, 10.0],
            low=-87.0,
            high=87.0,
        ),
        _case("a velocity that no number holds the energy of", [50.0, 50.0], [1e308, 1e308], 1.0),
        _case("a level that is none", gives, way, _NAN),
        _case("damping that is none", **damped, level_j=0.0205, damping=[10.0, 8.0], acceleration=[200.0, 5.0]),
        _case("a budget without limits", [49.0, 49.0], [9.0, 9.0], _INF, budget=Budget(_INF, 0.0, _INF, _INF)),
        _case("gamma of 1 takes all at once", gives, way, 0.021, budget=replace(_TABLE, gamma=1.0)),
        _case("no reserve", gives, way, 0.001, budget=replace(_TABLE, reserve_j=0.0)),
        _case("a torque that is none", [_NAN, 1.0], way, 1.0),
        _case("an endless torque", [_INF, 1.0], way, 1.0),
        _case("a velocity that is none", gives, [0.1, _NAN], 1.0),
        _case("an endless velocity", [0.0, 0.0], [-_INF, 0.1], 1.0),
        _case("latched before", gives, way, 1.0, latched=True),
    ]


def _draw_case(n: int, seed: int) -> dict[str, Any]:
    draw = np.random.default_rng((n, seed, 21))
    high = draw.choice([12.0, 50.0, 87.0], n)
    velocity = np.round(10 ** draw.uniform(-3, 0.5) * draw.normal(size=n), 6)
    damping = np.round(-draw.uniform(0.5, 15.0) * velocity, 6)
    torque = np.round(damping + draw.uniform(0.05, 1.2) * high * draw.normal(size=n), 6)
    budget = replace(
        _TABLE, power_w=float(draw.choice([2.0, 5.0, 20.0, _INF])), gamma=float(draw.choice([0.1, 0.2, 1.0]))
    )
    level = float(np.round(draw.choice([1.0, 0.02 + 10 ** draw.uniform(-4, -1), 0.01, 0.0, -0.1]), 9))
    return plain(
        _case(
            f"{n} joints, draw {seed}",
            list(torque),
            list(velocity),
            level,
            budget=budget,
            damping=list(damping) if draw.random() < 0.6 else None,
            period_s=float(draw.choice([0.0005, 0.001, 0.002])),
            acceleration=list(np.round(draw.uniform(5.0, 150.0, n), 3)),
            low=list(-high),
            high=list(high),
        )
    )


def _draw_run(n: int, seed: int) -> dict[str, Any]:
    """40 periods of an arm that goes within the set, with two that do not, and one that is not finite."""
    draw = np.random.default_rng((n, seed, 31))
    acceleration, joints = np.round(draw.uniform(10.0, 100.0, n), 3), np.zeros(n)
    steps = []
    for k in range(40):
        velocity = np.round(0.8 * draw.normal(size=n), 6)
        inside = 0.001 * velocity + 0.5e-6 * acceleration * draw.uniform(-1.0, 1.0, n)
        after = np.round(joints + (30 * inside if k in (17, 18) else inside), 12)
        torque = np.round(-4.0 * velocity + 15.0 * draw.normal(size=n), 6)
        steps.append(
            {
                "clear": k == 27,
                "torque": np.where(k == 24, _NAN, torque),
                "damping": np.round(-4.0 * velocity, 6) if k % 3 else None,
                "velocity": velocity,
                "before": joints,
                "after": after,
            }
        )
        joints = after
    budget = Budget(0.06, 0.02, 0.08, 10.0, supply_w=0.5 if n % 2 else 0.0)
    case = _case(
        f"{n} joints go on for 40 periods", [0.0] * n, [0.0] * n, 0.06, budget=budget, acceleration=list(acceleration)
    )
    return plain({**case, "steps": steps})


def _steady(case: dict[str, Any]) -> bool:
    """Whether rounding cannot turn it round: no decision hangs on the last digits, so that any compiler's arithmetic
    comes to the same.
    """

    def nudged(share: float) -> dict[str, Any]:
        steps = [
            {
                **step,
                "torque": plain(numbers(step["torque"]) * (1 + share)),
                "velocity": plain(numbers(step["velocity"]) * (1 - 0.3 * share)),
            }
            for step in case["steps"]
        ]
        return {**case, "steps": steps}

    base = run(case, "numpy")["steps"]
    for share in (1e-12, -1e-12):
        for left, right in zip(base, run(nudged(share), "numpy")["steps"]):
            if left["expect"]["reason"] != right["expect"]["reason"] or not np.allclose(
                left["expect"]["torque"], right["expect"]["torque"], rtol=0, atol=1e-7
            ):
                return False
    return True


def _drawn(draw: Any, n: int, count: int) -> list[dict[str, Any]]:
    """The first so many that are steady."""
    found: list[dict[str, Any]] = []
    for seed in range(20 * count):
        case = draw(n, seed)
        if _steady(case):
            found.append(case)
        if len(found) == count:
            return found
    raise RuntimeError(f"of {20 * count} cases only {len(found)} are steady")


def cases() -> list[dict[str, Any]]:
    """Single steps, without what is expected."""
    return [*plain(_named()), *(case for n in range(1, 8) for case in _drawn(_draw_case, n, 12))]


def run_cases() -> list[dict[str, Any]]:
    """Many steps one after the other, without what is expected."""
    return [case for n in range(1, 8) for case in _drawn(_draw_run, n, 1)]
