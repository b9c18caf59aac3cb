"""A source's time stamps, in seconds or another unit, as nanoseconds that fit the control period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from data.formats.source import Source, SourceField
from robot.errors import InputError

NS_PER_UNIT = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
MOST_OFF = 3.0
"""The median step between stamps differs from the control period by this factor at most."""
MOST_OFF_RATE = 1.1
"""The same where the source itself says its rate, which its stamps may contradict."""


@dataclass(frozen=True, eq=False)
class Stamps:
    """The time stamps of a source.

    Args:
        source: that has them.
        field: the key, one number per row.
        unit: one of `NS_PER_UNIT`.
        episodes: numbers of the episodes that are converted.
    """

    source: Source
    field: SourceField
    unit: str
    episodes: Sequence[int]

    def to_ns(self, block: np.ndarray, episode: int, first: int) -> np.ndarray:
        """Rows as stored, their episode and the number of the first one in it -> (rows,) int64, ns.

        Raises:
            InputError: names the episode and the row of a stamp that is not finite or does not fit into 64 bits.
        """
        flat, scale = block.reshape(-1), NS_PER_UNIT[self.unit]
        if flat.dtype.kind == "f":
            seconds = flat.astype(np.float64)
            self._refuse(~np.isfinite(seconds), flat, episode, first, "a finite number")
            time_ns = np.rint(seconds * scale)
            self._refuse(abs(time_ns) >= 2.0**63, flat, episode, first, self._in_range)
            return time_ns.astype(np.int64)
        largest = (2**63 - 1) // scale
        beyond = flat > largest
        if flat.dtype.kind == "i":
            beyond |= flat < -largest
        self._refuse(beyond, flat, episode, first, self._in_range)
        return flat.astype(np.int64) * scale

    def require_fit(self, period_s: float, most_off: float = MOST_OFF) -> None:
        """Refuse stamps whose steps are far from the control period, as those in another unit are.

        Args:
            period_s: control period.
            most_off: factor between the two.

        Raises:
            InputError: names the unit that fits, where there is one.
        """
        step = self._median_step()
        if step is None or self._fits(step, self.unit, period_s, most_off):
            return
        name = self.field.name
        seconds = step * NS_PER_UNIT[self.unit] / 1e9
        given = f", period_s={seconds:.6g}" if seconds > 0 and self.source.period_s is not None else ""
        fitting = [unit for unit in NS_PER_UNIT if self._fits(step, unit, period_s, most_off)]
        raise InputError(
            self.field.label,
            expected=f"stamps about {period_s:g} s apart, the control period",
            got=f"{step * NS_PER_UNIT[self.unit] / 1e9:.3g} s apart (the median), read as {self.unit}",
            way_out=(f"If they are in {fitting[0]}, add units.{name}={fitting[0]}; else " if fitting else "")
            + ("correct" if fitting else "Correct")
            + f" period_s{given}, or leave them out with exclude=[{name}]",
        )

    @property
    def _in_range(self) -> str:
        return f"a stamp in {self.unit} within 64 bits of ns"

    def _fits(self, step: float, unit: str, period_s: float, most_off: float) -> bool:
        ratio = step * NS_PER_UNIT[unit] / (period_s * 1e9)
        return 1 / most_off <= ratio <= most_off

    def _median_step(self) -> float | None:
        """In the source's unit, over all steps within episodes; None where there are none."""
        steps = np.concatenate([np.zeros(0), *(np.diff(self._finite(episode)) for episode in self.episodes)])
        return float(np.median(steps)) if len(steps) else None

    def _finite(self, episode: int) -> np.ndarray:
        flat = np.asarray(self.source.read(self.field.name, episode, 0, int(self.source.lengths[episode]))).reshape(-1)
        values = flat.astype(np.float64)
        self._refuse(~np.isfinite(values), flat, episode, 0, "a finite number")
        return values

    def _refuse(self, bad: np.ndarray, flat: np.ndarray, episode: int, first: int, expected: str) -> None:
        if not bad.any():
            return
        at = int(np.argmax(bad))
        raise InputError(
            self.field.at(episode, first + at),
            expected=expected,
            got=str(flat[at]),
            way_out=f"Leave the episode out with skip_episodes=[{episode}], "
            f"or the stamps with exclude=[{self.field.name}]",
        )
