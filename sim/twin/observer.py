"""Who sees every step of a twin's physics: recorders of energy, and whatever else must not miss one."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class StepObserver(Protocol):
    """Sees every step of a twin's physics, with the set-point that the step ends at."""

    def before(self, start: np.ndarray, end: np.ndarray, fraction: float) -> None:
        """A step begins.

        Args:
            start, end: (dim,) the targets that the set-point moves between.
            fraction: of the way from one to the other at which the step begins.
        """
        ...

    def after(self) -> None:
        """It has ended."""
        ...
