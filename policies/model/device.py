"""The device that a process works on."""

from __future__ import annotations

import os

import torch

from robot.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """The named device: `auto` is a GPU when there is one; under torchrun each process takes that of its local rank.

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
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    elif device.type != "cpu":
        raise InputError("device", expected="auto, cpu, cuda or cuda:N", got=f"'{name}'")
    return device
