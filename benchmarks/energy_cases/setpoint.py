"""Cases of the set-point filter: every reason, with and without latency, 1 to 6 components in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.energy_cases.encoding import budget_of, limits, number, numbers, plain
from benchmarks.energy_cases.ledger import tank_of
from robot.safety.energy import REASONS, Budget, EnergyLedger, SetpointFilter
from robot.safety.energy.setpoint.kernel import filter_offsets
from robot.safety.energy.setpoint.reference import filter_offsets_numpy

ABOUT = (
    "Set-points, stiffnesses and the tool's place, call by call. With measured true the work of the controller's "
    "torques is told and booked; else the filter is a leash only. stiffness null keeps what is in force."
)
OFFSET_ABOUT = (
    "One acceptance: offset = wanted - tool, old_offset = in force - tool; ways = largest speed times "
    "latency, of each block of components. Of the wanted, `offset` of the offset and `stiffness` of the "
    "stiffness is let through."
)
_FILTERS: dict[str, Any] = {"compiled": filter_offsets, "numpy": filter_offsets_numpy}
_BLOCKS = {1: (1,), 2: (2,), 3: (3,), 4: (3, 1), 5: (3, 2), 6: (3, 3)}
_INF, _NAN = float("inf"), float("nan")


def run_offset(case: dict[str, Any], path: str) -> dict[str, Any]:
    """The case with what `filter_offset` makes of it by a path, `compiled` or `numpy`."""
    ends = np.cumsum(case["blocks"])
    factors, reasons = np.empty((1, 2)), np.zeros(1, dtype=np.int64)
    arrays = (numbers(case[name])[None] for name in ("offset", "stiffness", "old_offset", "old_stiffness"))
    _FILTERS[path](
        *arrays,
        np.stack([ends - case["blocks"], ends], axis=1).astype(np.int64),
        numbers(case["ways"]),
        numbers([case["room_tank_j"]]),
        number(case["room_power_j"]),
        number(case["spring_j"]),
        number(case["force_n"]),
        case["softens"],
        factors,
        reasons,
    )
    return {**case, "expect": {"offset": factors[0, 0], "stiffness": factors[0, 1], "reason": REASONS[reasons[0]]}}


def run(case: dict[str, Any], path: str) -> dict[str, Any]:
    """The case with what the whole filter makes of it, call by call."""
    ledger = EnergyLedger(budget_of(case["budget"]), case["period_s"])
    measured = case["measured"]
    made = SetpointFilter(
        ledger,
        numbers([case["setpoint"]]),
        numbers([case["stiffness"]]),
        mode="measured" if measured else "leash",
        latency_s=case["latency_s"],
        speeds=numbers(case["speeds"]),
        blocks=tuple(case["blocks"]),
        softens=case["softens"],
        path=path,
    )
    steps = []
    for step in case["steps"]:
        if step["clear"]:
            ledger.clear()
        found = made.filter(
            numbers([step["setpoint"]]),
            numbers([step["tool"]]),
            stiffness=None if step["stiffness"] is None else numbers([step["stiffness"]]),
            work_j=numbers([step["work_j"]]) if measured else None,
        )
        expect = {
            "setpoint": found.setpoint[0],
            "stiffness": found.stiffness[0],
            "reason": REASONS[found.reasons[0]],
            "spring_j": found.spring_j[0],
            "injected_j": found.injected_j[0],
            "level_j": ledger.level_j[0],
            "latched": bool(ledger.latched[0]),
        }
        steps.append({**step, "expect": expect})
    return {**case, "steps": steps, "expect": tank_of(ledger.tank[0])}


def _offset(
    name: str,
    offset: list[float],
    old_offset: list[float],
    stiffness: float = 500.0,
    old_stiffness: float = 500.0,
    *,
    way: float = 0.0,
    room_tank_j: float = _INF,
    room_power_j: float = _INF,
    spring_j: float = _INF,
    force_n: float = _INF,
    softens: bool = True,
) -> dict[str, Any]:
    m = len(offset)
    return {
        "name": name,
        "offset": offset,
        "stiffness": stiffness * np.eye(m),
        "old_offset": old_offset,
        "old_stiffness": old_stiffness * np.eye(m),
        "blocks": (m,),
        "ways": [way],
        "room_tank_j": room_tank_j,
        "room_power_j": room_power_j,
        "spring_j": spring_j,
        "force_n": force_n,
        "softens": softens,
    }


def _named() -> list[dict[str, Any]]:
    near, far, none = [0.01, 0.0, 0.0], [0.2, -0.1, 0.05], [0.0, 0.0, 0.0]
    stiff: dict[str, Any] = {"stiffness": 2000.0, "old_stiffness": 100.0, "room_tank_j": 0.02}
    return [
        _offset("a small step", near, none, spring_j=0.1, room_tank_j=0.5, force_n=20.0),
        _offset(
            "the same pair costs nothing, whatever the latency",
            near,
            near,
            way=0.0125,
            room_tank_j=0.0,
            room_power_j=0.0,
            spring_j=0.25,
        ),
        _offset("towards the tool costs nothing", near, [0.03, 0.0, 0.0], room_tank_j=0.0),
        _offset("onto the tool", none, far, room_tank_j=0.0, spring_j=0.1, force_n=20.0),
        _offset("beyond the leash", far, none, spring_j=0.1),
        _offset("beyond the tank", far, none, room_tank_j=0.01, room_power_j=0.02),
        _offset("beyond the power", far, none, room_tank_j=0.5, room_power_j=0.005),
        _offset("from an empty tank", far, none, room_tank_j=0.0),
        _offset("too far only by the latency", [0.018, 0.0, 0.0], none, way=0.0125, spring_j=0.1),
        _offset("a latency that the leash has no room for", near, none, way=0.05, spring_j=0.1),
        _offset(
            "a latency that the leash has no room for, on a fixed stiffness",
            near,
            none,
            way=0.05,
            spring_j=0.1,
            softens=False,
        ),
        _offset("stiffer is too much", [0.015, 0.0, 0.0], [0.015, 0.0, 0.0], **stiff),
        _offset(
            "stiffer is too much on a fixed stiffness", [0.015, 0.0, 0.0], [0.015, 0.0, 0.0], **stiff, softens=False
        ),
        _offset("stiffer and further is too much", [0.1, 0.02, 0.0], [0.015, 0.0, 0.0], **stiff),
        _offset("stiffer and late", [0.015, 0.0, 0.0], [0.015, 0.0, 0.0], **stiff, way=0.005),
        _offset("too strong", [0.05, 0.0, 0.01], none, 1000.0, 1000.0, force_n=20.0),
        _offset("too strong because stiffer", [0.05, 0.0, 0.01], none, 1000.0, 100.0, force_n=20.0),
        _offset("too strong on a fixed stiffness", [0.05, 0.0, 0.01], none, 1000.0, 100.0, force_n=20.0, softens=False),
        _offset("beyond the leash and too strong", far, none, 3000.0, 3000.0, spring_j=0.1, force_n=20.0),
        _offset("no limits", far, none, way=0.1),
        _offset("a set-point that is none", [_NAN, 0.0, 0.0], none),
        _offset("a tool nowhere", near, [_INF, 0.0, 0.0]),
        _offset("a stiffness that is none", near, none, _NAN),
    ]


def _stiffness(draw: np.random.Generator, m: int) -> np.ndarray:
    """Symmetric and positive definite; translation and rotation coupled in one case of three."""
    found, first = np.zeros((m, m)), 0
    for size, (low, high) in zip(_BLOCKS[m], ((100.0, 3000.0), (5.0, 100.0))):
        turned = np.linalg.qr(draw.normal(size=(size, size)))[0]
        found[first : first + size, first : first + size] = turned * draw.uniform(low, high, size) @ turned.T
        first += size
    if m > 3 and draw.random() < 1 / 3:
        found[0, 3] = found[3, 0] = 0.3 * np.sqrt(found[0, 0] * found[3, 3])
    return np.round(0.5 * (found + found.T), 6)


def _draw_offset(m: int, seed: int) -> dict[str, Any]:
    draw = np.random.default_rng((m, seed, 41))
    stiffness = _stiffness(draw, m)
    changes, sizes = draw.random() < 0.6, np.array([0.02] * min(m, 3) + [0.1] * max(m - 3, 0))
    old = np.round(0.5 * sizes * draw.normal(size=m), 6)
    return plain(
        {
            "name": f"{m} components, draw {seed}",
            "offset": np.round(sizes * draw.normal(size=m), 6),
            "stiffness": stiffness,
            "old_offset": old,
            "old_stiffness": _stiffness(draw, m) if changes else stiffness,
            "blocks": _BLOCKS[m],
            "ways": [float(draw.choice([0.0, 0.002, 0.01])), 0.02][: len(_BLOCKS[m])],
            "room_tank_j": float(draw.choice([0.02, 0.3, _INF])),
            "room_power_j": float(draw.choice([0.05, 0.2, _INF])),
            "spring_j": float(draw.choice([0.1, 0.25, _INF])),
            "force_n": float(draw.choice([10.0, 30.0, _INF])),
            "softens": bool(draw.random() < 0.5),
        }
    )


def _draw_run(m: int, seed: int, measured: bool) -> dict[str, Any]:
    """15 calls: a policy that wanders off, a tool that follows late, one call that is not finite."""
    draw = np.random.default_rng((m, seed, measured, 51))
    sizes = np.array([0.02] * min(m, 3) + [0.08] * max(m - 3, 0))
    stiffness, tool, wanted = _stiffness(draw, m), np.zeros(m), np.zeros(m)
    steps: list[dict[str, Any]] = []
    for k in range(15):
        wanted = np.round(wanted + sizes * draw.normal(size=m), 6)
        tool = np.round(tool + 0.4 * (wanted - tool) + 0.05 * sizes * draw.normal(size=m), 6)
        work = float(np.round(0.02 * draw.normal(), 6)) if measured else None
        steps.append(
            {
                "clear": k == 11,
                "setpoint": np.where((k == 8) & (np.arange(m) == 0), _NAN, wanted),
                "tool": tool,
                "stiffness": _stiffness(draw, m) if k % 5 == 3 else None,
                "work_j": work,
            }
        )
    budget = Budget(0.4, 0.02, 0.5, 4.0, supply_w=0.2 if m % 2 else 0.0, spring_j=0.2, force_n=25.0)
    return plain(
        {
            "name": f"{m} components, {'measured' if measured else 'leash'}",
            "budget": limits(budget),
            "period_s": 0.02,
            "measured": measured,
            "latency_s": 0.02 * (m % 3),
            "speeds": [0.1, 0.4][: len(_BLOCKS[m])],
            "blocks": _BLOCKS[m],
            "softens": m % 2 == 0,
            "setpoint": np.zeros(m),
            "stiffness": stiffness,
            "steps": steps,
        }
    )


def offset_cases() -> list[dict[str, Any]]:
    """Of one acceptance each, without what is expected."""
    return [*plain(_named()), *(_draw_offset(m, seed) for m in range(1, 7) for seed in range(16))]


def cases() -> list[dict[str, Any]]:
    """Of the whole filter, call by call, without what is expected."""
    return [_draw_run(m, 0, measured) for m in range(1, 7) for measured in (True, False)]
