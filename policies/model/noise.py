"""Noise that depends on a row's own seed alone: not on its batch mates, the device or the machine."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch
from torch import Tensor

WORD = 2**64
"""Half of a stream's key: the seed is below it, the number of the sample above."""


class RowStreams:
    """One counter-based stream (Philox) per chunk, keyed by (seed of the row, index of the sample).

    Sample k of a row is the same however many samples are drawn.

    Args:
        seeds: (batch,) one per row; None takes fresh ones from the operating system.
        batch: number of rows.
        samples: chunks per row.
    """

    def __init__(self, seeds: Sequence[int] | np.ndarray | None, batch: int, samples: int):
        if seeds is None:
            seeds = np.random.SeedSequence().generate_state(batch, np.uint64)
        self.streams = [
            np.random.Generator(np.random.Philox(key=int(seed) % WORD + index * WORD))
            for seed in seeds
            for index in range(samples)
        ]

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal noise (batch * samples, *shape), float32."""
        rows = np.empty((len(self.streams), *shape), dtype=np.float32)
        for row, stream in zip(rows, self.streams):
            stream.standard_normal(dtype=np.float32, out=row)
        return torch.from_numpy(rows)

    def generators(self) -> list[torch.Generator]:
        """One torch generator per chunk, for samplers that draw more noise in their steps."""
        return [torch.Generator().manual_seed(int(stream.integers(2**63))) for stream in self.streams]
