"""Generators of what a set-point filter may meet: what is in force, what is wanted, and where the tool is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from robot.safety.energy import Budget, EnergyLedger, SetpointFilter, SetpointResult
from robot.safety.energy.tank import LEVEL
from tests.robot.safety.energy.strategies import arrays, stiffnesses

offsets_m = st.one_of(st.floats(-0.2, 0.2), st.sampled_from([0.0, 1e-12, 0.5]))


@dataclass(frozen=True, eq=False)
class Move:
    """What is in force, what is wanted, and where the tool is."""

    budget: Budget
    level_j: float
    period_s: float
    latency_s: float
    speed_mps: float
    softens: bool
    setpoint: np.ndarray
    stiffness: np.ndarray
    measured: np.ndarray
    wanted: np.ndarray
    wanted_stiffness: np.ndarray

    def make(self, mode: str = "measured", path: str = "numpy") -> SetpointFilter:
        ledger = EnergyLedger(self.budget, self.period_s)
        ledger.tank[:, LEVEL] = self.level_j
        return SetpointFilter(
            ledger,
            self.setpoint,
            self.stiffness,
            mode=mode,
            latency_s=self.latency_s,
            speeds=np.array([self.speed_mps]),
            softens=self.softens,
            path=path,
        )

    def run(self, mode: str = "measured", path: str = "numpy") -> tuple[SetpointFilter, SetpointResult]:
        made = self.make(mode, path)
        work = np.zeros(1) if mode == "measured" else None
        return made, made.filter(self.wanted, self.measured, stiffness=self.wanted_stiffness[None], work_j=work)

    def room_j(self, mode: str) -> float:
        """What a change may inject by the tank, wherever the tool is by then: what is in it beyond the reserve and
        beyond what the spring holds already.
        """
        if mode == "leash":
            return float("inf")
        held = energy_j(self.setpoint, self.stiffness, self.measured)
        return max(self.level_j - self.budget.reserve_j - held, 0.0)

    @property
    def power_room_j(self) -> float:
        """What a change may inject by the power limit, with the tool where it was measured."""
        return self.budget.power_w * self.period_s

    @property
    def some_set_point_would_do(self) -> bool:
        """Whether the way of the tool within the latency is less than the cap: else, where the controller takes no
        other stiffness, no set-point keeps it.
        """
        reach = np.sqrt(np.abs(self.wanted_stiffness).sum(axis=1).max()) * self.speed_mps * self.latency_s
        return self.softens or 0.5 * float(reach) ** 2 <= self.budget.spring_j

    def places(self, setpoint: np.ndarray, stiffness: np.ndarray) -> list[np.ndarray]:
        """Where the tool may be when the change is in force: where it was, the places at the rim of the ball in which
        it can be where the spring holds most by its gradient and along its stiffest axis, and others of the rim.
        """
        way = self.speed_mps * self.latency_s
        random = np.random.default_rng(7).normal(size=(4, len(setpoint)))
        pull = stiffness @ (setpoint - self.measured) - self.stiffness @ (self.setpoint - self.measured)
        axes = [*random, *np.linalg.eigh(stiffness)[1].T, stiffness @ (setpoint - self.measured), pull]
        units = [axis / np.linalg.norm(axis) for axis in axes if np.linalg.norm(axis) > 1e-12]
        return [self.measured, *(self.measured + sign * way * unit for unit in units for sign in (1, -1))]


def energy_j(setpoint: np.ndarray, stiffness: np.ndarray, measured: np.ndarray) -> float:
    off = setpoint - measured
    return 0.5 * float(off @ stiffness @ off)


@st.composite
def moves(draw: st.DrawFn, latencies: st.SearchStrategy[float] = st.sampled_from([0.0, 0.01, 0.05])) -> Move:
    m = draw(st.integers(1, 3))
    reserve = draw(st.sampled_from([0.0, 0.02]))
    initial = reserve + draw(st.floats(0.05, 3))
    budget = Budget(
        initial_j=initial,
        reserve_j=reserve,
        capacity_j=2 * initial,
        power_w=draw(st.sampled_from([5.0, 40.0, math.inf])),
        spring_j=draw(st.sampled_from([0.01, 0.1, 0.8, math.inf])),
        force_n=draw(st.sampled_from([5.0, 30.0, math.inf])),
    )
    measured = arrays(draw, m, st.floats(-0.5, 0.5))
    stiffness = draw(stiffnesses(m))
    same = draw(st.booleans())
    return Move(
        budget,
        draw(st.one_of(st.just(0.0), st.floats(0, 2 * initial))),
        draw(st.sampled_from([0.01, 0.05])),
        draw(latencies),
        draw(st.floats(0, 0.5)),
        draw(st.booleans()),
        measured + 0.2 * arrays(draw, m, offsets_m),
        stiffness,
        measured,
        measured + arrays(draw, m, offsets_m),
        stiffness if same else draw(stiffnesses(m)),
    )
