"""How a loop over a reference plant is put together."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.plants.drive import JUMPS, LAGS, RAMPS
from robot.errors import InputError
from robot.safety.energy import Budget

PERIOD_S = 0.001
"""Period of every inner loop here."""
LEASHES = ("none", "leash", "measured")
WAYS = {"jumps": JUMPS, "ramps": RAMPS, "lags": LAGS}
INNER_STIFFNESS = (100.0, 2000.0)
"""N/m, between which an adversary of the inner loop toggles."""


@dataclass(frozen=True)
class LoopSettings:
    """How a loop is put together.

    Args:
        budget: of both filters.
        torque_filter: whether it acts.
        leash: the set-point filter's mode, or `none`.
        latency_s: from the set-point filter to the law; the filter is told.
        come: `jumps`, `ramps` or `lags`: how a set-point comes into force.
        lag_s: time constant of `lags`.
        stiffness: N/m at first.
        damping_ratio: zeta.
        mass_kg: that the damping is made for; None takes the point mass's own.
        acceleration: bound for each joint that the torque filter reckons with, m/s^2 or rad/s^2.
        effort: N or N*m that each drive can give.
        encoder: m or rad of a count; 0 reads exactly.
        noise: standard deviation of what is added to a reading before it is rounded, m or rad.
        refinement: fine steps a plant's own step is divided into.
    """

    budget: Budget
    torque_filter: bool = True
    leash: str = "leash"
    latency_s: float = 0.0
    come: str = "jumps"
    lag_s: float = 0.0
    stiffness: float = 500.0
    damping_ratio: float = 1.0
    mass_kg: float | None = None
    acceleration: float = 150.0
    effort: float = 500.0
    encoder: float = 0.0
    noise: float = 0.0
    refinement: int = 1

    def __post_init__(self) -> None:
        if self.leash not in LEASHES or self.come not in WAYS:
            raise InputError(
                "loop",
                expected=f"a leash of {', '.join(LEASHES)}, that {', '.join(WAYS)}",
                got=f"{self.leash}, {self.come}",
            )
