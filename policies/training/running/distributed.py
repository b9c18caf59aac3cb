"""One process or several under torchrun."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from dataclasses import dataclass
from traceback import clear_frames
from typing import Iterator

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together.

    Args:
        rank, size: its number, and how many there are.
        local_rank: its number on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def add(self, value: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            distributed.barrier()


def ranks_from_environment() -> Ranks:
    """The ranks that torchrun sets; one process where it does not."""
    return Ranks(
        *(int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0)))
    )


@contextmanager
def process_group(device: torch.device) -> Iterator[Ranks]:
    """Join the other processes: NCCL on GPUs, gloo on CPUs. Nothing may hold the group when the block ends."""
    ranks = ranks_from_environment()
    if ranks.size == 1 or distributed.is_initialized():
        yield ranks
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ranks
    except BaseException as error:
        _forget_locals(error)
        raise
    finally:
        distributed.destroy_process_group()


def _forget_locals(error: BaseException | None) -> None:
    """Clear the variables that an error's traceback keeps, a module that holds the group among them."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    gc.collect()
