"""Which number format the forward pass of training uses on a device."""

from __future__ import annotations

import torch


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether to train under bf16 autocast; weights, gradients and the optimiser stay in float32 either way.

    Args:
        precision: `float32`, `bf16`, or `auto`: bf16 where the device multiplies it natively, which is two to three
            times faster on such CPUs. Where it does not, bf16 is emulated and slower than float32.
        device: that trains.
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and _cpu_multiplies_bf16()


def _cpu_multiplies_bf16() -> bool:
    # Torch has no public test for this; where a version lacks one of these, float32 is used.
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, test, bool)() for test in tests)
