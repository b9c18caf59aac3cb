"""The order in which windows are learnt from, a function of the update's number, and their transfer to the device."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Mapping

import numpy as np
import torch
from torch import Tensor

from data.learning.sources.source import WindowSource
from data.learning.windows import Batch
from policies.model.batch import TensorBatch
from policies.training.running.distributed import Ranks


class RowOrder:
    """Which rows each update learns from: one epoch's order after the other, cut in batches that may span two.

    The order of an epoch is a function of (seed, epoch) alone, so the rows of any update can be computed at any
    time, also after a resume.
    """

    def __init__(self, windows: WindowSource, batch_size: int, seed: int):
        self.windows, self.batch_size, self.seed = windows, batch_size, seed
        self._epochs: dict[int, np.ndarray] = {}

    def rows(self, update: int) -> np.ndarray:
        """Rows (batch_size,) of an update, counted from 0."""
        size = len(self.windows)
        start = update * self.batch_size
        parts = []
        while start < (update + 1) * self.batch_size:
            epoch, position = divmod(start, size)
            stop = min(position + (update + 1) * self.batch_size - start, size)
            parts.append(self._epoch(epoch)[position:stop])
            start += stop - position
        return np.concatenate(parts)

    def _epoch(self, epoch: int) -> np.ndarray:
        if epoch not in self._epochs:
            self._epochs = {kept: order for kept, order in self._epochs.items() if kept >= epoch - 1}
            self._epochs[epoch] = self.windows.order(np.random.default_rng([self.seed, epoch]))
        return self._epochs[epoch]


class Batches:
    """Micro-batches of each update for one of several processes.

    A global batch is cut in `accumulation * size` equal parts; part `index * size + rank` is micro-batch `index` of
    process `rank`. So two processes, and one process with twice the accumulation, learn from the same parts.

    Args:
        order: of rows.
        device: that batches are moved to.
        accumulation: micro-batches per update.
        ranks: this process among all.
        ahead: gather the next update in a thread meanwhile; pays where images are decoded or a GPU works.
        facts: name -> (episodes, ...) of every episode that the windows count, such as success, or the prompt as the
            model reads it.
    """

    def __init__(
        self,
        order: RowOrder,
        device: torch.device,
        accumulation: int,
        ranks: Ranks,
        ahead: bool,
        facts: Mapping[str, Tensor] | None = None,
    ):
        self.order, self.device, self.accumulation, self.ranks = order, device, accumulation, ranks
        self._facts = facts or {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches") if ahead else None
        self._next: tuple[int, Future[list[TensorBatch]]] | None = None

    def fetch(self, update: int) -> list[TensorBatch]:
        """This process's micro-batches of an update."""
        if self._pool is None:
            batches = self._gather(update)
        else:
            number, pending = self._next or (-1, None)
            batches = pending.result() if pending is not None and number == update else self._gather(update)
            self._next = update + 1, self._pool.submit(self._gather, update + 1)
        return [batch.to(self.device) for batch in batches]

    def _gather(self, update: int) -> list[TensorBatch]:
        parts = np.split(self.order.rows(update), self.accumulation * self.ranks.size)
        return [
            to_torch(self.order.windows, part, self._facts, pin=self.device.type == "cuda")
            for part in parts[self.ranks.rank :: self.ranks.size]
        ]

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def to_torch(
    windows: WindowSource, rows: np.ndarray, facts: Mapping[str, Tensor] | None = None, pin: bool = False
) -> TensorBatch:
    """Gather windows as tensors on the CPU, in the memory of the arrays unless pinned. `facts`: see `Batches`."""
    return _as_tensors(windows.gather(rows), facts or {}, pin)


def _as_tensors(batch: Batch, facts: Mapping[str, Tensor], pin: bool) -> TensorBatch:
    def tensor(array: np.ndarray) -> Tensor:
        shared = torch.from_numpy(array)
        return shared.pin_memory() if pin else shared

    episode = torch.from_numpy(batch.episode)
    return TensorBatch(
        {name: tensor(value) for name, value in batch.observation.items()},
        tensor(batch.action),
        tensor(batch.is_pad),
        batch.is_pad.size - int(batch.is_pad.sum()),
        {name: values[episode] for name, values in facts.items()},
        {name: tensor(value) for name, value in batch.columns.items()},
        None if batch.following is None else _as_tensors(batch.following, facts, pin),
    )
