"""The base of what stands around one source of windows and passes most of it on."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from data.learning.later import Later
from data.learning.sources.source import WindowSource
from data.learning.windows import Batch


class Around(ABC):
    """A source around another one, of the same windows in the same order; subclasses say what is gathered of them.

    Args:
        source: of the windows.
    """

    def __init__(self, source: WindowSource) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    @abstractmethod
    def gather(self, windows: np.ndarray) -> Batch:
        """Windows side by side, by the source's numbers."""

    def order(self, generator: np.random.Generator) -> np.ndarray:
        return self.source.order(generator)

    def shuffled(self, windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return self.source.shuffled(windows, generator)

    @property
    def episode_of(self) -> np.ndarray:
        return self.source.episode_of

    def later(self, rows: int, gamma: float) -> Later:
        return self.source.later(rows, gamma)
