"""A chunk of actions with the moment it starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.description.action import ActionSpec
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class ActionChunk:
    """Targets for consecutive intervals: `values[i]` is the target for [start + i*T, start + (i+1)*T).

    Args:
        values: (horizon, dim) in the units of `spec`; row 0 belongs to the newest observation, none to its past.
        start_ns: stamp of the newest observation used.
        period_s: T.
        chunk_id: counts up within one run.
        spec: names, units and kinds of the columns.
        value: that a critic gave it; None without one.

    Raises:
        InputError: values of another shape, or no rows.
    """

    values: np.ndarray
    start_ns: int
    period_s: float
    chunk_id: int
    spec: ActionSpec
    value: float | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != self.spec.dim or not len(self.values):
            raise InputError("chunk values", expected=f"(horizon, {self.spec.dim})", got=str(self.values.shape))

    @property
    def period_ns(self) -> int:
        """`period_s` in whole ns."""
        return round(self.period_s * 1e9)

    @property
    def end_ns(self) -> int:
        """Time at which the last interval ends, ns."""
        return self.start_ns + len(self.values) * self.period_ns

    def index_at(self, time_ns: int) -> int:
        """Index of the interval that contains `time_ns`: below 0 before the start, len(values) and more after."""
        return (time_ns - self.start_ns) // self.period_ns
