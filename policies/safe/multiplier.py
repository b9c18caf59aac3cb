"""The weight of the cost: a Lagrange multiplier that a PID controller sets.

Stooke, Achiam & Abbeel, "Responsive Safety in Reinforcement Learning by PID Lagrangian Methods" (ICML 2020): with the
excess Delta = J_c - d of an episode's cost over its limit,

    lambda = (K_P Delta + K_I I + K_D (J_c - J_c')_+)_+,        I <- (I + Delta)_+

The integral alone is the usual dual ascent, which swings; the other two damp it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np

from robot.errors import InputError


@dataclass(frozen=True)
class Gains:
    """Gains of the PID controller of a multiplier, for an excess in shares of the limit (Stooke, Achiam & Abbeel 2020).

    Args:
        proportional, integral, derivative: K_P, K_I, K_D, per update.
        smoothing: of the excess, by an exponential mean: the share that stays.
        delay: updates between which the derivative is taken.
        most: largest multiplier.

    Raises:
        InputError: a negative gain, a smoothing outside of 0 to 1 or at 1, a delay below 1, or a largest multiplier not
            above 0.
    """

    proportional: float
    integral: float
    derivative: float
    smoothing: float = 0.95
    delay: int = 10
    most: float = 100.0

    def __post_init__(self) -> None:
        for name in ("proportional", "integral", "derivative"):
            if not getattr(self, name) >= 0:
                raise InputError(f"gains: {name}", expected="0 or more", got=str(getattr(self, name)))
        if not 0 <= self.smoothing < 1 or self.delay < 1 or not self.most > 0:
            raise InputError(
                "gains",
                expected="smoothing from 0 to below 1, delay 1 or more, most above 0",
                got=f"{self.smoothing}, {self.delay}, {self.most}",
            )


# omnisafe's gains of CPPOPID are 0.1, 0.01, 0.01, and of SACPID 1e-6, 1e-7, 1e-7, both for costs with a limit of 25.
# Our PPO weighs advantages of unit deviation, and takes the first as they are; our SAC weighs values of costs in shares
# of the limit, which makes the excess 25 times smaller.
PPO_GAINS = Gains(0.1, 0.01, 0.01)
SAC_GAINS = Gains(2.5e-5, 2.5e-6, 2.5e-6)


class Pid:
    """The controller of a multiplier: costs in, lambda out (Stooke, Achiam & Abbeel 2020).

        lambda = (K_P Delta + K_I I + K_D (J_c - J_c')_+)_+,        I <- (I + Delta)_+

    Delta = J_c - 1 is the excess of an episode's cost in shares of its limit; proportional and derivative terms take
    its exponential mean, and J_c' is that `delay` updates before. Lambda is at most `most`, I at most what that needs.

    Args:
        gains: K_P, K_I, K_D, and what bounds and smooths.

    Attributes:
        value: lambda, 0 or more.
    """

    def __init__(self, gains: Gains) -> None:
        self.gains, self.value = gains, 0.0
        self._integral, self._excess = 0.0, 0.0
        self._costs: deque[float] = deque(maxlen=gains.delay + 1)

    def update(self, cost: float) -> float:
        """Update the multiplier.

        Args:
            cost: J_c, of episodes, in shares of the limit.

        Returns:
            lambda.
        """
        gains = self.gains
        excess = cost - 1.0
        last = self._excess if self._costs else excess
        self._excess = gains.smoothing * last + (1 - gains.smoothing) * excess
        self._costs.append(self._excess)
        rising = max(self._costs[-1] - self._costs[0], 0.0)
        # The integral never holds more than the largest multiplier needs: it falls as soon as the excess does.
        full = gains.most / gains.integral if gains.integral else 0.0
        self._integral = min(max(self._integral + excess, 0.0), full)
        unclamped = gains.proportional * self._excess + gains.integral * self._integral + gains.derivative * rising
        self.value = min(max(unclamped, 0.0), gains.most)
        return self.value

    def state(self) -> dict[str, Any]:
        """The state of the controller, as plain values."""
        return {"value": self.value, "integral": self._integral, "excess": self._excess, "costs": list(self._costs)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self.value, self._integral = float(state["value"]), float(state["integral"])
        self._excess = float(state["excess"])
        self._costs = deque(state["costs"], maxlen=self.gains.delay + 1)


class Multiplier:
    """A controller that counts the cost of the episodes of all rows.

    Args:
        gains: of the controller.

    Attributes:
        pid: the controller.
    """

    def __init__(self, gains: Gains) -> None:
        self.pid = Pid(gains)
        self._running = np.zeros(0)
        self._finished: list[float] = []
        self._newest: float | None = None

    @property
    def value(self) -> float:
        """lambda, 0 or more."""
        return self.pid.value

    def begin(self) -> None:
        """Begin new episodes in all rows."""
        self._running = np.zeros(0)

    def count(self, cost: np.ndarray, done: np.ndarray) -> None:
        """Count the cost of a step of all rows.

        Args:
            cost: (rows,) in shares of an episode's limit.
            done: (rows,) bool, the episodes that ended with it.
        """
        if not len(self._running):
            self._running = np.zeros(len(cost))
        self._running += cost
        self._finished += self._running[done].tolist()
        self._running[done] = 0.0

    def update(self) -> float:
        """Set the multiplier by the mean cost of the episodes that ended since the last update, or of those before
        where none has.

        Returns:
            lambda.
        """
        if self._finished:
            self._newest = float(np.mean(self._finished))
            self._finished = []
        return self.value if self._newest is None else self.pid.update(self._newest)

    def state(self) -> dict[str, Any]:
        """The state, as plain values; episodes in progress are not in it."""
        return {"pid": self.pid.state(), "newest": self._newest, "finished": list(self._finished)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self.pid.restore(state["pid"])
        self._newest, self._finished = state["newest"], list(state["finished"])
