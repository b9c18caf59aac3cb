"""Windows with what was computed of each of them before a training, and with the window that follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping

import numpy as np

from data.learning.sources.around import Around
from data.learning.sources.source import WindowSource
from data.learning.windows import Batch
from robot.errors import InputError


class Annotated(Around):
    """A source whose batches bring further columns along: the outermost one, around mixtures and weights.

    Args:
        source: of the windows.
        annotations: name -> (windows, ...) of each window, by its number.
        following: (windows,) number of the window that follows each one, whose observation, action and annotations are
            `Batch.following`; None brings none along.

    Raises:
        InputError: an annotation of another number of windows.
    """

    def __init__(
        self, source: WindowSource, annotations: Mapping[str, np.ndarray], following: np.ndarray | None = None
    ) -> None:
        for name, values in {**annotations, **({} if following is None else {"following": following})}.items():
            if len(values) != len(source):
                raise InputError(f"annotation '{name}'", expected=f"{len(source)} windows", got=str(len(values)))
        super().__init__(source)
        self.annotations, self.following = dict(annotations), following

    def gather(self, windows: np.ndarray) -> Batch:
        """Windows of the source with their annotations, and with those that follow."""
        batch = self._annotated(windows)
        return batch if self.following is None else replace(batch, following=self._annotated(self.following[windows]))

    def _annotated(self, windows: np.ndarray) -> Batch:
        batch = self.source.gather(windows)
        own = {name: values[windows] for name, values in self.annotations.items()}
        return replace(batch, columns={**batch.columns, **own})
