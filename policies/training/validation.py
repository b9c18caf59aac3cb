"""The loss on held-out episodes, comparable from one measurement to the next."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from data.learning.sources.source import WindowSource
from policies.model.trainable import LossModule
from policies.training.batches import to_torch


class Validation:
    """Loss of a model in evaluation mode on the same windows with the same noise every time.

    Args:
        windows: of held-out episodes.
        batch_size: windows at a time.
        batches: at most so many; the windows are spread evenly over the episodes.
        facts: as in `Batches`.
    """

    def __init__(self, windows: WindowSource, batch_size: int, batches: int, facts: Mapping[str, Tensor] | None = None):
        self.windows, self._facts = windows, facts or {}
        count = min(len(windows), batch_size * batches)
        rows = np.linspace(0, len(windows) - 1, count).round().astype(np.int64)
        self._parts: Sequence[np.ndarray] = np.split(rows, range(batch_size, count, batch_size))

    @torch.no_grad()
    def loss(self, model: LossModule) -> float:
        """The mean loss over the elements that count."""
        device = next(model.parameters()).device
        generator = torch.Generator(device)
        total, elements = 0.0, 0
        for index, rows in enumerate(self._parts):
            batch = to_torch(self.windows, rows, self._facts).to(device)
            generator.manual_seed(index)
            total += model(batch, generator).item()
            elements += model.elements(batch)
        return total / elements
