"""What a training draws windows from: one dataset, a mixture of several, or either under weights."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from data.learning.later import Later
from data.learning.windows import Batch


class WindowSource(Protocol):
    """Windows by number, and the orders in which epochs visit them."""

    def __len__(self) -> int: ...

    def gather(self, windows: np.ndarray) -> Batch:
        """Windows side by side; their numbers (batch,) may repeat."""
        ...

    def order(self, generator: np.random.Generator) -> np.ndarray:
        """The windows of an epoch, shuffled: (n,) int64, n the same for every epoch."""
        ...

    def shuffled(self, windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """These windows in random order, those that are read together near each other; they may repeat."""
        ...

    @property
    def episode_of(self) -> np.ndarray:
        """(len,) int64 the episode of each window, as `Batch.episode` counts."""
        ...

    def later(self, rows: int, gamma: float) -> Later:
        """What follows each window so many rows later, with rewards discounted by gamma per row."""
        ...
