"""An order in which some windows come more often: any weighting of episodes is one."""

from __future__ import annotations

import numpy as np

from data.learning.sources.around import Around
from data.learning.sources.mixture import require_weights
from data.learning.sources.source import WindowSource
from data.learning.windows import Batch


class Weighted(Around):
    """Windows of a source, drawn by the weight of their episodes.

    An epoch has as many windows as the source. A window of weight w comes w n / sum(w) times in it, rounded down or up
    at random (systematic resampling), so that the weights hold in every epoch and not only on average.

    Args:
        source: of the windows.
        weights: (episodes,) of every episode that the source counts, 0 or more.

    Raises:
        InputError: weights that are negative, NaN or infinite, or no window with one above 0.
    """

    def __init__(self, source: WindowSource, weights: np.ndarray) -> None:
        super().__init__(source)
        weights = np.asarray(weights, np.float64)
        require_weights("weights of episodes", weights, len(weights))
        of = weights[source.episode_of]
        require_weights("weights of windows", of, len(source))
        self.weights = of / of.sum()
        self._until = np.cumsum(self.weights)
        self._until /= self._until[-1]

    def gather(self, windows: np.ndarray) -> Batch:
        """Windows of the source, by its numbers."""
        return self.source.gather(windows)

    def order(self, generator: np.random.Generator) -> np.ndarray:
        """The windows of an epoch: (len,) int64, with repetitions."""
        count = len(self.source)
        at = (np.arange(count) + generator.random()) / count
        drawn = np.searchsorted(self._until, at, side="right").clip(max=count - 1)
        return self.shuffled(drawn, generator)
