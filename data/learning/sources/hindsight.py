"""Windows with a goal each: what was observed later in the same episode, by which one can be told what it led to."""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence

import numpy as np

from data.learning.sources.around import Around
from data.learning.sources.source import WindowSource
from data.learning.windows import Batch

GOALS = 1024
"""Goals that a window may have, at even distances between it and the end of its episode."""
_GOLDEN = 0.6180339887498949


class Hindsight(Around):
    """A source whose windows bring the goals that they led to (Andrychowicz et al. 2017; Lynch et al. 2020).

    The numbers of an order stand for a window and one of its goals: number n is window n mod len(self), and its goal is
    the newest row of a later window of the episode, or of its own, drawn evenly. So the goals of an update are as
    exactly repeated as its windows.

    Args:
        source: of the windows.
        keys: of the observation that make a goal.
        name: of the column that holds the goals, (batch, numbers) float32, key after key.
    """

    def __init__(self, source: WindowSource, keys: Sequence[str], name: str) -> None:
        super().__init__(source)
        self.keys, self.name = tuple(keys), name
        episode = source.episode_of
        starts = np.flatnonzero(np.r_[True, episode[1:] != episode[:-1]])
        ends = np.r_[starts[1:], len(episode)]
        self._last = np.repeat(ends - 1, ends - starts)

    def gather(self, windows: np.ndarray) -> Batch:
        """Windows with their goals, by the numbers of an order."""
        which, own = np.divmod(windows, len(self.source))
        batch = self.source.gather(own)
        share = (0.5 + _GOLDEN * which) % 1.0
        later = own + np.floor(share * (self._last[own] - own + 1)).astype(np.int64)
        seen = self.source.gather(later).observation
        goal = np.concatenate([seen[key][:, -1].reshape(len(own), -1).astype(np.float32) for key in self.keys], axis=1)
        return replace(batch, columns={**batch.columns, self.name: goal})

    def order(self, generator: np.random.Generator) -> np.ndarray:
        return self._with_goals(self.source.order(generator), generator)

    def shuffled(self, windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return self._with_goals(self.source.shuffled(windows % len(self.source), generator), generator)

    def _with_goals(self, windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return windows + len(self.source) * generator.integers(GOALS, size=len(windows))
