"""The recent past of an observation, as a policy sees it."""

from __future__ import annotations

from collections import deque
from typing import Mapping

import numpy as np

from robot.description.observation import ObservationSpec
from robot.errors import TillerError


class ObservationHistory:
    """Keeps as many rows per key as its history spans.

    Args:
        spec: keys, shapes and histories.
    """

    def __init__(self, spec: ObservationSpec):
        self.spec = spec
        self._rows: dict[str, deque[np.ndarray]] = {field.name: deque(maxlen=field.history.span) for field in spec}
        self._stamp_ns: int | None = None

    def reset(self) -> None:
        """Forget everything: the next row is the first of an episode."""
        for rows in self._rows.values():
            rows.clear()
        self._stamp_ns = None

    def copy(self) -> ObservationHistory:
        """A history with the same rows, which are not copied: they never change."""
        other = ObservationHistory(self.spec)
        other._rows = {name: rows.copy() for name, rows in self._rows.items()}
        other._stamp_ns = self._stamp_ns
        return other

    @property
    def stamp_ns(self) -> int:
        """Stamp of the newest row."""
        if self._stamp_ns is None:
            raise TillerError("no observation has come yet. Observe before you plan")
        return self._stamp_ns

    def append(self, observation: Mapping[str, np.ndarray], stamp_ns: int) -> None:
        """Append one row per key; keys that the policy does not see are ignored.

        Raises:
            InputError: a key is missing or has another shape.
            TillerError: the stamp is not newer than the last one.
        """
        if self._stamp_ns is not None and stamp_ns <= self._stamp_ns:
            raise TillerError(
                f"observation stamp {stamp_ns}: not newer than {self._stamp_ns}. Reset after a jump of time"
            )
        self.spec.check_row(observation)
        for field in self.spec:
            # A copy: the sender may write the next row into the same memory.
            self._rows[field.name].append(np.array(observation[field.name], dtype=field.dtype))
        self._stamp_ns = stamp_ns

    def window(self) -> dict[str, np.ndarray]:
        """name -> (steps, ...), oldest first; rows before the first one repeat it."""
        if self._stamp_ns is None:
            raise TillerError("no observation has come yet. Observe before you plan")
        result = {}
        for field in self.spec:
            rows = self._rows[field.name]
            indices = np.maximum(len(rows) - 1 + field.history.offsets, 0)
            result[field.name] = np.stack([rows[index] for index in indices])
        return result
