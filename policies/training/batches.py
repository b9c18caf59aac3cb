"""The order in which windows are learnt from, a function of the update's number, and their transfer to the device."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Mapping

import numpy as np
import torch
from torch import Tensor

from data.learning.windows import Windows
from policies.training.distributed import Ranks


@dataclass(frozen=True, eq=False)
class TensorBatch:
    """Windows side by side on a device, raw units.

    Args:
        observation: name -> (batch, steps, ...).
        action: (batch, horizon, dim).
        is_pad: (batch, horizon).
        kept: rows that are no padding, counted before the transfer to the device.
        prompt: (batch, ...) as the model's encoder of prompts reads them; None where it reads none.
    """

    observation: Mapping[str, Tensor]
    action: Tensor
    is_pad: Tensor
    kept: int
    prompt: Tensor | None = None

    def to(self, device: torch.device) -> TensorBatch:
        """The same windows on another device."""
        if device.type == "cpu":
            return self
        observation = {name: value.to(device, non_blocking=True) for name, value in self.observation.items()}
        action, is_pad = (value.to(device, non_blocking=True) for value in (self.action, self.is_pad))
        prompt = None if self.prompt is None else self.prompt.to(device, non_blocking=True)
        return TensorBatch(observation, action, is_pad, self.kept, prompt)


class RowOrder:
    """Which rows each update learns from: one epoch's permutation after the other, cut in batches that may span two.

    The permutation of an epoch is a function of (seed, epoch) alone, so the rows of any update can be computed at any
    time, also after a resume.
    """

    def __init__(self, windows: Windows, batch_size: int, seed: int):
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
        prompts: (episodes, ...) of every episode of the dataset, as the model reads them; None where it reads none.
    """

    def __init__(
        self,
        order: RowOrder,
        device: torch.device,
        accumulation: int,
        ranks: Ranks,
        ahead: bool,
        prompts: Tensor | None = None,
    ):
        self.order, self.device, self.accumulation, self.ranks = order, device, accumulation, ranks
        self._prompts = prompts
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
            to_torch(self.order.windows, part, self._prompts, pin=self.device.type == "cuda")
            for part in parts[self.ranks.rank :: self.ranks.size]
        ]

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def to_torch(windows: Windows, rows: np.ndarray, prompts: Tensor | None = None, pin: bool = False) -> TensorBatch:
    """Gather windows as tensors on the CPU, in the memory of the arrays unless pinned. `prompts`: see `Batches`."""
    batch = windows.gather(rows)

    def tensor(array: np.ndarray) -> Tensor:
        shared = torch.from_numpy(array)
        return shared.pin_memory() if pin else shared

    return TensorBatch(
        {name: tensor(value) for name, value in batch.observation.items()},
        tensor(batch.action),
        tensor(batch.is_pad),
        batch.is_pad.size - int(batch.is_pad.sum()),
        None if prompts is None else prompts[torch.from_numpy(batch.episode)],
    )
