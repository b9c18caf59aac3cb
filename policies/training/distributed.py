"""One process or several under torchrun, and the device that each works on."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from dataclasses import dataclass
from traceback import clear_frames
from typing import Iterator

import torch
from torch import Tensor, distributed

from robot.errors import InputError


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
        """Until all processes are here."""
        if self.size > 1:
            distributed.barrier()


def ranks_from_environment() -> Ranks:
    """As torchrun sets it; one process where it does not."""
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
    """An error's traceback keeps the variables of all that was called, a module that holds the group among them."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    gc.collect()


def choose_device(name: str = "auto") -> torch.device:
    """`auto` takes a GPU when there is one; under torchrun each process takes the GPU of its local rank.

    Raises:
        InputError: no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError("device", expected="auto, cpu, cuda or cuda:N", got=f"'{name}'") from error
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise InputError(
                f"device={name}",
                expected="a GPU that torch can use",
                got=f"{count or 'no'} GPU{'s' if count > 1 else ''} here (torch {torch.__version__})",
                way_out="Use device=cpu, or install a driver and a CUDA build of torch",
            )
        if device.index is None:
            device = torch.device("cuda", ranks_from_environment().local_rank)
        torch.cuda.set_device(device)
    elif device.type != "cpu":
        raise InputError("device", expected="auto, cpu, cuda or cuda:N", got=f"'{name}'")
    return device
