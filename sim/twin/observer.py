"""Observers of every step of a twin's physics, such as recorders of energy."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class StepObserver(Protocol):
    """Observes every step of a twin's physics, with the set-point."""

    def before(self, start: np.ndarray, end: np.ndarray, fraction: float) -> None:
        """A step begins.

        Args:
            start, end: (dim,) targets between which the set-point moves.
            fraction: of the path between them, at which the step begins.
        """
        ...

    def after(self) -> None:
        """The step has ended."""
        ...
