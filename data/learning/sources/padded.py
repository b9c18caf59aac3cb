"""Windows of a dataset as those of a union that has more keys and more components of actions."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from data.learning.sources.around import Around
from data.learning.sources.source import WindowSource
from data.learning.windows import Batch
from robot.description import ObservationSpec


class Padded(Around):
    """A source with zeros for the keys and the components of actions that it lacks.

    Args:
        source: of the windows.
        keys: its keys -> their names in the union.
        observation: the union, with histories.
        components: of the union's actions that are its own, in its own order.
        dim: components of the union's actions.
    """

    def __init__(
        self,
        source: WindowSource,
        keys: Mapping[str, str],
        observation: ObservationSpec,
        components: Sequence[int],
        dim: int,
    ) -> None:
        super().__init__(source)
        self.keys, self.dim = dict(keys), dim
        self._components = np.asarray(components)
        there = set(self.keys.values())
        self._absent = {
            key.name: ((key.history.steps, *key.shape), np.dtype(key.dtype if key.is_image else np.float32))
            for key in observation
            if key.name not in there
        }

    def gather(self, windows: np.ndarray) -> Batch:
        """Windows of the source, by its numbers, filled up."""
        batch = self.source.gather(windows)
        size, horizon = batch.is_pad.shape
        action = np.zeros((size, horizon, self.dim), np.float32)
        action[..., self._components] = batch.action
        observation = {name: np.zeros((size, *shape), dtype) for name, (shape, dtype) in self._absent.items()}
        observation.update({self.keys[own]: value for own, value in batch.observation.items()})
        return Batch(observation, action, batch.is_pad, batch.episode, batch.columns)
