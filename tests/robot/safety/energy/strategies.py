"""Generators of budgets, of what a torque filter may meet, and of what a set-point filter may meet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from robot.safety.energy import Budget, EnergyLedger, TorqueFilter
from robot.safety.energy.tank import LEVEL

# A law does not fail because the machine is busy: neither a deadline nor the time of making examples counts.
LAWS = settings(derandomize=True, max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PATHS = ("compiled", "numpy")

periods_s = st.floats(5e-4, 2e-3)  # above 2 ms the torque filter refuses to be an inner loop
extremes = st.sampled_from([0.0, 1e-12, -1e-12, 1e6, -1e6])
torques_nm = st.one_of(st.floats(-60, 60), extremes)
velocities_rad_s = st.one_of(st.floats(-4, 4), extremes)
accelerations = st.floats(0.01, 60)


def arrays(draw: st.DrawFn, n: int, numbers: st.SearchStrategy[float]) -> np.ndarray:
    return np.array(draw(st.lists(numbers, min_size=n, max_size=n)), dtype=np.float64)


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    reserve = draw(st.sampled_from([0.0, 0.005, 0.02]))
    initial = reserve + draw(st.floats(0.05, 5))
    return Budget(
        initial_j=initial,
        reserve_j=reserve,
        capacity_j=initial * draw(st.floats(1, 2)),
        power_w=draw(st.sampled_from([0.5, 5.0, 20.0, math.inf])),
        supply_w=draw(st.sampled_from([0.0, 1.0])),
        gamma=draw(st.floats(0.01, 1)),
    )


@dataclass(frozen=True, eq=False)
class Case:
    """One period of one robot: what is asked of a torque filter, and where in its set the joints then go.

    Args:
        level_j: in the tank.
        share: (n,) of the uncertainty, -1 to 1: dq = T qd + share * a T^2 / 2.
    """

    budget: Budget
    period_s: float
    level_j: float
    torque: np.ndarray
    damping: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    effort: np.ndarray | None
    share: np.ndarray

    def make(self, path: str = "numpy", batch: int = 1) -> TorqueFilter:
        """A filter beside a ledger that holds this level."""
        ledger = EnergyLedger(self.budget, self.period_s, batch)
        ledger.tank[:, LEVEL] = self.level_j
        return TorqueFilter(ledger, self.acceleration, effort=self.effort, path=path)

    @property
    def pushes_or_brakes(self) -> bool:
        """Whether it is more than rounding that says so: what is allowed differs, and the order of a sum may decide."""
        products = np.abs(np.clip(self.torque, *self.limits) * self.velocity).sum()
        power = float(np.clip(self.torque, *self.limits) @ self.velocity)
        return products == 0 or abs(power) > 1e-9 * products

    @property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) least and largest torque that the drives give."""
        effort = np.full(len(self.torque), np.inf) if self.effort is None else self.effort
        return -effort, effort

    def way(self, share: np.ndarray) -> np.ndarray:
        """(n,) rad that the joints go in the period."""
        return self.period_s * self.velocity + 0.5 * self.period_s**2 * self.acceleration * share


def rounding_j(torque: np.ndarray, way: np.ndarray) -> float:
    """What a sum of products of this size can be off by: 1e-9 J for an arm, more where 1e6 N*m meet 1e6 rad/s."""
    return 1e-9 + 1e-14 * float(np.abs(torque) @ np.abs(way))


@st.composite
def cases(
    draw: st.DrawFn,
    torques: st.SearchStrategy[float] = torques_nm,
    velocities: st.SearchStrategy[float] = velocities_rad_s,
    most_joints: int = 7,
) -> Case:
    n, budget = draw(st.integers(1, most_joints)), draw(budgets())
    level = draw(
        st.one_of(
            st.sampled_from([-0.3, 0.0, 1e-9, budget.reserve_j, budget.initial_j]), st.floats(0, budget.capacity_j)
        )
    )
    velocity = arrays(draw, n, velocities)
    brakes = draw(st.sampled_from([0.0, 0.5, 5.0]))
    effort = draw(st.sampled_from([None, 12.0, 87.0]))
    return Case(
        budget,
        draw(periods_s),
        level,
        arrays(draw, n, torques),
        -brakes * np.clip(velocity, -4, 4),
        velocity,
        arrays(draw, n, accelerations),
        None if effort is None else np.full(n, effort),
        arrays(draw, n, st.floats(-1, 1)),
    )


arm_torques = st.floats(-60, 60)
arm_velocities = st.floats(-3, 3)


@st.composite
def stiffnesses(draw: st.DrawFn, m: int, least: float = 10.0, most: float = 5e3) -> np.ndarray:
    """(m, m) symmetric and positive definite, axes anywhere."""
    axes = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=(m, m))
    turned, _ = np.linalg.qr(axes)
    logs = draw(st.lists(st.floats(math.log(least), math.log(most)), min_size=m, max_size=m))
    matrix = turned @ np.diag(np.exp(logs)) @ turned.T
    return 0.5 * (matrix + matrix.T)
