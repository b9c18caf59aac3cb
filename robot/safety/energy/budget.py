"""The energy and power that a controller may give to a robot: limits with one purpose each.

The tank bounds the energy in total (that is passivity), the power its rate, the spring energy and the force how hard
one contact can be. None of them is a standard, and no limit here is a rated safety function.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from robot.errors import InputError, nearest
from robot.folders import configs_folder

INITIAL, RESERVE, CAPACITY, POWER, SUPPLY, GAMMA, SPRING, FORCE = range(8)
"""Columns of `Budget.row`."""

_UNLIMITED_WORDS = "above 0 (.inf for none)"


@dataclass(frozen=True)
class Budget:
    """Limits of the energy that flows from a controller to a robot; `inf` for no limit.

    Args:
        initial_j: E_0, in the tank at first.
        reserve_j: E_min, which only braking may use.
        capacity_j: E_max, the most that is stored: energy that braking returns beyond it is spilled.
        power_w: P_max, largest power to the robot.
        supply_w: power that is added to the tank from outside, for tasks that do net work; logged, never requested by
            a policy.
        gamma: share of the energy above the reserve that one period may take, 0 to 1: how softly the tank closes
            (a discrete control barrier, h_{k+1} >= (1 - gamma) h_k).
        spring_j: V_cap, largest energy of the impedance law's spring.
        force_n: F_cap, largest force of that spring at rest.
        mass_kg: apparent mass of the tool for which the speeds that the budget allows are stated.
        acceleration: (n,) rad/s^2, largest acceleration of each joint of an arm, contacts included, as picked from
            episodes; empty where none was picked. It limits nothing: the torque filter relies on it.
        robot: name of its description; empty for any.
        provenance: where the numbers come from.

    Raises:
        InputError: a value is no number or negative, or values contradict one another.
    """

    initial_j: float
    reserve_j: float
    capacity_j: float
    power_w: float
    supply_w: float = 0.0
    gamma: float = 0.2
    spring_j: float = math.inf
    force_n: float = math.inf
    mass_kg: float = 3.0
    acceleration: tuple[float, ...] = ()
    robot: str = ""
    provenance: str = ""

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise InputError(f"budget: {name}", expected="a number", got=repr(value))
            if not value >= 0:
                raise InputError(f"budget: {name}", expected="0 or more", got=f"{value:g}")
        for name in ("power_w", "spring_j", "force_n", "mass_kg"):
            if not getattr(self, name) > 0:
                raise InputError(f"budget: {name}", expected=_UNLIMITED_WORDS, got="0")
        if not 0 < self.gamma <= 1:
            raise InputError("budget: gamma", expected="above 0 and at most 1", got=f"{self.gamma:g}")
        if math.isinf(self.supply_w) or math.isinf(self.reserve_j):
            raise InputError(
                "budget: supply_w and reserve_j", expected="finite", got=f"{self.supply_w:g} and {self.reserve_j:g}"
            )
        if any(not 0 < each < math.inf for each in self.acceleration):
            raise InputError("budget: acceleration", expected="numbers above 0", got=str(self.acceleration))
        if not self.reserve_j < self.initial_j or not self.initial_j <= self.capacity_j:
            raise InputError(
                "budget",
                expected="reserve_j < initial_j <= capacity_j",
                got=f"{self.reserve_j:g}, {self.initial_j:g}, {self.capacity_j:g}",
            )

    @property
    def row(self) -> np.ndarray:
        """(8,) float64: the limits for compiled code, in the columns above."""
        return np.array(
            [
                self.initial_j,
                self.reserve_j,
                self.capacity_j,
                self.power_w,
                self.supply_w,
                self.gamma,
                self.spring_j,
                self.force_n,
            ],
            dtype=np.float64,
        )

    def impact_j(self, damping_ratio: float = 1.0) -> float:
        """The largest sum of kinetic and spring energy in free motion under a passive impedance with damping
        2 zeta sqrt(K m): V_cap (1 + 1 / (4 zeta^2)), whatever the stiffness and the mass.
        """
        return self.spring_j * (1 + 1 / (4 * damping_ratio**2))

    def speed_mps(self, damping_ratio: float = 1.0) -> float:
        """The free-space speed that the leash on the spring allows, m/s for a tool of `mass_kg`."""
        return math.sqrt(self.spring_j / (2 * damping_ratio**2 * self.mass_kg))

    def peak_force_n(self, wall_n_per_m: float, damping_ratio: float = 1.0) -> float:
        """The bound on the force of one impact on a lossless wall: sqrt(2 K_env E_imp)."""
        return math.sqrt(2 * wall_n_per_m * self.impact_j(damping_ratio))

    @property
    def hash(self) -> str:
        """The hash of all numbers, also those that the torque filter relies on, and of the robot: 16 hexadecimal
        digits.
        """
        values: dict[str, Any] = {name: float(getattr(self, name)) for name in _NUMBERS}
        values["robot"] = self.robot
        if self.acceleration:
            values["acceleration"] = list(self.acceleration)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def limits(self) -> str:
        """The limits in a few words."""
        supply = f" + {self.supply_w:g} W supplied" if self.supply_w else ""
        return f"{self.initial_j:g} J{supply}, {self.power_w:g} W, spring {self.spring_j:g} J, {self.force_n:g} N"

    def describe(self) -> str:
        """One line for people: the limits, and the speed that they allow in free space over a passive impedance."""
        return f"{self.limits()}: {self.speed_mps():.2f} m/s in free space at {self.mass_kg:g} kg"


_NUMBERS = ("initial_j", "reserve_j", "capacity_j", "power_w", "supply_w", "gamma", "spring_j", "force_n", "mass_kg")


def budget_names() -> tuple[str, ...]:
    """Names of the budgets in `configs/budget`."""
    return tuple(sorted(file.stem for file in (configs_folder() / "budget").glob("*.yaml")))


def load_budget(name: str, *, robot: str = "") -> Budget:
    """Read a budget.

    Args:
        name: of a file in `configs/budget`, or the path of such a file elsewhere.
        robot: that it must fit; empty takes any.

    Raises:
        InputError: no such budget, a key or a number is wrong, its hash is not that of its numbers, or it is another
            robot's.
    """
    known = configs_folder() / "budget" / f"{name}.yaml"
    file = known if known.is_file() else Path(name)
    if not file.is_file():
        raise InputError(
            "budget",
            expected=f"one of {', '.join(budget_names())}, or a file",
            got=f"'{name}'",
            way_out=nearest(name, budget_names()),
        )
    try:
        values: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"budget {file}", expected="a YAML file", got=str(error).splitlines()[0]) from error
    if not isinstance(values, dict):
        raise InputError(f"budget {file}", expected="keys and numbers", got=type(values).__name__)
    # Written beside the numbers by `tiller calibrate budget`.
    picked = values.pop("picked", None)
    if isinstance(picked, dict) and "acceleration" in picked:
        values["acceleration"] = picked["acceleration"]
    keys = [field.name for field in fields(Budget)]
    for key in values:
        if key not in keys:
            raise InputError(
                f"budget {file}: '{key}'", expected=f"one of {', '.join(keys)}", way_out=nearest(key, keys)
            )
    if "acceleration" in values:
        numbers = values["acceleration"]
        if not isinstance(numbers, list) or not all(isinstance(each, (int, float)) for each in numbers):
            raise InputError(f"budget {file}: acceleration", expected="a list of numbers", got=repr(numbers))
        values["acceleration"] = tuple(float(each) for each in numbers)
    try:
        budget = Budget(**values)
    except TypeError as error:
        raise InputError(
            f"budget {file}", expected="initial_j, reserve_j, capacity_j and power_w", got=", ".join(values)
        ) from error
    if isinstance(picked, dict) and picked.get("hash") not in (None, budget.hash):
        raise InputError(
            f"budget {file}",
            expected=f"the numbers that were picked, with hash {picked['hash']}",
            got=f"others, with hash {budget.hash}",
            way_out="Pick it again with tiller calibrate budget, or take the key 'picked' out",
        )
    if robot and budget.robot not in ("", robot):
        raise InputError(
            f"budget {file}",
            expected=f"one for the robot '{robot}'",
            got=f"one for '{budget.robot}'",
            way_out="Pick one for this robot: tiller calibrate budget",
        )
    return budget
