"""What a policy sees and says on a reference plant."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

POLICY_S = 0.05
"""Period of every policy here."""


class Seen(NamedTuple):
    """What a policy sees: time (s), tip (m,) and its velocity, and the tank's level (J)."""

    time_s: float
    tip: np.ndarray
    velocity: np.ndarray
    level_j: float


class Command(NamedTuple):
    """What a policy says: a set-point (m,) m, and one stiffness (N/m) for all directions."""

    setpoint: np.ndarray
    stiffness: float


class Policy(Protocol):
    """Anything that answers what it sees; `inner` is what its stiffness does between two answers."""

    @property
    def inner(self) -> int: ...

    def __call__(self, seen: Seen) -> Command: ...
